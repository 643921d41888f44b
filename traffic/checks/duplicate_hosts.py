"""TRF050: several objects for one host or parent (trap 8, ruling 11)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from traffic.checks.base import Check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshes.types import Finding
    from traffic.checks.facts import Facts


def check(facts: Facts) -> Iterator[Finding]:
    """Other objects that decide for the same clients, and which one is believed to win."""
    if not facts.rivals or facts.desired is None:
        return
    others = ", ".join(facts.rivals)
    where = facts.object or "route"
    if facts.winner and facts.winner != facts.object:
        text = (
            f"{others} in {facts.target} decides for the same host, and {facts.winner} is believed to win: this one "
            "would do nothing. Change that one, or remove it first."
        )
        yield CHECK.finding(facts, where, text, severity="block" if facts.live is None else "warn")
    elif facts.winner:
        text = (
            f"{others} in {facts.target} decides for the same host; {facts.object} is believed to win. "
            "Keep one of them, so that it does not depend on their age."
        )
        yield CHECK.finding(facts, where, text, severity="warn")
    else:
        text = (
            f"{others} in {facts.target} decides for the same service too, and the rules of both are merged. "
            "Make sure that no rule there takes what these are for."
        )
        yield CHECK.finding(facts, where, text, severity="warn")


CHECK = Check(
    id="TRF050",
    title="One object decides",
    looks_for="Other route objects for the same host or parent and the same clients, and which of them is believed to "
    "win; a new one that would do nothing is refused.",
    severity="block or warn",
    run=check,
    kiali="KIA1106",
)
