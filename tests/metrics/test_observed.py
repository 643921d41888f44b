"""Whether requests were shared as approved: within what a sample can tell, or not, or it cannot be told."""

from __future__ import annotations

import math
import random

import pytest

from metrics.observed import FEWEST, Coverage, observe_split, whole_of

APPROVED = {"v1": 9_000, "v2": 1_000}


def test_observe__shares_as_approved__observed() -> None:
    found = observe_split(APPROVED, {"v1": 912.0, "v2": 88.0})

    assert (found.answer, found.requests) == ("observed", 1_000)
    assert [share.measured for share in found.shares] == [0.912, 0.088]


def test_observe__backend_off_by_more_than_chance__mismatch_that_names_it() -> None:
    found = observe_split(APPROVED, {"v1": 700.0, "v2": 300.0})

    assert found.answer == "mismatch"
    assert "v2 got 30.0% of 1,000 requests; approved are 10.0%" in found.reason


def test_observe__fractions_of_requests__rounded_once_so_that_they_add_up() -> None:
    counts = {"v1": 500.6, "v2": 499.6}

    assert sum(whole_of(counts).values()) == observe_split({"v1": 5_000, "v2": 5_000}, counts).requests == 1_001
    assert Coverage(15, 60, 36, 36, counts).whole == {"v1": 501, "v2": 500}


def test_observe__few_requests__tolerance_is_wider() -> None:
    few, many = ({"v1": 82.0 * n, "v2": 18.0 * n} for n in (1, 100))

    assert observe_split(APPROVED, few).answer == "observed"
    assert observe_split(APPROVED, many).answer == "mismatch"


def test_observe__two_points__tolerated_however_many_requests() -> None:
    assert observe_split(APPROVED, {"v1": 8_810_000.0, "v2": 1_190_000.0}).answer == "observed"
    assert observe_split(APPROVED, {"v1": 8_790_000.0, "v2": 1_210_000.0}).answer == "mismatch"


def test_observe__backend_that_was_not_approved__mismatch() -> None:
    found = observe_split(APPROVED, {"v1": 850.0, "v2": 90.0, "v3": 60.0})

    assert (found.answer, found.reason.split()[0]) == ("mismatch", "v3")


def test_observe__weight_zero_that_gets_requests__mismatch() -> None:
    found = observe_split({"v1": 10_000, "v2": 0}, {"v1": 900.0, "v2": 100.0})

    assert found.answer == "mismatch"


def test_observe__backend_without_requests_at_all__mismatch() -> None:
    assert observe_split({"v1": 5_000, "v2": 5_000}, {"v1": 500.0}).answer == "mismatch"


@pytest.mark.parametrize(
    ("approved", "counted", "why"),
    [
        (APPROVED, None, "no Prometheus"),
        (APPROVED, {}, "Only 0 requests"),
        (APPROVED, {"v1": FEWEST - 2.0, "v2": 1.0}, "Only 29 requests"),
        (APPROVED, {"v1": math.nan, "v2": math.inf}, "Only 0 requests"),
        ({"v1": 10_000}, {"v1": 500.0}, "one backend alone"),
        ({"v1": 5_000, "v2": 1_000}, {"v1": 500.0, "v2": 100.0}, "do not add up"),
    ],
)
def test_observe__something_missing__cannot_be_observed_and_says_what(
    approved: dict[str, int], counted: dict[str, float] | None, why: str
) -> None:
    found = observe_split(approved, counted, why="There is no Prometheus.")

    assert found.answer == "cannot be observed"
    assert why in found.reason


@pytest.mark.parametrize("percent", [1, 5, 10, 50])
@pytest.mark.parametrize("requests", [50, 500, 5_000])
def test_observe__honest_proxy_by_chance__is_hardly_ever_called_a_mismatch(percent: int, requests: int) -> None:
    chance = random.Random(f"{percent} {requests}")  # noqa: S311 - dice
    approved = {"v1": 10_000 - percent * 100, "v2": percent * 100}

    answers = []
    for _ in range(200):
        hits = sum(chance.random() < percent / 100 for _ in range(requests))
        answers.append(observe_split(approved, {"v1": float(requests - hits), "v2": float(hits)}).answer)

    assert answers.count("mismatch") <= 2
