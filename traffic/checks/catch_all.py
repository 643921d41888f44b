"""TRF015: requests that no rule takes (trap 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from traffic.checks.base import Check
from traffic.checks.rules import takes_all

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshes.types import Finding
    from traffic.checks.facts import Facts


def check(facts: Facts) -> Iterator[Finding]:
    """Routes without a rule for all requests. One that had none before is not made worse: it may still be changed."""
    desired, live = facts.desired, facts.live
    if desired is None or desired.protocol == "tcp" or any(takes_all(rule) for rule in desired.rules):
        return
    is_lost = live is None or any(takes_all(rule) for rule in live.rules)
    is_alone = not facts.rivals
    text = (
        f"No rule of {facts.object or 'this route'} in {facts.target} takes the requests that match none: they get "
        "404. Add a rule without a match at the end."
    )
    is_broken = facts.is_gateway_api and is_lost and is_alone
    yield CHECK.finding(facts, "rules", text, severity="block" if is_broken else "warn")


CHECK = Check(
    id="TRF015",
    title="A rule takes what no other takes",
    looks_for="A route without a catch-all rule: what matches nothing gets 404. On Gateway API routes a change that "
    "takes the last catch-all away is refused.",
    severity="block or warn",
    run=check,
)
