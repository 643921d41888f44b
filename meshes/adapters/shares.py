"""Native weights and basis points, both ways: the same for every mesh whose weights are relative. Pure."""

from __future__ import annotations

from functools import reduce
from math import gcd
from typing import TYPE_CHECKING, Any

from meshes.types import FULL

if TYPE_CHECKING:
    from collections.abc import Sequence


def basis_points(weights: Sequence[int]) -> list[int]:
    """Relative weights as basis points by largest remainder, ties to the first; all zero stays all zero."""
    total = sum(weights)
    if total <= 0:
        return [0 for _ in weights]
    floors = [FULL * weight // total for weight in weights]
    order = sorted(range(len(weights)), key=lambda i: (-(FULL * weights[i] % total), i))
    for index in order[: FULL - sum(floors)]:
        floors[index] += 1
    return floors


def native_weights(shares: Sequence[int]) -> list[int]:
    """Whole percents when all are; else basis points (ruling 1): people read these objects."""
    return [share // 100 for share in shares] if all(share % 100 == 0 for share in shares) else list(shares)


def reduce_weights(route: list[dict[str, Any]], *, absent: int) -> None:
    """Make the entries of a rule comparable: 50/50 and 1/1 are the same, and what is `absent` is said."""
    weights = [absent if entry.get("weight") is None else int(entry["weight"]) for entry in route]
    divisor = reduce(gcd, weights, 0) or 1
    for entry, weight in zip(route, weights, strict=True):
        entry["weight"] = weight // divisor
