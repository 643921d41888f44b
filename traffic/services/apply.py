"""Apply: an executor starts an approved change, the runner takes every target's lease or none, then each is written.

The runner writes the plan's own patches; it never renders again, never forces, and reads before it resends.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.db.models import F

from audit.services import about, record, verb
from audit.types import SYSTEM, Evidence
from meshui.lib.clock import db_now, read_db_now
from meshui.lib.leases import claim, release, runner_name
from meshui.lib.queue import enqueue
from metrics.services.watching import watch_all
from traffic import policy
from traffic.errors import DeniedError
from traffic.models import Change, Rollout, TargetStep
from traffic.services.approve import get_planned, invalidate
from traffic.services.leasing import release_all, reserve
from traffic.services.once import first_result, keep_result
from traffic.services.plan import make_rollout
from traffic.services.reading import read_all
from traffic.transitions import APPLIED, BEGIN, CONFLICT_FIRST, FAIL, PAUSE, QUEUE, ROLLED_BACK, SUPERSEDE, transition
from traffic.types import STEP_BAD, STEP_GOOD, State, StepState

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from audit.types import Actor
    from traffic.models import Plan
    from traffic.services.reading import TargetRead
    from traffic.types import Once, Seen

ROLLOUT_LEASE_SECONDS = 60.0
RETRY_SECONDS = 5
WATCHED_SECONDS = 900.0
"""So long the services of a change that begins are measured every 15 s: what it did to them is told from that."""
MOST_WATCHED = 20
IN_FLIGHT = frozenset({StepState.INTENT, StepState.WRITTEN, StepState.ACCEPTED, StepState.UNKNOWN})
SEEN_LATER = frozenset({StepState.WRITTEN, StepState.UNKNOWN})
"""What only looking again can settle: after a first look that settled nothing the run stops until it does."""


@verb("traffic.change.queued")
def start_change(*, actor: Actor, seen: Seen, once: Once | None = None) -> Change:
    """C12: an executor starts an approved change; the runner begins as soon as it can have every target.

    Pressed twice by the same person on the same plan, or sent again as `once`, it answers the run that there is.

    Raises StaleChangeError, StalePlanError, ChangeGoneError, KeyReusedError, DeniedError (no right, or an approval no
    longer counts).
    """
    if (running := first_result(actor, once) or _started_already(actor, seen)) is not None:
        keep_result(actor, once, running)
        return running
    change, plan = get_planned(seen)
    user = policy.require_right(actor, "change.execute", change)
    if change.state == State.APPROVED and not policy.is_met(plan):
        raise DeniedError("An approval no longer counts.", mend="Ask for another one.")
    make_rollout(change, plan, executor_name=str(user), executor_id=str(user.pk))
    transition(change, QUEUE, actor=actor, digest=plan.digest)
    enqueue("traffic.tasks.advance_change", change.pk)
    keep_result(actor, once, change)
    return change


def _started_already(actor: Actor, seen: Seen) -> Change | None:
    """The change, if this very person has started this very plan of it a moment before."""
    runs = Rollout.objects.filter(
        change_id=seen.change_id,
        executor_id=str(actor.user_id),
        plan__digest=seen.digest,
        plan=F("change__current_plan"),
    ).exclude(phase="DROPPED")
    run = runs.select_related("change").first()
    return run.change if run is not None and run.change.version > seen.version else None


def advance(change_id: UUID | str) -> None:
    """Whatever is next for a running change: begin it, or conclude it. May run twice; the run's lease decides."""
    owner = runner_name()
    rows = Rollout.objects.filter(change_id=change_id)
    fence = claim(rows, owner=owner, seconds=ROLLOUT_LEASE_SECONDS)
    if fence is None:
        return
    change = Change.objects.select_related("current_plan").get(pk=change_id)
    if change.state == State.QUEUED and change.current_plan is not None:
        reads = read_all(change.current_plan)
        begin_change(actor=SYSTEM, change_id=change.pk, plan=change.current_plan, reads=reads)
    elif change.state in {State.APPLYING, State.ROLLING_BACK}:
        conclude_change(actor=SYSTEM, change_id=change.pk)
    release(rows, owner=owner, fence=fence)


@verb("traffic.change.started")
def begin_change(*, actor: Actor, change_id: UUID, plan: Plan, reads: Sequence[TargetRead]) -> None:
    """C13: everything is checked once more under the lock, every lease is taken or none, the steps are made.

    What moved since the plan leads back to review (C10) with both states kept; a target held by another change, or
    that cannot be read, makes this one wait, with the reason.
    """
    change = Change.objects.locked(change_id)
    about(change)
    if change.state != State.QUEUED or change.current_plan_id != plan.pk:
        return
    plan.change = change
    unread = [read for read in reads if read.error]
    moved = [read for read in reads if not read.error and read.mismatch]
    if reads and all(read.is_done for read in reads):
        _supersede(change)
    elif why := _why_void(change, plan):
        invalidate(change, cause=why)
    elif moved:
        invalidate(change, cause=" ".join(read.mismatch for read in moved), evidence=moved[0].evidence())
    elif unread:
        _wait(change, " ".join(read.error for read in unread))
    elif holder := reserve(change, [read.plan_target for read in reads]):
        if not change.has_writes:
            release_all(change)
        _wait(change, f"{holder.target_key} is held by {holder.change}.")
    else:
        _begin(change, plan, reads, actor)


