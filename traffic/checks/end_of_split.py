"""TRF023: the end of a split that is not ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from traffic.checks.base import Check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshes.types import Finding
    from traffic.checks.facts import Facts


def check(facts: Facts) -> Iterator[Finding]:
    """What an end would delete: only what MeshUI made, and nobody wrote since."""
    if facts.desired is not None:
        return
    for words in facts.foreign:
        text = (
            f"{words} in {facts.target} was not made by MeshUI, so it is not deleted by it. Shift all requests to one "
            "backend instead, or delete it with the tool that made it."
        )
        yield CHECK.finding(facts, words, text, severity="block")
    for owner in facts.owners:
        if owner.owner_class == "human" and owner.object not in facts.foreign:
            text = (
                f"{owner.object} in {facts.target} was last written by {owner.name}: what was changed there is lost "
                "with it. Look at the diff before you approve."
            )
            yield CHECK.finding(facts, owner.object, text, severity="warn")


CHECK = Check(
    id="TRF023",
    title="Only what is ours is deleted",
    looks_for="The end of a split whose objects MeshUI did not make (refused), or that somebody wrote since (shown).",
    severity="block or warn",
    run=check,
)
