"""Rows of the failure matrix (change-control §10), each with its number, after which the invariant is asserted.

Rows 11 to 14 and 27 are in test_crash, rows 5 and 6 in test_path and test_age, row 15 also in test_hold.
"""

from __future__ import annotations

import signal
import threading
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection, connections

from audit.ledger import verify_chain
from audit.selectors import list_events
from audit.types import Actor
from clusters.models import Cluster
from lab.webhooks import mutating, refusing
from meshui.lib.clock import db_now
from meshui.lib.queue import drain, run_task
from playground import worlds
from playground.apiserver.faults import on
from tests.conftest import discard_rung
from tests.meshes.conftest import read
from tests.people import as_actor, make_person
from tests.servers import wait_until
from tests.traffic.conftest import Way, weights, worker_of
from tests.traffic.factories import in_review, make_cluster, make_route
from traffic.errors import DeniedError
from traffic.models import Attempt, Change, Lease, TargetStep
from traffic.services.apply import advance, start_change
from traffic.services.approve import approve_change
from traffic.services.hold import resume_change
from traffic.services.propose import edit_change
from traffic.services.rollback import propose_rollback
from traffic.types import TERMINAL, Proposal, State, Wanted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_django.fixtures import Settings

    from accounts.models import User
    from playground.cluster import EmulatedCluster

pytestmark = pytest.mark.django_db(transaction=True)

RUNS = {"postgresql": 200, "sqlite": 20}
"""Of row 1: what two connections do at once is PostgreSQL's to decide; SQLite has one writer."""
ROUTES = "virtualservices.networking.istio.io"


def settle() -> None:
    """What is due by now is done: one sweep and all that it rings."""
    run_task("traffic.tasks.sweep")
    drain()


def swept(met: Callable[[], bool]) -> Callable[[], bool]:
    """`met`, asked after a sweep and all that it rings."""

    def is_met() -> bool:
        settle()
        return met()

    return is_met


def side_by_side(*acts: Callable[[], object]) -> list[BaseException]:
    """Each in a thread of its own, let go at one moment; what they raised."""
    gate, raised = threading.Barrier(len(acts)), []

    def run(act: Callable[[], object]) -> None:
        try:
            gate.wait(10)
            act()
        except Exception as error:  # noqa: BLE001 - handed to the test
            raised.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return list(raised)


def sent(cluster: EmulatedCluster) -> int:
    """How many writes were asked for, dry runs left out."""
    ours = [r for r in cluster.server.requests if "meshui" in r.user_agent.lower() and "dryRun" not in r.query]
    return len([r for r in ours if r.method in {"PATCH", "POST", "DELETE"} and "reviews" not in r.path])


def generation(cluster: EmulatedCluster) -> int:
    """Of shop/checkout's route."""
    return int(cluster.get("VirtualService", "checkout", "shop")["metadata"]["generation"])


def assert_invariant() -> None:
    """Chain, intents with one outcome each, nothing leased past its change's end (§10)."""
    assert verify_chain().is_intact
    assert all(hasattr(attempt, "outcome") for attempt in Attempt.objects.select_related("outcome"))
    assert not Lease.objects.filter(change__state__in=TERMINAL).exists()


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


def test_row14__killed_between_two_clusters__the_first_is_not_written_again(
    way: Callable[..., Way], eu_west: EmulatedCluster, us_east: EmulatedCluster, work: Callable[..., int]
) -> None:
    moving = way(eu_west, us_east)
    moving.to_approved(80, 20)
    before = {cluster.name: generation(cluster) for cluster in (eu_west, us_east)}
    moving.start(runs=False)

    assert work(moving, "after_outcome") == -9
    half = sent(eu_west) + sent(us_east)
    assert work(moving, "") == 0

    assert half == 1
    assert moving.now().state == State.APPLIED
    for cluster in (eu_west, us_east):
        assert weights(cluster) == [80, 20]
        assert generation(cluster) == before[cluster.name] + 1
    assert_invariant()


def test_row15__a_webhook_denies_the_second_cluster__paused_named_and_the_first_stays(
    way: Callable[..., Way], eu_west: EmulatedCluster, us_east: EmulatedCluster
) -> None:
    moving = way(eu_west, us_east)
    moving.to_approved(80, 20)

    with refusing(us_east, ROUTES, message="frozen by the platform team"):
        change = moving.start()

    assert change.state == State.PAUSED
    assert "frozen by the platform team" in change.state_cause
    assert (weights(eu_west), weights(us_east)) == ([80, 20], [9, 1])
    assert_invariant()


