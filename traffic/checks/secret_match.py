"""TRF018: a match whose value would have to stay secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

from traffic.checks.base import Check
from traffic.checks.rules import SECRET, at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshes.types import Finding, Match, Route
    from traffic.checks.facts import Facts


def check(facts: Facts) -> Iterator[Finding]:
    """New matches on the value of a header or parameter that holds a secret; those that are there already may stay."""
    known = {part for part, _ in _secrets(facts.live)} if facts.live else set()
    for part, where in _secrets(facts.desired) if facts.desired else ():
        if part not in known:
            text = (
                f"A match on the {part} would put a secret into the change of {facts.target}, where everybody who may "
                "approve it reads it. Match on another header, such as x-canary."
            )
            yield CHECK.finding(facts, where, text)


def _secrets(route: Route) -> Iterator[tuple[str, str]]:
    """(what, where) of every match on such a value."""
    for rule in route.rules:
        for match in rule.matches:
            for part in _parts(match):
                yield part, f"{at(rule)}.matches"


def _parts(match: Match) -> Iterator[str]:
    for kind, asked in (("header", match.headers), ("query parameter", match.query)):
        for item in asked:
            if item.type != "present" and SECRET.search(item.name):
                yield f"{kind} {item.name}"


CHECK = Check(
    id="TRF018",
    title="No secret in a match",
    looks_for="A new match on the value of a header or query parameter whose name says that it is a secret "
    "(authorization, cookie, token, key, secret, password).",
    severity="block",
    run=check,
)
