"""Checks of weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshes.types import FULL, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshes.types import Route


def check_sum(route: Route) -> Iterator[Finding]:
    """TRF001: the backends of a rule share exactly 100 % (Kiali KIA1102 is its nearest)."""
    for rule in route.rules:
        total = sum(backend.weight_bp for backend in rule.backends)
        if rule.backends and total != FULL:
            text = f"Weights add up to {total / 100:.2f} %. Change one of them so that they add up to 100 %."
            yield Finding("TRF001", "block", f"rules[{rule.name}].backends", text)


def check_not_all_zero(route: Route) -> Iterator[Finding]:
    """TRF002: somebody must get the requests; all weights 0 means something else on every mesh (§12 trap 1)."""
    for rule in route.rules:
        if rule.backends and all(backend.weight_bp == 0 for backend in rule.backends):
            yield Finding("TRF002", "block", f"rules[{rule.name}].backends", "Give at least one backend more than 0 %.")


def check_range(route: Route) -> Iterator[Finding]:
    """TRF003: each weight lies between 0 and 100 %."""
    for rule in route.rules:
        for backend in rule.backends:
            if not 0 <= backend.weight_bp <= FULL:
                text = f"{backend.backend.name} has {backend.weight_bp / 100:.2f} %. Use 0 to 100 %."
                yield Finding("TRF003", "block", f"rules[{rule.name}].backends[{backend.backend.key}]", text)
