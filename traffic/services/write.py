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
    OutcomeUnknownError,
    ThrottledError,
)
from clusters.connect import writer_for
from meshui.lib.clock import read_db_now
from meshui.lib.crash import crashpoint
from meshui.lib.errors import RefusedError, UnavailableError
from meshui.lib.queue import enqueue
from traffic.errors import LeaseLostError
from traffic.marks import PathMissingError, mark_of, mark_operations, rebased
from traffic.models import Attempt, AttemptOutcome, Change, TargetStep
from traffic.services.dryrun import stored_body
from traffic.services.reading import hash_of, identity_fault, live_of
from traffic.services.verify import confirm, mismatch
from traffic.transitions import about_step, move_step
from traffic.types import STEP_OPEN, StepState

if TYPE_CHECKING:
    from audit.types import Actor
    from clusters.clients import Writer
    from meshes.types import LiveRoute
    from meshui.lib.jsontypes import JsonObject
    from traffic.services.leasing import Work

MAX_BACKOFF = 30.0
OUTCOMES: dict[type[ClusterError], str] = {
    LostRaceError: "lost_race",
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
    if step.state in {S.PENDING, S.PREFLIGHT}:
        _preflight_and_send(work, writer)
    elif step.state == S.UNKNOWN:
        _resolve(work, writer)
    elif live := read_live(work, writer):
        if why := mismatch(step, live):
            conflict(actor=SYSTEM, work=work, live=live, why=why)
        else:
            confirm(actor=SYSTEM, work=work, live=live)


def _preflight_and_send(work: Work, writer: Writer) -> None:
    step = work.step
    if step.state == S.PENDING and not move_step(step, S.PREFLIGHT, actor=SYSTEM):
        work.lost.set()
        return
    live = read_live(work, writer)
    if live is None:
        return
    live_hash = hash_of(step.plan_target, live)
    if live_hash == step.expected_hash and step.expected_hash != step.base_hash:
        settle_nothing(actor=SYSTEM, work=work)
    elif live_hash != step.base_hash:
        conflict(actor=SYSTEM, work=work, live=live, why="It was changed by somebody else.")
    elif not step.operations:
        settle_nothing(actor=SYSTEM, work=work)
    else:
        _send(work, writer, live)


def read_live(work: Work, writer: Writer) -> LiveRoute | None:
    step = work.step
    if why := identity_fault(writer, step.plan_target):
        conflict(actor=SYSTEM, work=work, live=None, why=why)
        return None
    body = writer.read(step.ref)
    live = live_of(step.plan_target, body) if body is not None else None
    if live is None or live.uid != step.plan_target.uid:
        conflict(actor=SYSTEM, work=work, live=live, why="It was deleted, or deleted and made anew.")
        return None
    return live


def _send(work: Work, writer: Writer, live: LiveRoute) -> None:
    step = work.step
    try:
        operations = (*mark_operations(live, mark_for(step)), *rebased(step.operations, live.body))
    except PathMissingError as error:
        conflict(actor=SYSTEM, work=work, live=live, why=f"It has no {error} any more.")
        return
    patch = GuardedPatch(step.ref, operations)
    crashpoint("before_intent")
    attempt = intend(actor=SYSTEM, work=work, patch=patch, live=live)
    if attempt is None:
        work.lost.set()
        return
    crashpoint("after_intent")
    _send_once(work, writer, patch, attempt)


def _send_once(work: Work, writer: Writer, patch: GuardedPatch, attempt: Attempt) -> None:
    crashpoint("before_send")
    try:
        body = writer.write(patch)
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


def _resolve(work: Work, writer: Writer) -> None:
    """UNKNOWN: read, never resend blindly. Our mark and the expected hash: written. The base and an older mark: not."""
    step = work.step
    attempt = step.attempts.filter(outcome__isnull=True).last()
    live = read_live(work, writer)
    if live is None or attempt is None:
        if attempt is None and live is not None:
            move_step(step, S.PREFLIGHT, actor=SYSTEM)
        return
    live_hash = hash_of(step.plan_target, live)
    ours = mark_of(live) == f"{mark_stem(step)}/{attempt.fence}"
    if ours and live_hash == step.expected_hash:
        settle(actor=SYSTEM, work=work, attempt=attempt, outcome="written", body=live.body)
    elif not ours and live_hash == step.base_hash:
        settle(actor=SYSTEM, work=work, attempt=attempt, outcome="not_applied")
    else:
        conflict(
            actor=SYSTEM, work=work, live=live, why="After a lost answer it is neither as it was nor as we sent it."
        )


@verb("traffic.write.intended")
def intend(*, actor: Actor, work: Work, patch: GuardedPatch, live: LiveRoute) -> Attempt | None:
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
        patch=[operation.to_json() for operation in patch.operations],
        before_hash=hash_of(step.plan_target, live),
        before_resource_version=live.resource_version,
        before_generation=live.generation,
        expected_hash=step.expected_hash,
        created_at=read_db_now(),
    )
    if not move_step(step, S.INTENT, actor=actor, attempt=attempt.number, fence=step.fence):
        raise LeaseLostError
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
    live = live_of(step.plan_target, body) if body is not None else None
    after = hash_of(step.plan_target, live) if live else ""
    if not work.is_held():
        work.lost.set()
        return
    AttemptOutcome.objects.create(
        attempt=attempt,
        outcome=outcome,
        message=message[:2000],
        after_hash=after,
        after_resource_version=live.resource_version if live else "",
        after_generation=live.generation if live else 0,
        created_at=read_db_now(),
    )
    if live is not None:
        Change.objects.filter(pk=step.change_id).update(has_writes=True)
    crashpoint("in_outcome_commit")
    moved = _move_after(step, outcome, message, after, live)
    if not moved:
        raise LeaseLostError


