"""TRF017: a rule that no request reaches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from traffic.checks.base import Check
from traffic.checks.rules import at, covers, expanded, takes_all

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshes.types import Finding, Rule
    from traffic.checks.facts import Facts


def check(facts: Facts) -> Iterator[Finding]:
    """Rules whose requests an earlier one takes. In the Gateway API the most specific match wins, not the first."""
    rules = facts.desired.rules if facts.desired else ()
    is_hidden = _is_the_same if facts.is_gateway_api else _is_covered
    for index, rule in enumerate(rules):
        first = next((earlier for earlier in rules[:index] if is_hidden(rule, earlier)), None)
        if first is not None:
            text = (
                f"Rule “{rule.name}” in {facts.target} never gets a request: rule “{first.name}” before it takes them "
                "all. Move it up, narrow the other, or remove it."
            )
            yield CHECK.finding(facts, at(rule), text)


def _is_covered(rule: Rule, earlier: Rule) -> bool:
    if takes_all(earlier):
        return True
    return bool(rule.matches) and all(any(covers(wide, match) for wide in earlier.matches) for match in rule.matches)


def _is_the_same(rule: Rule, earlier: Rule) -> bool:
    if takes_all(rule) or takes_all(earlier):
        return takes_all(rule) and takes_all(earlier)
    return expanded(rule) <= expanded(earlier)


CHECK = Check(
    id="TRF017",
    title="Every rule can be reached",
    looks_for="A rule that can never match because an earlier one takes all its requests (istiod warns of it too: "
    "VirtualServiceUnreachableRule).",
    severity="warn",
    run=check,
)
