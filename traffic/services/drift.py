"""Drift in history: each thing that others did to a route of ours is recorded once, and that it was put back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit.services import about, record, verb
from audit.types import SYSTEM, Evidence, FieldDiff
from meshes.models import ManagedRoute
from traffic.drifts import live_body, moved_in

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet

    from audit.types import Actor
    from traffic.drifts import Moved

BATCH = 200
SAID = {
    "changed": "It was changed outside of MeshUI.",
    "gone": "It was deleted outside of MeshUI.",
    "made": "MeshUI had deleted it; it was made again outside of MeshUI.",
    "": "It is again as MeshUI left it.",
}


def untold() -> QuerySet[ManagedRoute]:
    """Drift that history does not know yet."""
    return ManagedRoute.objects.filter(is_told=False)


def tell_drifts() -> int:
    """Record what readings found since the last time; how many. One query when nothing was."""
    found = list(untold().values_list("pk", flat=True)[:BATCH])
    for pk in found:
        tell_drift(actor=SYSTEM, managed_id=pk)
    return len(found)


@verb("traffic.drift.observed")
def tell_drift(*, actor: Actor, managed_id: UUID) -> None:
    """It is otherwise than MeshUI left it, or so again; nobody is asked and nothing is written."""
    row = ManagedRoute.objects.select_for_update(of=("self",)).select_related("cluster", "route").get(pk=managed_id)
    about(row)
    if row.is_told:
        return
    action = "traffic.drift.observed" if row.drift else "traffic.drift.ended"
    diff = tuple(_field(each) for each in moved_in(row)) if row.drift else ()
    evidence = Evidence(diff=diff, before=row.body, after=live_body(row)) if row.drift else None
    said = SAID[row.drift]
    record(action, actor=actor, target=row, reason=said, evidence=evidence, change_number=row.change_number)
    ManagedRoute.objects.filter(pk=row.pk).update(is_told=True)


def _field(moved: Moved) -> FieldDiff:
    path = f"rules[{moved.rule}].{moved.name or moved.what}"
    return FieldDiff(path, _percent(moved.before_bp), _percent(moved.after_bp))


def _percent(basis_points: int | None) -> str:
    return "" if basis_points is None else f"{basis_points / 100:g} %"
