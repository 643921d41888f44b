"""What MeshUI wrote last, held against what is read: drift moves in the transaction that moved the one or the other.

A row is judged whenever its route was read or was found to be gone, and when a send to it has ended. While a send is on
its way nobody judges: the watch may well be faster than the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from meshes.models import Drift, ManagedRoute, Route
from meshui.lib.clock import read_db_now

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Iterable

    from clusters.clients import ObjectRef
    from clusters.models import Cluster
    from meshui.lib.jsontypes import JsonObject

ASKED = 500
TRIES = 3
BY_NAME = ("group", "kind", "namespace", "name")
ROUTE = ("pk", "uid", "generation", "projection_hash", "gone_at", "read_at", *BY_NAME)
Key = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class Left:
    """How a write left a route: its body, masked, and the hash of what decides routing; None and "": deleted."""

    ref: ObjectRef
    mesh_kind: str
    root_service: str
    root_namespace: str
    change_number: int
    body: JsonObject | None
    left_hash: str
    uid: str
    generation: int


def note_sending(cluster: Cluster, ref: ObjectRef) -> None:
    """A write is on its way to it: until that has ended nobody knows what is whose. One query."""
    ManagedRoute.objects.filter(cluster=cluster, **_named(ref)).update(is_writing=True)


def note_ended(cluster: Cluster, ref: ObjectRef) -> None:
    """The write has ended without an effect of ours: it is what it was, or what others made of it."""
    if ManagedRoute.objects.filter(cluster=cluster, is_writing=True, **_named(ref)).update(is_writing=False):
        judge(cluster, [ref.name])


def note_left(cluster: Cluster, left: Left) -> None:
    """MeshUI wrote it so: what is read from now on is held against this."""
    values = {
        "mesh_kind": left.mesh_kind,
        "version": left.ref.resource.version,
        "plural": left.ref.resource.plural,
        "root_service": left.root_service[:253],
        "root_namespace": left.root_namespace,
        "change_number": left.change_number,
        "body": left.body,
        "left_hash": left.left_hash,
        "generation": left.generation,
        "written_at": read_db_now(),
        "is_writing": False,
        "drift": Drift.NONE,
        "drifted_at": None,
        "seen_hash": left.left_hash,
        "is_told": True,
    }
    if left.uid:  # of what was deleted the uid stays: it tells the old object from one that is made anew
        values["uid"] = left.uid
    ManagedRoute.objects.update_or_create(cluster=cluster, **_named(left.ref), defaults=values)
    judge(cluster, [left.ref.name])


def judge(cluster: Cluster, names: Iterable[str]) -> None:
    """Hold the routes of these names against how they were left. One query for every 500 where none is ours."""
    wanted = list(dict.fromkeys(names))
    for start in range(0, len(wanted), ASKED):
        _judge(cluster, wanted[start : start + ASKED])


def _judge(cluster: Cluster, names: Collection[str]) -> None:
    """A row that is written at the same moment is looked at again."""
    for _ in range(TRIES):
        ours = ManagedRoute.objects.filter(cluster=cluster, name__in=names, is_writing=False).defer("body")
        rows = list(ours)
        if not rows:
            return
        found = _found(cluster, {row.name for row in rows})
        judged = [(row, found[_key(row)]) for row in rows if _key(row) in found]
        moved = [row for row, route in judged if not _keep(row, route)]
        if not moved:
            return


def _found(cluster: Cluster, names: Collection[str]) -> dict[Key, Route]:
    """The route of each name that is there, else the one that went last."""
    rows = Route.objects.filter(cluster=cluster, name__in=names).only(*ROUTE).order_by()
    oldest_first = sorted(rows, key=lambda row: (row.gone_at is None, (row.gone_at or row.read_at).timestamp()))
    return {_key(row): row for row in oldest_first}


def _drift(row: ManagedRoute, route: Route) -> Drift | None:
    """How `route` is other than MeshUI left it; None where it was read before the write."""
    is_same = route.uid == row.uid
    if route.gone_at is not None:
        if not is_same and route.gone_at <= row.written_at:
            return None
        return Drift.GONE if row.left_hash else Drift.NONE
    if is_same and (route.generation < row.generation or not row.left_hash):
        return None
    if not is_same and route.read_at < row.written_at:
        return None
    if not row.left_hash:
        return Drift.MADE
    return Drift.NONE if is_same and route.projection_hash == row.left_hash else Drift.CHANGED


def _keep(row: ManagedRoute, route: Route) -> bool:
    """Write the verdict, if there is one, where the row is still the one that was judged; whether it was."""
    drift = _drift(row, route)
    seen = route.projection_hash if route.gone_at is None else ""
    if drift is None or (row.drift, row.seen_hash, row.route_id) == (drift, seen, route.pk):
        return True
    values: dict[str, Any] = {"drift": drift, "seen_hash": seen, "route": route, "drifted_at": _since(row, drift)}
    if (row.drift, row.seen_hash) != (drift, seen) and (row.drift or drift):
        values["is_told"] = False
    same = ManagedRoute.objects.filter(pk=row.pk, written_at=row.written_at, is_writing=False)
    return bool(same.update(**values))


def _since(row: ManagedRoute, drift: Drift) -> dt.datetime | None:
    return (row.drifted_at or read_db_now()) if drift else None


def _key(row: ManagedRoute | Route) -> Key:
    return row.group, row.kind, row.namespace, row.name


def _named(ref: ObjectRef) -> dict[str, Any]:
    return {"group": ref.resource.group, "kind": ref.resource.kind, "namespace": ref.namespace, "name": ref.name}
