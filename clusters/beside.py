"""What the apps above know of clusters and the pages of clusters show: clusters knows none of them.

They register a function when the apps are ready.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from uuid import UUID

    from accounts.models import User
    from clusters.models import Cluster
    from clusters.types import SyncFact

    SyncFacts = Callable[[User, Collection[Cluster]], Mapping[UUID, SyncFact]]

_tellers: Final[list[SyncFacts]] = []


def tell_sync(teller: SyncFacts) -> None:
    """Ask `teller` how far what is stored of clusters is as it should be."""
    if teller not in _tellers:
        _tellers.append(teller)


def sync_facts(user: User, clusters: Collection[Cluster]) -> dict[UUID, SyncFact]:
    """Of clusters that `user` may see, what those who know tell; as many queries as they need."""
    return {pk: fact for teller in _tellers for pk, fact in teller(user, clusters).items()}
