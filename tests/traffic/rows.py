"""Rows of the failure matrix that run on emulated and on real API servers; who calls looks at the weights after."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from audit.ledger import verify_chain
from lab.webhooks import mutating
from meshui.lib.clock import db_now
from tests.conftest import discard_rung
from tests.people import as_actor
from tests.servers import wait_until
from tests.traffic.conftest import Way, worker_of
from tests.traffic.matrix import assert_invariant
from traffic.models import Attempt, Lease, TargetStep
from traffic.services.hold import pause_change
from traffic.services.rollback import roll_back_running
from traffic.types import State, StepState

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lab.webhooks import AnyCluster

ROUTES = "virtualservices.networking.istio.io"


def check_killed_at_the_hook(moving: Way, work: Callable[..., int], hook: str) -> None:
    """Rows 11 to 14: 75/25 is started, its worker killed there, and the next one ends it."""
    moving.to_approved(75, 25)
    moving.start(runs=False)

    assert work(moving, hook) == -9
    assert work(moving, "") == 0

    change = moving.now()
    assert change.state == State.APPLIED, change.state_cause
    attempts = list(TargetStep.objects.get().attempts.all())
    assert [attempt.outcome.outcome for attempt in attempts][-1] == "written"
    assert all(hasattr(attempt, "outcome") for attempt in attempts)
    assert not Lease.objects.filter(change__isnull=False).exists()
    assert verify_chain().is_intact


def check_killed_during_rollback(moving: Way, work: Callable[..., int], hook: str) -> None:
    """Row 27: what was written is rolled back, the worker killed there, and the next one ends it."""
    moving.to_approved(75, 25)
    moving.start(runs=False)
    work(moving, "after_outcome")  # written, and nobody there to conclude
    pause_change(actor=as_actor(moving.author), seen=moving.seen())
    roll_back_running(actor=as_actor(moving.author), seen=moving.seen())

    assert work(moving, hook) == -9
    assert work(moving, "") == 0

    change = moving.now()
    assert change.state == State.ROLLED_BACK, change.state_cause
    assert verify_chain().is_intact


def check_late_patch_is_refused(moving: Way, environment: dict[str, str], folder: Path) -> None:
    """Row 18: a worker is stopped before it sends, outlived by another one, and let go then."""
    moving.to_approved(75, 25)
    moving.start(runs=False)
    discard_rung()
    zombie = worker_of(moving, environment, folder / "zombie.log", "before_send:SIGSTOP:1")
    lapsed = Lease.objects.exclude(runner="").filter(runner_until__lt=db_now())
    wait_until(lambda: Attempt.objects.exists() and lapsed.exists(), seconds=60, what="the lease to run out")

    live = worker_of(moving, environment, folder / "live.log", lease="30").wait(90)  # its own must not run out
    applied = moving.now().state
    late = zombie.stop(signal.SIGCONT, seconds=90)

    assert (live, late) == (0, 0)
    assert applied == State.APPLIED
    assert [a.outcome.outcome for a in TargetStep.objects.get().attempts.all()] == ["not_applied", "written"]
    assert_invariant()


def check_altered_patch_is_a_conflict(moving: Way, cluster: AnyCluster) -> None:
    """Row 33: a webhook that came after the plan alters our patch; the change stops and shows what is stored."""
    moving.to_approved(75, 25)
    skew = [{"op": "replace", "path": "/spec/http/0/route/0/weight", "value": 60}]

    with mutating(cluster, ROUTES, patch=skew):
        change = moving.start()

    step = TargetStep.objects.get()
    assert change.state == State.PAUSED
    assert "stored something else than its dry run said" in change.state_cause
    assert step.state == StepState.CONFLICT
    assert step.conflict is not None
    assert step.conflict["live"]["spec"]["http"][0]["route"][0]["weight"] == 60
    assert [attempt.outcome.outcome for attempt in step.attempts.all()] == ["written"]
    assert change.has_writes
    assert_invariant()
