"""Backends that a route does not name but could: Services of related names, versions of the pods behind one."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from django.db.models import Exists, OuterRef, Q

from meshes.alignment import VERSION_LABELS, version_of
from meshes.models import Service, Workload
from meshes.selectors.members import Rows
from meshes.types import Backend, Root

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from uuid import UUID

    from accounts.models import User
    from clusters.models import Cluster
    from meshes.models import Route
    from meshes.selectors.members import Member

    Labels = dict[str, str]

SUBSETS = frozenset({"virtualservices"})
"""The kinds of routes whose backends may be subsets of one Service."""
SUBSET_MESHES = frozenset({"istio"})
SEPARATORS = ("-", "_", ".")


class Spare:
    """Services and workloads near the members. Two queries when made, one more without `seen`; none later.

    Which pods stand behind a Service that may be seen is part of it: workloads are not narrowed further.
    """

    def __init__(self, user: User, members: Sequence[Member], *, seen: Rows | None = None) -> None:
        clusters = [member.cluster for member in members]
        spaces = {member.namespace for member in members}
        self._services: dict[UUID, list[Service]] = defaultdict(list)
        visible = (seen or Rows(user)).services.filter(pk=OuterRef("pk"))
        rows = Service.objects.filter(_near(members), cluster__in=clusters, gone_at__isnull=True)
        for row in rows.annotate(is_seen=Exists(visible)).order_by("namespace", "name"):
            self._services[row.cluster_id].append(row)
        self._labels: dict[tuple[UUID, str], list[Labels]] = defaultdict(list)
        workloads = Workload.objects.filter(cluster__in=clusters, namespace__in=spaces, gone_at__isnull=True)
        for workload in workloads:
            self._labels[workload.cluster_id, workload.namespace].append(workload.labels)

    def selectors(self, cluster: Cluster) -> Mapping[tuple[str, str], Labels]:
        """Of the Services of one cluster that its routes name."""
        return {(row.namespace, row.name): row.selector for row in self._services[cluster.pk]}

    def beside(self, member: Member, row: Route, taken: Collection[str]) -> dict[str, Backend]:
        """By version, what `row` could send requests to besides the versions `taken`; nothing that is ambiguous."""
        route = row.route
        ports = [item.backend.port for rule in route.rules for item in rule.backends] if route else []
        found = self._backends(member, ports, has_subsets=row.plural in SUBSETS)
        return {version: backend for version, backend in found.items() if version not in taken}

    def to_start(self, member: Member, mesh_kind: str) -> dict[str, Backend]:
        """By version, what a split could be started with where there is no route."""
        root = self._root(member)
        return self._backends(member, _ports(root) if root else [], has_subsets=mesh_kind in SUBSET_MESHES)

    def _backends(self, member: Member, ports: Sequence[int | None], *, has_subsets: bool) -> dict[str, Backend]:
        services = _one_each(self._related(member, ports, with_root=not has_subsets))
        subsets = _one_each(self._subsets(member, next(iter(ports), None))) if has_subsets else {}
        return services | subsets

    def _root(self, member: Member) -> Service | None:
        at = (member.namespace, member.name)
        return next((row for row in self._services[member.cluster.pk] if (row.namespace, row.name) == at), None)

    def _related(
        self, member: Member, ports: Sequence[int | None], *, with_root: bool
    ) -> Iterator[tuple[str, Backend]]:
        """Services whose name is the root's and something more, with their version."""
        root = Root(member.name, member.namespace)
        for row in self._services[member.cluster.pk]:
            is_root = (row.namespace, row.name) == (member.namespace, member.name)
            if row.namespace != member.namespace or not row.is_seen or (is_root and not with_root):  # type: ignore[attr-defined]  # annotated
                continue
            if not is_root and not _is_related(row.name, member.name):
                continue
            for port in _port(_ports(row), ports):
                backend = Backend("service", row.name, row.namespace, port)
                yield version_of(backend, root=root, selector=row.selector).version, backend

    def _subsets(self, member: Member, port: int | None) -> Iterator[tuple[str, Backend]]:
        """Versions of the pods that the root Service selects."""
        root = self._root(member)
        selector = root.selector if root else {}
        for labels in self._labels[member.cluster.pk, member.namespace] if selector else ():
            label = next((name for name in VERSION_LABELS if labels.get(name)), "")
            if label and selector.items() <= labels.items():
                version = labels[label]
                name = subset_name(version)
                yield version, Backend("subset", member.name, member.namespace, port, name, ((label, version),))


def subset_name(version: str) -> str:
    """The version as the name of a subset, which is a DNS label: `2.1_rc` → 2-1-rc."""
    return re.sub(r"[^a-z0-9]+", "-", version.lower()).strip("-")


def _near(members: Sequence[Member]) -> Q:
    """Services of the members' names, of related names, and those that their routes name."""
    condition = Q(pk__in=[])
    for namespace, name in {(member.namespace, member.name) for member in members}:
        related = Q(name=name)
        for separator in SEPARATORS:
            related |= Q(name__startswith=f"{name}{separator}") | Q(name__endswith=f"{separator}{name}")
        condition |= Q(namespace=namespace) & related
    routes = (route for member in members for row in member.routes if (route := row.route) is not None)
    backends = (item.backend for route in routes for rule in route.rules for item in rule.backends)
    for namespace, name in {(backend.namespace, backend.service) for backend in backends}:
        condition |= Q(namespace=namespace, name=name)
    return condition


def _is_related(name: str, root: str) -> bool:
    return any(name.startswith(f"{root}{s}") or name.endswith(f"{s}{root}") for s in SEPARATORS)


def _ports(row: Service) -> list[int]:
    return [int(port["port"]) for port in row.ports]


def _port(has: Sequence[int], wanted: Sequence[int | None]) -> tuple[int | None, ...]:
    """The port to send to: one that the route uses, else the only one; none: it cannot be told."""
    common = tuple(port for port in wanted if port in has)[:1]
    if common or len(has) != 1:
        return common
    return (None,) if wanted and all(port is None for port in wanted) else (has[0],)


def _one_each(found: Iterable[tuple[str, Backend]]) -> dict[str, Backend]:
    """Versions that exactly one backend is."""
    by_version: dict[str, dict[str, Backend]] = defaultdict(dict)
    for version, backend in found:
        by_version[version][repr(backend)] = backend
    return {version: next(iter(same.values())) for version, same in by_version.items() if len(same) == 1}
