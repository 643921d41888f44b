"""One service as its page shows it: cluster by cluster, route by route, rule by rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Prefetch

from accounts.types import READ
from meshes.models import Namespace, Route, RouteBackend, Service
from meshes.selectors.freshness import MeshLine, clusters_with_errors, meshes_by_cluster, sync_word
from meshes.selectors.services import shares_of
from meshui.lib.errors import MissingError
from meshui.lib.rights import in_scope

if TYPE_CHECKING:
    from collections.abc import Iterable

    from accounts.models import User
    from clusters.models import Cluster
    from meshes.selectors.services import Shares
    from meshes.types import Rule, WeightedBackend

EVERYWHERE = "all"
MAX_CLUSTERS = 20
"""Shown whole on one page; the others are links."""


@dataclass(frozen=True, slots=True)
class RuleView:
    """One rule: which requests it is for (one of `matches`; empty: all), and how they are shared."""

    name: str
    matches: tuple[str, ...]
    backends: tuple[WeightedBackend, ...]
    timeout_ms: int | None
    extras: tuple[str, ...]

    @property
    def shares(self) -> Shares:
        """For the bar."""
        return tuple((item.backend.name, item.weight_bp) for item in self.backends)

    @property
    def only(self) -> WeightedBackend | None:
        """The backend that gets everything whatever its weight says; None: there are several, or none."""
        return self.backends[0] if len(self.backends) == 1 else None


@dataclass(frozen=True, slots=True)
class RouteView:
    """One native object; `rules` empty where it could not be read, and `problems` say why."""

    row: Route
    rules: tuple[RuleView, ...]


@dataclass(frozen=True, slots=True)
class ServiceInCluster:
    """The service in one cluster. `service` None: there are routes of this name alone."""

    cluster: Cluster
    service: Service | None
    namespace: Namespace | None
    meshes: tuple[MeshLine, ...]
    routes: tuple[RouteView, ...]
    shares: Shares
    sync: str

    @property
    def mesh_kind(self) -> str:
        """The kind of the first mesh there; empty: none was found."""
        return self.meshes[0].kind if self.meshes else ""

    @property
    def is_gone(self) -> bool:
        """Whether the service is no longer there."""
        return self.service is not None and self.service.gone_at is not None


@dataclass(frozen=True, slots=True)
class ServiceView:
    """One service in a scope: a cluster's slug, or `all`. `elsewhere`: clusters whose details are not shown here."""

    scope: str
    namespace: str
    name: str
    clusters: tuple[ServiceInCluster, ...]
    elsewhere: tuple[str, ...]

    @property
    def mesh_labels(self) -> list[str]:
        """The products found where it stands."""
        return list(dict.fromkeys(mesh.label for here in self.clusters for mesh in here.meshes))

    @property
    def route_count(self) -> int:
        """Native objects that decide for it."""
        return sum(len(here.routes) for here in self.clusters)

    @property
    def can_be_split(self) -> bool:
        """Whether some rule has more than one backend."""
        return any(len(rule.backends) > 1 for here in self.clusters for route in here.routes for rule in route.rules)


def service_view(user: User, scope: str, namespace: str, name: str) -> ServiceView:
    """The service with everything its page shows. Raises MissingError, also where out of scope. Constant queries.

    A service that is gone is still shown, as gone, until its name is taken again.
    """
    services = _services(user, namespace, name)
    routes = _routes(user, namespace, name)
    found = {row.cluster_id: row.cluster for row in services} | {row.cluster_id: row.cluster for row in routes}
    everywhere = sorted(found.values(), key=lambda cluster: cluster.slug)
    wanted = [cluster for cluster in everywhere if scope in {EVERYWHERE, cluster.slug}]
    if not wanted:
        raise MissingError("There is no such service.")
    shown = wanted[:MAX_CLUSTERS]
    context = _Context(user, shown, namespace)
    clusters = tuple(context.service_in(cluster, services, routes) for cluster in shown)
    elsewhere = tuple(cluster.slug for cluster in everywhere if cluster not in shown)
    return ServiceView(scope, namespace, name, clusters, elsewhere)


class _Context:
    """What stands around the service in the clusters shown. Some queries when made, none later."""

    def __init__(self, user: User, clusters: list[Cluster], namespace: str) -> None:
        spaces = Namespace.objects.filter(cluster__in=clusters, name=namespace, gone_at__isnull=True)
        self.namespaces = {row.cluster_id: row for row in in_scope(spaces, user, READ)}
        self.meshes = meshes_by_cluster(user, clusters)
        self.errors = clusters_with_errors(clusters)

    def service_in(self, cluster: Cluster, services: Iterable[Service], routes: Iterable[Route]) -> ServiceInCluster:
        """The service in one of the clusters."""
        here = [row for row in services if row.cluster_id == cluster.pk]
        found = [route for route in routes if route.cluster_id == cluster.pk]
        return ServiceInCluster(
            cluster=cluster,
            service=here[0] if here else None,
            namespace=self.namespaces.get(cluster.pk),
            meshes=self.meshes.get(cluster.pk, ()),
            routes=tuple(_route_view(route) for route in found),
            shares=next((shares for shares in map(shares_of, found) if shares), ()),
            sync=sync_word(cluster, has_errors=bool(self.errors.get(cluster.pk))),
        )


def _services(user: User, namespace: str, name: str) -> list[Service]:
    """Live ones first, then the one that went last."""
    rows = in_scope(Service.objects.filter(namespace=namespace, name=name), user, READ).select_related("cluster")
    return sorted(rows, key=lambda row: (row.gone_at is not None, -(row.gone_at.timestamp() if row.gone_at else 0)))


def _routes(user: User, namespace: str, name: str) -> list[Route]:
    rows = Route.objects.filter(root_namespace=namespace, root_service=name, gone_at__isnull=True)
    backends = Prefetch("backends", queryset=RouteBackend.objects.order_by("position"))
    ordered = in_scope(rows, user, READ).select_related("cluster").order_by("cluster__slug", "namespace", "name")
    return list(ordered.prefetch_related(backends))


def _route_view(row: Route) -> RouteView:
    neutral = row.route
    return RouteView(row, tuple(_rule_view(rule) for rule in neutral.rules) if neutral else ())


def _rule_view(rule: Rule) -> RuleView:
    matches = tuple(match.words for match in rule.matches)
    if not all(matches):  # one match without a condition takes every request
        matches = ()
    return RuleView(rule.name, matches, rule.backends, rule.timeout_ms, rule.extras)
