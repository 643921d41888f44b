"""Routes and namespaces as adapters read them, of the whole stock at first, later of what may read otherwise now.

An object is read anew when it moved, or when something moved that it leans on, as the ties of its adapter say; all are
when something moved that bears on all (a webhook), or when a kind was listed for the first time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from meshes.adapters.registry import all_adapters
from meshes.models import Namespace, Route
from meshes.services import values
from meshes.services.injecting import injected, ordered
from meshes.services.kinds import BUILT_IN, NAMESPACES, kind_name
from meshes.services.part import Part
from meshes.services.store import content_hash
from meshui.lib.quiet import collect_sometimes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from clusters.clients import Resource
    from meshes.adapters.base import MeshAdapter, ReadRoute
    from meshes.services.fetching import Moved
    from meshes.services.keeping import Rows
    from meshes.services.stock import Stock
    from meshui.lib.jsontypes import JsonObject

AT_ONCE = 500
"""So many are read together, and written in one transaction."""


@dataclass
class Translator:
    """One go: reads with every adapter that is concerned, then writes routes and namespaces."""

    rows: Rows
    stock: Stock
    moves: Mapping[Resource, Moved]
    _bodies: dict[str, JsonObject] = field(default_factory=dict)

    def keep(self, *, is_all: bool) -> None:
        """Write what follows from what moved; `is_all`: everything is read anew."""
        parts = [Part(adapter, self.stock, self.moves, self._bodies) for adapter in all_adapters()]
        anew = [(part, part.anew(is_all=is_all)) for part in parts]
        places = {uid: part.place(uid) for part, uids in anew for uid in uids}
        for turn, some in enumerate(_batches(sorted(places, key=places.__getitem__), AT_ONCE)):
            collect_sometimes(turn)
            self._translate([(part, frozenset(uids & some)) for part, uids in anew])
            self._bodies.clear()
        for part in parts:
            part.tell()
        self._end_routes({uid for part in parts for uid in part.left})
        if any(part.has_spaces for part in parts) or self.moves.get(NAMESPACES):
            self._keep_namespaces()

    def _translate(self, anew: list[tuple[Part, frozenset[str]]]) -> None:
        """Read some objects with each adapter; then it is known whose they are."""
        found = [(part.adapter, part.read(uids)) for part, uids in anew if uids]
        wanted: dict[str, dict[tuple[str], values.Values]] = {}
        for adapter, routes in found:
            self._gather(adapter, routes, wanted)
        for name, rows in wanted.items():
            self.rows.upsert(name, Route, rows)

    def _gather(
        self, adapter: MeshAdapter, routes: Iterable[ReadRoute], wanted: dict[str, dict[tuple[str], values.Values]]
    ) -> None:
        """The rows of the routes that are this adapter's, where several read the same object."""
        for found in routes:
            uid = values.uid_of(found.body)
            if self._owner(uid) == adapter.kind:
                wanted.setdefault(kind_name(found.ref.resource), {})[uid,] = values.of_route(found, adapter)

    def _owner(self, uid: str) -> str:
        """The mesh that takes the pods of what is called, else the first that is there and reads it."""
        readers = [a.kind for a in ordered(self.stock) if uid in self.stock.routes.get(a.kind, {})]
        if len(readers) < 2:
            return readers[0] if readers else ""
        taker = injected(self.stock, self.stock.routes[readers[0]][uid])[1]
        return taker if taker in readers else readers[0]

    def _end_routes(self, left: set[str]) -> None:
        """Of kinds that were listed for the first time, all others; else what was a route and is none any more."""
        fresh = [r for r, m in self.moves.items() if m.is_fresh and r not in BUILT_IN and self.stock.is_listed(r)]
        read = {uid for routes in self.stock.routes.values() for uid in routes} if fresh else set()
        for resource in fresh:
            self.rows.absent(kind_name(resource), Route, read, group=resource.group, plural=resource.plural)
        ended = {uid for uid in left if not any(uid in routes for routes in self.stock.routes.values())}
        if ended:
            self.rows.gone("routes", Route, ended)

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


def _batches(uids: Iterable[str], size: int) -> Iterator[set[str]]:
    rest = iter(uids)
    while some := set(islice(rest, size)):
        yield some
