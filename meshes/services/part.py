"""What one adapter makes of a stock: which of its objects have to be read anew, and the reading of some of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meshes.adapters.base import Ties, namespace_mark
from meshes.services import values
from meshes.services.kinds import NAMESPACES
from meshes.services.web import Web

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from clusters.clients import Resource
    from meshes.adapters.base import MeshAdapter, ReadRoute
    from meshes.services.fetching import Moved
    from meshes.services.stock import Held, Stock
    from meshui.lib.jsontypes import JsonObject

    Bodies = dict[str, JsonObject]


@dataclass
class Part:
    """One adapter, a stock and what moved of it. `bodies`: those that are decoded, shared between adapters.

    `left`: what was a route and is none any more. `has_spaces`: whether it was read anew who injects where.
    """

    adapter: MeshAdapter
    stock: Stock
    moves: Mapping[Resource, Moved]
    bodies: Bodies
    left: set[str] = field(default_factory=set)
    has_spaces: bool = False
    _has_said: bool = False

    def __post_init__(self) -> None:
        kind, served = self.adapter.kind, self.stock.served
        asked = self.adapter.resources(served) if served is not None else ()
        self.resources = tuple(resource for resource in asked if self.stock.is_listed(resource))
        self._all = (*((NAMESPACES,) if self.stock.namespaces else ()), *self.resources)
        self._first = next(iter(asked), None)
        self._web = self.stock.webs.setdefault(kind, Web())
        self._routes = self.stock.routes.setdefault(kind, {})
        self._told = self.stock.told.setdefault(kind, {})

    def anew(self, *, is_all: bool) -> set[str]:
        """The objects to be read anew, by uid; what is known of their ties is as it is now."""
        moved = {r: self.moves[r] for r in self._all if r in self.moves}
        if is_all or any(m.is_fresh for m in moved.values()) or self.stock.read_of.get(self.adapter.kind) != self._all:
            return self._whole()
        spaces = moved.pop(NAMESPACES, None)
        touched = {uid for m in moved.values() for uid in m.touched}
        gone = {uid for m in moved.values() for uid in m.gone}
        altered = {*spaces.altered} if spaces else set()
        ended = {*spaces.gone} if spaces else set()
        marks = self._web.marks(touched | gone | altered | ended)
        wide = self._web.wide & (touched | gone)
        for uid in touched | altered:
            self._tie(uid)
        if wide or self._web.wide & touched:
            return self._whole()
        self._end(gone | ended)
        if altered or ended:
            self._read_spaces(altered)
        return touched | self._web.depending(marks | self._web.marks(touched | altered))

    def read(self, only: frozenset[str]) -> tuple[ReadRoute, ...]:
        """These, in sight of what bears on them."""
        near = only | self._web.around(only)
        read = self.adapter.read(self._objects(near), self._decoded(near, NAMESPACES), only=only)
        told = {uid: problems for uid, problems in read.told.items() if uid in only}
        for uid in only - told.keys():
            self._has_said |= self._told.pop(uid, None) is not None
        self._has_said |= bool(told)
        self._told |= told
        found = {values.uid_of(each.body): each for each in read.routes}
        self.left |= {uid for uid in only if self._routes.pop(uid, None) is not None and uid not in found}
        for uid, each in found.items():
            self._routes[uid] = each.live.route.root.namespace if each.live else ""
        return read.routes

    def place(self, uid: str) -> tuple[str, str]:
        """Namespace and name, by which all objects are read."""
        held = self._held(uid)
        return (held.head.namespace, held.head.name) if held else ("", "")

    def tell(self) -> None:
        """Put what is said of objects that are no routes where it is looked for, if that moved."""
        if self._first is not None and self._has_said:
            told = {problem for problems in self._told.values() for problem in problems}
            self.stock.route_problems[self._first] = tuple(sorted(told, key=lambda p: (p.where, p.message)))

    def _whole(self) -> set[str]:
        """Everything."""
        self._web = self.stock.webs[self.adapter.kind] = Web()
        for resource in self._all:
            for uid, held in self.stock.kinds[resource].held.items():
                self._web.put(uid, self._ties(resource, held))
        self._end((self._routes.keys() | self._told.keys()) - self._web.ties.keys())
        self.stock.read_of[self.adapter.kind] = self._all
        self.stock.injections[self.adapter.kind] = {}
        spaces = self._spaces()
        self._read_spaces(spaces)
        return self._web.ties.keys() - spaces

    def _end(self, uids: Iterable[str]) -> None:
        for uid in uids:
            self._web.drop(uid)
            self._has_said |= self._told.pop(uid, None) is not None
            if self._routes.pop(uid, None) is not None:
                self.left.add(uid)

    def _read_spaces(self, uids: Collection[str]) -> None:
        """Who injects into these namespaces, and what of the others is still there."""
        read = self.adapter.read(self._objects(self._web.wide), self._decoded(uids, NAMESPACES), only=frozenset())
        names = (
            {held.head.name for held in self.stock.kinds[NAMESPACES].held.values()} if self.stock.namespaces else set()
        )
        kept = self.stock.injections.get(self.adapter.kind, {})
        known = {name: found for name, found in kept.items() if name in names}
        self.stock.injections[self.adapter.kind] = known | dict(read.injections)
        self.stock.tags[self.adapter.kind] = read.tags
        self.has_spaces = True

    def _spaces(self) -> set[str]:
        return set(self.stock.namespaces.held) if self.stock.namespaces else set()

    def _objects(self, uids: Collection[str]) -> dict[str, list[JsonObject]]:
        """By plural; a kind that is known to be empty is there too."""
        found: dict[str, list[JsonObject]] = {}
        for resource in self.resources:
            found.setdefault(resource.plural, []).extend(self._decoded(uids, resource))
        return found

    def _decoded(self, uids: Collection[str], resource: Resource) -> list[JsonObject]:
        """Those of a kind, in the order of names: what comes first decides, and not what came last."""
        if resource not in self._all:
            return []
        held = self.stock.kinds[resource].held
        found = sorted((held[uid].head.namespace, held[uid].head.name, uid) for uid in uids if uid in held)
        return [self._body(uid, held[uid]) for _, _, uid in found]

    def _body(self, uid: str, held: Held) -> JsonObject:
        if uid not in self.bodies:
            self.bodies[uid] = held.slim().body()
        return self.bodies[uid]

    def _held(self, uid: str) -> Held | None:
        kinds = (self.stock.kinds[resource].held for resource in self._all)
        return next((held[uid] for held in kinds if uid in held), None)

    def _tie(self, uid: str) -> None:
        for resource in self._all:
            if held := self.stock.kinds[resource].held.get(uid):
                self._web.put(uid, self._ties(resource, held))

    def _ties(self, resource: Resource, held: Held) -> Ties:
        if resource == NAMESPACES:
            return Ties((namespace_mark(held.head.name),))
        return self.adapter.ties(held.slim().body())
