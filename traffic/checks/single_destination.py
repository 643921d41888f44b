"""TRF004: a backend that is alone in its rule (trap 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshes.types import FULL
from traffic.checks.base import Check
from traffic.checks.rules import at, pairs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshes.types import Finding
    from traffic.checks.facts import Facts


def check(facts: Facts) -> Iterator[Finding]:
    """Rules with one backend that has a weight of its own, or that had others beside it."""
    for wanted, found in pairs(facts.desired, facts.live) if facts.desired else ():
        if len(wanted.backends) != 1:
            continue
        only = wanted.backends[0]
        where = at(wanted, only.backend)
        if only.weight_bp != FULL:
            text = (
                f"{only.backend.name} is alone in rule “{wanted.name}” of {facts.target}: it gets every request, "
                "whatever its weight. Add a second backend to share with, or give it 100 %."
            )
            yield CHECK.finding(facts, where, text, severity="block")
        elif found is not None and len(found.backends) > 1:
            text = (
                f"{only.backend.name} would be alone in rule “{wanted.name}” of {facts.target}: nothing can be shifted "
                "back before another backend is added. Keep the others at 0 % if you may need them."
            )
            yield CHECK.finding(facts, where, text, severity="warn")


CHECK = Check(
    id="TRF004",
    title="A single backend ignores its weight",
    looks_for="A rule with one backend whose weight is not 100 % (it gets everything all the same), or that loses its "
    "other backends.",
    severity="block or warn",
    run=check,
    kiali="KIA1104",
)
