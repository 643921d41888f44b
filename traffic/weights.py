"""Arithmetic of weights: basis points that always sum to the whole. Pure."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from meshes.types import FULL

if TYPE_CHECKING:
    from collections.abc import Sequence


class WeightError(ValueError):
    """A weight that cannot be read; `args[0]` says why."""


def parse_percent(text: str) -> int:
    """`75`, `75 %`, `99.5` → basis points 0..10000. Raises WeightError with the mend."""
    cleaned = text.replace("%", "").replace("\u202f", "").replace("\u00a0", "").strip().replace(",", ".")
    try:
        value = Decimal(cleaned) * 100
    except InvalidOperation as error:
        raise WeightError(f"“{text[:20]}” is not a number. Write a percentage such as 75 or 99.5.") from error
    if not value.is_finite() or value != value.to_integral_value():
        raise WeightError("At most two decimals: the smallest step is 0.01 %.")
    if not 0 <= value <= FULL:
        raise WeightError("A weight lies between 0 and 100 %.")
    return int(value)


def distribute(total: int, shares: Sequence[int]) -> tuple[int, ...]:
    """`total` shared in the ratio of `shares` by largest remainder: sums to `total` exactly; ties go to the first."""
    whole = sum(shares)
    if whole <= 0:
        raise WeightError("All weights are zero: nothing says who gets the requests.")
    exact = [total * share for share in shares]
    floors = [value // whole for value in exact]
    order = sorted(range(len(shares)), key=lambda i: (-(exact[i] % whole), i))
    for index in order[: total - sum(floors)]:
        floors[index] += 1
    return tuple(floors)
