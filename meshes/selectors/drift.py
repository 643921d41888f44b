"""Routes that are otherwise than MeshUI left them, as a user may see them, and how old that knowledge is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.db.models import Count, Q
from django.utils.translation import gettext

from accounts.types import READ
from clusters.models import Cluster
from meshes.models import ManagedRoute
from meshes.selectors.freshness import clusters_with_errors, sync_word
from meshui.lib.errors import MissingError
from meshui.lib.rights import in_scope

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping
    from uuid import UUID

    from django.db.models import QuerySet

    from accounts.models import User
    from accounts.rights import Held

MAX_CLUSTERS = 200
READING: Final = frozenset({"in_sync", "running"})


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
    rows = list_managed(user).exclude(left_hash="", drift="")
    return (rows.filter(cluster=cluster) if cluster else rows).count()


@dataclass(frozen=True, slots=True)
class ManagedOf:
    """Of one service: routes that MeshUI wrote last, and those of them that others changed since."""

    managed: int
    drifted: int


def managed_of(held: Held, scope: str, namespace: str, name: str) -> ManagedOf:
    """How the routes of a service in a cluster, or in `all`, stand to what MeshUI left. One query."""
    there = ManagedRoute.objects.filter(cluster__removed_at=None, root_namespace=namespace, root_service=name)
    rows = held.narrow(there.exclude(left_hash="", drift=""), READ)
    if scope != "all":
        rows = rows.filter(cluster__slug=scope)
    counted = rows.order_by().aggregate(n=Count("pk"), drifted=Count("pk", filter=~Q(drift="")))
    return ManagedOf(counted["n"], counted["drifted"])
