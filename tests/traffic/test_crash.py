"""A worker killed with -9 at every named point: the next one brings the change to the right end, once.

Rows 11, 12, 13, 14 and 27 of the failure matrix, with a real process and a real signal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from audit.ledger import verify_chain
from tests.people import as_actor
from tests.traffic.conftest import Way, weights
from traffic.models import Lease, TargetStep
from traffic.services.hold import pause_change
from traffic.services.rollback import roll_back_running
from traffic.types import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from playground.cluster import EmulatedCluster

pytestmark = pytest.mark.django_db(transaction=True)

HOOKS = (
    "after_claim",
    "before_intent",
    "after_intent",
    "before_send",
    "after_send",
    "before_outcome",
    "in_outcome_commit",
    "after_outcome",
)


@pytest.mark.parametrize("hook", HOOKS)
def test_rows11_14__killed_at_the_hook__right_end_and_one_write(
    hook: str, way: Callable[..., Way], work: Callable[..., int], eu_west: EmulatedCluster
) -> None:
    moving = way(eu_west)
    moving.to_approved(75, 25)
    generation = eu_west.get("VirtualService", "checkout", "shop")["metadata"]["generation"]
    moving.start(runs=False)

    assert work(moving, hook) == -9
    assert work(moving, "") == 0

    change = moving.now()
    assert change.state == State.APPLIED, change.state_cause
    assert weights(eu_west) == [75, 25]
    assert eu_west.get("VirtualService", "checkout", "shop")["metadata"]["generation"] == generation + 1
    attempts = list(TargetStep.objects.get().attempts.all())
    assert [attempt.outcome.outcome for attempt in attempts][-1] == "written"
    assert all(hasattr(attempt, "outcome") for attempt in attempts)
    assert not Lease.objects.filter(change__isnull=False).exists()
    assert verify_chain().is_intact


@pytest.mark.parametrize("hook", ["before_intent", "after_intent", "after_send", "after_outcome"])
def test_row27__killed_during_rollback__snapshot_comes_back(
    hook: str, way: Callable[..., Way], work: Callable[..., int], eu_west: EmulatedCluster
) -> None:
    moving = way(eu_west)
    moving.to_approved(75, 25)
    moving.start(runs=False)
    work(moving, "after_outcome")  # written, and nobody there to conclude
    pause_change(actor=as_actor(moving.author), seen=moving.seen())
    roll_back_running(actor=as_actor(moving.author), seen=moving.seen())

    assert work(moving, hook) == -9
    assert work(moving, "") == 0

    change = moving.now()
    assert change.state == State.ROLLED_BACK, change.state_cause
    assert weights(eu_west) == [90, 10]
    assert verify_chain().is_intact
