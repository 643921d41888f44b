"""Verify: read back what was written, say how far it is known to have come (change-control §5.6).

L1 stored; L2 accepted by the controller; L3 observed in traffic. "Cannot be observed" is never green.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit.services import about, verb
from traffic.services.reading import hash_of
from traffic.transitions import move_step
from traffic.types import StepState

if TYPE_CHECKING:
    from audit.types import Actor
    from meshes.types import LiveRoute
    from traffic.models import TargetStep
    from traffic.services.leasing import Work


def mismatch(step: TargetStep, live: LiveRoute) -> str:
    """Why what was read back is not what was written; empty if it is."""
    if hash_of(step.plan_target, live) == step.expected_hash:
        return ""
    return "Read back, it is not what was written."


@verb("traffic.step.verified")
def confirm(*, actor: Actor, work: Work, live: LiveRoute) -> None:
    """ACCEPTED, then VERIFIED (apply) or REVERTED (restore): read back and equal, level L1."""
    step = work.step
    about(step.change)
    seen = {
        "level": "L1",
        "accepted": "cannot be observed",
        "uid": live.uid,
        "generation": live.generation,
        "resource_version": live.resource_version,
    }
    to = StepState.REVERTED if step.direction == "restore" else StepState.VERIFIED
    if step.state == StepState.WRITTEN and not move_step(
        step, StepState.ACCEPTED, actor=actor, acceptance="cannot be observed"
    ):
        work.lost.set()
        return
    if not move_step(step, to, actor=actor, set_evidence=seen, level="L1"):
        work.lost.set()
