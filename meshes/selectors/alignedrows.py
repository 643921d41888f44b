"""A service over its clusters as one table: a column for each version, a row for each route of each cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshes.adapters.registry import adapter_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshes.alignment import Misfit, VersionFound
    from meshes.models import BackendVersion
    from meshes.selectors.alignment import AlignedCluster, AlignedRoute, AlignedService
    from meshes.types import Backend, WeightedBackend


@dataclass(frozen=True, slots=True)
class Cell:
    """One version in one route. `item` None: its rule for all requests does not name it.

    `ready`: pods, None where that cannot be told. `absent`: the Service or the subset is not there.
    """

    version: str
    item: WeightedBackend | None = None
    found: VersionFound | None = None
    correction: BackendVersion | None = None
    ready: int | None = None
    absent: str = ""

    @property
    def backend(self) -> Backend | None:
        """What is this version there."""
        return self.item.backend if self.item else None


@dataclass(frozen=True, slots=True)
class AlignedRow:
    """One route of one cluster, or a cluster without any (`route` None).

    `rule_count`: rules besides the one that the cells are of. `problems`: what could not be said of the route.
    """

    here: AlignedCluster
    route: AlignedRoute | None
    cells: tuple[Cell, ...]
    rule_count: int = 0
    problems: tuple[str, ...] = ()

    @property
    def misfits(self) -> tuple[Misfit, ...]:
        """Against the base."""
        return self.route.misfits if self.route else ()

    @property
    def is_readable(self) -> bool:
        """Whether there are weights to show."""
        return self.route is not None and self.route.side is not None

    @property
    def mesh_label(self) -> str:
        """The product, with its versions there; empty: no mesh was found."""
        kind = self.here.mesh_kind
        mesh = next((mesh for mesh in self.here.meshes if mesh.kind == kind), None)
        if mesh is None:
            return adapter_for(kind).label if kind else ""
        return f"{mesh.label} {', '.join(mesh.versions)}".strip()


def rows_of(service: AlignedService) -> Iterator[AlignedRow]:
    """The rows of the table, cluster by cluster."""
    for here in service.clusters:
        if not here.routes:
            yield AlignedRow(here, None, ())
        for route in here.routes:
            yield _row(service, here, route)


def _row(service: AlignedService, here: AlignedCluster, route: AlignedRoute) -> AlignedRow:
    problems = tuple(str(problem["message"]) for problem in route.row.problems)
    if route.side is None:
        return AlignedRow(here, route, (), problems=problems)
    cells = _cells(route)
    return AlignedRow(
        here,
        route,
        tuple(cells.get(version, Cell(version)) for version in service.versions),
        len(route.side.route.rules) - 1,
        problems,
    )


def _cells(route: AlignedRoute) -> dict[str, Cell]:
    """Of the rule for all requests, by version."""
    found = {}
    for item in route.rule.backends if route.rule else ():
        key = item.backend.key
        told = route.found[key]
        found[told.version] = Cell(
            told.version,
            item,
            told,
            route.corrections.get(key) if told.source == "corrected" else None,
            route.readiness.ready.get(key) if route.readiness else None,
            _absent(route, key),
        )
    return found


def _absent(route: AlignedRoute, key: str) -> str:
    if route.readiness is None:
        return ""
    if key in route.readiness.missing:
        return "service"
    return "subset" if key in route.readiness.undefined else ""
