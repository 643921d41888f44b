"""Roll back: to the snapshot of each target, by the same guarded path, without quorum; never over a foreign write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit.services import about, record, verb
from meshes.types import Route
from meshui.lib.clock import read_db_now
from meshui.lib.queue import enqueue
from traffic import policy
from traffic.errors import ChangeGoneError, ChangeMissingError, StaleChangeError
from traffic.models import Change, TargetStep
from traffic.models.run import target_key
from traffic.patches import inverse
from traffic.services.approve import void_votes
from traffic.services.plan import start_planning
from traffic.services.propose import Resolved, create_change, get_locked, write_revision
from traffic.transitions import ROLL_BACK, transition
from traffic.types import BEFORE_WRITE, Proposal, State, Wanted
from traffic.words import require_no_secret

if TYPE_CHECKING:
    from accounts.models import User
    from audit.types import Actor
    from traffic.models import ChangeTarget, PlanTarget
    from traffic.types import Action, Op, Seen

OPPOSITE: dict[str, Op] = {"patch": "patch", "create": "delete", "delete": "create"}


@verb("traffic.change.rollback_started")
def roll_back_running(*, actor: Actor, seen: Seen, reason: str = "") -> Change:
    """C18: every object that was sent anything goes back to its snapshot; the rest is never begun.

    Also of a change that was paused and is in review again with what it wrote. Raises StaleChangeError,
    ChangeGoneError, DeniedError.
    """
    change = get_locked(seen)
    about(change)
    policy.require_right(actor, "change.rollback", change)
    if change.state in BEFORE_WRITE and not change.has_writes:
        raise ChangeGoneError("Nothing was written: there is nothing to roll back.", mend="Cancel it instead.")
    void_votes(change, actor=actor, cause="The change is rolled back.")
    transition(change, ROLL_BACK, actor=actor, cause=reason or "Rolled back by hand.")
    for step in _last_sent(change):
        restore = _restore_of(step)
        restore.save()
        enqueue("traffic.tasks.apply_step", restore.pk)
    enqueue("traffic.tasks.advance_change", change.pk)
    return change


def _last_sent(change: Change) -> list[TargetStep]:
    """Of every object that was sent anything the last step that did: one planned again has several."""
    sent = change.steps.filter(direction="apply", attempts__isnull=False).distinct()
    steps = sent.select_related("plan_target", "rollout").order_by("plan_target__plan__created_at", "position")
    last = {(step.cluster_id, target_key(step.plan_target)): step for step in steps}
    return list(last.values())


def _restore_of(step: TargetStep) -> TargetStep:
    """Unsaved: what takes `step` back. What was made is deleted, what was deleted is made again as it was."""
    opposite = OPPOSITE[step.op]
    return TargetStep(
        change_id=step.change_id,
        rollout=step.rollout,
        plan_target=step.plan_target,
        cluster_id=step.cluster_id,
        direction="restore",
        state_changed_at=read_db_now(),
        position=step.position,
        op=opposite,
        snapshot=step.snapshot,
        body=step.snapshot if opposite == "create" else None,
        operations=inverse(step.operations, step.snapshot) if step.snapshot and opposite == "patch" else [],
        base_hash=step.expected_hash,
        expected_hash=step.base_hash,
    )


@verb("traffic.change.proposed")
def propose_rollback(*, actor: Actor, seen: Seen, reason: str = "") -> Change:
    """C22: a change that restores what the applied change `seen` found. Inside the rollback window, while every live
    object is still what we wrote, the planner queues it without quorum; else it is a draft like any other.

    Pressed twice, it answers the restoring change that exists. Raises StaleChangeError, ChangeGoneError, DeniedError.
    """
    applied = _applied(seen)
    user = policy.require_right(actor, "change.rollback", applied)
    earlier = applied.restored_by.exclude(state__in=(State.REJECTED, State.FAILED, State.ROLLED_BACK)).first()
    if earlier is not None:
        return earlier
    change = _restoring(applied, user, reason)
    record("traffic.change.proposed", actor=actor, target=change, reason=change.reason, move="C22")
    start_planning(change, actor=actor)
    return change


def _applied(seen: Seen) -> Change:
    try:
        applied = Change.objects.locked(seen.change_id)
    except Change.DoesNotExist as error:
        raise ChangeMissingError from error
    about(applied)
    if applied.version != seen.version:
        raise StaleChangeError(seen=seen.version, current=applied.version)
    if applied.state != State.APPLIED or applied.current_plan is None or applied.current_revision is None:
        raise ChangeGoneError(f"{applied} is not applied: there is nothing to restore.")
    return applied


def _restoring(applied: Change, user: User, reason: str) -> Change:
    plan, revision = applied.current_plan, applied.current_revision
    if plan is None or revision is None:
        raise ChangeMissingError
    require_no_secret(reason=reason)
    before = {(t.target_id, t.kind): t for t in plan.targets.all()}
    targets = [
        _back(target, before.get((target.pk, target.kind))) for target in applied.targets.select_related("cluster")
    ]
    proposal = Proposal(
        title=f"Roll back #{applied.number}",
        reason=reason or f"Restores what #{applied.number} found.",
        desired=revision.route,
        targets=tuple(target.wanted for target in targets),
    )
    change = create_change(user, proposal, kind="rollback", restores=applied)
    write_revision(change, revision.route, targets, user)
    return change


def _back(target: ChangeTarget, planned: PlanTarget | None) -> Resolved:
    """A target as it was before: what was started ends, what was ended starts, what was set is set back."""
    before = Route.from_json(planned.live_route) if planned and planned.live_route else None
    action: Action = {"set": "set", "start": "end", "end": "start"}[target.action]  # type: ignore[assignment]
    wanted = Wanted(target.cluster_id, target.mesh_kind, target.route_id, before, action)
    route = target.route if target.route_id and action != "start" else None
    return Resolved(wanted, target.cluster, target.ref, target.service, route)
