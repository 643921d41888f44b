"""People who hold, resume, cancel or end a run: what stays, what goes on, what is written down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from audit.ledger import verify_chain
from audit.selectors import get_event, list_events
from clusters.models import Cluster
from clusters.services import remove_cluster
from meshui.lib.errors import GoneError
from meshui.lib.queue import drain
from playground.apiserver.faults import on
from tests.people import as_actor
from tests.traffic.conftest import Way, set_weights, weights
from traffic.errors import ChangeGoneError, DeniedError, InvalidChangeError, StaleChangeError
from traffic.models import Lease, TargetStep
from traffic.services.apply import advance
from traffic.services.approve import deny_change
from traffic.services.hold import accept_partial, cancel_change, pause_change, recheck_change, resume_change
from traffic.services.rollback import roll_back_running
from traffic.types import State, StepState

if TYPE_CHECKING:
    from collections.abc import Callable

    from accounts.models import User
    from playground.cluster import EmulatedCluster

pytestmark = pytest.mark.django_db(transaction=True)

ROUTE = on("VirtualService")
"""Real writes of it, never dry runs."""


def writes(cluster: EmulatedCluster) -> list[str]:
    """What was sent to be stored, in order."""
    kept = [r for r in cluster.server.requests if r.method != "GET" and "meshui" in r.user_agent.lower()]
    return [f"{r.method} {r.status}" for r in kept if "dryRun" not in r.query and "reviews" not in r.path]


def steps(way: Way) -> dict[str, str]:
    """Cluster → state, of the last step of each in the direction that counts now."""
    rows = TargetStep.objects.filter(change=way.now()).select_related("cluster").order_by("state_changed_at")
    return {row.cluster.slug: row.state for row in rows}


@pytest.fixture
def halted(way: Callable[..., Way], eu_west: EmulatedCluster, us_east: EmulatedCluster) -> Way:
    """Written in eu-west, refused for good in us-east: paused."""
    moving = way(eu_west, us_east)
    moving.to_approved(80, 20)
    us_east.server.faults.answer(403, method="PATCH", path=ROUTE)
    moving.start()
    return moving


def test_pause__before_any_step__nothing_is_sent_until_it_is_resumed(
    way: Callable[..., Way], eu_west: EmulatedCluster
) -> None:
    moving = way(eu_west)
    moving.to_approved(75, 25)
    moving.start(runs=False)
    advance(moving.now().pk)
    pause_change(actor=as_actor(moving.author), seen=moving.seen(), reason="Wait for the on-call.")
    drain()
    held = moving.now()
    phase = held.rollout.phase

    resume_change(actor=as_actor(moving.author), seen=moving.seen())
    drain()

    assert (held.state, held.state_cause, phase) == (State.PAUSED, "Wait for the on-call.", "HELD")
    assert moving.now().state == State.APPLIED
    assert weights(eu_west) == [75, 25]
    assert writes(eu_west) == ["PATCH 200"]


def test_pause__by_a_viewer__refused_and_recorded(
    way: Callable[..., Way], eu_west: EmulatedCluster, viewer: User
) -> None:
    moving = way(eu_west)
    moving.to_approved(75, 25)
    moving.start(runs=False)
    advance(moving.now().pk)

    with pytest.raises(DeniedError, match=r"change\.pause"):
        pause_change(actor=as_actor(viewer), seen=moving.seen())

    assert moving.now().state == State.APPLYING
    assert list_events(action="traffic.change.paused").get().outcome == "denied"


def test_pause__on_what_moved_since_it_was_read__stale(way: Callable[..., Way], eu_west: EmulatedCluster) -> None:
    moving = way(eu_west)
    moving.to_approved(75, 25)
    old = moving.seen()
    moving.start(runs=False)
    advance(moving.now().pk)

    with pytest.raises(StaleChangeError):
        pause_change(actor=as_actor(moving.author), seen=old)


def test_row15__second_cluster_refuses_for_good__paused_and_the_first_keeps_its_weights(
    halted: Way, eu_west: EmulatedCluster, us_east: EmulatedCluster
) -> None:
    change = halted.now()

    assert change.state == State.PAUSED
    assert "us-east" in change.state_cause
    assert steps(halted) == {"eu-west": "verified", "us-east": "failed"}
    assert (weights(eu_west), weights(us_east)) == ([80, 20], [9, 1])
    assert Lease.objects.filter(change=change).count() == 4
    assert verify_chain().is_intact


def test_resume__what_failed_works_by_now__applied_and_the_first_is_not_written_again(
    halted: Way, eu_west: EmulatedCluster, us_east: EmulatedCluster
) -> None:
    resume_change(actor=as_actor(halted.author), seen=halted.seen())
    drain()

    assert halted.now().state == State.APPLIED, halted.now().state_cause
    assert writes(eu_west) == ["PATCH 200"]
    assert weights(us_east) == [80, 20]
    assert not Lease.objects.filter(change__isnull=False).exists()


def test_roll_back__of_a_halted_run__only_what_was_written_goes_back(
    halted: Way, eu_west: EmulatedCluster, us_east: EmulatedCluster
) -> None:
    roll_back_running(actor=as_actor(halted.author), seen=halted.seen(), reason="us-east is not ours to write")
    drain()

    assert halted.now().state == State.ROLLED_BACK, halted.now().state_cause
    assert (weights(eu_west), weights(us_east)) == ([90, 10], [9, 1])
    assert writes(us_east) == ["PATCH 403"]
    assert verify_chain().is_intact


def test_accept_partial__with_a_reason__ends_and_names_what_differs(
    halted: Way, eu_west: EmulatedCluster, us_east: EmulatedCluster
) -> None:
    before = writes(eu_west), writes(us_east)

    change = accept_partial(actor=as_actor(halted.author), seen=halted.seen(), reason="us-east goes next week.")

    drain()
    assert (change.state, change.rollout.phase) == (State.PARTIAL, "DIVERGED")
    expected = "us-east goes next week. VirtualService shop/checkout in us-east: failed."
    assert halted.now().state_cause == expected
    assert (writes(eu_west), writes(us_east)) == before
    assert not Lease.objects.filter(change__isnull=False).exists()
    event = list_events(action="traffic.change.partial_accepted").get()
    assert get_event(event.seq).details["left"] == [["VirtualService shop/checkout in us-east", "failed"]]


def test_accept_partial__without_a_reason__refused(halted: Way) -> None:
    with pytest.raises(InvalidChangeError, match="Say why"):
        accept_partial(actor=as_actor(halted.author), seen=halted.seen(), reason="  ")

    assert halted.now().state == State.PAUSED


def test_accept_partial__nothing_was_written__cancel_is_named_instead(
    way: Callable[..., Way], eu_west: EmulatedCluster
) -> None:
    moving = way(eu_west)
    moving.to_approved(75, 25)
    moving.start(runs=False)
    advance(moving.now().pk)
    pause_change(actor=as_actor(moving.author), seen=moving.seen())

    with pytest.raises(ChangeGoneError, match="Nothing was written"):
        accept_partial(actor=as_actor(moving.author), seen=moving.seen(), reason="as it is")


def test_resume__a_target_was_changed_meanwhile__rest_planned_again_and_decided_anew(
    way: Callable[..., Way], eu_west: EmulatedCluster, us_east: EmulatedCluster
) -> None:
    moving = way(eu_west, us_east)
    paused = moving.to_halt(us_east)

    resume_change(actor=as_actor(moving.author), seen=moving.seen())
    drain()
    again = moving.now()
    phase = again.rollout.phase
    held = Lease.objects.filter(change=again).count()
    moving.approve()
    change = moving.start()

    assert (paused.state, again.state, phase) == (State.PAUSED, State.IN_REVIEW, "HELD")
    assert again.current_plan is not None
    assert held == 4  # its targets stay reserved
    assert change.state == State.APPLIED, change.state_cause
    assert (weights(eu_west), weights(us_east)) == ([80, 20], [80, 20])
    assert writes(eu_west) == ["PATCH 200"]
    assert verify_chain().is_intact


def test_roll_back__while_the_rest_is_planned_again__everything_written_goes_back_first(
    way: Callable[..., Way], eu_west: EmulatedCluster, us_east: EmulatedCluster
) -> None:
    moving = way(eu_west, us_east)
    moving.to_halt(us_east)
    resume_change(actor=as_actor(moving.author), seen=moving.seen())

    roll_back_running(actor=as_actor(moving.author), seen=moving.seen())
    drain()

    # us-east was sent a patch that lost its race: it is as somebody else left it, so it cannot go back by itself
    assert weights(eu_west) == [90, 10]
    assert weights(us_east) == [5, 5]
    assert moving.now().state == State.ROLLING_BACK
    assert steps(moving) == {"eu-west": "reverted", "us-east": "rollback_conflict"}


def test_recheck__the_obstacle_is_as_it_was_by_now__rolled_back(
    halted: Way, eu_west: EmulatedCluster, us_east: EmulatedCluster
) -> None:
    eu_west.edit("VirtualService", "checkout", "shop", set_weights(50, 50))
    roll_back_running(actor=as_actor(halted.author), seen=halted.seen())
    drain()
    stuck = halted.now()
    conflict = TargetStep.objects.get(direction="restore", state=StepState.ROLLBACK_CONFLICT)
    eu_west.edit("VirtualService", "checkout", "shop", set_weights(90, 10))

    recheck_change(actor=as_actor(halted.author), seen=halted.seen())
    drain()

    assert stuck.state == State.ROLLING_BACK
    assert conflict.conflict is not None
    assert [each["weight"] for each in conflict.conflict["live"]["spec"]["http"][-1]["route"]] == [50, 50]
    assert halted.now().state == State.ROLLED_BACK
    assert weights(us_east) == [9, 1]


def test_accept_partial__of_a_stuck_roll_back__ends_with_the_obstacle_named(
    halted: Way, eu_west: EmulatedCluster
) -> None:
    eu_west.edit("VirtualService", "checkout", "shop", set_weights(50, 50))
    roll_back_running(actor=as_actor(halted.author), seen=halted.seen())
    drain()

    accept_partial(actor=as_actor(halted.author), seen=halted.seen(), reason="They know.")

    assert halted.now().state == State.PARTIAL
    assert "VirtualService shop/checkout in eu-west: rollback conflict." in halted.now().state_cause
    assert weights(eu_west) == [50, 50]


@pytest.mark.parametrize("until", ["draft", "review", "approved", "queued"])
def test_cancel__before_the_first_write__ended_votes_void_and_nothing_sent(
    until: str, way: Callable[..., Way], eu_west: EmulatedCluster
) -> None:
    moving = way(eu_west)
    walk = {
        "draft": moving.propose,
        "review": moving.to_review,
        "approved": moving.to_approved,
        "queued": moving.to_approved,
    }
    walk[until](75, 25)
    if until == "queued":
        moving.start(runs=False)

    cancel_change(actor=as_actor(moving.author), seen=moving.seen(), reason="Not today.")
    drain()

    change = moving.now()
    assert (change.state, change.state_cause) == (State.CANCELLED, "Not today.")
    assert not change.votes.filter(voided_at__isnull=True).exists()
    assert writes(eu_west) == []
    assert not Lease.objects.filter(change__isnull=False).exists()


def test_cancel__a_running_change__refused(halted: Way) -> None:
    with pytest.raises(ChangeGoneError):
        cancel_change(actor=as_actor(halted.author), seen=halted.seen())

    assert halted.now().state == State.PAUSED


def test_deny__what_has_written__is_held_and_not_rejected(
    way: Callable[..., Way], eu_west: EmulatedCluster, us_east: EmulatedCluster
) -> None:
    moving = way(eu_west, us_east)
    moving.to_halt(us_east)
    resume_change(actor=as_actor(moving.author), seen=moving.seen())
    drain()
    seen: Any = moving.seen()

    deny_change(
        actor=as_actor(moving.approver),
        change_id=seen.change_id,
        version=seen.version,
        digest=seen.digest,
        comment="Roll it back.",
    )

    assert (moving.now().state, moving.now().state_cause) == (State.PAUSED, "Roll it back.")


def test_remove_cluster__an_open_change_needs_it__refused_by_its_name(
    way: Callable[..., Way], eu_west: EmulatedCluster, admin: User
) -> None:
    moving = way(eu_west)
    change = moving.propose(75, 25)
    cluster = Cluster.objects.get(slug="eu-west")

    with pytest.raises(GoneError, match=f"#{change.number}"):
        remove_cluster(actor=as_actor(admin), cluster_id=cluster.pk, reason="It is being torn down.")
    cancel_change(actor=as_actor(moving.author), seen=moving.seen())

    removed = remove_cluster(actor=as_actor(admin), cluster_id=cluster.pk, reason="It is being torn down.")

    assert not Cluster.objects.filter(pk=removed.pk).exists()
