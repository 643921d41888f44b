"""Rows of the failure matrix (change-control §10) on real API servers; tests/traffic has them all on the emulator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from lab.webhooks import refusing
from meshui.lib.queue import drain
from tests.lab.duo import PLACE, alone, conclude, moving, pair, rest, shares, single, weights
from tests.people import as_actor
from tests.traffic.conftest import Way, work
from tests.traffic.matrix import assert_invariant
from tests.traffic.rows import (
    check_altered_patch_is_a_conflict,
    check_killed_at_the_hook,
    check_killed_during_rollback,
    check_late_patch_is_refused,
)
from traffic.services.apply import advance
from traffic.services.hold import resume_change
from traffic.services.rollback import roll_back_running
from traffic.types import State

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_django import Settings

    from lab.cluster import Cluster as LabCluster
    from tests.lab.duo import Pair

__all__ = ["alone", "moving", "pair", "single", "work"]

pytestmark = [pytest.mark.lab, pytest.mark.django_db(transaction=True)]
HTTP_ROUTES = "httproutes.gateway.networking.k8s.io"
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
    before = generation(single)

    check_killed_at_the_hook(alone, work, hook)

    assert (weights(single), generation(single)) == ([75, 25], before + 1)


@pytest.mark.parametrize("hook", ["after_intent", "after_send"])
def test_row27__killed_during_rollback__snapshot_comes_back(
    hook: str, alone: Way, single: LabCluster, work: Callable[..., int]
) -> None:
    before = generation(single)

    check_killed_during_rollback(alone, work, hook)

    assert (weights(single), generation(single)) == ([90, 10], before + 2)


def test_row18__worker_stopped_past_its_lease_then_let_go__its_late_patch_is_refused(
    alone: Way, single: LabCluster, product_environment: dict[str, str], tmp_path: Path
) -> None:
    before = generation(single)

    check_late_patch_is_refused(alone, product_environment, tmp_path)

    assert (weights(single), generation(single)) == ([75, 25], before + 1)


def test_row15__a_webhook_denies_the_second_cluster__paused_by_its_words_and_rolled_back(
    moving: Way, pair: Pair
) -> None:
    moving.to_approved(75, 25)

    with refusing(pair[1], HTTP_ROUTES, message="frozen by the platform"):
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


def test_row33__a_webhook_alters_our_patch__conflict_that_shows_what_is_stored(alone: Way, single: LabCluster) -> None:
    check_altered_patch_is_a_conflict(alone, single)
