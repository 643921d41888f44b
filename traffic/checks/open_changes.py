"""TRF022: two changes of one object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from traffic.checks.base import Check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshes.types import Finding
    from traffic.checks.facts import Facts


def check(facts: Facts) -> Iterator[Finding]:
    """Other open changes of the same route object."""
    if facts.open_changes:
        named = ", ".join(facts.open_changes)
        text = (
            f"{facts.object or 'This route'} in {facts.target} is also in {named}. Whichever is applied first voids "
            "the approvals of the other: agree with its author which one goes on."
        )
        yield CHECK.finding(facts, facts.object or "route", text)


CHECK = Check(
    id="TRF022",
    title="No other open change of the route",
    looks_for="Another change request that is not over and names the same object.",
    severity="warn",
    run=check,
)
