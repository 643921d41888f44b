"""Routes that are otherwise than MeshUI left them, as a user may see them, and how old that knowledge is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.db.models import Count, Q
from django.utils.translation import gettext

from accounts.types import READ
from clusters.models import Cluster
from meshes.models import ManagedRoute
from meshes.selectors.freshness import clusters_with_errors, judged, kept, sync_word
from meshui.lib.errors import MissingError
from meshui.lib.rights import in_scope

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from django.db.models import QuerySet

    from accounts.models import User
    from accounts.rights import Held
    from clusters.types import SyncFact
    from meshes.selectors.members import Member

MAX_CLUSTERS = 200
READING: Final = frozenset({"in_sync", "running"})
WORST_FIRST: Final = ("failed", "stale", "never", "running", "in_sync")
"""Words of readings (sync_word)."""


@dataclass(frozen=True, slots=True)
class Watch:
    """How far what is shown of drift can be believed. `checked_at`: as of when at least, over all that are read.

    `blind`: clusters that are not read now; what others do there is not seen.
    """

    checked_at: dt.datetime | None
    blind: tuple[Cluster, ...]


def list_managed(user: User) -> QuerySet[ManagedRoute]:
    """What MeshUI wrote last, drifted or not, in clusters that are still here; with cluster and route. One query."""
    rows = ManagedRoute.objects.filter(cluster__removed_at=None).select_related("cluster", "route")
    return in_scope(rows, user, READ)


def list_drifts(user: User) -> QuerySet[ManagedRoute]:
    """Those that are otherwise by now. One query; narrow it freely."""
    return list_managed(user).exclude(drift="")


def get_managed(user: User, pk: UUID) -> ManagedRoute:
    """One route that MeshUI wrote, drifted or put back. Raises MissingError, also where out of scope. One query."""
    row = list_managed(user).filter(pk=pk).first()
    if row is None:
        raise MissingError(gettext("There is no such drift."), mend=gettext("Open the list of drift."))
    return row


def drift_watch(user: User, cluster: Cluster | None = None) -> Watch:
    """How old the knowledge of drift is, where `user` sees what MeshUI wrote (at most 200), or in one cluster.

    Three queries, one for one cluster.
    """
    where = list_managed(user).order_by().values("cluster")
    found = [cluster] if cluster else list(Cluster.objects.filter(pk__in=where).order_by("slug")[:MAX_CLUSTERS])
    errors = clusters_with_errors(found)
    return watch_of({each: sync_word(each, has_errors=each.pk in errors) for each in found})


def watch_of(words: Mapping[Cluster, str]) -> Watch:
    """The same, of clusters with the words of their readings. No query."""
    read = [each.last_synced_at for each, word in words.items() if word in READING and each.last_synced_at is not None]
    return Watch(min(read, default=None), tuple(each for each, word in words.items() if word not in READING))


def count_managed(user: User, cluster: Cluster | None = None) -> int:
    """How many routes MeshUI wrote and left there, in one cluster or in all. Two queries."""
    rows = in_scope(kept(), user, READ)
    return (rows.filter(cluster=cluster) if cluster else rows).count()


def managed_of(held: Held, members: Sequence[Member], words: Mapping[Cluster, str]) -> SyncFact:
    """How the routes of one service, its `members` by cluster, stand to what MeshUI left. One query.

    `words`: of the readings of their clusters; the worst has the word, as of the oldest.
    """
    which = Q(pk__in=[])
    for member in members:
        which |= Q(cluster=member.cluster, root_namespace=member.namespace, root_service=member.name)
    rows = held.narrow(kept().filter(which), READ).order_by()
    counted = rows.aggregate(n=Count("pk"), drifted=Count("pk", filter=~Q(drift="")))
    word = min(words.values(), key=WORST_FIRST.index, default="in_sync")
    read = [cluster.last_synced_at for cluster in words if cluster.last_synced_at is not None]
    return judged(word, min(read, default=None), counted["n"], counted["drifted"])
