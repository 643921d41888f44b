"""TRF031: what could not be put back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from traffic.checks.base import Check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshes.types import Finding
    from traffic.checks.facts import Facts


def check(facts: Facts) -> Iterator[Finding]:
    """Objects that hold secret values where something would be taken away: those are never kept."""
    for words in facts.unkept:
        text = (
            f"What would be taken away of {words} in {facts.target} holds secret values, which MeshUI never keeps: it "
            "could not be rolled back. Remove it with the tool that made it."
        )
        yield CHECK.finding(facts, words, text)


CHECK = Check(
    id="TRF031",
    title="It can be rolled back",
    looks_for="A part that would be taken away and could not be put back, because it holds secret values.",
    severity="block",
    run=check,
)
