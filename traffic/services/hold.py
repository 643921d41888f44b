"""Pause and resume a run. Weights stay as they are; nothing is between an intent and its outcome when it stops."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit.services import about, verb
from meshui.lib.queue import enqueue
from traffic import policy
from traffic.errors import ChangeGoneError
from traffic.services.propose import get_locked
from traffic.transitions import PAUSE, RESUME, move_step, transition
from traffic.types import StepState

if TYPE_CHECKING:
    from audit.types import Actor
    from traffic.models import Change
    from traffic.types import Seen

RETRIED = (StepState.UNREACHABLE, StepState.FAILED)


@verb("traffic.change.paused")
def pause_change(*, actor: Actor, seen: Seen, reason: str = "") -> Change:
    """C16: no further target is begun. Raises StaleChangeError, ChangeGoneError, DeniedError."""
    change = get_locked(seen)
    about(change)
    policy.require_right(actor, "change.pause", change)
    transition(change, PAUSE, actor=actor, cause=reason or "Paused by hand.")
    return change


@verb("traffic.change.resumed")
def resume_change(*, actor: Actor, seen: Seen) -> Change:
    """C17: targets that failed or were not reached are tried again. With a target in conflict it is refused.

    Raises StaleChangeError, ChangeGoneError, DeniedError.
    """
    change = get_locked(seen)
    about(change)
    policy.require_right(actor, "change.resume", change)
    steps = change.steps.filter(direction="apply", plan_target__plan=change.current_plan)
    if steps.filter(state=StepState.CONFLICT).exists():
        raise ChangeGoneError("A target was changed by somebody else meanwhile.", mend="Roll back, then propose anew.")
    transition(change, RESUME, actor=actor)
    for step in steps.filter(state__in=RETRIED).select_related("cluster", "plan_target", "change"):
        move_step(step, StepState.PENDING, actor=actor, set_next_action_at=None, set_first_failed_at=None, set_tries=0)
    for pk in steps.values_list("pk", flat=True):
        enqueue("traffic.tasks.apply_step", pk)
    enqueue("traffic.tasks.advance_change", change.pk)
    return change
