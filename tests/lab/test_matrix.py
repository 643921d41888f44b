"""Rows of the failure matrix (change-control §10) on real API servers; tests/traffic has them all on the emulator."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from audit.ledger import verify_chain
from meshui.lib.clock import db_now
from meshui.lib.queue import drain
from tests.conftest import discard_rung
from tests.lab.duo import HTTP, PLACE, alone, conclude, moving, pair, rest, shares, single, weights
from tests.people import as_actor
from tests.servers import wait_until
from tests.traffic.conftest import Way, work, worker_of
from tests.traffic.matrix import assert_invariant
from traffic.models import Attempt, Lease, TargetStep
from traffic.services.apply import advance
from traffic.services.hold import pause_change, resume_change
from traffic.services.rollback import roll_back_running
from traffic.types import State, StepState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_django import Settings

    from lab.cluster import Cluster as LabCluster
    from tests.lab.duo import Pair

__all__ = ["alone", "moving", "pair", "single", "work"]

pytestmark = [pytest.mark.lab, pytest.mark.django_db(transaction=True)]
SPLIT = ("VirtualService", "checkout", PLACE)


def generation(cluster: LabCluster) -> int:
    """How often its route was changed."""
    found: int = cluster.get(*SPLIT)["metadata"]["generation"]
    return found


def test_row06__edited_after_approval__refused_and_nothing_written(alone: Way, single: LabCluster) -> None:
    alone.to_approved(75, 25)

    def meddle(body: dict[str, Any]) -> None:
        for entry, weight in zip(body["spec"]["http"][-1]["route"], (60, 40), strict=True):
            entry["weight"] = weight

    single.edit(*SPLIT, meddle)
    before = generation(single)
    change = alone.start()

    assert change.state == State.IN_REVIEW, change.state_cause
    assert (weights(single), generation(single)) == ([60, 40], before)
    assert not change.has_writes
    assert_invariant()


def test_row06__deleted_and_made_anew_after_approval__refused(alone: Way, single: LabCluster) -> None:
    alone.to_approved(75, 25)
    body = single.get(*SPLIT)
    single.delete(*SPLIT)
    kept = {name: body["metadata"][name] for name in ("name", "namespace")}
    single.client.create({**body, "metadata": kept})

    change = alone.start()

    assert change.state == State.IN_REVIEW, change.state_cause
    assert (weights(single), generation(single)) == ([90, 10], 1)
    assert_invariant()


@pytest.mark.parametrize("hook", ["before_intent", "after_outcome"])  # the others: tests/lab/test_journey.py
def test_rows11_14__killed_at_the_hook__right_end_and_one_write(
    hook: str, alone: Way, single: LabCluster, work: Callable[..., int]
) -> None:
    alone.to_approved(75, 25)
    before = generation(single)
    alone.start(runs=False)

    assert work(alone, hook) == -9
    assert work(alone, "") == 0

    change = alone.now()
    assert change.state == State.APPLIED, change.state_cause
    assert (weights(single), generation(single)) == ([75, 25], before + 1)
    assert verify_chain().is_intact


@pytest.mark.parametrize("hook", ["after_intent", "after_send"])
def test_row27__killed_during_rollback__snapshot_comes_back(
    hook: str, alone: Way, single: LabCluster, work: Callable[..., int]
) -> None:
    alone.to_approved(75, 25)
    before = generation(single)
    alone.start(runs=False)
    work(alone, "after_outcome")  # written, and nobody there to conclude
    pause_change(actor=as_actor(alone.author), seen=alone.seen())
    roll_back_running(actor=as_actor(alone.author), seen=alone.seen())

    assert work(alone, hook) == -9
    assert work(alone, "") == 0

    change = alone.now()
    assert change.state == State.ROLLED_BACK, change.state_cause
    assert (weights(single), generation(single)) == ([90, 10], before + 2)
    assert verify_chain().is_intact


def test_row18__worker_stopped_past_its_lease_then_let_go__its_late_patch_is_refused(
    alone: Way, single: LabCluster, product_environment: dict[str, str], tmp_path: Path
) -> None:
    alone.to_approved(75, 25)
    before = generation(single)
    alone.start(runs=False)
    discard_rung()
    zombie = worker_of(alone, product_environment, tmp_path / "zombie.log", "before_send:SIGSTOP:1")
    lapsed = Lease.objects.exclude(runner="").filter(runner_until__lt=db_now())
    wait_until(lambda: Attempt.objects.exists() and lapsed.exists(), seconds=60, what="the lease to run out")

    live = worker_of(alone, product_environment, tmp_path / "live.log").wait(90)
    applied = alone.now().state
    late = zombie.stop(signal.SIGCONT, seconds=90)

    assert (live, late) == (0, 0)
    assert applied == State.APPLIED
    assert (weights(single), generation(single)) == ([75, 25], before + 1)
    assert [a.outcome.outcome for a in TargetStep.objects.get().attempts.all()] == ["not_applied", "written"]
    assert_invariant()


def admission(kind: str, group: str, plural: str, **rules: Any) -> list[dict[str, Any]]:
    """A policy of the API server itself about updates of that kind in the place of these tests, and its binding."""
    api = {"apiVersion": "admissionregistration.k8s.io/v1"}
    matched = {
        "matchConstraints": {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": PLACE}},
            "resourceRules": [
                {"apiGroups": [group], "apiVersions": ["*"], "operations": ["UPDATE"], "resources": [plural]}
            ],
        }
    }
    binding: dict[str, Any] = {"policyName": "duo"}
    if kind == "Validating":
        binding["validationActions"] = ["Deny"]
    return [
        api | {"kind": f"{kind}AdmissionPolicy", "metadata": {"name": "duo"}, "spec": {**matched, **rules}},
        api | {"kind": f"{kind}AdmissionPolicyBinding", "metadata": {"name": "duo"}, "spec": binding},
    ]


@contextmanager
def in_force(
    cluster: LabCluster, bodies: list[dict[str, Any]], kind: str, is_met: Callable[[Any], bool]
) -> Iterator[None]:
    """The policy, once a dry run of checkout is answered as it says."""
    path = cluster.client.resource(kind).path(PLACE, "checkout")
    patch: dict[str, Any] = {
        "body": {"metadata": {"labels": {"probe": "yes"}}},
        "content_type": "application/merge-patch+json",
        "query": {"dryRun": "All"},
    }
    try:
        for body in bodies:
            cluster.client.create(body)
        wait_until(lambda: is_met(cluster.request("PATCH", path, **patch)), seconds=60, what="the policy")
        yield
    finally:
        for body in reversed(bodies):
            cluster.delete(body["kind"], body["metadata"]["name"])


def test_row15__the_api_server_denies_the_second_cluster__paused_by_its_words_and_rolled_back(
    moving: Way, pair: Pair
) -> None:
    moving.to_approved(75, 25)
    frozen = {"failurePolicy": "Fail", "validations": [{"expression": "false", "message": "frozen by the platform"}]}
    policy = admission("Validating", "gateway.networking.k8s.io", "httproutes", **frozen)

    with in_force(pair[1], policy, HTTP, lambda answer: answer.status == 422):
        moving.start()
        paused = rest(moving, State.PAUSED)
        there = shares(pair)
        roll_back_running(actor=as_actor(moving.author), seen=moving.seen(), reason="Frozen.")
        conclude(moving, pair)

    assert paused.state == State.PAUSED
    assert "frozen by the platform" in paused.state_cause
    assert there == ([75, 25], [90, 10])
    assert moving.now().state == State.ROLLED_BACK, moving.now().state_cause
    assert shares(pair) == ([90, 10], [90, 10])
    assert_invariant()


def test_row16__second_cluster_gone__the_first_stays_and_on_its_return_the_rest_is_written(
    moving: Way, pair: Pair, settings: Settings
) -> None:
    settings.UNREACHABLE_WINDOW = 0
    moving.to_approved(75, 25)
    moving.start(runs=False)
    advance(moving.now().pk)

    pair[1].stop_api_server()
    try:
        drain()
        paused = rest(moving, State.PAUSED)
        first = weights(pair[0])
    finally:
        pair[1].start_api_server()
    resume_change(actor=as_actor(moving.author), seen=moving.seen())
    conclude(moving, pair)

    assert paused.state == State.PAUSED
    assert first == [75, 25]
    assert moving.now().state == State.APPLIED, moving.now().state_cause
    assert shares(pair) == ([75, 25], [75, 25])
    assert_invariant()


def test_row33__the_api_server_alters_our_patch__conflict_that_shows_what_is_stored(
    alone: Way, single: LabCluster
) -> None:
    alone.to_approved(75, 25)
    skew = '[JSONPatch{op: "replace", path: "/spec/http/0/route/0/weight", value: 60}]'
    mutation = {"patchType": "JSONPatch", "jsonPatch": {"expression": skew}}
    rules = {"failurePolicy": "Fail", "reinvocationPolicy": "Never", "mutations": [mutation]}
    policy = admission("Mutating", "networking.istio.io", "virtualservices", **rules)

    with in_force(
        single, policy, "VirtualService", lambda answer: answer.body["spec"]["http"][0]["route"][0]["weight"] == 60
    ):
        alone.start()
        change = rest(alone, State.PAUSED)

    step = TargetStep.objects.get()
    assert change.state == State.PAUSED
    assert "stored something else than its dry run said" in change.state_cause
    assert step.state == StepState.CONFLICT
    assert step.conflict is not None
    assert step.conflict["live"]["spec"]["http"][0]["route"][0]["weight"] == 60
    assert [attempt.outcome.outcome for attempt in step.attempts.all()] == ["written"]
    assert_invariant()
