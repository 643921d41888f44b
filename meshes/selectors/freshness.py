"""How fresh what is shown is: the word of a cluster's reading, and the meshes found in clusters."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.db.models import Count, Q

from accounts.types import READ
from clusters.types import SyncFact
from meshes.adapters.registry import adapter_for
from meshes.models import WATCHING, ControlPlane, ManagedRoute, Sync
from meshui.lib import clock
from meshui.lib.rights import in_scope

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection
    from uuid import UUID

    from django.db.models import QuerySet

    from accounts.models import User
    from clusters.models import Cluster


@dataclass(frozen=True, slots=True)
class MeshLine:
    """A mesh as one cluster shows it. `trust_domain` empty: it could not be read."""

    kind: str
    label: str
    trust_domain: str
    versions: tuple[str, ...]
    is_ready: bool


def stale_after() -> timedelta:
    """What was read longer ago wears its age: three intervals."""
    return timedelta(seconds=3 * settings.SYNC_SECONDS)


def is_watched(cluster: Cluster) -> bool:
    """Whether a watch keeps it up to date now."""
    return WATCHING in cluster.lease_owner and cluster.lease_until is not None and cluster.lease_until > clock.now()


def sync_word(cluster: Cluster, *, has_errors: bool) -> str:
    """running, failed, never, stale or in_sync: the statuses of kind sync."""
    now = clock.now()
    if cluster.lease_until is not None and cluster.lease_until > now and not is_watched(cluster):
        return "running"
    if has_errors:
        return "failed"
    if cluster.last_synced_at is None:
        return "never"
    return "stale" if now - cluster.last_synced_at > stale_after() else "in_sync"


def clusters_with_errors(clusters: Collection[Cluster]) -> dict[UUID, int]:
    """Of clusters that the caller may see: how many kinds could not be read the last time. One query."""
    failed = Sync.objects.filter(cluster__in=clusters).exclude(error="").values_list("cluster_id", flat=True)
    counts: dict[UUID, int] = defaultdict(int)
    for pk in failed:
        counts[pk] += 1
    return counts


def sync_words(clusters: Collection[Cluster]) -> dict[Cluster, str]:
    """The words of the readings of clusters that the caller may see. One query."""
    errors = clusters_with_errors(clusters)
    return {each: sync_word(each, has_errors=each.pk in errors) for each in clusters}


def sync_stand(clusters: Collection[Cluster]) -> tuple[dict[Cluster, str], set[tuple[UUID, str]]]:
    """As sync_words; and (cluster, kind) of what was ever read there. One query."""
    rows = Sync.objects.filter(cluster__in=clusters).values_list("cluster_id", "resource", "error", "succeeded_at")
    found = list(rows.order_by())
    errors = {pk for pk, _, error, _ in found if error}
    read = {(pk, resource) for pk, resource, _, succeeded in found if succeeded is not None}
    return {each: sync_word(each, has_errors=each.pk in errors) for each in clusters}, read


def sync_facts(user: User, clusters: Collection[Cluster]) -> dict[UUID, SyncFact]:
    """Of clusters that `user` may see: read, fresh, and as MeshUI left it as far as they see that. Two queries."""
    errors, counts = clusters_with_errors(clusters), managed_in(user, clusters)
    return {c.pk: _fact(c, bool(errors.get(c.pk)), *counts.get(c.pk, (0, 0))) for c in clusters}


def managed_in(user: User, clusters: Collection[Cluster]) -> dict[UUID, tuple[int, int]]:
    """By cluster: routes that MeshUI wrote last, and those of them that others changed since. One query."""
    rows = in_scope(kept().filter(cluster__in=clusters), user, READ).order_by()
    counted = rows.values_list("cluster_id").annotate(n=Count("pk"), drifted=Count("pk", filter=~Q(drift="")))
    return {pk: (n, drifted) for pk, n, drifted in counted}


def kept() -> QuerySet[ManagedRoute]:
    """What MeshUI wrote and is to be there: not what it deleted, unless somebody made that again. Unscoped."""
    return ManagedRoute.objects.filter(cluster__removed_at=None).exclude(left_hash="", drift="")


def fact_of(cluster: Cluster, sync: str, counts: tuple[int, int]) -> SyncFact:
    """The word of the reading, and what it says of the `counts` of managed_in where it went well."""
    return judged(sync, cluster.last_synced_at, *counts)


def judged(sync: str, read_at: dt.datetime | None, managed: int, drifted: int) -> SyncFact:
    """Nothing is in sync that nobody has read: only after a reading that went well the routes have the word."""
    if sync == "in_sync":
        sync = "drifted" if drifted else "in_sync" if managed else "not_managed"
    return SyncFact(sync, read_at, managed, drifted)


def meshes_by_cluster(user: User, clusters: Collection[Cluster]) -> dict[UUID, tuple[MeshLine, ...]]:
    """The meshes of each cluster that `user` may see, by its control planes. One query."""
    return meshes_of(in_scope(planes_in(clusters), user, READ))


def planes_in(clusters: Collection[Cluster]) -> QuerySet[ControlPlane]:
    """The control planes that are there, for `meshes_of`. Unscoped."""
    return ControlPlane.objects.filter(cluster__in=clusters, gone_at__isnull=True).select_related("mesh")


def meshes_of(planes: QuerySet[ControlPlane]) -> dict[UUID, tuple[MeshLine, ...]]:
    """The meshes of each cluster, by these control planes. One query."""
    found: dict[UUID, dict[UUID, list[ControlPlane]]] = defaultdict(lambda: defaultdict(list))
    for plane in planes.order_by("namespace", "name"):
        found[plane.cluster_id][plane.mesh_id].append(plane)
    return {pk: tuple(_line(group) for group in meshes.values()) for pk, meshes in found.items()}


def _fact(cluster: Cluster, has_errors: bool, managed: int, drifted: int) -> SyncFact:  # noqa: FBT001 - as sync_word
    return fact_of(cluster, sync_word(cluster, has_errors=has_errors), (managed, drifted))


def _line(planes: list[ControlPlane]) -> MeshLine:
    mesh = planes[0].mesh
    versions = dict.fromkeys(plane.version for plane in planes if plane.version)
    is_ready = all(plane.is_ready for plane in planes)
    return MeshLine(mesh.kind, adapter_for(mesh.kind).label, mesh.trust_domain, tuple(versions), is_ready)
