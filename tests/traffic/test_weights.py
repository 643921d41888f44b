"""Basis points that always sum to the whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshes.types import FULL
from traffic.weights import WeightError, distribute, parse_percent


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
