"""TRF013: rules and backends that go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from traffic.checks.base import Check
from traffic.checks.rules import at, pairs, percent, removed, requests_of, shares

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshes.types import Finding, Route
    from traffic.checks.facts import Facts


def check(facts: Facts) -> Iterator[Finding]:
    """Rules of the live route that are not wanted any more, and backends that had requests."""
    if facts.desired is None or facts.live is None:
        return
    for rule in removed(facts.desired, facts.live):
        text = (
            f"Rule “{rule.name}” ({requests_of(rule)}) is removed in {facts.target}: its requests go by the other "
            "rules. Put it back into the proposal if nobody meant that."
        )
        yield CHECK.finding(facts, at(rule), text)
    yield from _backends(facts, facts.desired, facts.live)


def _backends(facts: Facts, desired: Route, live: Route) -> Iterator[Finding]:
    for wanted, found in pairs(desired, live):
        kept = shares(wanted)
        for item in found.backends if found else ():
            if item.weight_bp and item.backend.key not in kept:
                text = (
                    f"{item.backend.name} is taken out of rule “{wanted.name}” in {facts.target}, where it gets "
                    f"{percent(item.weight_bp)}. Keep it at 0 % if you may need it again."
                )
                yield CHECK.finding(facts, at(wanted, item.backend), text)


CHECK = Check(
    id="TRF013",
    title="Rules and backends that are removed",
    looks_for="A live rule, or a backend with requests, that would be gone: named, so that it is never by accident.",
    severity="warn",
    run=check,
)
