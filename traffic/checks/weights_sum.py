"""TRF001: the weights of a rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshes.types import FULL, Finding
from traffic.checks.base import Check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshes.types import Route
    from traffic.checks.facts import Facts


def of_route(route: Route) -> Iterator[Finding]:
    """Rules whose backends do not share exactly 100 %."""
    for rule in route.rules:
        total = sum(backend.weight_bp for backend in rule.backends)
        if rule.backends and total != FULL:
            text = f"Weights add up to {total / 100:.2f} %. Change one of them so that they add up to 100 %."
            yield Finding("TRF001", "block", f"rules[{rule.name}].backends", text)


def check(facts: Facts) -> Iterator[Finding]:
    """The same of a target."""
    for found in of_route(facts.desired) if facts.desired else ():
        yield CHECK.finding(facts, found.where, found.message)


CHECK = Check(
    id="TRF001",
    title="Weights add up to 100 %",
    looks_for="A rule whose backends share more or less than 100 %.",
    severity="block",
    run=check,
)
