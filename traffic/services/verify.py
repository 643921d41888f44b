"""Verify: read back what was written, say how far it is known to have come (change-control §5.6).

L1 stored; L2 accepted by the controller; L3 observed in traffic. "Cannot be observed" is never green.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit.services import about, verb
from meshes.adapters.base import UnreadableRouteError, Verification
from meshes.adapters.registry import adapter_for
from meshes.secrets import with_live_matches
from meshes.types import Route
from traffic.marks import generation_of, uid_of, version_of
from traffic.services.reading import hash_of
from traffic.transitions import move_step
from traffic.types import StepState

if TYPE_CHECKING:
    from audit.types import Actor
    from meshui.lib.jsontypes import JsonObject
    from traffic.models import TargetStep
    from traffic.services.leasing import Work


def mismatch(step: TargetStep, body: JsonObject | None) -> str:
    """Why what was read back is not what was written; empty if it is."""
    if hash_of(step.plan_target, body) == step.expected_hash:
        return ""
    return "Read back, it is not what was written."


def acceptance(step: TargetStep, body: JsonObject | None) -> Verification:
    """What the mesh itself says of what was stored."""
    target = step.plan_target
    wanted = target.live_route if step.direction == "restore" else target.desired_route
    if body is None or wanted is None:
        return Verification("L1", "cannot be observed")
    adapter = adapter_for(target.mesh_kind)
    try:
        live = adapter.live(body)
        return adapter.verify(with_live_matches(Route.from_json(wanted), live.route), live)
    except UnreadableRouteError as error:
        return Verification("L1", "cannot be observed", str(error))


@verb("traffic.step.verified")
def confirm(*, actor: Actor, work: Work, body: JsonObject | None, seen: Verification) -> None:
    """ACCEPTED, then VERIFIED (apply) or REVERTED (restore): read back and equal, and what the mesh says of it."""
    step = work.step
    about(step.change)
    evidence = {
        "level": seen.level,
        "accepted": seen.answer,
        "detail": seen.detail,
        "uid": uid_of(body),
        "generation": generation_of(body),
        "resource_version": version_of(body),
    }
    to = StepState.REVERTED if step.direction == "restore" else StepState.VERIFIED
    if step.state == StepState.WRITTEN and not move_step(step, StepState.ACCEPTED, actor=actor, acceptance=seen.answer):
        work.lost.set()
        return
    if not move_step(step, to, actor=actor, set_evidence=evidence, level=seen.level):
        work.lost.set()
