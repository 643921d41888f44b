"""The right to act on one target: reserved by a change for its whole run, claimed by one runner at a time.

Every claim grows the fence. A runner that was away longer than its lease finds another fence and stops (change-control
§5.3). All times are the database's.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection, transaction
from django.db.models import F, Q

from meshui.lib.clock import db_now
from meshui.lib.crash import crashpoint
from meshui.lib.leases import runner_name
from traffic.models import Lease, TargetStep
from traffic.models.run import target_key
from traffic.transitions import take_step
from traffic.types import STEP_GOOD, STEP_OPEN, State, StepState

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

    from django.db.models import QuerySet

    from traffic.models import Change, PlanTarget

ACTIVE: dict[str, frozenset[State]] = {
    "apply": frozenset({State.APPLYING}),
    "restore": frozenset({State.ROLLING_BACK}),
}
RESOLVING = frozenset({StepState.INTENT, StepState.UNKNOWN, StepState.WRITTEN, StepState.ACCEPTED})


@dataclass(frozen=True, slots=True)
class Work:
    """A step whose target this runner holds under `step.fence`."""

    step: TargetStep
    lease_id: int
    runner: str
    lost: threading.Event

    def is_held(self) -> bool:
        """Whether the next act is still ours to do. One query."""
        return not self.lost.is_set() and held(self).exists()


def held(work: Work) -> QuerySet[Lease]:
    """The lease row, if runner and fence are still ours and the time is not up."""
    return Lease.objects.filter(pk=work.lease_id, runner=work.runner, fence=work.step.fence, runner_until__gt=db_now())


def reserve(change: Change, targets: Sequence[PlanTarget]) -> Lease | None:
    """Reserve every object for `change`, in one order, and the root services of their routes, so that no two objects of
    one route are changed at once; else the lease that is held elsewhere. In a verb.
    """
    wanted = {(str(t.cluster_id), target_key(t)): t.uid for t in targets}
    roots = {t.target: t for t in targets if t.target is not None}
    wanted |= {(str(t.cluster_id), f"service/{t.namespace}/{t.service}"): "" for t in roots}
    for (cluster_id, key), uid in sorted(wanted.items()):
        Lease.objects.get_or_create(cluster_id=cluster_id, target_key=key, defaults={"uid": uid})
        lease = Lease.objects.filter(cluster_id=cluster_id, target_key=key)
        free = lease.filter(Q(change__isnull=True) | Q(change=change))
        if not free.update(change=change, uid=uid, fence=F("fence") + 1):
            return lease.select_related("change").get()
    return None


def release_all(change: Change) -> None:
    """The run is over: its targets are free, their fences stay. In the transaction of the end state."""
    Lease.objects.filter(change=change).update(change=None, runner="", runner_until=None)


@contextmanager
def leased_step(step_id: UUID | str) -> Iterator[Work | None]:
    """The step, claimed for this runner with a new fence and a heartbeat; None: not due, or somebody else's."""
    work = _claim(step_id)
    if work is None:
        yield None
        return
    crashpoint("after_claim")
    beat = threading.Event()
    thread = threading.Thread(target=_heartbeat, args=(work, beat), name=f"lease-{work.lease_id}", daemon=True)
    thread.start()
    try:
        yield work
    finally:
        beat.set()
        thread.join()
        mine = Lease.objects.filter(pk=work.lease_id, runner=work.runner, fence=work.step.fence)
        mine.update(runner="", runner_until=None)


def _claim(step_id: UUID | str) -> Work | None:
    runner = f"{runner_name()}:{step_id}"
    with transaction.atomic():
        step = _due_step(step_id)
        if step is None:
            return None
        lease = Lease.objects.filter(cluster_id=step.cluster_id, target_key=step.target_key, change_id=step.change_id)
        free = lease.filter(Q(runner="") | Q(runner_until__lt=db_now()))
        until = db_now(plus=settings.LEASE_SECONDS)
        if not free.update(runner=runner, runner_until=until, fence=F("fence") + 1):
            return None
        row = lease.get()
        if not take_step(step, fence=row.fence):
            transaction.set_rollback(True)
            return None
    return Work(step, row.pk, runner, threading.Event())


def _due_step(step_id: UUID | str) -> TargetStep | None:
    due = Q(next_action_at__isnull=True) | Q(next_action_at__lte=db_now())
    step = (
        TargetStep.objects.filter(due, pk=step_id, state__in=STEP_OPEN)
        .select_related("change__current_plan", "change__current_revision", "cluster", "plan_target", "rollout")
        .first()
    )
    if step is None:
        return None
    if step.change.state in ACTIVE[step.direction]:
        return None if _waits_for_apply(step) or waits_for_others(step) else step
    if step.change.state in {State.PAUSED, State.ROLLING_BACK} and step.state in RESOLVING:
        return step  # what was sent is found out by reading, whatever was decided meanwhile
    return None


def _waits_for_apply(step: TargetStep) -> bool:
    """A restore begins only when it is known what became of the send it undoes."""
    if step.direction == "apply":
        return False
    sent = TargetStep.objects.filter(rollout_id=step.rollout_id, plan_target_id=step.plan_target_id, direction="apply")
    return sent.filter(state__in=RESOLVING).exists()


def siblings(step: TargetStep) -> QuerySet[TargetStep]:
    """The other objects of the same target in the same direction of the same run."""
    return TargetStep.objects.filter(
        rollout_id=step.rollout_id,
        direction=step.direction,
        plan_target__target_id=step.plan_target.target_id,
        plan_target__plan_id=step.plan_target.plan_id,
        cluster_id=step.cluster_id,
    ).exclude(pk=step.pk)


def waits_for_others(step: TargetStep) -> bool:
    """Whether an object that this one needs is not done: companions before the route, and the other way back."""
    if step.direction == "apply":
        before = siblings(step).filter(position__lt=step.position)
    else:
        before = siblings(step).filter(position__gt=step.position)
    return before.exclude(state__in=STEP_GOOD).exists()


def next_after(step: TargetStep) -> list[UUID]:
    """The open steps that may have waited for this one, if it is done."""
    if step.state not in STEP_GOOD:
        return []
    return list(siblings(step).filter(state__in=STEP_OPEN).values_list("pk", flat=True))


def _heartbeat(work: Work, stop: threading.Event) -> None:
    try:
        while not stop.wait(settings.HEARTBEAT_SECONDS):
            close_old_connections()
            mine = Lease.objects.filter(pk=work.lease_id, runner=work.runner, runner_until__gt=db_now())
            if not mine.update(runner_until=db_now(plus=settings.LEASE_SECONDS)):
                work.lost.set()
                return
    except DatabaseError:
        work.lost.set()
    finally:
        connection.close()
