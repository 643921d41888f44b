"""Every cluster with the meshes in it, from stored data alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Count, Q

from accounts.types import READ
from clusters.selectors import list_clusters
from meshes.models import Route, Service
from meshes.selectors.freshness import (
    MeshLine,
    clusters_with_errors,
    fact_of,
    managed_in,
    meshes_by_cluster,
    sync_word,
)
from meshui.lib.rights import in_scope

if TYPE_CHECKING:
    import datetime as dt
    from uuid import UUID

    from accounts.models import User
    from clusters.models import Cluster
    from clusters.types import SyncFact

MAX_ROWS = 200


@dataclass(frozen=True, slots=True)
class FleetRow:
    """One cluster. `sync` is a status of that kind; `problem_count`: kinds and routes that could not be read."""

    cluster: Cluster
    meshes: tuple[MeshLine, ...]
    service_count: int
    route_count: int
    split_count: int
    problem_count: int
    sync: str
    fact: SyncFact

    @property
    def read_at(self) -> dt.datetime | None:
        """When everything could last be read."""
        return self.cluster.last_synced_at


def fleet_rows(user: User) -> list[FleetRow]:
    """The clusters that `user` may see, worst first, at most 200. Ten queries, however many there are."""
    worst_first = list_clusters(user).prefetch_related(None).order_by("health_rank", "slug")  # type: ignore[misc]  # annotated there
    clusters = list(worst_first[:MAX_ROWS])
    meshes, errors = meshes_by_cluster(user, clusters), clusters_with_errors(clusters)
    services, routes = _service_counts(user, clusters), _route_counts(user, clusters)
    managed = managed_in(user, clusters)
    words = {cluster.pk: sync_word(cluster, has_errors=bool(errors.get(cluster.pk))) for cluster in clusters}
    return [
        FleetRow(
            cluster,
            meshes.get(cluster.pk, ()),
            services.get(cluster.pk, 0),
            *routes.get(cluster.pk, (0, 0, 0))[:2],
            problem_count=errors.get(cluster.pk, 0) + routes.get(cluster.pk, (0, 0, 0))[2],
            sync=words[cluster.pk],
            fact=fact_of(cluster, words[cluster.pk], managed.get(cluster.pk, (0, 0))),
        )
        for cluster in clusters
    ]


def _service_counts(user: User, clusters: list[Cluster]) -> dict[UUID, int]:
    rows = in_scope(Service.objects.filter(cluster__in=clusters, gone_at__isnull=True), user, READ)
    return dict(rows.order_by().values_list("cluster_id").annotate(n=Count("pk")))


def _route_counts(user: User, clusters: list[Cluster]) -> dict[UUID, tuple[int, int, int]]:
    """Routes, those that split, those that could not be read."""
    rows = in_scope(Route.objects.filter(cluster__in=clusters, gone_at__isnull=True), user, READ)
    counted = (
        rows.order_by()
        .values_list("cluster_id")
        .annotate(
            n=Count("pk"),
            split=Count("pk", filter=Q(is_split=True)),
            unread=Count("pk", filter=Q(projection_hash="")),
        )
    )
    return {pk: (n, split, unread) for pk, n, split, unread in counted}
