"""The guarded write of one target: preflight, intent, one send, outcome (change-control §5.2, steps 4 to 10).

The intent is committed before the call, the outcome after it; between them nobody knows, so whoever finds an intent
without outcome reads before doing anything else.
"""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings

from audit.services import about, record, verb
from audit.types import SYSTEM
from clusters.clients import (
    ClusterError,
    GuardedPatch,
    LostRaceError,
    NotSentError,
    ObjectGoneError,
    OutcomeUnknownError,
    ThrottledError,
)
from clusters.connect import writer_for
from meshui.lib.clock import read_db_now
from meshui.lib.crash import crashpoint
from meshui.lib.errors import RefusedError, UnavailableError
from meshui.lib.queue import enqueue
from traffic.errors import LeaseLostError
from traffic.marks import generation_of, mark_of, version_of
from traffic.models import Attempt, AttemptOutcome, Change, TargetStep
from traffic.patches import PathMissingError
from traffic.services.bodies import stored_body
from traffic.services.leasing import next_after
from traffic.services.managed import note_ended, note_left, note_sending
from traffic.services.reading import hash_of, identity_fault
from traffic.services.sending import is_of_another_life, mark_stem, moved, must_fence_off, write_for
from traffic.services.verify import acceptance, confirm, mismatch
from traffic.transitions import about_step, move_step, note_step
from traffic.types import STEP_OPEN, StepState

if TYPE_CHECKING:
    from audit.types import Actor
    from clusters.clients import Write, Writer
    from meshui.lib.jsontypes import JsonObject
    from traffic.services.leasing import Work

MAX_BACKOFF = 30.0
OUTCOMES: dict[type[ClusterError], str] = {
    LostRaceError: "lost_race",
    ObjectGoneError: "lost_race",
    ThrottledError: "refused",
    NotSentError: "not_sent",
}
S = StepState


def write_target(work: Work) -> None:
    """Bring the claimed step as far as it goes now: to an end, or to the time of its next try."""
    step = work.step
    for _ in range(settings.CONFLICT_RETRIES + 4):
        if step.state not in STEP_OPEN or step.next_action_at is not None or not work.is_held():
            break
        _try(work)
    for pk in next_after(step):
        enqueue("traffic.tasks.apply_step", pk)
    enqueue("traffic.tasks.advance_change", step.change_id)


def _try(work: Work) -> None:
    try:
        _act(work, writer_for(work.step.cluster))
    except ThrottledError as error:
        postpone(work, error.message, seconds=error.retry_after)
    except (NotSentError, OutcomeUnknownError) as error:
        postpone(work, error.message)
    except LeaseLostError:
        work.lost.set()
    except UnavailableError:
        raise  # history cannot be written: nothing else happens either, the step stays due
    except (ClusterError, RefusedError) as error:
        give_up(actor=SYSTEM, work=work, message=str(error))


def _act(work: Work, writer: Writer) -> None:
    step = work.step
    if why := identity_fault(writer, step.plan_target):
        conflict(actor=SYSTEM, work=work, body=None, why=why)
        return
    body = writer.read(step.ref)
    if step.state in {S.PENDING, S.PREFLIGHT}:
        _preflight_and_send(work, writer, body)
    elif step.state == S.UNKNOWN:
        _resolve(work, body)
    else:
        _confirm(work, body)


def _preflight_and_send(work: Work, writer: Writer, body: JsonObject | None) -> None:
    step = work.step
    if step.state == S.PENDING and not move_step(step, S.PREFLIGHT, actor=SYSTEM):
        work.lost.set()
        return
    live_hash = hash_of(step.plan_target, body)
    if live_hash == step.expected_hash and step.expected_hash != step.base_hash and not must_fence_off(step):
        settle_nothing(actor=SYSTEM, work=work, body=body)
    elif why := moved(step, body, live_hash):
        conflict(actor=SYSTEM, work=work, body=body, why=why)
    elif step.op == "patch" and not step.operations:
        settle_nothing(actor=SYSTEM, work=work, body=body)
    else:
        _send(work, writer, body)


def _confirm(work: Work, body: JsonObject | None) -> None:
    step = work.step
    if why := mismatch(step, body):
        conflict(actor=SYSTEM, work=work, body=body, why=why)
        return
    seen = acceptance(step, body)
    if seen.answer == "mismatch":
        conflict(actor=SYSTEM, work=work, body=body, why=f"It was stored, but its mesh does not take it. {seen.detail}")
    elif seen.answer != "waiting":
        confirm(actor=SYSTEM, work=work, body=body, seen=seen)
    else:
        _wait_for_acceptance(step, seen.detail)


