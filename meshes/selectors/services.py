"""Services over clusters: one row per namespace and name, whatever the number of clusters it stands in.

Links and exclusions that people made are applied (meshes.selectors.members).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshes.models import ServiceLink
from meshes.selectors.members import Rows, named, row_keys
from meshes.selectors.splits import shares_by_version

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from uuid import UUID

    from django.db.models import QuerySet

    from accounts.models import User
    from meshes.models import Route, Service
    from meshes.selectors.members import Name, RowKey
    from meshes.selectors.splits import Shares


@dataclass(frozen=True, slots=True)
class SplitLine:
    """How a service's requests are shared, by version, and the clusters (slugs) where they are shared so."""

    shares: Shares
    clusters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ServiceLine:
    """One service in a list. `splits`: one for each way it is split; more than one: its clusters differ.

    `pk`: of the first service of the row, by which parts of the page name it.
    """

    pk: UUID
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


def services_list(seen: Rows) -> QuerySet[Service]:
    """One row for each service, in however many clusters, among those that are seen: the first of them. One query."""
    return seen.firsts().order_by("namespace", "name")


def in_cluster(rows: QuerySet[Service], user: User, slug: str) -> QuerySet[Service]:
    """Those of services_list that stand in this cluster, too."""
    return rows.filter(Rows(user).in_cluster(slug))


def in_environment(rows: QuerySet[Service], user: User, name: str) -> QuerySet[Service]:
    """Those of services_list that stand in some cluster of this environment."""
    return rows.filter(Rows(user).in_environment(name))


def split_now(rows: QuerySet[Service], user: User) -> QuerySet[Service]:
    """Those of services_list that some route splits."""
    return rows.filter(Rows(user).split_now())


def service_lines(seen: Rows, rows: Sequence[Service]) -> list[ServiceLine]:
    """What a list shows of each of `rows`, in their order. Five queries."""
    if not rows:
        return []
    names, services, keys = _grouping(seen, rows)
    grouped: dict[RowKey, list[Service]] = defaultdict(list)
    for row in sorted(services, key=lambda service: service.cluster.slug):
        grouped[keys[row.pk]].append(row)
    placed = {(row.cluster_id, row.namespace, row.name): keys[row.pk] for row in services}
    routes: dict[RowKey, list[Route]] = defaultdict(list)
    found = _routes(seen, names)
    for route in found:
        at = (route.cluster_id, route.root_namespace, route.root_service)
        routes[placed.get(at, (*at[1:], None))].append(route)
    shares = shares_by_version(found)
    return [_line(row, grouped[keys[row.pk]], routes[keys[row.pk]], shares) for row in rows if row.pk in keys]


def list_members(seen: Rows, rows: Sequence[Service]) -> dict[UUID, list[Service]]:
    """Of each of `rows` (by its primary key) the services that are one with it, itself among them. Two queries."""
    if not rows:
        return {}
    _, services, keys = _grouping(seen, rows)
    grouped: dict[RowKey, list[Service]] = defaultdict(list)
    for service in services:
        grouped[keys[service.pk]].append(service)
    return {row.pk: grouped[keys[row.pk]] for row in rows if row.pk in keys}


def _grouping(seen: Rows, rows: Sequence[Service]) -> tuple[set[Name], list[Service], dict[UUID, RowKey]]:
    """The names that stand in these rows, every service of them that is seen, and the row of each. Two queries."""
    names = {(row.namespace, row.name) for row in rows}
    # Links are not narrowed to what may be seen: they move only services that are.
    links = list(
        ServiceLink.objects.filter(named(names, "namespace", "name") | named(names, "to_namespace", "to_name"))
    )
    names |= {(link.namespace, link.name) for link in links}
    names |= {(link.to_namespace, link.to_name) for link in links if not link.is_apart}
    services = list(seen.services.filter(named(names, "namespace", "name")).select_related("cluster"))
    return names, services, row_keys(services, links)


def _routes(seen: Rows, names: Collection[Name]) -> list[Route]:
    found = seen.routes.filter(named(names, "root_namespace", "root_service")).defer("body")
    return list(found.select_related("cluster").order_by("cluster__slug", "name"))


def _line(row: Service, services: list[Service], routes: list[Route], shares: Mapping[UUID, Shares]) -> ServiceLine:
    ways: dict[Shares, list[str]] = defaultdict(list)
    for route in routes:
        if route.pk in shares:
            ways[shares[route.pk]].append(route.cluster.slug)
    return ServiceLine(
        pk=row.pk,
        namespace=row.namespace,
        name=row.name,
        ports=tuple(sorted({int(port["port"]) for service in services for port in service.ports})),
        clusters=tuple(service.cluster.slug for service in services),
        mesh_kinds=tuple(sorted({route.mesh_kind for route in routes})),
        route_count=len(routes),
        splits=tuple(SplitLine(shares, tuple(dict.fromkeys(slugs))) for shares, slugs in ways.items()),
    )
