"""The only place where the state of a change, of its run and of its steps moves: from one table of moves.

A move is a compare-and-swap on the locked row; it writes its own audit event and nothing else does. The table is also
the source of the drawing in docs/architecture.md (`manage.py draw_moves`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import F

from audit.services import record
from audit.types import About
from meshui.lib.bus import publish
from meshui.lib.clock import db_now
from traffic.errors import ChangeGoneError
from traffic.models import Change, Rollout, TargetStep
from traffic.types import TERMINAL, State, StepState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from audit.types import Actor, Evidence, Outcome

S = State


@dataclass(frozen=True, slots=True)
class Move:
    """One row of change-control §3.2: from any of `sources` to `to`; `phase` is the run's phase after it (§3.3)."""

    id: str
    word: str
    sources: frozenset[State]
    to: State
    action: str
    phase: str = ""
    outcome: Outcome = "success"


def _move(id_: str, word: str, sources: Iterable[State], to: State, action: str, phase: str = "") -> Move:
    outcome: Outcome = "failure" if action in {"failed", "plan_failed"} else "success"
    return Move(id_, word, frozenset(sources), to, f"traffic.change.{action}", phase, outcome)


EDIT = _move("C2", "edit", (S.DRAFT, S.IN_REVIEW, S.APPROVED), S.DRAFT, "edited", phase="DROPPED")
PLAN = _move("C3", "plan", (S.DRAFT,), S.PLANNING, "plan_started")
PLANNED = _move("C4", "planned", (S.PLANNING,), S.DRAFT, "planned")
PLAN_FAILED = _move("C4", "plan failed", (S.PLANNING,), S.DRAFT, "plan_failed")
SUBMIT = _move("C5", "submit", (S.DRAFT,), S.IN_REVIEW, "submitted")
APPROVE = _move("C7", "approved", (S.IN_REVIEW,), S.APPROVED, "approved")
DENY = _move("C8", "deny", (S.IN_REVIEW, S.APPROVED), S.REJECTED, "rejected", phase="DROPPED")
REOPEN = _move("C9", "revoke a vote", (S.APPROVED, S.QUEUED), S.IN_REVIEW, "invalidated", phase="DROPPED")
INVALIDATE = _move(
    "C10", "invalidate", (S.IN_REVIEW, S.APPROVED, S.QUEUED), S.IN_REVIEW, "invalidated", phase="DROPPED"
)
ABANDON = _move("C10", "planning again failed", (S.IN_REVIEW,), S.DRAFT, "plan_failed")
QUEUE = _move("C12", "start", (S.APPROVED,), S.QUEUED, "queued", phase="PENDING")
BEGIN = _move("C13", "begin", (S.QUEUED,), S.APPLYING, "started", phase="WRITING")
CONFLICT_FIRST = _move(
    "C10", "moved before the first write", (S.APPLYING,), S.IN_REVIEW, "invalidated", phase="DROPPED"
)
PAUSE = _move("C16", "pause", (S.APPLYING,), S.PAUSED, "paused", phase="HELD")
RESUME = _move("C17", "resume", (S.PAUSED,), S.APPLYING, "resumed", phase="WRITING")
REPLAN = _move("C17b", "plan the rest again", (S.PAUSED,), S.IN_REVIEW, "invalidated", phase="HELD")
HOLD = _move("C16", "hold what has written", (S.IN_REVIEW, S.APPROVED, S.QUEUED), S.PAUSED, "paused", phase="HELD")
ROLL_BACK = _move(
    "C18",
    "roll back",
    (S.APPLYING, S.PAUSED, S.IN_REVIEW, S.APPROVED, S.QUEUED),
    S.ROLLING_BACK,
    "rollback_started",
    phase="RESTORING",
)
CANCEL = _move(
    "C11", "cancel", (S.DRAFT, S.PLANNING, S.IN_REVIEW, S.APPROVED, S.QUEUED), S.CANCELLED, "cancelled", phase="DROPPED"
)
EXPIRE = _move("C11", "expire", (S.DRAFT, S.IN_REVIEW, S.APPROVED, S.QUEUED), S.EXPIRED, "expired", phase="DROPPED")
SUPERSEDE = _move("C11", "supersede", (S.QUEUED,), S.SUPERSEDED, "superseded", phase="DROPPED")
PARTIAL = _move("C20", "accept as it is", (S.PAUSED, S.ROLLING_BACK), S.PARTIAL, "partial_accepted", phase="DIVERGED")
APPLIED = _move("C19", "applied", (S.APPLYING,), S.APPLIED, "applied", phase="DONE")
ROLLED_BACK = _move("C19", "rolled back", (S.ROLLING_BACK,), S.ROLLED_BACK, "rolled_back", phase="RESTORED")
FAIL = _move("C19", "failed", (S.APPLYING,), S.FAILED, "failed", phase="FAILED")
PLANNED_AND_QUEUED = _move("C22", "planned and queued", (S.PLANNING,), S.QUEUED, "queued", phase="PENDING")

