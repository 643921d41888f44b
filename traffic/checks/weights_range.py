"""TRF003: the range of a weight."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshes.types import FULL, Finding
from traffic.checks.base import Check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshes.types import Route
    from traffic.checks.facts import Facts


def of_route(route: Route) -> Iterator[Finding]:
    """Backends with less than nothing or more than all."""
    for rule in route.rules:
        for backend in rule.backends:
            if not 0 <= backend.weight_bp <= FULL:
                text = f"{backend.backend.name} has {backend.weight_bp / 100:.2f} %. Use 0 to 100 %."
                yield Finding("TRF003", "block", f"rules[{rule.name}].backends[{backend.backend.key}]", text)


def check(facts: Facts) -> Iterator[Finding]:
    """The same of a target."""
    for found in of_route(facts.desired) if facts.desired else ():
        yield CHECK.finding(facts, found.where, found.message)


CHECK = Check(
    id="TRF003",
    title="Each weight lies between 0 and 100 %",
    looks_for="A weight below 0 or above 100 %.",
    severity="block",
    run=check,
)