def _wait_for_acceptance(step: TargetStep, detail: str) -> None:
    """Look again in a second; after ACCEPT_SECONDS the run stops and says so, and looking goes on."""
    now = read_db_now()
    is_overdue = now - step.state_changed_at > timedelta(seconds=settings.ACCEPT_SECONDS)
    message = f"Accepted cannot be seen. {detail}" if is_overdue else detail
    step.next_action_at = now + timedelta(seconds=MAX_BACKOFF if is_overdue else 1.0)
    step.first_failed_at = step.first_failed_at or (now if is_overdue else None)
    note_step(step, next_action_at=step.next_action_at, first_failed_at=step.first_failed_at, error=message[:2000])


def _send(work: Work, writer: Writer, body: JsonObject | None) -> None:
    step = work.step
    try:
        write = write_for(step, body)
    except PathMissingError as error:
        conflict(actor=SYSTEM, work=work, body=body, why=f"It has no {error} any more.")
        return
    crashpoint("before_intent")
    attempt = intend(actor=SYSTEM, work=work, write=write, body=body)
    if attempt is None:
        work.lost.set()
        return
    crashpoint("after_intent")
    _send_once(work, writer, write, attempt)


def _send_once(work: Work, writer: Writer, write: Write, attempt: Attempt) -> None:
    crashpoint("before_send")
    try:
        body = writer.write(write)
    except OutcomeUnknownError as error:
        lose_sight(actor=SYSTEM, work=work, message=error.message)
    except ClusterError as error:
        outcome = OUTCOMES.get(type(error), "failed")
        settle(actor=SYSTEM, work=work, attempt=attempt, outcome=outcome, message=error.message)
        if isinstance(error, ThrottledError | NotSentError):
            postpone(work, error.message, seconds=getattr(error, "retry_after", None))
    else:
        crashpoint("after_send")
        crashpoint("before_outcome")
        settle(actor=SYSTEM, work=work, attempt=attempt, outcome="written", body=body)
        crashpoint("after_outcome")


def _resolve(work: Work, body: JsonObject | None) -> None:
    """UNKNOWN: look, never resend blindly. Our mark and the expected hash: written. The base and an older mark: not."""
    step = work.step
    attempt = step.attempts.filter(outcome__isnull=True).last()
    if attempt is None:
        move_step(step, S.PREFLIGHT, actor=SYSTEM)
        return
    live_hash = hash_of(step.plan_target, body)
    is_marked = body is not None and mark_of(body) == f"{mark_stem(step)}/{attempt.fence}"
    is_written = live_hash == step.expected_hash and (is_marked or (step.op == "delete" and body is None))
    if is_written:
        settle(actor=SYSTEM, work=work, attempt=attempt, outcome="written", body=body)
    elif not is_marked and live_hash == step.base_hash and not (body and is_of_another_life(step, body)):
        settle(actor=SYSTEM, work=work, attempt=attempt, outcome="not_applied")
    else:
        why = "After a lost answer it is neither as it was nor as we sent it."
        conflict(actor=SYSTEM, work=work, body=body, why=why)


@verb("traffic.write.intended")
def intend(*, actor: Actor, work: Work, write: Write, body: JsonObject | None) -> Attempt | None:
    """INTENT, committed before the call. None: the lease is no longer ours, or a pause came first."""
    step = work.step
    change = Change.objects.locked(step.change_id)
    about(change)
    if change.state not in {"applying", "rolling_back"} or not work.is_held():
        return None
    attempt = Attempt.objects.create(
        step=step,
        number=step.attempts.count() + 1,
        fence=step.fence,
        op=step.op,
        patch=[operation.to_json() for operation in write.operations] if isinstance(write, GuardedPatch) else [],
        before_hash=hash_of(step.plan_target, body),
        before_resource_version=version_of(body),
        before_generation=generation_of(body),
        expected_hash=step.expected_hash,
        created_at=read_db_now(),
    )
    if not move_step(step, S.INTENT, actor=actor, attempt=attempt.number, fence=step.fence):
        raise LeaseLostError
    note_sending(step)
    return attempt


@verb("traffic.write.settled")
def settle(
    *,
    actor: Actor,
    work: Work,
    attempt: Attempt,
    outcome: str,
    message: str = "",
    body: JsonObject | None = None,
) -> None:
    """The outcome of one send, under the fence it was sent with; a zombie's is dropped whole."""
    step = work.step
    about(step.change)
    after = hash_of(step.plan_target, body)
    if not work.is_held():
        work.lost.set()
        return
    AttemptOutcome.objects.create(
        attempt=attempt,
        outcome=outcome,
        message=message[:2000],
        after_hash=after,
        after_resource_version=version_of(body),
        after_generation=generation_of(body),
        created_at=read_db_now(),
    )
    if outcome == "written":
        Change.objects.filter(pk=step.change_id).update(has_writes=True)
        note_left(step, body)
    else:
        note_ended(step)
    crashpoint("in_outcome_commit")
    is_moved = _move_after(step, outcome, message, after, body)
    if not is_moved:
        raise LeaseLostError


