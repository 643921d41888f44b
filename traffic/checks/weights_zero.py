"""TRF002: all weights zero (trap 1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshes.types import Finding
from traffic.checks.base import Check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshes.types import Route
    from traffic.checks.facts import Facts


def of_route(route: Route) -> Iterator[Finding]:
    """Rules in which nobody gets a request."""
    for rule in route.rules:
        if rule.backends and all(backend.weight_bp == 0 for backend in rule.backends):
            yield Finding("TRF002", "block", f"rules[{rule.name}].backends", "Give at least one backend more than 0 %.")


def check(facts: Facts) -> Iterator[Finding]:
    """The same of a target."""
    for found in of_route(facts.desired) if facts.desired else ():
        yield CHECK.finding(facts, found.where, found.message)


CHECK = Check(
    id="TRF002",
    title="Somebody gets the requests",
    looks_for="A rule whose weights are all 0: each mesh does something else with it, most answer with errors.",
    severity="block",
    run=check,
)