def _move_after(step: TargetStep, outcome: str, message: str, after: str, live: LiveRoute | None) -> bool:
    facts: dict[str, Any] = {"attempt_outcome": outcome, "fence": step.fence, "after_hash": after}
    if outcome == "written" and live is not None:
        moved = move_step(step, S.WRITTEN, actor=SYSTEM, set_first_failed_at=None, **facts)
        if moved and after != step.expected_hash:
            moved = _to_conflict(step, live, "The server stored something else than its dry run said.")
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
def settle_nothing(*, actor: Actor, work: Work) -> None:
    """SKIPPED (apply) or REVERTED (restore): the target is already as wanted; nothing is sent."""
    step = work.step
    about(step.change)
    to = S.REVERTED if step.direction == "restore" else S.SKIPPED
    if not move_step(step, to, actor=actor, message="It is already so: nothing was sent."):
        work.lost.set()


@verb("traffic.step.conflicted")
def conflict(*, actor: Actor, work: Work, live: LiveRoute | None, why: str) -> None:
    """CONFLICT: somebody else's state is there. It is kept beside ours, and never overwritten."""
    about(work.step.change)
    open_attempt = work.step.attempts.filter(outcome__isnull=True).last()
    if open_attempt is not None:
        AttemptOutcome.objects.create(attempt=open_attempt, outcome="overtaken", message=why, created_at=read_db_now())
        facts: dict[str, Any] = {"attempt_outcome": "overtaken", "fence": work.step.fence}
        record("traffic.write.settled", actor=actor, target=about_step(work.step), reason=why, **facts)
    if not _to_conflict(work.step, live, why):
        work.lost.set()


def _to_conflict(step: TargetStep, live: LiveRoute | None, why: str) -> bool:
    to = S.ROLLBACK_CONFLICT if step.direction == "restore" else S.CONFLICT
    kept = {"live": stored_body(live.body)} if live is not None else {"live": None}
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
    TargetStep.objects.filter(pk=step.pk, fence=step.fence).update(
        next_action_at=step.next_action_at, first_failed_at=step.first_failed_at, tries=step.tries, error=message[:2000]
    )


def mark_stem(step: TargetStep) -> str:
    """`<change>/<revision>/<direction>`: the mark without its fence."""
    revision = step.plan_target.plan.revision.number
    return f"{step.change_id}/{revision}/{step.direction}"


def mark_for(step: TargetStep) -> str:
    """The mark this runner leaves on the object."""
    return f"{mark_stem(step)}/{step.fence}"