def _move_after(step: TargetStep, outcome: str, message: str, after: str, body: JsonObject | None) -> bool:
    facts: dict[str, Any] = {"attempt_outcome": outcome, "fence": step.fence, "after_hash": after}
    if outcome == "written":
        moved = move_step(step, S.WRITTEN, actor=SYSTEM, set_first_failed_at=None, **facts)
        if moved and after != step.expected_hash:
            moved = _to_conflict(step, body, "The server stored something else than its dry run said.")
        return moved
    record(
        "traffic.write.settled",
        actor=SYSTEM,
        target=about_step(step),
        reason=message,
        outcome="failure" if outcome == "failed" else "success",
        **facts,
    )
    if outcome == "failed":
        return move_step(step, S.FAILED, actor=SYSTEM, message=message)
    tries = step.tries + (outcome == "lost_race")
    if tries > settings.CONFLICT_RETRIES:
        return _to_conflict(step, None, "Somebody else keeps writing it: five tries were overtaken.")
    return move_step(step, S.PREFLIGHT, actor=SYSTEM, message=message, set_tries=tries)


@verb("traffic.step.unknown")
def lose_sight(*, actor: Actor, work: Work, message: str) -> None:
    """UNKNOWN: it was sent and no sound answer came. The intent stays open until a read tells."""
    about(work.step.change)
    if not move_step(work.step, S.UNKNOWN, actor=actor, message=message):
        work.lost.set()


@verb("traffic.step.skipped")
def settle_nothing(*, actor: Actor, work: Work, body: JsonObject | None) -> None:
    """SKIPPED (apply) or REVERTED (restore): the target is already as wanted; nothing is sent."""
    step = work.step
    about(step.change)
    note_left(step, body)
    to = S.REVERTED if step.direction == "restore" else S.SKIPPED
    if not move_step(step, to, actor=actor, message="It is already so: nothing was sent."):
        work.lost.set()


@verb("traffic.step.conflicted")
def conflict(*, actor: Actor, work: Work, body: JsonObject | None, why: str) -> None:
    """CONFLICT: somebody else's state is there. It is kept beside ours, and never overwritten."""
    about(work.step.change)
    open_attempt = work.step.attempts.filter(outcome__isnull=True).last()
    if open_attempt is not None:
        AttemptOutcome.objects.create(attempt=open_attempt, outcome="overtaken", message=why, created_at=read_db_now())
        facts: dict[str, Any] = {"attempt_outcome": "overtaken", "fence": work.step.fence}
        record("traffic.write.settled", actor=actor, target=about_step(work.step), reason=why, **facts)
        note_ended(work.step)
    if not _to_conflict(work.step, body, why):
        work.lost.set()


def _to_conflict(step: TargetStep, body: JsonObject | None, why: str) -> bool:
    to = S.ROLLBACK_CONFLICT if step.direction == "restore" else S.CONFLICT
    kept = {"live": stored_body(body) if body is not None else None}
    return move_step(step, to, actor=SYSTEM, message=f"{step.ref}: {why}", set_conflict=kept)


@verb("traffic.step.failed")
def give_up(*, actor: Actor, work: Work, message: str) -> None:
    """FAILED: a refusal that waiting does not mend, before anything was sent."""
    about(work.step.change)
    if work.step.state in {S.PENDING, S.PREFLIGHT}:
        to = S.FAILED
        if work.step.state == S.PENDING:
            move_step(work.step, S.PREFLIGHT, actor=actor)
        if not move_step(work.step, to, actor=actor, message=message):
            work.lost.set()
    else:
        _delay(work.step, message, MAX_BACKOFF)


def postpone(work: Work, message: str, *, seconds: float | None = None) -> None:
    """Try again later: 1 to 30 s, doubling; a target not reached for UNREACHABLE_WINDOW seconds is UNREACHABLE."""
    step = work.step
    first = step.first_failed_at
    window = timedelta(seconds=settings.UNREACHABLE_WINDOW)
    if first is not None and read_db_now() - first > window and step.state in {S.PENDING, S.PREFLIGHT}:
        unreachable(actor=SYSTEM, work=work, message=message)
        return
    tries = step.tries
    _delay(step, message, seconds or min(MAX_BACKOFF, 2.0**tries) * random.uniform(0.8, 1.2))  # noqa: S311 - jitter


@verb("traffic.step.unreachable")
def unreachable(*, actor: Actor, work: Work, message: str) -> None:
    """UNREACHABLE: nothing was sent and the retries are spent."""
    about(work.step.change)
    if work.step.state == S.PENDING:
        move_step(work.step, S.PREFLIGHT, actor=actor)
    if not move_step(work.step, S.UNREACHABLE, actor=actor, message=message):
        work.lost.set()


def _delay(step: TargetStep, message: str, seconds: float) -> None:
    now = read_db_now()
    step.next_action_at = now + timedelta(seconds=seconds)
    step.first_failed_at = step.first_failed_at or now
    step.tries += 1
    note_step(
        step,
        next_action_at=step.next_action_at,
        first_failed_at=step.first_failed_at,
        tries=step.tries,
        error=message[:2000],
    )
