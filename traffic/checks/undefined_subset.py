"""TRF042: a subset that nothing defines (trap 9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from traffic.checks.base import Check
from traffic.checks.rules import at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshes.types import Finding
    from traffic.checks.facts import Facts


def check(facts: Facts) -> Iterator[Finding]:
    """Subsets without a DestinationRule. Without requests one does no harm: taking them from it must be possible."""
    for rule in facts.desired.rules if facts.desired else ():
        for item in rule.backends:
            if item.backend.key not in facts.undefined:
                continue
            text = (
                f"No DestinationRule in {facts.target} defines subset {item.backend.subset} of "
                f"{item.backend.namespace}/{item.backend.service}: its requests get 503."
            )
            if item.weight_bp:
                mend = "Define it first, or give it 0 %."
                yield CHECK.finding(facts, at(rule, item.backend), f"{text} {mend}", severity="block")
            else:
                mend = "Define it before you send requests there."
                yield CHECK.finding(facts, at(rule, item.backend), f"{text} {mend}", severity="warn")


CHECK = Check(
    id="TRF042",
    title="The subsets are defined",
    looks_for="A subset that no DestinationRule defines: refused if it gets requests.",
    severity="block or warn",
    run=check,
    kiali="KIA1107",
)