@pytest.mark.parametrize("is_lost_in_flight", [False, True])
def test_row16__third_cluster_unreachable__others_stay_and_on_its_return_it_is_read_first(
    way: Callable[..., Way],
    emulate: Callable[..., EmulatedCluster],
    settings: Settings,
    *,
    is_lost_in_flight: bool,
) -> None:
    first, second, third = (emulate(name, worlds.eu_west()) for name in ("a", "b", "c"))
    settings.UNREACHABLE_WINDOW = 0
    moving = way(first, second, third)
    moving.to_approved(75, 25)
    moving.start(runs=False)
    advance(moving.now().pk)

    with ExitStack() as down:
        if is_lost_in_flight:
            third.server.faults.drop_reply("PATCH", on("VirtualService"))
            third.server.faults.black_hole("GET", lambda r: on("VirtualService")(r) and sent(third) > 0, times=100)
            settings.READ_TIMEOUT = 1
        else:
            down.enter_context(third.unreachable())
        drain()
        wait_until(swept(lambda: moving.now().state == State.PAUSED), seconds=60, what="the pause")
        others = weights(first), weights(second)
    third.server.faults.clear()
    before = sent(third)
    resume_change(actor=as_actor(moving.author), seen=moving.seen())
    wait_until(swept(lambda: moving.now().state in TERMINAL), seconds=60, what="the end")

    assert others == ([75, 25], [75, 25])
    assert moving.now().state == State.APPLIED, moving.now().state_cause
    assert weights(third) == [75, 25]
    assert sent(third) == (before if is_lost_in_flight else 1)
    assert_invariant()


def test_row18__worker_stopped_past_its_lease_then_let_go__its_late_patch_is_refused(
    way: Callable[..., Way], eu_west: EmulatedCluster, product_environment: dict[str, str], tmp_path: Path
) -> None:
    moving = way(eu_west)
    moving.to_approved(75, 25)
    before = generation(eu_west)
    moving.start(runs=False)
    discard_rung()
    zombie = worker_of(moving, product_environment, tmp_path / "zombie.log", "before_send:SIGSTOP:1")
    lapsed = Lease.objects.exclude(runner="").filter(runner_until__lt=db_now())
    wait_until(lambda: Attempt.objects.exists() and lapsed.exists(), seconds=60, what="the lease to run out")

    live = worker_of(moving, product_environment, tmp_path / "live.log").wait(90)
    applied = moving.now().state
    late = zombie.stop(signal.SIGCONT, seconds=90)

    assert (live, late) == (0, 0)
    assert applied == State.APPLIED
    assert generation(eu_west) == before + 1
    assert weights(eu_west) == [75, 25]
    assert [a.outcome.outcome for a in TargetStep.objects.get().attempts.all()] == ["not_applied", "written"]
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


def test_row28__the_object_has_more_fields_by_now__weights_alone_go_back(
    way: Callable[..., Way], eu_west: EmulatedCluster
) -> None:
    moving = way(eu_west)
    moving.to_applied(75, 25)
    _default_a_field(eu_west)
    more = eu_west.get("VirtualService", "checkout", "shop")
    read(Cluster.objects.get())

    restoring = propose_rollback(actor=as_actor(moving.author), seen=moving.seen())
    drain()
    back = Way(moving.author, moving.approver, moving.routes, Change.objects.get(pk=restoring.pk))
    asked = back.now().state
    back.submit()
    back.approve()
    change = back.start()

    after = eu_west.get("VirtualService", "checkout", "shop")
    assert more["spec"]["exportTo"] == ["*"]
    assert asked == State.DRAFT  # it is not as we left it, so somebody looks at it again
    assert change.state == State.APPLIED, change.state_cause
    assert weights(eu_west) == [90, 10]
    assert after["spec"]["exportTo"] == ["*"]
    assert after["metadata"]["annotations"]["example.com/owner"] == "team-storefront"


def _default_a_field(cluster: EmulatedCluster) -> None:
    """The definition is upgraded: a field gets a default, which every object shows from then on."""

    def upgrade(crd: dict[str, Any]) -> None:
        for version in crd["spec"]["versions"]:
            spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
            spec["properties"]["exportTo"] = {"type": "array", "items": {"type": "string"}, "default": ["*"]}

    cluster.edit("CustomResourceDefinition", ROUTES, "", upgrade)
    cluster.edit("VirtualService", "checkout", "shop", lambda body: body["metadata"].update(labels={"seen": "1"}))


def test_row33__a_webhook_alters_our_patch__conflict_that_shows_both(
    way: Callable[..., Way], eu_west: EmulatedCluster
) -> None:
    moving = way(eu_west)
    moving.to_approved(75, 25)
    skew = [{"op": "replace", "path": "/spec/http/0/route/0/weight", "value": 60}]

    with mutating(eu_west, ROUTES, patch=skew):
        change = moving.start()

    step = TargetStep.objects.get()
    assert change.state == State.PAUSED
    assert "stored something else than its dry run said" in change.state_cause
    assert step.state == "conflict"
    assert step.conflict is not None
    assert step.conflict["live"]["spec"]["http"][0]["route"][0]["weight"] == 60
    assert [a.outcome.outcome for a in step.attempts.all()] == ["written"]
    assert change.has_writes
    assert_invariant()
