"""TRF023: the end of a split that is not ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from traffic.checks.base import Check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshes.types import Finding
    from traffic.checks.facts import Facts


def check(facts: Facts) -> Iterator[Finding]:
    """Objects that an end would delete and that MeshUI did not make."""
    if facts.desired is not None:
        return
    for words in facts.foreign:
        text = (
            f"{words} in {facts.target} was not made by MeshUI, so it is not deleted by it. Shift all requests to one "
            "backend instead, or delete it with the tool that made it."
        )
        yield CHECK.finding(facts, words, text)


CHECK = Check(
    id="TRF023",
    title="Only what is ours is deleted",
    looks_for="The end of a split whose objects MeshUI did not make.",
    severity="block",
    run=check,
)
