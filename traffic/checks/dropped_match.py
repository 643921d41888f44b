"""TRF016: a match that would be lost on the way (trap 6, ruling 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from traffic.checks.base import Check
from traffic.checks.rules import at, expanded, match_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshes.types import Finding
    from traffic.checks.facts import Facts


def check(facts: Facts) -> Iterator[Finding]:
    """Rules that would be written without a match that they are wanted with: they would take other requests."""
    if facts.desired is None or facts.written is None or len(facts.desired.rules) != len(facts.written.rules):
        return
    for wanted, written in zip(facts.desired.rules, facts.written.rules, strict=True):
        if expanded(wanted) == expanded(written):
            continue
        lost = sorted(match_words(match) for match in expanded(wanted) - expanded(written))
        named = f"the match “{' or '.join(lost)}”" if lost else "a match"
        text = (
            f"Rule “{wanted.name}” in {facts.target} would be written without {named} as it is wanted, so it would "
            "take other requests. Match on something that this mesh can hold."
        )
        yield CHECK.finding(facts, f"{at(wanted)}.matches", text)


CHECK = Check(
    id="TRF016",
    title="No match is dropped",
    looks_for="A rule that would be written with other matches than wanted: it would take requests that nobody chose.",
    severity="block",
    run=check,
)
