"""The reaper: rings for rows that are due or whose claim ran out. Database only, idempotent, several may run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import Q

from meshui.lib.clock import db_now
from meshui.lib.leases import free
from meshui.lib.queue import enqueue
from traffic.models import Lease, Rollout, TargetStep
from traffic.services.plan import due_plans
from traffic.types import STEP_OPEN, State

if TYPE_CHECKING:
    from django.db.models import QuerySet

BATCH = 200
RUNNING = (State.APPLYING, State.ROLLING_BACK, State.PAUSED)


def ring_due() -> int:
    """Ring the planner, the runner and the steps that wait for one; how many bells. Three queries when all is quiet."""
    plans = list(due_plans().filter(free()).values_list("pk", flat=True)[:BATCH])
    for pk in plans:
        enqueue("traffic.tasks.plan_change", pk)
    runs = list(due_runs().values_list("change_id", flat=True)[:BATCH])
    for pk in runs:
        enqueue("traffic.tasks.advance_change", pk)
    steps = list(due_steps().values_list("pk", flat=True)[:BATCH])
    for pk in steps:
        enqueue("traffic.tasks.apply_step", pk)
    return len(plans) + len(runs) + len(steps)


def due_runs() -> QuerySet[Any]:
    """Runs to begin or to conclude that nobody holds now."""
    due = Q(next_action_at__isnull=True) | Q(next_action_at__lte=db_now())
    return Rollout.objects.filter(free(), due, change__state__in=(State.QUEUED, State.APPLYING, State.ROLLING_BACK))


def due_steps() -> QuerySet[Any]:
    """Open steps of running changes whose time has come and whose target no live runner holds."""
    due = Q(next_action_at__isnull=True) | Q(next_action_at__lte=db_now())
    busy = Lease.objects.filter(runner_until__gt=db_now()).values("change_id", "cluster_id")
    held = {(row["change_id"], row["cluster_id"]) for row in busy}
    rows = TargetStep.objects.filter(due, state__in=STEP_OPEN, change__state__in=RUNNING)
    return rows.exclude(pk__in=[s.pk for s in rows if (s.change_id, s.cluster_id) in held])
