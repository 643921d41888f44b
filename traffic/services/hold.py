"""Pause, resume, cancel, end by hand. Weights stay as they are; nothing stops between an intent and its outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit.services import about, record, verb
from meshui.lib.queue import enqueue
from traffic import policy
from traffic.errors import ChangeGoneError, InvalidChangeError
from traffic.services.approve import replan, void_votes
from traffic.services.leasing import release_all
from traffic.services.propose import get_locked
from traffic.transitions import CANCEL, PARTIAL, PAUSE, REPLAN, RESUME, move_step, transition
from traffic.types import STEP_GOOD, State, StepState

if TYPE_CHECKING:
    from audit.types import Actor
    from traffic.models import Change, TargetStep
    from traffic.types import Seen

RETRIED = (StepState.UNREACHABLE, StepState.FAILED)
RECHECKED = (StepState.ROLLBACK_CONFLICT, StepState.UNREACHABLE, StepState.FAILED)


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
    """C17: targets that failed or were not reached are tried again.

    C17b: with a target that somebody else changed meanwhile, the rest is planned again and goes back to review; its
    targets stay reserved. Raises StaleChangeError, ChangeGoneError, DeniedError.
    """
    change = get_locked(seen)
    about(change)
    policy.require_right(actor, "change.resume", change)
    if change.current_plan is None:
        raise ChangeGoneError("It has no plan to go on with.", mend="Roll back, or accept what is there.")
    steps = change.steps.filter(direction="apply", plan_target__plan=change.current_plan)
    conflicts = list(steps.filter(state=StepState.CONFLICT).select_related("cluster"))
    if conflicts:
        cause = " ".join(f"{step.cluster.slug}: {step.error}" for step in conflicts)
        replan(change, move=REPLAN, actor=actor, cause=f"What is left is planned again. {cause}")
        return change
    transition(change, RESUME, actor=actor)
    for step in steps.filter(state__in=RETRIED).select_related("cluster", "plan_target", "change"):
        _again(step, actor)
    steps.update(next_action_at=None)
    for pk in steps.values_list("pk", flat=True):
        enqueue("traffic.tasks.apply_step", pk)
    enqueue("traffic.tasks.advance_change", change.pk)
    return change


@verb("traffic.change.rechecked")
def recheck_change(*, actor: Actor, seen: Seen) -> Change:
    """Look again at the targets that stand in the way of a roll back: back to how they were by now, they are done.

    Raises StaleChangeError, ChangeGoneError (it is not rolling back), DeniedError (needs change.rollback).
    """
    change = get_locked(seen)
    about(change)
    policy.require_right(actor, "change.rollback", change)
    if change.state != State.ROLLING_BACK:
        raise ChangeGoneError("It is not rolling back.", mend="Reload the page to see what is possible.")
    record("traffic.change.rechecked", actor=actor, target=change)
    steps = change.steps.filter(direction="restore")
    for step in steps.filter(state__in=RECHECKED).select_related("cluster", "plan_target", "change"):
        _again(step, actor)
    steps.update(next_action_at=None)
    for pk in steps.values_list("pk", flat=True):
        enqueue("traffic.tasks.apply_step", pk)
    return change


@verb("traffic.change.cancelled")
def cancel_change(*, actor: Actor, seen: Seen, reason: str = "") -> Change:
    """C11: the author or an executor takes it back before anything was written.

    Raises StaleChangeError, ChangeGoneError (it runs, or has written), DeniedError.
    """
    change = get_locked(seen)
    about(change)
    user = policy.require_right(actor, "change.cancel", change)
    if change.has_writes:
        mend = "Roll back, or accept what is there."
        raise ChangeGoneError("It has written something already: it cannot just go away.", mend=mend)
    cause = reason or f"Cancelled by {user}."
    void_votes(change, actor=actor, cause=cause)
    release_all(change)
    transition(change, CANCEL, actor=actor, cause=cause)
    return change


@verb("traffic.change.partial_accepted")
def accept_partial(*, actor: Actor, seen: Seen, reason: str) -> Change:
    """C20: end a run that cannot end by itself, with what differs written down. Nothing is sent.

    Raises StaleChangeError, ChangeGoneError (nothing was written), InvalidChangeError (no reason), DeniedError.
    """
    change = get_locked(seen)
    about(change)
    policy.require_right(actor, "change.accept_partial", change)
    if not reason.strip():
        raise InvalidChangeError("Say why it may stay as it is: the clusters differ after this.")
    if not change.has_writes:
        raise ChangeGoneError("Nothing was written: there is nothing to accept.", mend="Cancel it instead.")
    left = left_over(change)
    release_all(change)
    words = " ".join(f"{name}: {word}." for name, word in left)
    transition(
        change, PARTIAL, actor=actor, cause=f"{reason.strip()} {words}".strip(), left=[list(pair) for pair in left]
    )
    return change


def left_over(change: Change) -> list[tuple[str, str]]:
    """The objects that did not come to a good end, as (object in cluster, what is known of it), in order."""
    direction = "restore" if change.state == State.ROLLING_BACK else "apply"
    steps = change.steps.filter(direction=direction).select_related("cluster", "plan_target")
    if direction == "apply":
        steps = steps.filter(plan_target__plan=change.current_plan)
    return [
        (f"{step.ref} in {step.cluster.slug}", StepState(step.state).name.lower().replace("_", " "))
        for step in steps
        if step.state not in STEP_GOOD
    ]


def _again(step: TargetStep, actor: Actor) -> None:
    move_step(step, StepState.PENDING, actor=actor, set_next_action_at=None, set_first_failed_at=None, set_tries=0)
