"""Weights of backends become weights of workloads, in whole numbers and in proportion."""

from __future__ import annotations

import pytest

from playground.traffic.forwarding import LARGEST_SUM, Backend, forward
from tests.playground.traffic.worlds import directory, weights

DIRECTORY = directory()
CHECKOUT, V1, V2, EMPTY = (
    DIRECTORY.services[f"shop/{name}"] for name in ("checkout", "checkout-v1", "checkout-v2", "empty")
)


@pytest.mark.parametrize(
    ("pods", "expected"),
    [
        ({"v1": 1, "v2": 1}, {"shop/checkout|checkout-v1": 1, "shop/checkout|checkout-v2": 1}),
        ({"v1": 3, "v2": 1}, {"shop/checkout|checkout-v1": 3, "shop/checkout|checkout-v2": 1}),
        ({"v1": 2}, {"shop/checkout|checkout-v1": 1}),
    ],
)
def test_forward__service_of_all_versions__shared_by_pods(pods: dict[str, int], expected: dict[str, int]) -> None:
    assert weights(forward(directory(pods=pods), [Backend(CHECKOUT, 1)])) == expected


def test_forward__two_services__by_their_weights() -> None:
    made = forward(DIRECTORY, [Backend(V1, 9950), Backend(V2, 50)])

    assert weights(made) == {"shop/checkout-v1|checkout-v1": 199, "shop/checkout-v2|checkout-v2": 1}


def test_forward__weight_zero__gets_nothing() -> None:
    made = forward(DIRECTORY, [Backend(V1, 100), Backend(V2, 0)])

    assert weights(made) == {"shop/checkout-v1|checkout-v1": 1}


def test_forward__nobody_behind_a_backend__its_share_finds_nobody() -> None:
    made = forward(DIRECTORY, [Backend(V1, 3), Backend(EMPTY, 1), Backend(None, 1)])

    assert weights(made) == {"shop/checkout-v1|checkout-v1": 3, "shop/empty|": 1, "unknown": 1}


def test_forward__sum_too_large_for_envoy__fits_and_loses_nobody() -> None:
    made = weights(forward(DIRECTORY, [Backend(V1, LARGEST_SUM), Backend(V2, 1)]))

    assert sum(made.values()) <= LARGEST_SUM
    assert min(made.values()) == 1
