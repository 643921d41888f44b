"""TRF040: a backend that does not exist."""

from __future__ import annotations

from typing import TYPE_CHECKING

from traffic.checks.base import Check
from traffic.checks.rules import at, percent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshes.types import Finding
    from traffic.checks.facts import Facts


def check(facts: Facts) -> Iterator[Finding]:
    """Backends whose Service is not there. Without requests one does no harm: taking them from it must be possible."""
    for rule in facts.desired.rules if facts.desired else ():
        for item in rule.backends:
            if item.backend.key not in facts.missing:
                continue
            service = f"{item.backend.namespace}/{item.backend.service}"
            if item.weight_bp:
                text = (
                    f"There is no Service {service} in {facts.target}: its {percent(item.weight_bp)} of the requests "
                    "would fail. Create it first, or give it 0 %."
                )
                yield CHECK.finding(facts, at(rule, item.backend), text, severity="block")
            else:
                text = f"There is no Service {service} in {facts.target}. Create it before you send requests there."
                yield CHECK.finding(facts, at(rule, item.backend), text, severity="warn")


CHECK = Check(
    id="TRF040",
    title="The backends exist",
    looks_for="A backend whose Service is not in the cluster: refused if it gets requests.",
    severity="block or warn",
    run=check,
    kiali="KIA1101, KIA1402",
)
