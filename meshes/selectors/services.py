"""Services over clusters: one row per namespace and name, whatever the number of clusters it stands in."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Exists, OuterRef, Prefetch, Q

from accounts.types import READ
from meshes.models import Route, RouteBackend, Service
from meshui.lib.rights import in_scope

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from django.db.models import QuerySet

    from accounts.models import User

    Shares = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class SplitLine:
    """How a service's requests are shared, and the clusters (slugs) where they are shared so."""

    shares: Shares
    clusters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ServiceLine:
    """One service in a list. `splits`: one for each way it is split; more than one: its clusters differ."""

    namespace: str
    name: str
    ports: tuple[int, ...]
    clusters: tuple[str, ...]
    mesh_kinds: tuple[str, ...]
    route_count: int
    splits: tuple[SplitLine, ...]

    @property
    def scope(self) -> str:
        """What stands in the URL: its only cluster, or `all`."""
        return self.clusters[0] if len(self.clusters) == 1 else "all"


def services_list(user: User) -> QuerySet[Service]:
    """One row for each namespace and name among the services `user` may see: the first of them. One query."""
    mine = _live_services(user)
    before = mine.filter(namespace=OuterRef("namespace"), name=OuterRef("name"), pk__lt=OuterRef("pk"))
    return mine.filter(~Exists(before)).order_by("namespace", "name")


def in_cluster(rows: QuerySet[Service], user: User, slug: str) -> QuerySet[Service]:
    """Those of services_list that stand in this cluster, too."""
    there = _live_services(user).filter(cluster__slug=slug)
    return rows.filter(Exists(there.filter(namespace=OuterRef("namespace"), name=OuterRef("name"))))


def split_now(rows: QuerySet[Service], user: User) -> QuerySet[Service]:
    """Those of services_list that some route splits."""
    split = _live_routes(user).filter(is_split=True)
    return rows.filter(Exists(split.filter(root_namespace=OuterRef("namespace"), root_service=OuterRef("name"))))


def service_lines(user: User, rows: Sequence[Service]) -> list[ServiceLine]:
    """What a list shows of each of `rows`, in their order. Five queries."""
    if not rows:
        return []
    services = _by_name(_live_services(user).filter(_named(rows, "namespace", "name")).select_related("cluster"))
    routes: dict[tuple[str, str], list[Route]] = defaultdict(list)
    backends = Prefetch("backends", queryset=RouteBackend.objects.order_by("position"))
    found = _live_routes(user).filter(_named(rows, "root_namespace", "root_service")).defer("body", "neutral")
    for route in found.select_related("cluster").prefetch_related(backends).order_by("cluster__slug", "name"):
        routes[route.root_namespace, route.root_service].append(route)
    return [_line(services[row.namespace, row.name], routes[row.namespace, row.name]) for row in rows]


def shares_of(route: Route) -> Shares:
    """The shares of its first rule that splits; empty: none does. Backends must be prefetched."""
    rules: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for backend in route.backends.all():
        rules[backend.rule].append((backend.name, backend.weight_bp))
    return next((tuple(shares) for shares in rules.values() if len(shares) > 1), ())


def _live_services(user: User) -> QuerySet[Service]:
    return in_scope(Service.objects.filter(gone_at__isnull=True), user, READ)


def _live_routes(user: User) -> QuerySet[Route]:
    return in_scope(Route.objects.filter(gone_at__isnull=True), user, READ)


def _named(rows: Iterable[Service], namespace: str, name: str) -> Q:
    """The (namespace, name) of `rows`, in as few conditions as there are namespaces."""
    names: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        names[row.namespace].append(row.name)
    found = Q(pk__in=[])
    for place, there in names.items():
        found |= Q(**{namespace: place, f"{name}__in": there})
    return found


def _by_name(rows: QuerySet[Service]) -> dict[tuple[str, str], list[Service]]:
    found: dict[tuple[str, str], list[Service]] = defaultdict(list)
    for row in rows.order_by("cluster__slug"):
        found[row.namespace, row.name].append(row)
    return found


def _line(services: list[Service], routes: list[Route]) -> ServiceLine:
    ways: dict[Shares, list[str]] = defaultdict(list)
    for route in routes:
        if shares := shares_of(route):
            ways[shares].append(route.cluster.slug)
    return ServiceLine(
        namespace=services[0].namespace,
        name=services[0].name,
        ports=tuple(sorted({int(port["port"]) for service in services for port in service.ports})),
        clusters=tuple(service.cluster.slug for service in services),
        mesh_kinds=tuple(sorted({route.mesh_kind for route in routes})),
        route_count=len(routes),
        splits=tuple(SplitLine(shares, tuple(dict.fromkeys(slugs))) for shares, slugs in ways.items()),
    )
