"""Roll back: to the snapshot of each target, by the same guarded path, without quorum; never over a foreign write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit.services import about, record, verb
from meshui.lib.clock import read_db_now
from meshui.lib.queue import enqueue
from traffic import policy
from traffic.errors import ChangeGoneError, ChangeMissingError, StaleChangeError
from traffic.marks import PathMissingError, value_at
from traffic.models import Change, TargetStep
from traffic.services.plan import start_planning
from traffic.services.propose import add_revision, add_targets, create_change, get_locked
from traffic.transitions import ROLL_BACK, transition
from traffic.types import Proposal, State

if TYPE_CHECKING:
    from accounts.models import User
    from audit.types import Actor
    from meshui.lib.jsontypes import JsonObject
    from traffic.types import Seen


@verb("traffic.change.rollback_started")
def roll_back_running(*, actor: Actor, seen: Seen, reason: str = "") -> Change:
    """C18: every target that was sent anything goes back to its snapshot; the rest is never begun.

    Raises StaleChangeError, ChangeGoneError, DeniedError.
    """
    change = get_locked(seen)
    about(change)
    policy.require_right(actor, "change.rollback", change)
    transition(change, ROLL_BACK, actor=actor, cause=reason or "Rolled back by hand.")
    now = read_db_now()
    sent = change.steps.filter(
        direction="apply", plan_target__plan=change.current_plan, attempts__isnull=False
    ).distinct()
    for step in sent:
        restore = TargetStep.objects.create(
            change=change,
            rollout=step.rollout,
            plan_target=step.plan_target,
            cluster_id=step.cluster_id,
            direction="restore",
            state_changed_at=now,
            snapshot=step.snapshot,
            operations=inverse(step.operations, step.snapshot),
            base_hash=step.expected_hash,
            expected_hash=step.base_hash,
        )
        enqueue("traffic.tasks.apply_step", restore.pk)
    enqueue("traffic.tasks.advance_change", change.pk)
    return change


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


def inverse(operations: list[JsonObject], snapshot: JsonObject) -> list[JsonObject]:
    """The operations that put back what `operations` replaced: the same paths with the snapshot's values, tests first.

    What was added where the snapshot has nothing is removed again.
    """
    tests: list[JsonObject] = []
    writes: list[JsonObject] = []
    for operation in operations:
        if operation["op"] == "test":
            continue
        path = str(operation["path"])
        tests.append({"op": "test", "path": path, "value": operation.get("value")})
        try:
            writes.append({"op": "replace", "path": path, "value": value_at(snapshot, path)})
        except PathMissingError:
            writes.append({"op": "remove", "path": path})
    return tests + writes


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
    routes = [target.route for target in applied.targets.select_related("route__cluster")]
    before = {(str(t.cluster_id), t.namespace, t.name): t.live_route for t in plan.targets.all()}
    targets: list[dict[str, object]] = [
        {
            "cluster": str(route.cluster_id),
            "route": str(route.pk),
            "object": f"{route.group}/{route.kind}/{route.namespace}/{route.name}",
            "desired": before[str(route.cluster_id), route.namespace, route.name],
        }
        for route in routes
    ]
    proposal = Proposal(
        title=f"Roll back #{applied.number}",
        reason=reason or f"Restores what #{applied.number} found.",
        desired=revision.route,
        route_ids=tuple(route.pk for route in routes),
    )
    change = create_change(user, proposal, kind="rollback", restores=applied)
    add_targets(change, routes)
    add_revision(change, revision.route, targets, user)
    return change
