"""What rings. Every task may run twice, takes ids only, and never retries: rows, leases and the sweep decide."""

from __future__ import annotations

from celery import shared_task

from traffic.services import age as ageing
from traffic.services import apply, drift, once, plan
from traffic.services import sweep as sweeping
from traffic.services.leasing import leased_step
from traffic.services.write import write_target


@shared_task
def plan_change(change_id: str) -> None:
    """Dry-run every target of a change that is due for planning."""
    plan.run_plan(change_id)


@shared_task
def advance_change(change_id: str) -> None:
    """Begin or conclude the run of a change, if it is due."""
    apply.advance(change_id)


@shared_task
def apply_step(step_id: str) -> None:
    """Write one target of one change, if the step is due and its lease is free."""
    with leased_step(step_id) as work:
        if work is not None:
            write_target(work)


@shared_task
def sweep() -> None:
    """Ring for every row that is due; whoever claims it decides."""
    sweeping.ring_due()


@shared_task
def age() -> None:
    """Expire, plan again and void what time, others and lost rights have overtaken; tell drift; forget old keys."""
    ageing.age_changes()
    drift.tell_drifts()
    once.forget_old_keys()