MOVES = (
    EDIT, PLAN, PLANNED, PLAN_FAILED, SUBMIT, APPROVE, DENY, REOPEN, INVALIDATE, ABANDON, QUEUE, BEGIN, CONFLICT_FIRST,
    PAUSE, HOLD, RESUME, REPLAN, ROLL_BACK, APPLIED, ROLLED_BACK, FAIL, PARTIAL, CANCEL, EXPIRE, SUPERSEDE,
    PLANNED_AND_QUEUED,
)  # fmt: skip

SP = StepState
STEP_MOVES: dict[StepState, tuple[frozenset[StepState], str]] = {
    SP.PREFLIGHT: (frozenset({SP.PENDING, SP.PREFLIGHT, SP.INTENT, SP.UNKNOWN}), ""),
    SP.INTENT: (frozenset({SP.PREFLIGHT}), "traffic.write.intended"),
    SP.WRITTEN: (frozenset({SP.INTENT, SP.UNKNOWN}), "traffic.write.settled"),
    SP.ACCEPTED: (frozenset({SP.WRITTEN}), "traffic.step.accepted"),
    SP.VERIFIED: (frozenset({SP.ACCEPTED}), "traffic.step.verified"),
    SP.CONFLICT: (frozenset({SP.PREFLIGHT, SP.INTENT, SP.WRITTEN, SP.ACCEPTED, SP.UNKNOWN}), "traffic.step.conflicted"),
    SP.UNKNOWN: (frozenset({SP.INTENT, SP.UNKNOWN}), "traffic.step.unknown"),
    SP.UNREACHABLE: (frozenset({SP.PREFLIGHT}), "traffic.step.unreachable"),
    SP.FAILED: (frozenset({SP.PREFLIGHT, SP.INTENT}), "traffic.step.failed"),
    SP.SKIPPED: (frozenset({SP.PENDING, SP.PREFLIGHT}), "traffic.step.skipped"),
    SP.REVERTED: (frozenset({SP.PREFLIGHT, SP.ACCEPTED}), "traffic.step.reverted"),
    SP.ROLLBACK_CONFLICT: (
        frozenset({SP.PREFLIGHT, SP.INTENT, SP.WRITTEN, SP.ACCEPTED, SP.UNKNOWN}),
        "traffic.step.rollback_conflicted",
    ),
    SP.PENDING: (frozenset({SP.UNREACHABLE, SP.FAILED, SP.ROLLBACK_CONFLICT}), "traffic.step.retried"),
}


