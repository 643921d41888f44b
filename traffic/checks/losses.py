"""TRF030: what the mesh cannot hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from traffic.checks.base import Check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshes.types import Finding
    from traffic.checks.facts import Facts


def check(facts: Facts) -> Iterator[Finding]:
    """Losses by name: those that move requests are refused, the others may be approved."""
    for loss in facts.losses:
        if loss.moves_requests:
            text = (
                f"{_sentence(loss.reason)} ({facts.mesh} in {facts.target}) Change the proposal so that it can be held."
            )
            yield CHECK.finding(facts, loss.path, text, severity="block")
        else:
            text = f"{_sentence(loss.reason)} ({facts.mesh} in {facts.target}) Approve it so, or leave this target out."
            yield CHECK.finding(facts, loss.path, text, severity="warn")


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


CHECK = Check(
    id="TRF030",
    title="The mesh can hold the route",
    looks_for="A field that the mesh cannot hold exactly: refused where it would move requests, else shown.",
    severity="block or warn",
    run=check,
)
