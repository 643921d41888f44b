"""Read one cluster whole: list what adapters ask for, outside any transaction, then keep what moved.

Errors stand on Sync rows beside what was found. A kind that could not be listed keeps its rows as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from clusters.clients import ClusterError, ForbiddenError, NotSentError, ObjectGoneError, OutcomeUnknownError
from meshes.adapters.registry import all_adapters
from meshes.models import CONNECTION, SERVED, Route, Service, Workload
from meshes.services import meshed, securing, values
from meshes.services.fetching import Moved, refresh
from meshes.services.injecting import conflicts
from meshes.services.keeping import Rows
from meshes.services.kinds import BUILT_IN, SERVICES, WORKLOADS, kind_name
from meshes.services.rows import MESHES, Notes
from meshes.services.translating import Translator
from meshui.lib.quiet import quiet_collector

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clusters.clients import Lister, Resource, Slim
    from clusters.models import Cluster
    from meshes.services.keeping import Hold
    from meshes.services.stock import Stock


@dataclass
class Reading:
    """One cluster, its stock and its rows, while `hold` lasts."""

    cluster: Cluster
    stock: Stock
    lister: Lister
    hold: Hold
    failures: list[ClusterError] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rows = Rows(self.cluster, self.hold)

    def read_whole(self) -> bool:
        """Bring everything up to date; whether all of it could be listed. Raises LostLeaseError."""
        with quiet_collector():
            return self._read_whole()

    def _read_whole(self) -> bool:
        notes, moves = Notes(self.cluster), {}
        notes.listed(CONNECTION, count=0, version="")
        self.failures.clear()
        self.rows.written.clear()
        was_served = self.stock.served
        self._read_served(notes)
        for resource in self.wanted():
            moves[resource] = self._read_kind(resource, notes)
        if self.stock.served is not None and self.stock.served != was_served:
            self._end_unserved()
        self.settle(moves, is_whole=True)
        self._tell(notes)
        notes.flush()
        return not self.failures

    def read_kind(self, resource: Resource) -> bool:
        """Bring one kind up to date, and what follows from it; whether it could be listed. Raises LostLeaseError."""
        notes = Notes(self.cluster)
        self.failures.clear()
        self.rows.written.clear()
        moved = self._read_kind(resource, notes)
        self.settle({resource: moved})
        self._tell(notes)
        notes.flush()
        return not self.failures

    def settle(self, moves: Mapping[Resource, Moved], *, is_whole: bool = False) -> None:
        """Write all that follows from what moved. Raises LostLeaseError."""
        with quiet_collector():
            self._settle(moves, is_whole=is_whole)

    def _settle(self, moves: Mapping[Resource, Moved], *, is_whole: bool) -> None:
        for resource, moved in moves.items():
            self._end_rows(resource, moved)
        moved_meshes = meshed.keep(self.rows, self.stock, self.lister, moves, is_whole=is_whole)
        concerned = {r: m for r, m in moves.items() if r not in (SERVICES, *WORKLOADS) or r in self._asked()}
        tags = dict(self.stock.tags)
        Translator(self.rows, self.stock, concerned).keep(is_all=moved_meshes)
        securing.keep(self.rows, self.stock, moves, is_all=moved_meshes)
        if self.stock.tags != tags and self.stock.detected is not None:
            meshed.store(self.rows, self.stock)

    def wanted(self) -> tuple[Resource, ...]:
        """The kinds to know: those of every cluster, then those that adapters ask for in what is served."""
        return tuple(dict.fromkeys((*BUILT_IN, *self._asked())))

    def write_rows(self, resource: Resource, slims: Sequence[Slim]) -> None:
        """Rows of services and workloads, as they come; those of other kinds are made later, of all together."""
        if resource == SERVICES:
            found = {(slim.head.uid,): values.of_service(slim) for slim in slims}
            self.rows.upsert(kind_name(resource), Service, found)
        elif resource in WORKLOADS:
            found = {(slim.head.uid,): values.of_workload(slim, resource) for slim in slims}
            self.rows.upsert(kind_name(resource), Workload, found)

    def _asked(self) -> list[Resource]:
        served = self.stock.served
        routes = [r for a in all_adapters() for r in a.resources(served)] if served is not None else []
        return [*routes, *self._policies()]

    def _policies(self) -> list[Resource]:
        """Without them the inventory is whole: only who takes plaintext is not known."""
        served = self.stock.served
        return [r for a in all_adapters() for r in a.policy_kinds(served)] if served is not None else []

    def _read_served(self, notes: Notes) -> None:
        """The API groups that the cluster serves; where they cannot be read now, those known last."""
        notes.begin(SERVED)
        try:
            self.stock.served = self.lister.api_groups()
        except ClusterError as error:
            self._fail(SERVED, error, notes)
            return
        notes.served(self.stock.served)

    def _read_kind(self, resource: Resource, notes: Notes) -> Moved:
        name, moved = kind_name(resource), Moved()
        kind = self.stock.kind(resource, keeps=resource != SERVICES or resource in self._asked())
        notes.begin(name)
        if self.failures and _is_silence(self.failures[-1]):  # every other kind would only wait as long
            self._fail(name, self.failures[-1], notes)
            return moved
        try:
            refresh(self.lister, kind, moved, lambda slims: self.write_rows(resource, slims), self.hold.require)
        except (ForbiddenError, ObjectGoneError) as error:
            if isinstance(error, ObjectGoneError) and resource in self._policies():
                self._note_unserved(name, resource, notes)  # its group has other kinds in that version
            else:
                self._fail(name, error, notes, is_whole=resource in self._policies())
        except ClusterError as error:
            self._fail(name, error, notes)
        else:
            self.stock.unserved.discard(resource)
            notes.listed(name, count=len(kind.held) + len(kind.faults), version=kind.version or "")
        return moved

    def _note_unserved(self, name: str, resource: Resource, notes: Notes) -> None:
        """No object of it can be there."""
        self.stock.unserved.add(resource)
        notes.listed(name, count=0, version="")

    def _fail(self, name: str, error: ClusterError, notes: Notes, *, is_whole: bool = False) -> None:
        """Said of the kind; and of the whole reading, unless what it is about is whole without it."""
        if not is_whole:
            self.failures.append(error)
        notes.failed(name, error.message)

    def _end_rows(self, resource: Resource, moved: Moved) -> None:
        """Services and workloads that are no longer there."""
        if resource != SERVICES and resource not in WORKLOADS:
            return
        model = Service if resource == SERVICES else Workload
        narrow = {} if resource == SERVICES else {"kind": resource.kind}
        kind = self.stock.kinds[resource]
        if moved.is_fresh and kind.is_listed:
            self.rows.absent(kind_name(resource), model, kind.held, **narrow)
        else:
            self.rows.gone(kind_name(resource), model, moved.gone)

    def _end_unserved(self) -> None:
        """Of kinds that the cluster no longer serves nothing is there."""
        asked = set(self._asked())
        for resource in [r for r in self.stock.kinds if r not in BUILT_IN and r not in asked]:
            del self.stock.kinds[resource]
            self.stock.route_problems.pop(resource, None)
        served = {(r.group, r.plural) for r in asked}
        rows = Route.objects.filter(cluster=self.cluster, gone_at=None).order_by()
        for group, plural in set(rows.values_list("group", "plural").distinct()) - served:
            self.rows.absent(f"{plural}.{group}", Route, (), group=group, plural=plural)

    def _tell(self, notes: Notes) -> None:
        """What was written and what is odd, kind by kind."""
        if self.stock.detected is not None:
            count = sum(len(found.meshes) for found in self.stock.detected.values())
            notes.listed(MESHES, count=count, version="")
            notes.problems(MESHES, [*self.stock.mesh_problems, *conflicts(self.stock)])
        for resource in self.stock.kinds:
            notes.problems(kind_name(resource), self.stock.problems_of(resource))
        for name, written in self.rows.written.items():
            notes.wrote(name, written)


def _is_silence(error: ClusterError) -> bool:
    """Whether the cluster did not answer at all: not connected, timed out, cut."""
    return isinstance(error, NotSentError) or (isinstance(error, OutcomeUnknownError) and not error.status)
