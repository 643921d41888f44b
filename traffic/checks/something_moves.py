"""TRF011: a target that has already what is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from traffic.checks.base import Check
from traffic.checks.rules import shares

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshes.types import Finding, Route
    from traffic.checks.facts import Facts


def check(facts: Facts) -> Iterator[Finding]:
    """The same rules in the same order, with the same weights."""
    if facts.desired is None or facts.live is None:
        return
    if _routing(facts.desired) == _routing(facts.live):
        text = f"{facts.target} already has these weights: nothing will be written there. Leave it out if you like."
        yield CHECK.finding(facts, "rules", text)


def _routing(route: Route) -> list[object]:
    return [(rule.matches, shares(rule)) for rule in route.rules]


CHECK = Check(
    id="TRF011",
    title="Something moves",
    looks_for="A target that already has what is asked: nothing is sent to it.",
    severity="warn",
    run=check,
)
