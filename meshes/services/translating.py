"""Routes and namespaces as adapters read them, of the whole stock at first, later of what may read otherwise now.

A route is read anew when it moved, when another one moved that is of the same host or service, or that one of the two
hands requests on to; and with all others when something moved that is no route to its adapter (a DestinationRule, a
webhook) or a namespace did.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meshes.adapters.registry import all_adapters
from meshes.models import Namespace, Route
from meshes.services import values
from meshes.services.injecting import injected, ordered
from meshes.services.kinds import BUILT_IN, NAMESPACES, kind_name
from meshes.services.stock import RouteKeys
from meshes.services.store import content_hash

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clusters.clients import Resource
    from meshes.adapters.base import MeshAdapter, Read, ReadRoute
    from meshes.services.fetching import Moved
    from meshes.services.keeping import Rows
    from meshes.services.stock import Stock
    from meshui.lib.jsontypes import JsonObject

CLUSTER_SUFFIXES = (".svc.cluster.local", ".svc")


@dataclass
class Translator:
    """One go: reads with every adapter that is concerned, then writes routes and namespaces."""

    rows: Rows
    stock: Stock
    moves: Mapping[Resource, Moved]
    _bodies: dict[Resource, list[JsonObject]] = field(default_factory=dict)
    _wanted: dict[str, dict[str, dict[tuple[str], values.Values]]] = field(default_factory=dict)
    _left: set[str] = field(default_factory=set)

    def keep(self, *, is_all: bool) -> None:
        """Write what follows from what moved; `is_all`: everything is read anew."""
        found: list[tuple[MeshAdapter, Read]] = []
        for adapter in all_adapters():
            for read in self._reads(adapter, is_all=is_all):
                self.stock.injections[adapter.kind] = read.injections
                self.stock.tags[adapter.kind] = read.tags
                found.append((adapter, read))
        for adapter, read in found:
            self._gather(adapter, read)
        for wanted in self._wanted.values():
            for name, routes in wanted.items():
                self.rows.upsert(name, Route, routes)
        self._end_routes()
        if found or NAMESPACES in self.moves:
            self._keep_namespaces()

    def _reads(self, adapter: MeshAdapter, *, is_all: bool) -> list[Read]:
        """What `adapter` makes of what moved: nothing, a part in one or two goes, or all of it."""
        resources = self._resources(adapter)
        known = self.stock.routes.setdefault(adapter.kind, {})
        moved = [self.moves[r] for r in resources if r in self.moves]
        if is_all or any(m.is_fresh for m in moved) or self._has_moved_around(adapter, known):
            return [self._all(adapter)]
        touched = frozenset(uid for m in moved for uid in m.touched)
        gone = {uid for m in moved for uid in m.gone}
        if not touched and not gone:
            return []
        keys = self._keys(known, touched | gone)
        read = self._read(adapter, touched)
        if not self._are_routes(read, {uid for m in moved for uid in m.altered}):
            return [self._all(adapter)]
        self._forget(known, gone | touched)
        self._learn(known, read)
        keys |= self._keys(known, touched)
        related = frozenset(uid for uid, each in known.items() if each.keys & keys) - touched
        return [read, self._read(adapter, related)] if related else [read]

    def _has_moved_around(self, adapter: MeshAdapter, known: Mapping[str, RouteKeys]) -> bool:
        """Whether something moved that every route may depend on."""
        spaces = self.moves.get(NAMESPACES)
        if spaces is not None and (spaces.altered or spaces.gone or spaces.is_fresh):
            return True
        moved = [self.moves[r] for r in self._resources(adapter) if r in self.moves]
        altered = {uid for m in moved for uid in (*m.gone, *m.altered)}
        return any(uid in known and not known[uid].is_read for uid in altered) or any(
            uid not in known for m in moved for uid in m.gone
        )

    def _are_routes(self, read: Read, altered: set[str]) -> bool:
        """Whether all that was altered are routes that could be read, and so speak for themselves."""
        return altered <= {values.uid_of(found.body) for found in read.routes if found.live is not None}

    def _all(self, adapter: MeshAdapter) -> Read:
        read = self._read(adapter, None)
        known = self.stock.routes[adapter.kind]
        self._forget(known, set(known))
        self._learn(known, read)
        return read

    def _read(self, adapter: MeshAdapter, only: frozenset[str] | None) -> Read:
        objects: dict[str, list[JsonObject]] = {}
        for resource in self._resources(adapter):
            if self.stock.is_listed(resource):
                objects.setdefault(resource.plural, []).extend(self._of(resource))
        read = adapter.read(objects, self._of(NAMESPACES) if self.stock.namespaces else [], only=only)
        if first := next(iter(self._resources(adapter)), None):
            self.stock.route_problems[first] = read.problems
        return read

    def _of(self, resource: Resource) -> list[JsonObject]:
        if resource not in self._bodies:
            self._bodies[resource] = self.stock.kinds[resource].bodies()
        return self._bodies[resource]

    def _resources(self, adapter: MeshAdapter) -> tuple[Resource, ...]:
        return adapter.resources(self.stock.served) if self.stock.served is not None else ()

    def _forget(self, known: dict[str, RouteKeys], uids: set[str] | frozenset[str]) -> None:
        self._left |= {uid for uid in uids if known.pop(uid, None) is not None}

    def _learn(self, known: dict[str, RouteKeys], read: Read) -> None:
        for found in read.routes:
            known[values.uid_of(found.body)] = keys_of(found)

    def _keys(self, known: Mapping[str, RouteKeys], uids: set[str] | frozenset[str]) -> frozenset[str]:
        return frozenset(key for uid in uids if uid in known for key in known[uid].keys)

    def _gather(self, adapter: MeshAdapter, read: Read) -> None:
        """The rows of the routes that are this adapter's, where several read the same object."""
        for found in read.routes:
            uid = values.uid_of(found.body)
            if self._owner(uid) == adapter.kind:
                name = kind_name(found.ref.resource)
                mine = self._wanted.setdefault(adapter.kind, {}).setdefault(name, {})
                mine[uid,] = values.of_route(found, adapter)

    def _owner(self, uid: str) -> str:
        """The mesh that takes the pods of what is called, else the first that is there and reads it."""
        readers = [a.kind for a in ordered(self.stock) if uid in self.stock.routes.get(a.kind, {})]
        if len(readers) < 2:
            return readers[0] if readers else ""
        place = self.stock.routes[readers[0]][uid].namespace
        taker = injected(self.stock, place)[1]
        return taker if taker in readers else readers[0]

    def _end_routes(self) -> None:
        """Of kinds that were listed for the first time, all others; else what was a route and is none any more."""
        read = {uid for routes in self.stock.routes.values() for uid in routes}
        for resource, moved in self.moves.items():
            if moved.is_fresh and resource not in BUILT_IN and self.stock.is_listed(resource):
                self.rows.absent(kind_name(resource), Route, read, group=resource.group, plural=resource.plural)
        if left := self._left - read:
            self.rows.gone("routes", Route, left)

    def _keep_namespaces(self) -> None:
        spaces = self.stock.namespaces
        if spaces is None:
            return
        wanted = {}
        for uid in self.stock.namespace_hashes.keys() - spaces.held.keys():
            del self.stock.namespace_hashes[uid]
        for uid, held in spaces.held.items():
            row = values.of_namespace(held.head, *injected(self.stock, held.head.name))
            content = content_hash(row)
            if self.stock.namespace_hashes.get(uid) != content:
                self.stock.namespace_hashes[uid] = content
                wanted[uid,] = row
        self.rows.upsert(NAMESPACES.plural, Namespace, wanted)
        moved = self.moves.get(NAMESPACES)
        if moved is not None and moved.is_fresh:
            self.rows.absent(NAMESPACES.plural, Namespace, spaces.held)
        elif moved is not None:
            self.rows.gone(NAMESPACES.plural, Namespace, moved.gone)


def keys_of(found: ReadRoute) -> RouteKeys:
    """What a route is known by: others of the same service or host bear on it, and it on them; delegates, too."""
    if found.live is None:
        return RouteKeys("", frozenset(), is_read=False)
    root, ref = found.live.route.root, found.ref
    hosts = {_host(host, ref.namespace) for host in root.hosts}
    objects = {f"{ref.resource.plural} {'/'.join(at)}" for at in ((ref.namespace, ref.name), *found.leans_on)}
    return RouteKeys(root.namespace, frozenset({f"{root.service}.{root.namespace}", *hosts, *objects}), is_read=True)


def _host(host: str, namespace: str) -> str:
    for suffix in CLUSTER_SUFFIXES:
        host = host.removesuffix(suffix)
    return host if "." in host else f"{host}.{namespace}"
