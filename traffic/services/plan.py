"""Plan: what each target is now, what it would be, dry-run by the API server itself; one digest over all of it.

Reading and dry runs happen outside any transaction; the verbs here only store what was found.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.conf import settings

from audit.services import about, record, verb
from audit.types import SYSTEM
from meshui.lib.clock import read_db_now
from meshui.lib.leases import claim, release, runner_name
from meshui.lib.queue import enqueue
from traffic import policy
from traffic.digest import DigestInput, plan_content, plan_digest
from traffic.errors import ChangeMissingError, StaleChangeError
from traffic.models import Change, Plan, PlanTarget, Rollout
from traffic.services.dryrun import dry_run
from traffic.transitions import ABANDON, HOLD, PLAN, PLAN_FAILED, PLANNED, PLANNED_AND_QUEUED, transition
from traffic.types import State

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from django.db.models import QuerySet

    from audit.types import Actor
    from meshes.types import Finding
    from traffic.services.planned import DryRun
    from traffic.types import Seen

PLAN_LEASE_SECONDS = 60.0
MAX_TRIES = 3


@verb("traffic.change.plan_started")
def request_plan(*, actor: Actor, seen: Seen) -> Change:
    """C3: have the draft planned. Raises StaleChangeError, ChangeGoneError, DeniedError."""
    try:
        change = Change.objects.locked(seen.change_id)
    except Change.DoesNotExist as error:
        raise ChangeMissingError from error
    about(change)
    if change.version != seen.version:
        raise StaleChangeError(seen=seen.version, current=change.version)
    policy.require_right(actor, "change.plan", change)
    start_planning(change, actor=actor)
    return change


def start_planning(change: Change, *, actor: Actor) -> None:
    """The locked draft becomes due for the planner; inside a verb."""
    change.current_plan = None
    change.attempts = 0
    change.save(update_fields=["current_plan", "attempts"])
    transition(change, PLAN, actor=actor)
    enqueue("traffic.tasks.plan_change", change.pk)


def due_plans() -> QuerySet[Change]:
    """Changes that wait for a planner: PLANNING, or in review with the plan out of force (C10)."""
    planning = Change.objects.filter(state=State.PLANNING)
    again = Change.objects.filter(state=State.IN_REVIEW, current_plan__isnull=True)
    return planning | again


def run_plan(change_id: UUID | str) -> None:
    """Claim the change if it is due, dry-run every target, store the plan. May run twice; the lease decides."""
    owner = runner_name()
    rows = due_plans().filter(pk=change_id)
    fence = claim(rows, owner=owner, seconds=PLAN_LEASE_SECONDS)
    if fence is None:
        return
    change = Change.objects.select_related("current_revision").get(pk=change_id)
    revision = change.current_revision
    if revision is None or change.attempts > MAX_TRIES:
        abandon_plan(actor=SYSTEM, change_id=change.pk, fence=fence)
        return
    targets = list(change.targets.select_related("cluster", "route"))
    found = dry_run(change, targets, revision)
    store_plan(actor=SYSTEM, change_id=change.pk, revision_number=revision.number, fence=fence, found=found)
    release(Change.objects.filter(pk=change.pk), owner=owner, fence=fence)


@verb("traffic.change.planned")
def store_plan(
    *, actor: Actor, change_id: UUID, revision_number: int, fence: int, found: Sequence[DryRun]
) -> Plan | None:
    """C4: keep what the dry runs said, if the revision is still the one. A plan with errors leads back to DRAFT.

    In review (C10) a sound plan comes into force without a move: its votes start at none.
    """
    change = Change.objects.locked(change_id)
    about(change)
    revision = change.current_revision
    if revision is None or revision.number != revision_number or change.lease_fence != fence:
        return None
    if not due_plans().filter(pk=change.pk).exists():
        return None
    plan = _make_plan(change, found)
    change.current_plan = plan
    change.save(update_fields=["current_plan"])
    _move_on(change, plan, actor, found)
    return plan


@verb("traffic.change.plan_failed")
def abandon_plan(*, actor: Actor, change_id: UUID, fence: int) -> None:
    """C4: planning ended three times without an answer; the change is a draft again, with that as the cause."""
    change = Change.objects.locked(change_id)
    about(change)
    if change.lease_fence == fence and due_plans().filter(pk=change.pk).exists():
        _give_up(change, actor=actor, cause="Planning was interrupted three times. Plan it again.")


def _move_on(change: Change, plan: Plan, actor: Actor, found: Sequence[DryRun]) -> None:
    if not plan.is_sound:
        _give_up(change, actor=actor, cause=_faults(plan, found))
    elif change.state == State.IN_REVIEW:
        if _planned_lately(plan) > MAX_TRIES:
            _give_up(change, actor=actor, cause="It moved and was planned again three times within an hour.")
        else:
            record("traffic.change.planned", actor=actor, target=change, move="C10", digest=plan.digest)
    elif change.kind == "rollback" and _in_window(change) and all(f.is_ours for f in found):
        queue_rollback(change, plan, actor=actor)
    else:
        transition(change, PLANNED, actor=actor, digest=plan.digest)


def _in_window(change: Change) -> bool:
    """Whether what `change` restores was applied so lately that nobody has to vote again."""
    ended = change.restores.ended_at if change.restores else None
    return ended is not None and read_db_now() - ended < timedelta(hours=settings.ROLLBACK_WINDOW_HOURS)


def queue_rollback(change: Change, plan: Plan, *, actor: Actor) -> None:
    """C22: every live object is still what we wrote, so the restoring change needs no quorum. Inside a verb."""
    make_rollout(change, plan, executor_name=change.author_name, executor_id=str(change.author_id))
    transition(
        change, PLANNED_AND_QUEUED, actor=actor, cause="Every target is still as we wrote it.", digest=plan.digest
    )
    enqueue("traffic.tasks.advance_change", change.pk)


def make_rollout(change: Change, plan: Plan, *, executor_name: str, executor_id: str) -> Rollout:
    """The run of `change`, due now; one row a change, made anew for a new plan. Inside a verb."""
    now = read_db_now()
    values = {
        "plan": plan,
        "phase": "HELD" if change.has_writes else "PENDING",
        "phase_cause": "",
        "executor_name": executor_name,
        "executor_id": executor_id,
        "next_action_at": now,
        "created_at": now,
        "started_at": None,
        "finished_at": None,
    }
    rollout, _ = Rollout.objects.update_or_create(change=change, defaults=values)
    record("traffic.rollout.created", actor=SYSTEM, target=change, executor=executor_name, digest=plan.digest)
    return rollout


def _give_up(change: Change, *, actor: Actor, cause: str) -> None:
    move = ABANDON if change.state == State.IN_REVIEW else PLAN_FAILED
    if change.has_writes:
        move = HOLD
    transition(change, move, actor=actor, cause=cause)


def _faults(plan: Plan, found: Sequence[DryRun]) -> str:
    errors = [f"{f.target.cluster.slug}: {f.error}" for f in found if f.error]
    blocks = [finding["message"] for finding in plan.findings if finding["severity"] == "block"]
    return " ".join(errors + blocks)


def _planned_lately(plan: Plan) -> int:
    since = plan.created_at - timedelta(hours=1)
    return plan.revision.plans.filter(created_at__gt=since).count()


def _make_plan(change: Change, found: Sequence[DryRun]) -> Plan:
    revision = change.current_revision
    if revision is None:
        raise ChangeMissingError
    findings = [finding for f in found for finding in f.findings]
    is_sound = not any(f.is_blocked for f in found)
    content = plan_content(_digest_input(change, findings, found)) if is_sound else ""
    now = read_db_now()
    plan = Plan.objects.create(
        change=change,
        revision=revision,
        number=revision.plans.count() + 1,
        digest=plan_digest(content) if is_sound else "",
        content=content,
        is_sound=is_sound,
        findings=[_finding_json(finding) for finding in findings],
        policy=policy.POLICY,
        rules=policy.rules_for({f.target.cluster.environment for f in found}),
        product_version=product_version(),
        created_at=now,
        expires_at=now + timedelta(hours=settings.PLAN_TTL_HOURS),
    )
    PlanTarget.objects.bulk_create(row for f in found for row in f.to_rows(plan))
    return plan


def _finding_json(finding: Finding) -> dict[str, object]:
    return {
        "id": finding.id,
        "severity": finding.severity,
        "where": finding.where,
        "message": finding.message,
        "targets": list(finding.targets),
    }


def _digest_input(change: Change, findings: Sequence[Finding], found: Sequence[DryRun]) -> DigestInput:
    warnings = tuple(f"{f.id}@{','.join(f.targets)}" for f in findings if f.severity == "warn")
    return DigestInput(
        change_id=str(change.pk),
        number=change.number,
        intent_hash=change.current_revision.intent_hash if change.current_revision else "",
        policy=policy.POLICY,
        warnings=warnings,
        targets=tuple(target for f in found for target in f.to_digest()),
        mode=change.mode,
    )


def product_version() -> str:
    """MeshUI's own version, kept with each plan."""
    return str(settings.VERSION)
