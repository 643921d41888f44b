"""Which services of which clusters are one service: those of one name, but for links and exclusions made by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.db.models import Exists, OuterRef, Q

from accounts.rights import narrower
from accounts.types import READ
from meshes.models import Route, Service, ServiceLink

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from uuid import UUID

    from django.db.models import QuerySet

    from accounts.models import User
    from clusters.models import Cluster

EVERYWHERE = "all"
Name = tuple[str, str]
"""(namespace, name)."""


@dataclass(frozen=True, slots=True)
class Member:
    """A service of one cluster by its own name there; `service` None: there are routes of this name alone.

    `link`: what a person said of it: that it is shown under another name, or stands apart.
    """

    cluster: Cluster
    namespace: str
    name: str
    service: Service | None
    routes: tuple[Route, ...]
    link: ServiceLink | None

    @property
    def is_gone(self) -> bool:
        """Whether the service is no longer there."""
        return self.service is not None and self.service.gone_at is not None


@dataclass(frozen=True, slots=True)
class Members:
    """The services that are one in a scope (a cluster's slug, or `all`), by cluster.

    `away`: of the same name, but kept apart or shown under another. `beyond`: one with them, outside of the scope.
    `seen`: what the asker may see.
    """

    here: tuple[Member, ...]
    away: tuple[Member, ...]
    beyond: tuple[Member, ...]
    seen: Rows = field(repr=False, compare=False)


def members_of(user: User, namespace: str, name: str, *, scope: str = EVERYWHERE) -> Members:
    """The members of one row, as far as `user` sees them. Five queries.

    In the scope of one cluster it is the service of this very name there, whatever was said of it.
    """
    own = (namespace, name)
    links = list(ServiceLink.objects.filter(_either(own)))  # they move only services that may be seen
    seen = Rows(user)
    every = _members(seen, {own, *((link.namespace, link.name) for link in links)}, links)
    named = [member for member in every if (member.namespace, member.name) == own]
    row = [member for member in named if member.link is None]
    taken = {member.cluster.pk for member in row}
    row += [m for m in every if taken and m.cluster.pk not in taken and m.link is not None and _to(m.link) == own]
    row.sort(key=lambda member: member.cluster.slug)
    away = tuple(member for member in named if member.link is not None)
    if scope == EVERYWHERE:
        return Members(tuple(row), away, (), seen)
    here = tuple(member for member in named if member.cluster.slug == scope)
    beyond = () if any(member.link for member in here) else tuple(m for m in row if m.cluster.slug != scope)
    return Members(here, (), beyond, seen)


def _members(seen: Rows, names: Collection[Name], links: Iterable[ServiceLink]) -> list[Member]:
    """Every service of these names, whether or not it is the same as another."""
    said = {(link.cluster_id, link.namespace, link.name): link for link in links}
    services = _services(seen, names)
    routes: dict[tuple[UUID, str, str], list[Route]] = {}
    for route in _routes(seen, names):
        routes.setdefault((route.cluster_id, route.root_namespace, route.root_service), []).append(route)
    clusters = {row.cluster_id: row.cluster for row in services.values()}
    clusters |= {found[0].cluster_id: found[0].cluster for found in routes.values()}
    keys = sorted({*services, *routes}, key=lambda key: (clusters[key[0]].slug, *key[1:]))
    return [
        Member(clusters[key[0]], *key[1:], services.get(key), tuple(routes.get(key, ())), said.get(key)) for key in keys
    ]


def _services(seen: Rows, names: Collection[Name]) -> dict[tuple[UUID, str, str], Service]:
    """Live ones, else the one that went last."""
    rows = seen.ever.filter(named(names, "namespace", "name")).select_related("cluster")
    worst_first = sorted(rows, key=lambda row: (row.gone_at is None, row.gone_at.timestamp() if row.gone_at else 0))
    return {(row.cluster_id, row.namespace, row.name): row for row in worst_first}


def _routes(seen: Rows, names: Collection[Name]) -> QuerySet[Route]:
    rows = seen.routes.filter(named(names, "root_namespace", "root_service"))
    return rows.select_related("cluster").order_by("cluster__slug", "namespace", "name")


def named(names: Iterable[Name], namespace: str, name: str) -> Q:
    """Rows of these names, in as few conditions as there are namespaces."""
    found: dict[str, list[str]] = {}
    for place, one in names:
        found.setdefault(place, []).append(one)
    condition = Q(pk__in=[])
    for place, there in found.items():
        condition |= Q(**{namespace: place, f"{name}__in": there})
    return condition


def _to(link: ServiceLink) -> Name:
    return link.to_namespace, link.to_name


def _either(own: Name) -> Q:
    return Q(namespace=own[0], name=own[1]) | Q(to_namespace=own[0], to_name=own[1])


# --- rows of lists --------------------------------------------------------------------------------------------------


class Rows:
    """How the services that `user` sees make rows, in SQL: one for each name, one for each that stands apart.

    A link counts while its target is there, and that cluster has no service of the target's own name.
    """

    def __init__(self, user: User) -> None:
        self._user = user

    @cached_property
    def _narrow(self) -> Callable[[QuerySet[Any]], QuerySet[Any]]:
        """To what the user may see; their grants are read once."""
        return narrower(self._user, READ)

    @cached_property
    def ever(self) -> QuerySet[Service]:
        """Services, also those that are gone."""
        return self._narrow(Service.objects.all())

    @cached_property
    def services(self) -> QuerySet[Service]:
        """Those that are there."""
        return self.ever.filter(gone_at__isnull=True)

    @cached_property
    def routes(self) -> QuerySet[Route]:
        """Those that are there."""
        return self._narrow(Route.objects.filter(gone_at__isnull=True))

    def firsts(self) -> QuerySet[Service]:
        """The first service of each row, with `is_apart`."""
        before = self._at_home().filter(namespace=OuterRef("namespace"), name=OuterRef("name"), pk__lt=OuterRef("pk"))
        rows = self.services.annotate(is_apart=Exists(_said().filter(to_name="")))
        return rows.filter(~Exists(self._moved())).filter(Q(is_apart=True) | ~Exists(before))

    def in_cluster(self, slug: str) -> Q:
        """Of `firsts`: the row has a service in this cluster."""
        return self._there(Q(cluster__slug=slug))

    def in_environment(self, name: str) -> Q:
        """Of `firsts`: the row has a service in a cluster of this environment."""
        return self._there(Q(cluster__environment=name))

    def _there(self, place: Q) -> Q:
        own = self._at_home().filter(place, namespace=OuterRef("namespace"), name=OuterRef("name"))
        linked = self._links().filter(place)
        return Q(is_apart=True) & place | Q(is_apart=False) & (Q(Exists(own)) | Q(Exists(linked)))

    def split_now(self) -> Q:
        """Of `firsts`: some route splits it."""
        split = self.routes.filter(is_split=True)
        named = split.filter(root_namespace=OuterRef("namespace"), root_service=OuterRef("name"))
        said = ServiceLink.objects.filter(
            cluster=OuterRef("cluster"), namespace=OuterRef("root_namespace"), name=OuterRef("root_service")
        )
        there = named.filter(cluster=OuterRef("cluster"))
        linked = self._links().filter(Exists(there))
        own = named.filter(~Exists(said))
        return Q(is_apart=True) & Q(Exists(there)) | Q(is_apart=False) & (Q(Exists(own)) | Q(Exists(linked)))

    def _links(self) -> QuerySet[ServiceLink]:
        """Links to a service from services that are there."""
        source = self.services.filter(
            cluster=OuterRef("cluster"), namespace=OuterRef("namespace"), name=OuterRef("name")
        )
        to = ServiceLink.objects.filter(to_namespace=OuterRef("namespace"), to_name=OuterRef("name"))
        return to.filter(Exists(source))

    def _moved(self) -> QuerySet[ServiceLink]:
        """The link that counts of a service, if there is one."""
        plain = self.services.filter(~Exists(_said()))
        target = plain.filter(namespace=OuterRef("to_namespace"), name=OuterRef("to_name"))
        taken = target.filter(cluster=OuterRef("cluster"))
        return _said().exclude(to_name="").filter(Exists(target), ~Exists(taken))

    def _at_home(self) -> QuerySet[Service]:
        """Services that stand in the row of their own name, with others."""
        return self.services.filter(~Exists(_said().filter(to_name="")), ~Exists(self._moved()))


def _said() -> QuerySet[ServiceLink]:
    """What was said of a service."""
    return ServiceLink.objects.filter(
        cluster=OuterRef("cluster"), namespace=OuterRef("namespace"), name=OuterRef("name")
    )


RowKey = tuple[str, str, "UUID | None"]
"""(namespace, name, None), or with the cluster of a service that stands apart."""


def row_keys(services: Collection[Service], links: Collection[ServiceLink]) -> dict[UUID, RowKey]:
    """The row of each of `services` (by primary key); of their names all services and links must be given."""
    said = {(link.cluster_id, link.namespace, link.name): link for link in links}
    plain = {at for at in map(_at, services) if at not in said}
    targets = {(namespace, name) for _, namespace, name in plain}
    return {row.pk: _row_key(_at(row), said.get(_at(row)), plain, targets) for row in services}


def _at(row: Service) -> tuple[UUID, str, str]:
    return row.cluster_id, row.namespace, row.name


def _row_key(
    at: tuple[UUID, str, str], link: ServiceLink | None, plain: set[tuple[UUID, str, str]], targets: set[Name]
) -> RowKey:
    cluster, namespace, name = at
    if link is None:
        return namespace, name, None
    if link.is_apart:
        return namespace, name, cluster
    counts = _to(link) in targets and (cluster, *_to(link)) not in plain
    return (*_to(link), None) if counts else (namespace, name, None)
