"""What the apps above have to say when a cluster is removed: clusters knows none of them.

They register functions when the apps are ready. Each is called inside the verb's transaction, without network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from clusters.models import Cluster

_objections: Final[list[Callable[[Cluster], str]]] = []
_farewells: Final[list[Callable[[Cluster], None]]] = []


def object_to_removal(objection: Callable[[Cluster], str]) -> None:
    """Ask `objection` before a cluster is removed: why it must not be now; empty if it may."""
    if objection not in _objections:
        _objections.append(objection)


def follow_removal(farewell: Callable[[Cluster], None]) -> None:
    """Call `farewell` when a cluster is being removed, to put away what belongs to it."""
    if farewell not in _farewells:
        _farewells.append(farewell)


def objections(cluster: Cluster) -> list[str]:
    """Why the cluster must not be removed now."""
    return [why for objection in _objections if (why := objection(cluster))]


def say_farewell(cluster: Cluster) -> None:
    """Let all put away what belongs to the cluster."""
    for farewell in _farewells:
        farewell(cluster)
