"""Rows of the failure matrix (change-control §10), each with its number, after which the invariant is asserted.

Rows 14 to 18, 28 and 33 are in test_matrix_faults, 11 to 14 and 27 in test_crash, 5 and 6 in test_path and test_age,
34 in test_weights. On real servers: tests/lab/test_matrix.py and test_journey.py.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
from django.db import connection

from audit.ledger import verify_chain
from audit.selectors import list_events
from audit.types import Actor
from meshui.lib.queue import drain, run_task
from tests.conftest import discard_rung
from tests.people import as_actor, make_person
from tests.servers import wait_until
from tests.traffic.conftest import Way
from tests.traffic.factories import in_review, make_cluster, make_route
from tests.traffic.matrix import assert_invariant, sent, settle, side_by_side, swept
from traffic.errors import DeniedError
from traffic.models import Change, Lease, TargetStep
from traffic.services.apply import advance, start_change
from traffic.services.approve import approve_change
from traffic.services.propose import edit_change
from traffic.types import Proposal, State, Wanted

if TYPE_CHECKING:
    from collections.abc import Callable

    from accounts.models import User
    from playground.cluster import EmulatedCluster

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.walks]

RUNS = {"postgresql": 200, "sqlite": 20}
"""Of row 1: what two connections do at once is PostgreSQL's to decide; SQLite has one writer."""


def _approval(person: User, change: Change) -> Callable[[], object]:
    """To be called: the person's vote on the plan that is there now."""
    plan = change.current_plan
    assert plan is not None
    return partial(
        approve_change, actor=as_actor(person), change_id=change.pk, version=change.version, digest=plan.digest
    )


def test_row01__two_approvers_at_once__approved_once_with_both_votes(author: User) -> None:
    route = make_route(make_cluster("us-east", environment="production"))
    people = [make_person(name, ["approver"]) for name in ("first", "second")]

    runs = RUNS[connection.vendor]

    for run in range(runs):
        change = in_review(author, [route], needed=2, digest=f"{run:064x}")
        raised = side_by_side(*(_approval(person, change) for person in people))

        change.refresh_from_db()
        assert raised == []
        assert change.state == State.APPROVED
        assert change.votes.count() == 2

    assert list_events(action="traffic.change.approved").count() == runs
    assert verify_chain().is_intact


def test_row03__start_pressed_twice_and_every_message_twice__one_run_one_write(
    way: Callable[..., Way], eu_west: EmulatedCluster
) -> None:
    moving = way(eu_west)
    moving.to_approved(75, 25)
    seen = moving.seen()

    first = start_change(actor=as_actor(moving.author), seen=seen)
    second = start_change(actor=as_actor(moving.author), seen=seen)
    advance(first.pk)
    advance(first.pk)
    step = TargetStep.objects.get()
    run_task("traffic.tasks.apply_step", str(step.pk))
    run_task("traffic.tasks.apply_step", str(step.pk))
    drain()

    assert (first.pk, second.state) == (second.pk, State.QUEUED)
    assert list_events(action="traffic.change.queued").count() == 1
    assert moving.now().state == State.APPLIED
    assert sent(eu_west) == 1
    assert_invariant()


def test_row03__two_workers_at_one_step__one_write(way: Callable[..., Way], eu_west: EmulatedCluster) -> None:
    moving = way(eu_west)
    moving.to_approved(75, 25)
    change = moving.start(runs=False)
    advance(change.pk)
    discard_rung()
    step = str(TargetStep.objects.get().pk)

    side_by_side(*[lambda: run_task("traffic.tasks.apply_step", step)] * 3)
    drain()

    assert moving.now().state == State.APPLIED
    assert sent(eu_west) == 1
    assert_invariant()


def _by_token(moving: Way) -> Actor:
    return Actor(kind="token", name="ci", user_id=str(moving.approver.pk))


def _by_second_account(moving: Way) -> Actor:
    twin = make_person("twin", ["approver"])
    for user in (twin, moving.author):
        user.email = "same@example.com"
        user.save(update_fields=["email"])
    return as_actor(twin)


