"""What time and others do to changes that wait: old plans, old approvals, lost votes, targets that move."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from accounts.models import Grant
from audit.ledger import verify_chain
from audit.selectors import list_events
from meshui.lib import clock
from meshui.lib.clock import read_db_now
from meshui.lib.queue import drain
from tests.meshes.conftest import read
from tests.people import as_actor
from tests.traffic.conftest import Way, set_weights, weights
from traffic.models import Change, Lease
from traffic.services.age import age_changes
from traffic.services.apply import advance
from traffic.services.hold import resume_change
from traffic.types import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_django import DjangoAssertNumQueries

    from playground.cluster import EmulatedCluster

pytestmark = pytest.mark.django_db(transaction=True)


def later(**span: float) -> int:
    """Age everything, that much later; how many changes were looked at."""
    clock.shift_for_tests(timedelta(**span))
    return age_changes()


def test_age__nothing_is_due__four_queries_and_no_move(
    way: Callable[..., Way], eu_west: EmulatedCluster, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    moving = way(eu_west)
    before = moving.to_review(75, 25)

    with django_assert_num_queries(4):
        age_changes()

    assert moving.now().version == before.version


@pytest.mark.parametrize("until", ["review", "approved", "queued"])
def test_age__two_weeks_after_it_was_sent__expired_with_its_votes(
    until: str, way: Callable[..., Way], eu_west: EmulatedCluster
) -> None:
    moving = way(eu_west)
    moving.to_review(75, 25) if until == "review" else moving.to_approved(75, 25)
    if until == "queued":
        moving.start(runs=False)

    later(days=13, hours=23, minutes=59)
    early = moving.now().state
    later(days=14, minutes=1)
    drain()

    change = moving.now()
    assert early not in {State.EXPIRED, State.CANCELLED}
    assert change.state == State.EXPIRED
    assert "waited too long" in change.state_cause
    assert not change.votes.filter(voided_at__isnull=True).exists()
    assert weights(eu_west) == [90, 10]
    assert list_events(action="traffic.change.expired").get().actor_kind == "system"


def test_age__draft_untouched_for_ninety_days__expired(way: Callable[..., Way], eu_west: EmulatedCluster) -> None:
    moving = way(eu_west)
    moving.propose(75, 25)

    later(days=89, hours=23)
    early = moving.now().state
    later(days=90, minutes=1)

    assert (early, moving.now().state) == (State.DRAFT, State.EXPIRED)


def test_age__plan_of_a_week__made_again_and_the_vote_is_void(
    way: Callable[..., Way], eu_west: EmulatedCluster
) -> None:
    moving = way(eu_west)
    old = moving.to_approved(75, 25).current_plan

    later(days=7, minutes=1)
    drain()

    change = moving.now()
    assert change.state == State.IN_REVIEW
    assert change.state_cause == "The plan grew too old."
    assert change.current_plan is not None
    assert old is not None
    assert change.current_plan.pk != old.pk
    assert change.current_plan.votes.count() == 0
    assert change.votes.get().void_cause == "The plan grew too old."


def test_age__what_has_written_and_waits_too_long__is_held_never_expired(
    way: Callable[..., Way], eu_west: EmulatedCluster, us_east: EmulatedCluster
) -> None:
    moving = way(eu_west, us_east)
    moving.to_halt(us_east)
    resume_change(actor=as_actor(moving.author), seen=moving.seen())
    drain()
    waiting = moving.now().state

    later(days=14, minutes=1)

    assert waiting == State.IN_REVIEW
    assert moving.now().state == State.PAUSED
    assert Lease.objects.filter(change=moving.now()).exists()


def test_age__routing_of_a_target_moved_while_it_waited__planned_again_with_both_states_kept(
    way: Callable[..., Way], eu_west: EmulatedCluster
) -> None:
    moving = way(eu_west)
    moving.to_approved(75, 25)
    eu_west.edit("VirtualService", "checkout", "shop", set_weights(60, 40))
    read(moving.routes[0].cluster)

    age_changes()
    drain()

    change = moving.now()
    assert change.state == State.IN_REVIEW
    assert change.state_cause == "VirtualService shop/checkout was changed in eu-west since the plan was made."
    assert change.current_plan is not None
    target = change.current_plan.targets.get()
    assert target.snapshot is not None
    assert [entry["weight"] for entry in target.snapshot["spec"]["http"][-1]["route"]] == [60, 40]
    assert change.votes.get().voided_at is not None
    assert age_changes() == 0  # once


def test_age__only_metadata_of_a_target_moved__votes_stand(way: Callable[..., Way], eu_west: EmulatedCluster) -> None:
    moving = way(eu_west)
    before = moving.to_approved(75, 25)
    eu_west.edit("VirtualService", "checkout", "shop", lambda body: body["metadata"].update(labels={"team": "shop"}))
    read(moving.routes[0].cluster)

    age_changes()

    assert moving.now().version == before.version


def test_age__target_is_gone__draft_that_says_so(way: Callable[..., Way], eu_west: EmulatedCluster) -> None:
    moving = way(eu_west)
    moving.to_approved(75, 25)
    eu_west.delete("VirtualService", "checkout", "shop")
    read(moving.routes[0].cluster)

    age_changes()
    drain()

    change = moving.now()
    assert change.state == State.DRAFT
    assert "VirtualService shop/checkout is gone" in change.state_cause


@pytest.mark.parametrize("loss", ["inactive", "grant"])
def test_row05__voter_loses_the_right__vote_void_and_reviewed_again_without_a_write(
    loss: str, way: Callable[..., Way], eu_west: EmulatedCluster
) -> None:
    moving = way(eu_west)
    moving.to_approved(75, 25)
    if loss == "inactive":
        moving.approver.is_active = False
        moving.approver.save(update_fields=["is_active"])
    else:
        Grant.objects.filter(user=moving.approver).update(expires_at=read_db_now())

    age_changes()
    drain()

    change = moving.now()
    vote = change.votes.get()
    assert change.state == State.IN_REVIEW
    assert vote.voided_at is not None
    assert "Approver" in vote.void_cause
    assert not [r for r in eu_west.server.requests if r.method == "PATCH" and "dryRun" not in r.query]
    assert verify_chain().is_intact


def test_age__moved_again_and_again__after_three_plans_in_an_hour_a_draft(
    way: Callable[..., Way], eu_west: EmulatedCluster
) -> None:
    moving = way(eu_west)
    moving.to_review(75, 25)

    for share in (50, 51, 52):
        eu_west.edit("VirtualService", "checkout", "shop", set_weights(share, 100 - share))
        read(moving.routes[0].cluster)
        age_changes()
        drain()

    assert moving.now().state == State.DRAFT
    assert "three times within an hour" in moving.now().state_cause


def test_supersede__another_hand_did_it_on_every_target__nothing_is_sent(
    way: Callable[..., Way], eu_west: EmulatedCluster
) -> None:
    moving = way(eu_west)
    moving.to_approved(75, 25)
    moving.start(runs=False)
    eu_west.edit("VirtualService", "checkout", "shop", set_weights(75, 25))

    advance(moving.now().pk)

    assert moving.now().state == State.SUPERSEDED
    assert "already is as this change wants it" in moving.now().state_cause
    assert not [r for r in eu_west.server.requests if r.method == "PATCH" and "dryRun" not in r.query]
    assert Change.objects.get().ended_at is not None
