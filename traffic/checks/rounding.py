"""TRF005: weights that the mesh can hold only nearly (ruling 20)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from traffic.checks.base import Check
from traffic.checks.rules import percent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshes.types import Finding
    from traffic.checks.facts import Facts

MOST_BP = 50
"""The largest error that may be approved."""


def check(facts: Facts) -> Iterator[Finding]:
    """A rounding of weights: shown up to half a percent, refused above."""
    error = facts.quantisation_error_bp
    if error > MOST_BP:
        text = (
            f"{facts.mesh} in {facts.target} can hold these weights only with an error of {percent(error)}, more than "
            f"{percent(MOST_BP)}. Use weights that it can hold, whole percents for example."
        )
        yield CHECK.finding(facts, "rules", text, severity="block")
    elif error > 0:
        text = (
            f"{facts.mesh} in {facts.target} rounds these weights by up to {percent(error)}. "
            "Use weights that it can hold, or approve the rounded ones."
        )
        yield CHECK.finding(facts, "rules", text, severity="warn")


CHECK = Check(
    id="TRF005",
    title="The mesh can hold the weights",
    looks_for="Weights that are rounded: up to 0.5 % is shown and may be approved, more is refused.",
    severity="block or warn",
    run=check,
)