def _by_co_editor(moving: Way) -> Actor:
    other = make_person("other", ["author", "approver"])
    revision = moving.now().current_revision
    assert revision is not None
    targets = tuple(Wanted(r.cluster_id, r.mesh_kind, r.pk) for r in moving.routes)
    edit_change(
        actor=as_actor(other),
        seen=moving.seen(),
        proposal=Proposal("Shift checkout", "Slower.", revision.route, targets),
    )
    moving.plan()
    moving.submit()
    return as_actor(other)


@pytest.mark.parametrize("voter", [_by_token, _by_second_account, _by_co_editor])
def test_row04__the_author_by_another_door__refused_and_recorded(
    voter: Callable[[Way], Actor], way: Callable[..., Way], eu_west: EmulatedCluster
) -> None:
    moving = way(eu_west)
    moving.to_review(75, 25)
    actor = voter(moving)
    seen = moving.seen()

    with pytest.raises(DeniedError):
        approve_change(actor=actor, change_id=seen.change_id, version=seen.version, digest=seen.digest)

    assert moving.now().state == State.IN_REVIEW
    assert not moving.now().votes.filter(voided_at__isnull=True).exists()
    assert list_events(action="traffic.vote.cast", outcome="denied").count() == 1


def test_row07__cluster_made_anew_behind_its_name__refused_and_nothing_written(
    way: Callable[..., Way], eu_west: EmulatedCluster
) -> None:
    moving = way(eu_west)
    moving.to_approved(75, 25)
    eu_west.server.become_another()

    change = moving.start()

    assert change.state in {State.IN_REVIEW, State.DRAFT}
    assert change.votes.get().void_cause == "eu-west is another cluster than the one that was planned for."
    assert sent(eu_west) == 0
    assert_invariant()


def test_row08__bell_lost_after_the_commit__the_sweep_starts_it(
    way: Callable[..., Way], eu_west: EmulatedCluster
) -> None:
    moving = way(eu_west)
    moving.to_approved(75, 25)
    moving.start(runs=False)
    discard_rung()

    settle()

    assert moving.now().state == State.APPLIED
    assert sent(eu_west) == 1


def test_row08__process_dies_after_the_commit_before_the_bell__the_next_one_finds_it(
    way: Callable[..., Way], eu_west: EmulatedCluster, work: Callable[..., int]
) -> None:
    moving = way(eu_west)
    moving.to_approved(75, 25)

    assert work(moving, "after_commit", starts=True) == -9
    half = moving.now().state
    assert work(moving, "") == 0

    assert half == State.QUEUED
    assert moving.now().state == State.APPLIED
    assert sent(eu_west) == 1
    assert_invariant()


def test_row20__two_changes_of_the_same_targets_at_once__one_waits_for_the_other_by_name(
    way: Callable[..., Way], eu_west: EmulatedCluster, us_east: EmulatedCluster
) -> None:
    first = way(eu_west, us_east)
    second = Way(first.author, first.approver, list(reversed(first.routes)))
    for moving, share in ((first, 80), (second, 70)):
        moving.to_approved(share, 100 - share)
    ids = [moving.start(runs=False).pk for moving in (first, second)]
    discard_rung()

    raised = side_by_side(*(partial(advance, pk) for pk in ids))

    states = {moving.now().state: moving for moving in (first, second)}
    assert raised == []
    assert set(states) == {State.APPLYING, State.QUEUED}
    running, waiting = states[State.APPLYING].now(), states[State.QUEUED].now()
    assert waiting.rollout.phase_cause.endswith(f"is held by {running}.")
    assert set(Lease.objects.values_list("change_id", flat=True)) == {running.pk}
    settle()
    wait_until(swept(lambda: waiting_is_decided(waiting)), seconds=30, what="the second to be looked at again")
    assert states[State.APPLYING].now().state == State.APPLIED
    assert_invariant()


def waiting_is_decided(change: Change) -> bool:
    """It waited, then found its targets changed: its votes are void and it is planned again."""
    return bool(Change.objects.filter(pk=change.pk, state=State.IN_REVIEW, current_plan__isnull=False).exists())
