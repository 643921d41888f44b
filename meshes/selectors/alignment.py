"""One service over its clusters: which backend is which version where, and what keeps a change from fitting all."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from accounts.types import READ
from meshes.alignment import Side, misfits, versions_of
from meshes.models import Namespace, Sync
from meshes.selectors.corrections import corrections_at, versions_said
from meshes.selectors.freshness import meshes_by_cluster, sync_word
from meshes.selectors.members import EVERYWHERE, members_of
from meshes.selectors.readiness import readiness_of_all
from meshes.selectors.spare import Spare
from meshui.lib.rights import in_scope

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from accounts.models import User
    from clusters.models import Cluster
    from meshes.alignment import Misfit, VersionFound
    from meshes.models import Route
    from meshes.selectors.corrections import Corrections
    from meshes.selectors.freshness import MeshLine
    from meshes.selectors.members import Member, Members
    from meshes.selectors.readiness import Readiness
    from meshes.types import Backend, Rule


@dataclass(frozen=True, slots=True)
class AlignedRoute:
    """One route with the versions of its backends. `side` None: it cannot be said in words, and nothing is aligned.

    `misfits`: what keeps a change of the base from being made here, too. `corrections` by backend key.
    """

    row: Route
    side: Side | None
    found: Mapping[str, VersionFound] = field(default_factory=dict)
    corrections: Corrections = field(default_factory=dict)
    readiness: Readiness | None = None
    misfits: tuple[Misfit, ...] = ()
    is_base: bool = False

    @property
    def rule(self) -> Rule | None:
        """The rule for all requests, else the first that splits, else the last."""
        rules = self.side.route.rules if self.side else ()
        whole = [rule for rule in rules if not rule.matches or not all(match.words for match in rule.matches)]
        split = [rule for rule in rules if len(rule.backends) > 1]
        return next(iter((*whole, *split, *rules[-1:])), None)

    @property
    def backends(self) -> tuple[Backend, ...]:
        """The different ones, in order."""
        rules = self.side.route.rules if self.side else ()
        return tuple({item.backend.key: item.backend for rule in rules for item in rule.backends}.values())


@dataclass(frozen=True, slots=True)
class AlignedCluster:
    """The service in one cluster. `routes`: readable ones first. `mesh_kind` empty: no mesh is there.

    `available`: backends by version that a split could be started with, where none is.
    """

    at: Member
    mesh_kind: str
    meshes: tuple[MeshLine, ...]
    namespace: Namespace | None
    sync: str
    routes: tuple[AlignedRoute, ...]
    available: Mapping[str, Backend]

    @property
    def cluster(self) -> Cluster:
        """Where it is."""
        return self.at.cluster

    @property
    def main(self) -> AlignedRoute | None:
        """The route that counts for the alignment: the first readable one."""
        return next((route for route in self.routes if route.side is not None), None)


@dataclass(frozen=True, slots=True)
class AlignedService:
    """A service over the clusters of a scope. `versions`: of all its routes, in order.

    `away`: of the same name, but kept apart or shown under another. `beyond`: one with it, outside of the scope.
    """

    namespace: str
    name: str
    versions: tuple[str, ...]
    clusters: tuple[AlignedCluster, ...]
    away: tuple[Member, ...]
    beyond: tuple[Member, ...]

    def cluster(self, slug: str) -> AlignedCluster | None:
        """The service in this cluster; None: it is not in the row."""
        return next((here for here in self.clusters if here.cluster.slug == slug), None)

    @property
    def base(self) -> AlignedRoute | None:
        """What the others are held against: the first readable route."""
        return next((here.main for here in self.clusters if here.main is not None), None)

    @property
    def misfits(self) -> dict[str, tuple[Misfit, ...]]:
        """By cluster, what keeps a change of the base from being made there; only clusters with something."""
        return {here.cluster.slug: here.main.misfits for here in self.clusters if here.main and here.main.misfits}


def aligned(user: User, namespace: str, name: str, *, scope: str = EVERYWHERE, base: str = "") -> AlignedService:
    """The service over the clusters that `user` sees, links and exclusions applied; constant queries.

    `base`: the slug of the cluster that the others are held against; empty: the first with a readable route. Nothing
    is found: no clusters.
    """
    members = members_of(user, namespace, name, scope=scope)
    context = _Context(user, members)
    clusters = _against(base, [context.in_cluster(member) for member in members.here])
    named = (
        version for here in clusters for route in here.routes if route.side for version in route.side.versions.values()
    )
    return AlignedService(namespace, name, in_order(named), tuple(clusters), members.away, members.beyond)


def in_order(versions: Iterable[str]) -> tuple[str, ...]:
    """As people count: v2 before v10, those that were not told apart last."""
    return tuple(sorted(set(versions), key=lambda version: ("/" in version, _counted(version), version)))


def _counted(version: str) -> list[tuple[int, int, str]]:
    return [(0, int(p), "") if p.isdecimal() else (1, 0, p.lower()) for p in re.split(r"(\d+)", version) if p]


class _Context:
    """What stands around the members. Some queries when made, none later."""

    def __init__(self, user: User, found: Members) -> None:
        members = found.here
        clusters = [member.cluster for member in members]
        names = {member.namespace for member in members}
        spaces = Namespace.objects.filter(cluster__in=clusters, name__in=names, gone_at__isnull=True)
        self.namespaces = {(row.cluster_id, row.name): row for row in in_scope(spaces, user, READ)}
        self.meshes = meshes_by_cluster(user, clusters)
        syncs = list(
            Sync.objects.filter(cluster__in=clusters).values_list("cluster_id", "resource", "error", "succeeded_at")
        )
        self.failed = {cluster for cluster, _, error, _ in syncs if error}
        self.corrections = corrections_at({(m.cluster.pk, m.namespace, m.name) for m in members})
        self.spare = Spare(user, members, seen=found.seen)
        routes = [(member.cluster, row, row.route) for member in members for row in member.routes]
        readable = [(cluster, row, route) for cluster, row, route in routes if route is not None]
        known = {(cluster, resource) for cluster, resource, _, succeeded_at in syncs if succeeded_at}
        readiness = readiness_of_all([(cluster, route) for cluster, _, route in readable], known=known)
        self.ready = {row.pk: found for (_, row, _), found in zip(readable, readiness, strict=True)}

    def in_cluster(self, member: Member) -> AlignedCluster:
        """The service in one cluster."""
        cluster = member.cluster
        namespace, meshes = self.namespaces.get((cluster.pk, member.namespace)), self.meshes.get(cluster.pk, ())
        kind = next((row.mesh_kind for row in member.routes), "") or (namespace.injected_by if namespace else "")
        kind = kind or next((mesh.kind for mesh in meshes), "")
        routes = sorted((self._route(member, row) for row in member.routes), key=lambda route: route.side is None)
        return AlignedCluster(
            at=member,
            mesh_kind=kind,
            meshes=meshes,
            namespace=namespace,
            sync=sync_word(cluster, has_errors=cluster.pk in self.failed),
            routes=tuple(routes),
            available={} if routes else self.spare.to_start(member, kind),
        )

    def _route(self, member: Member, row: Route) -> AlignedRoute:
        route = row.route
        if route is None:
            return AlignedRoute(row, None)
        said = self.corrections.get((member.cluster.pk, member.namespace, member.name), {})
        corrected = versions_said(said)
        found = versions_of(route, selectors=self.spare.selectors(member.cluster), corrected=corrected)
        versions = {key: version.version for key, version in found.items()}
        extras = self.spare.beside(member, row, versions.values())
        return AlignedRoute(row, Side(route, versions, extras), found, said, self.ready.get(row.pk))


def _against(base: str, clusters: Sequence[AlignedCluster]) -> list[AlignedCluster]:
    """The clusters with what keeps a change of the base route from being made to each of the others."""
    mains = {here.cluster.slug: here.main for here in clusters if here.main is not None}
    chosen = mains.get(base) or next(iter(mains.values()), None)
    if chosen is None or chosen.side is None:
        return list(clusters)
    side = chosen.side
    return [replace(here, routes=tuple(_held(route, chosen, side) for route in here.routes)) for here in clusters]


def _held(route: AlignedRoute, chosen: AlignedRoute, base: Side) -> AlignedRoute:
    if route is chosen:
        return replace(route, is_base=True)
    return replace(route, misfits=misfits(base, route.side)) if route.side else route