@verb("traffic.change.applied")
def conclude_change(*, actor: Actor, change_id: UUID) -> None:
    """C16, C19, C10: the run is over, or cannot go on by itself, once no target is under way any more."""
    change = Change.objects.locked(change_id)
    about(change)
    steps = change.steps.select_related("cluster")
    if change.state == State.APPLYING:
        _conclude_apply(change, list(steps.filter(direction="apply", plan_target__plan=change.current_plan)), actor)
    elif change.state == State.ROLLING_BACK:  # of every plan it had: one planned again wrote under several
        _conclude_restore(change, list(steps.filter(direction="restore")), actor)


def _supersede(change: Change) -> None:
    """C11: somebody else has done it meanwhile, on every target."""
    release_all(change)
    transition(change, SUPERSEDE, actor=SYSTEM, cause="Every target already is as this change wants it.")


def _why_void(change: Change, plan: Plan) -> str:
    if plan.expires_at < read_db_now():
        return "The plan grew too old."
    if change.kind == "rollback" and not change.votes.exists():
        return ""  # C22: restores what we wrote ourselves, without quorum
    if not policy.is_met(plan):
        return "An approval no longer counts."
    return ""


def _wait(change: Change, reason: str) -> None:
    rollout = Rollout.objects.get(change=change)
    if rollout.phase_cause != reason[:2000]:
        record("traffic.change.waited", actor=SYSTEM, target=change, reason=reason)
    Rollout.objects.filter(pk=rollout.pk).update(
        phase_cause=reason[:2000], next_action_at=db_now(plus=float(RETRY_SECONDS))
    )


def _begin(change: Change, plan: Plan, reads: Sequence[TargetRead], actor: Actor) -> None:
    rollout = Rollout.objects.get(change=change)
    now = read_db_now()
    for read in reads:
        target = read.plan_target
        step = TargetStep.objects.create(
            change=change,
            rollout=rollout,
            plan_target=target,
            cluster=target.cluster,
            state_changed_at=now,
            position=target.position,
            op=target.op,
            snapshot=read.body,
            body=target.body,
            operations=target.operations,
            base_hash=target.base_hash,
            expected_hash=target.expected_hash,
        )
        enqueue("traffic.tasks.apply_step", step.pk)
    watch_all(change.targets.select_related("cluster")[:MOST_WATCHED], seconds=WATCHED_SECONDS)
    Rollout.objects.filter(pk=rollout.pk).update(started_at=now, next_action_at=now + timedelta(seconds=RETRY_SECONDS))
    transition(change, BEGIN, actor=actor, executor=rollout.executor_name, digest=plan.digest)


def _conclude_apply(change: Change, steps: list[TargetStep], actor: Actor) -> None:
    states = {StepState(step.state) for step in steps}
    bad = [step for step in steps if step.state in STEP_BAD]
    stuck = [step for step in steps if step.state in SEEN_LATER and step.first_failed_at]
    if states <= STEP_GOOD:
        _finish(change)
        transition(change, APPLIED, actor=actor, targets_verified=len(steps))
    elif any(s.state in IN_FLIGHT and not (s.state in SEEN_LATER and s.first_failed_at) for s in steps):
        return  # under way: whoever holds it rings again
    elif bad or stuck:
        _stop(change, bad or stuck, actor)


def _stop(change: Change, bad: list[TargetStep], actor: Actor) -> None:
    cause = " ".join(f"{step.cluster.slug}: {step.error}" for step in bad)
    states = {step.state for step in bad}
    wrote = change.has_writes or change.steps.filter(state=StepState.UNKNOWN).exists()
    if wrote or states & {StepState.UNREACHABLE, *SEEN_LATER}:
        transition(change, PAUSE, actor=actor, cause=cause)
        return
    _finish(change)
    if StepState.CONFLICT in states:
        first = next(step for step in bad if step.state == StepState.CONFLICT)
        evidence = Evidence(before=first.snapshot, after=(first.conflict or {}).get("live"))
        invalidate(change, cause=cause, evidence=evidence, move=CONFLICT_FIRST)
    else:
        transition(change, FAIL, actor=actor, cause=cause)


def _conclude_restore(change: Change, steps: list[TargetStep], actor: Actor) -> None:
    if all(step.state in STEP_GOOD for step in steps):
        _finish(change)
        transition(change, ROLLED_BACK, actor=actor, targets_reverted=len(steps))


def _finish(change: Change) -> None:
    release_all(change)
    Rollout.objects.filter(change=change).update(finished_at=db_now(), next_action_at=None)
