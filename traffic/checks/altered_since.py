"""TRF032: what somebody changed since we wrote it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from traffic.checks.base import Check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshes.types import Finding
    from traffic.checks.facts import Facts


def check(facts: Facts) -> Iterator[Finding]:
    """Objects that would be deleted and are not as our last write left them (change-control §5.1)."""
    for words in facts.altered:
        text = (
            f"{words} in {facts.target} is not as MeshUI last wrote it, so it is not deleted. Give one backend 100 % "
            "instead, or delete it yourself."
        )
        yield CHECK.finding(facts, words, text)


CHECK = Check(
    id="TRF032",
    title="What is deleted is as we wrote it",
    looks_for="An object that would be deleted and that somebody changed since MeshUI wrote it.",
    severity="block",
    run=check,
)
