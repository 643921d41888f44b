"""A worker killed with -9 at every named point: the next one brings the change to the right end, once.

Rows 11, 12, 13, 14 and 27 of the failure matrix, with a real process and a real signal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.traffic.conftest import Way, weights
from tests.traffic.matrix import generation
from tests.traffic.rows import check_killed_at_the_hook, check_killed_during_rollback

if TYPE_CHECKING:
    from collections.abc import Callable

    from playground.cluster import EmulatedCluster

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.walks]

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
    before = generation(eu_west)

    check_killed_at_the_hook(moving, work, hook)

    assert (weights(eu_west), generation(eu_west)) == ([75, 25], before + 1)


@pytest.mark.parametrize("hook", ["before_intent", "after_intent", "after_send", "after_outcome"])
def test_row27__killed_during_rollback__snapshot_comes_back(
    hook: str, way: Callable[..., Way], work: Callable[..., int], eu_west: EmulatedCluster
) -> None:
    check_killed_during_rollback(way(eu_west), work, hook)

    assert weights(eu_west) == [90, 10]
