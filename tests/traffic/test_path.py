"""The path on the emulator: proposed, planned, approved, applied, verified, proved; and what gets in its way."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from audit.ledger import verify_chain
from audit.selectors import list_events
from meshui.lib.clock import read_db_now
from meshui.lib.queue import drain
from tests.people import as_actor
from tests.traffic.conftest import Way, set_weights, weights
from traffic.errors import DeniedError, StalePlanError
from traffic.models import Change, Lease, TargetStep
from traffic.services.approve import approve_change
from traffic.services.rollback import propose_rollback
from traffic.types import State, StepState

if TYPE_CHECKING:
    from collections.abc import Callable

    from playground.cluster import EmulatedCluster

pytestmark = pytest.mark.django_db(transaction=True)


def test_path__weights_moved__applied_guarded_and_proved(way: Callable[..., Way], eu_west: EmulatedCluster) -> None:
    before = eu_west.get("VirtualService", "checkout", "shop")
    moving = way(eu_west)

    change = moving.to_applied(75, 25)

    after = eu_west.get("VirtualService", "checkout", "shop")
    assert change.state == State.APPLIED, change.state_cause
    assert weights(eu_west) == [75, 25]
    assert _without_weights(after["spec"]) == _without_weights(before["spec"])
    assert after["metadata"]["generation"] == before["metadata"]["generation"] + 1
    assert any(entry["manager"] == "meshui" for entry in after["metadata"]["managedFields"])
    assert eu_west.server.violations == []
    assert not Lease.objects.filter(change__isnull=False).exists()
    assert verify_chain().is_intact


def test_path__every_step__has_its_event_in_order(way: Callable[..., Way], eu_west: EmulatedCluster) -> None:
    moving = way(eu_west)

    change = moving.to_applied(75, 25)

    actions = [event.action for event in list_events(change=change.number).order_by("seq")]
    assert actions == [
        "traffic.change.proposed",
        "traffic.change.plan_started",
        "traffic.change.planned",
        "traffic.change.submitted",
        "traffic.vote.cast",
        "traffic.change.approved",
        "traffic.rollout.created",
        "traffic.change.queued",
        "traffic.change.started",
        "traffic.write.intended",
        "traffic.write.settled",
        "traffic.step.accepted",
        "traffic.step.verified",
        "traffic.change.applied",
    ]


def test_row06__routing_edited_after_approval__refused_with_both_states_and_planned_again(
    way: Callable[..., Way], eu_west: EmulatedCluster
) -> None:
    moving = way(eu_west)
    moving.to_approved(75, 25)
    eu_west.edit("VirtualService", "checkout", "shop", set_weights(60, 40))

    change = moving.start()

    assert change.state == State.IN_REVIEW
    assert "was changed in eu-west" in change.state_cause
    assert weights(eu_west) == [60, 40]
    assert not [r for r in eu_west.server.requests if r.method == "PATCH" and "dryRun" not in r.query]
    assert change.votes.get().voided_at is not None
    assert change.current_plan is not None
    assert change.current_plan.votes.count() == 0
    event = list_events(change=change.number, action="traffic.change.invalidated").get()
    assert event.outcome == "success"


def test_row06__only_metadata_touched_after_approval__goes_on(
    way: Callable[..., Way], eu_west: EmulatedCluster
) -> None:
    moving = way(eu_west)
    moving.to_approved(75, 25)
    eu_west.edit(
        "VirtualService", "checkout", "shop", lambda body: body["metadata"].setdefault("labels", {}).update(x="y")
    )

    change = moving.start()

    assert change.state == State.APPLIED, change.state_cause
    assert weights(eu_west) == [75, 25]


def test_row06__deleted_and_made_anew__refused(way: Callable[..., Way], eu_west: EmulatedCluster) -> None:
    moving = way(eu_west)
    moving.to_approved(75, 25)
    body = eu_west.get("VirtualService", "checkout", "shop")
    eu_west.delete("VirtualService", "checkout", "shop")
    for key in ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"):
        body["metadata"].pop(key, None)
    eu_west.load([body])

    change = moving.start()

    assert change.state in {State.IN_REVIEW, State.DRAFT}
    assert weights(eu_west) == [90, 10]


def test_approve_change__author_votes__refused_and_recorded(way: Callable[..., Way], eu_west: EmulatedCluster) -> None:
    moving = way(eu_west)
    change = moving.to_review(75, 25)
    seen = moving.seen()

    with pytest.raises(DeniedError, match="You wrote this change"):
        approve_change(actor=as_actor(moving.author), change_id=change.pk, version=seen.version, digest=seen.digest)

    change.refresh_from_db()
    assert change.state == State.IN_REVIEW
    assert not change.votes.exists()
    event = list_events(action="traffic.vote.cast").get()
    assert (event.outcome, event.object_name) == ("denied", str(change))


def test_approve_change__superuser_who_wrote_it__refused(way: Callable[..., Way], eu_west: EmulatedCluster) -> None:
    moving = way(eu_west)
    moving.to_review(75, 25)
    moving.author.is_superuser = True
    moving.author.save(update_fields=["is_superuser"])
    seen = moving.seen()

    with pytest.raises(DeniedError):
        approve_change(
            actor=as_actor(moving.author), change_id=seen.change_id, version=seen.version, digest=seen.digest
        )


def test_approve_change__another_digest__stale(way: Callable[..., Way], eu_west: EmulatedCluster) -> None:
    moving = way(eu_west)
    change = moving.to_review(75, 25)

    with pytest.raises(StalePlanError):
        approve_change(actor=as_actor(moving.approver), change_id=change.pk, version=change.version, digest="0" * 64)


def test_approve_change__twice__answers_the_first_vote(way: Callable[..., Way], eu_west: EmulatedCluster) -> None:
    moving = way(eu_west)
    moving.to_review(75, 25)
    seen = moving.seen()
    actor = as_actor(moving.approver)

    first = approve_change(actor=actor, change_id=seen.change_id, version=seen.version, digest=seen.digest)
    second = approve_change(actor=actor, change_id=seen.change_id, version=seen.version, digest=seen.digest)

    assert first == second
    assert moving.now().votes.count() == 1


def test_row05__voter_disabled_before_start__in_review_and_nothing_written(
    way: Callable[..., Way], eu_west: EmulatedCluster
) -> None:
    moving = way(eu_west)
    moving.to_approved(75, 25)
    moving.start(runs=False)
    moving.approver.is_active = False
    moving.approver.save(update_fields=["is_active"])
    drain()

    assert moving.now().state == State.IN_REVIEW
    assert weights(eu_west) == [90, 10]


def test_row13__reply_lost_after_the_write__found_by_reading(way: Callable[..., Way], eu_west: EmulatedCluster) -> None:
    moving = way(eu_west)
    moving.to_approved(75, 25)
    before = eu_west.get("VirtualService", "checkout", "shop")["metadata"]["generation"]
    eu_west.server.faults.drop_reply(method="PATCH")

    change = moving.start()

    assert change.state == State.APPLIED, change.state_cause
    assert weights(eu_west) == [75, 25]
    assert eu_west.get("VirtualService", "checkout", "shop")["metadata"]["generation"] == before + 1
    step = TargetStep.objects.get()
    assert [attempt.outcome.outcome for attempt in step.attempts.all()] == ["written"]


def test_row13__request_lost_before_the_write__sent_again_once(
    way: Callable[..., Way], eu_west: EmulatedCluster
) -> None:
    moving = way(eu_west)
    moving.to_approved(75, 25)
    eu_west.server.faults.drop_request(method="PATCH")

    change = moving.start()

    assert change.state == State.APPLIED, change.state_cause
    outcomes = [attempt.outcome.outcome for attempt in TargetStep.objects.get().attempts.all()]
    assert outcomes == ["not_applied", "written"]


def test_apply__metadata_moves_in_the_gap__lost_race_then_written(
    way: Callable[..., Way], eu_west: EmulatedCluster
) -> None:
    moving = way(eu_west)
    moving.to_approved(75, 25)
    touch = lambda body: body["metadata"].setdefault("labels", {}).update(gap="1")  # noqa: E731
    eu_west.server.faults.call(_edits(eu_west, touch), method="PATCH")

    change = moving.start()

    assert change.state == State.APPLIED, change.state_cause
    outcomes = [attempt.outcome.outcome for attempt in TargetStep.objects.get().attempts.all()]
    assert outcomes == ["lost_race", "written"]


def test_apply__weights_moved_in_the_gap__conflict_and_back_to_review(
    way: Callable[..., Way], eu_west: EmulatedCluster
) -> None:
    moving = way(eu_west)
    moving.to_approved(75, 25)
    eu_west.server.faults.call(_edits(eu_west, set_weights(50, 50)), method="PATCH")

    change = moving.start()

    assert change.state == State.IN_REVIEW, change.state
    assert weights(eu_west) == [50, 50]
    assert TargetStep.objects.get().state == StepState.CONFLICT


def test_apply__server_refuses_for_good__failed_and_nothing_written(
    way: Callable[..., Way], eu_west: EmulatedCluster
) -> None:
    moving = way(eu_west)
    moving.to_approved(75, 25)
    eu_west.server.faults.answer(403, method="PATCH")

    change = moving.start()

    assert change.state == State.FAILED
    assert weights(eu_west) == [90, 10]


def test_roll_back__applied_change__snapshot_comes_back_without_votes(
    way: Callable[..., Way], eu_west: EmulatedCluster
) -> None:
    moving = way(eu_west)
    moving.to_applied(75, 25)

    restoring = propose_rollback(actor=as_actor(moving.author), seen=moving.seen())
    drain()

    restoring = Change.objects.get(pk=restoring.pk)
    assert restoring.state == State.APPLIED, restoring.state_cause
    assert weights(eu_west) == [90, 10]
    assert not restoring.votes.exists()


def test_roll_back__window_is_over__is_a_draft_for_review(way: Callable[..., Way], eu_west: EmulatedCluster) -> None:
    moving = way(eu_west)
    change = moving.to_applied(75, 25)
    Change.objects.filter(pk=change.pk).update(ended_at=read_db_now() - timedelta(hours=73))

    restoring = propose_rollback(actor=as_actor(moving.author), seen=moving.seen())
    drain()

    assert Change.objects.get(pk=restoring.pk).state == State.DRAFT
    assert weights(eu_west) == [75, 25]


def test_roll_back__edited_since__is_a_draft_for_review(way: Callable[..., Way], eu_west: EmulatedCluster) -> None:
    moving = way(eu_west)
    moving.to_applied(75, 25)
    eu_west.edit("VirtualService", "checkout", "shop", set_weights(50, 50))

    restoring = propose_rollback(actor=as_actor(moving.author), seen=moving.seen())
    drain()

    assert Change.objects.get(pk=restoring.pk).state == State.DRAFT
    assert weights(eu_west) == [50, 50]


def test_plan__server_refuses_the_dry_run__draft_with_its_words(
    way: Callable[..., Way], eu_west: EmulatedCluster
) -> None:
    moving = way(eu_west)
    moving.propose(75, 25)
    eu_west.server.faults.answer(403, method="PATCH")

    change = moving.plan()

    assert change.state == State.DRAFT
    assert change.current_plan is not None
    assert not change.current_plan.is_sound
    assert change.current_plan.digest == ""


def _edits(cluster: EmulatedCluster, change: Callable[[dict[str, Any]], None]) -> Callable[[object], None]:
    def act(_: object) -> None:
        cluster.edit("VirtualService", "checkout", "shop", change)

    return act


def _without_weights(spec: dict[str, Any]) -> dict[str, Any]:
    return {
        **spec,
        "http": [
            {**rule, "route": [{k: v for k, v in entry.items() if k != "weight"} for entry in rule.get("route", [])]}
            for rule in spec["http"]
        ],
    }
