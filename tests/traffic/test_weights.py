"""Basis points that always sum to the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshes.adapters.registry import adapter_for
from meshes.types import FULL
from playground import south, worlds
from traffic.weights import WeightError, distribute, parse_percent

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshui.lib.jsontypes import JsonObject


@pytest.mark.parametrize(
    ("text", "bp"), [("75", 7500), ("99.5", 9950), ("0.01", 1), ("75 %", 7500), ("99,5", 9950), ("100", FULL), ("0", 0)]
)
def test_parse_percent__good__basis_points(text: str, bp: int) -> None:
    assert parse_percent(text) == bp


@pytest.mark.parametrize("text", ["", "abc", "1e400", "nan", "inf", "-1", "100.01", "0.001", "7 5", "0x10"])
def test_parse_percent__bad__refused_with_the_mend(text: str) -> None:
    with pytest.raises(WeightError, match=r"percentage|decimals|between"):
        parse_percent(text)


@given(st.integers(0, FULL))
def test_parse_percent__any_weight_as_text__is_itself(bp: int) -> None:
    assert parse_percent(f"{bp / 100:.2f}") == bp


@given(st.lists(st.integers(0, 1_000_000), min_size=1, max_size=64).filter(any))
def test_distribute__any_shares__sums_exactly_and_zero_stays_zero(shares: list[int]) -> None:
    achieved = distribute(FULL, shares)

    assert sum(achieved) == FULL
    assert all(a == 0 for a, share in zip(achieved, shares, strict=True) if share == 0)
    assert all(abs(a - FULL * s / sum(shares)) < 1 for a, s in zip(achieved, shares, strict=True))


def test_distribute__all_zero__refused() -> None:
    with pytest.raises(WeightError, match="All weights are zero"):
        distribute(FULL, [0, 0])


def _virtual_service(weights: list[int]) -> JsonObject:
    shares = {f"v{place}": weight for place, weight in enumerate(weights)}
    return worlds.virtual_service("shop", "checkout", ["checkout"], [worlds.split("checkout", shares)])


def _http_route(weights: list[int]) -> JsonObject:
    shares = {f"checkout-v{place}": weight for place, weight in enumerate(weights)}
    return south.http_route("checkout", [south.split(shares)])


WAYS = [("istio", _virtual_service), ("istio", _http_route), ("linkerd", _http_route)]


@pytest.mark.parametrize(("mesh", "native"), WAYS)
@given(weights=st.lists(st.integers(0, 100), min_size=2, max_size=4).filter(any), factor=st.integers(2, 50))
def test_row34__the_same_shares_in_another_sum__one_hash_in_every_mesh(
    mesh: str, native: Callable[[list[int]], JsonObject], weights: list[int], factor: int
) -> None:
    adapter = adapter_for(mesh)
    moved = [weights[0] + 1, *weights[1:]]
    bodies = [_stored(native(each)) for each in (weights, [factor * weight for weight in weights], moved)]
    ref = adapter.live(bodies[0]).ref

    once, again, other = (adapter.project(ref, body).hash for body in bodies)

    assert once == again
    assert (once == other) is (len([w for w in weights if w]) == 1 and weights[0] > 0)


def _stored(body: JsonObject) -> JsonObject:
    metadata: dict[str, Any] = {"uid": "1", "resourceVersion": "1", "generation": 1}
    return {**body, "metadata": {**cast("dict[str, Any]", body["metadata"]), **metadata}}
