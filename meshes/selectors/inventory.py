"""What was read of one cluster, list by list: namespaces, services, workloads, routes; those that are gone, too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext

from accounts.types import READ
from clusters.selectors import list_clusters
from meshes.adapters.registry import adapter_for
from meshes.models import Namespace, Route, Service, Sync, Workload
from meshes.selectors.freshness import sync_word
from meshes.selectors.serviceview import RouteView, route_view
from meshui.lib.errors import MissingError
from meshui.lib.rights import in_scope

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from django.db.models import QuerySet

    from accounts.models import User
    from clusters.models import Cluster
    from meshes.selectors.splits import Shares


@dataclass(frozen=True, slots=True)
class ReadCluster:
    """A cluster whose inventory is shown. `sync`: the word of its last reading."""

    cluster: Cluster
    sync: str


@dataclass(frozen=True, slots=True)
class RouteLine:
    """One route in a list. `shares`: of its first rule that splits; empty: none does."""

    row: Route
    label: str
    rule_count: int
    shares: Shares


def read_cluster(user: User, slug: str) -> ReadCluster:
    """The cluster. Raises MissingError, also where out of scope. Two queries."""
    cluster = list_clusters(user).prefetch_related(None).filter(slug=slug).first()
    if cluster is None:
        raise MissingError(gettext("There is no such cluster."), mend=gettext("Open the list of clusters."))
    has_errors = Sync.objects.filter(cluster=cluster).exclude(error="").exists()
    return ReadCluster(cluster, sync_word(cluster, has_errors=has_errors))


def list_namespaces(user: User, cluster: Cluster) -> QuerySet[Namespace]:
    """Its namespaces, gone or not, by name."""
    return in_scope(Namespace.objects.filter(cluster=cluster), user, READ)


def list_services(user: User, cluster: Cluster) -> QuerySet[Service]:
    """Its services, gone or not, by namespace and name."""
    return in_scope(Service.objects.filter(cluster=cluster), user, READ)


def list_workloads(user: User, cluster: Cluster) -> QuerySet[Workload]:
    """Its workloads, gone or not, by namespace and name."""
    return in_scope(Workload.objects.filter(cluster=cluster), user, READ)


def list_routes(user: User, cluster: Cluster) -> QuerySet[Route]:
    """Its routes, gone or not, without their native bodies."""
    return in_scope(Route.objects.filter(cluster=cluster), user, READ).defer("body")


def route_lines(rows: Iterable[Route]) -> list[RouteLine]:
    """What a list shows of each. No query."""
    return [_line(row) for row in rows]


def route_in_cluster(user: User, cluster: Cluster, pk: UUID) -> RouteView:
    """One route of the cluster, gone or not, whole. Raises MissingError, also where out of scope. One query."""
    row = in_scope(Route.objects.filter(cluster=cluster, pk=pk), user, READ).first()
    if row is None:
        raise MissingError(gettext("There is no such route."), mend=gettext("Open the list of the cluster's routes."))
    return route_view(row)


def _line(row: Route) -> RouteLine:
    neutral = row.route
    rules = neutral.rules if neutral else ()
    split = next((rule for rule in rules if len(rule.backends) > 1), None)
    shares = tuple((item.backend.name, item.weight_bp) for item in split.backends) if split else ()
    return RouteLine(row, adapter_for(row.mesh_kind).label, len(rules), shares)