def transition(
    change: Change, move: Move, *, actor: Actor, cause: str = "", evidence: Evidence | None = None, **details: Any
) -> None:
    """Move the locked `change`, and its run's phase with it; record the move. Raises ChangeGoneError from other states.

    The row is re-read by the update itself: a change that moved since it was locked (SQLite without a lock, a bug)
    refuses here.
    """
    if change.state not in move.sources:
        raise ChangeGoneError(
            f"{change} is {State(change.state).name.lower().replace('_', ' ')}: “{move.word}” is not possible there.",
            mend="Reload the page to see what is.",
        )
    before = change.state
    ends = {"ended_at": db_now()} if move.to in TERMINAL else {}
    moved = Change.objects.filter(pk=change.pk, state=before, version=change.version).update(
        state=move.to, version=F("version") + 1, state_changed_at=db_now(), state_cause=cause[:2000], **ends
    )
    if moved != 1:
        raise ChangeGoneError(f"{change} moved at the same moment.", mend="Reload the page and try again.")
    change.state, change.version, change.state_cause = move.to.value, change.version + 1, cause[:2000]
    if move.phase:
        phase = "HELD" if change.has_writes and move.phase in {"DROPPED", "PENDING"} else move.phase
        Rollout.objects.filter(change=change).update(phase=phase, phase_cause=cause[:2000])
    record(
        move.action,
        actor=actor,
        target=change,
        reason=cause,
        evidence=evidence,
        outcome=move.outcome,
        move=move.id,
        state_before=str(before),
        state_after=str(move.to),
        version=change.version,
        **details,
    )


def move_step(step: TargetStep, to: StepState, *, actor: Actor, message: str = "", **details: Any) -> bool:
    """Move the step if it is still where and whose this runner read it (state and fence); False: we are the zombie.

    Other columns that go with the move come as `set_<column>` in `details`.
    """
    sources, action = STEP_MOVES[to]
    if step.state not in sources:
        raise ChangeGoneError(f"{step} is {step.state}: it cannot become {to}.")
    columns = {name[4:]: details.pop(name) for name in list(details) if name.startswith("set_")}
    moved = TargetStep.objects.filter(pk=step.pk, state=step.state, fence=step.fence).update(
        state=to, state_changed_at=db_now(), error=message[:2000], **columns
    )
    if not moved:
        return False
    ring(step)
    before = step.state
    step.state, step.error = to.value, message[:2000]
    for name, value in columns.items():
        setattr(step, name, value)
    if action:
        bad = to in {SP.CONFLICT, SP.FAILED, SP.UNREACHABLE, SP.ROLLBACK_CONFLICT}
        outcome: Outcome = "unknown" if to is SP.UNKNOWN else "failure" if bad else "success"
        record(
            action,
            actor=actor,
            target=about_step(step),
            reason=message,
            outcome=outcome,
            state_before=before,
            **details,
        )
    return True


def take_step(step: TargetStep, *, fence: int) -> bool:
    """Give the step this runner's fence; an intent of the runner before it becomes unknown. False: it moved."""
    to = StepState.UNKNOWN if step.state == SP.INTENT else step.state
    taken = TargetStep.objects.filter(pk=step.pk, state=step.state, fence=step.fence).update(
        fence=fence, state=to, state_changed_at=db_now(), next_action_at=None
    )
    step.fence, step.state, step.next_action_at = fence, str(to), None
    ring(step)
    return bool(taken)


def note_step(step: TargetStep, **columns: Any) -> None:
    """Keep what a try of the step brought, if it is still this runner's; the state stays."""
    TargetStep.objects.filter(pk=step.pk, fence=step.fence).update(**columns)
    ring(step)


def ring(step: TargetStep) -> None:
    """Tell the page of its change; a move that is recorded is told as one."""
    publish("change", step.change.number, is_progress=True)


def about_step(step: TargetStep) -> About:
    """A step as events name it, with its one target."""
    target = step.plan_target
    reference = step.change.to_ref(step=f"{step.direction}/{step.cluster.slug}", fence=step.fence)
    full = step.change.to_audit()
    mine = tuple(t for t in full.targets if t.cluster_id == str(step.cluster_id) and t.name == target.name)
    return About(kind="step", id=str(step.pk), name=str(step), change=reference, targets=mine)
