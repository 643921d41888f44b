"""TRF052: a GRPCRoute and an HTTPRoute of one parent (trap 15)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from traffic.checks.base import Check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshes.types import Finding
    from traffic.checks.facts import Facts


def check(facts: Facts) -> Iterator[Finding]:
    """The one kind that Linkerd takes, and the other that it leaves aside."""
    if facts.desired is None:
        return
    for words in facts.outranked_by:
        text = (
            f"{words} in {facts.target} has the same parent, and Linkerd takes it alone: this HTTPRoute would do "
            "nothing. Put the split into that one, or remove it first."
        )
        yield CHECK.finding(facts, words, text, severity="block")
    for words in facts.outranks:
        text = (
            f"{words} in {facts.target} has the same parent, and Linkerd leaves it aside because of this GRPCRoute. "
            "Move its rules before it is written."
        )
        yield CHECK.finding(facts, words, text, severity="block" if facts.live is None else "warn")


CHECK = Check(
    id="TRF052",
    title="No GRPCRoute over an HTTPRoute",
    looks_for="A GRPCRoute and an HTTPRoute of the same Service in Linkerd, which takes the first alone.",
    severity="block or warn",
    run=check,
)
