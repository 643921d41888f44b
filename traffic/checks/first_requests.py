"""TRF012: a backend that has no requests yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from traffic.checks.base import Check
from traffic.checks.rules import at, is_root, pairs, percent, share_before

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshes.types import Finding
    from traffic.checks.facts import Facts


def check(facts: Facts) -> Iterator[Finding]:
    """Backends that go from nothing to something. The pods of the called Service itself have requests already."""
    for wanted, found in pairs(facts.desired, facts.live) if facts.desired else ():
        for item in wanted.backends:
            has_requests = facts.live is None and is_root(facts, item.backend)
            if item.weight_bp and not has_requests and not share_before(facts, found, item.backend):
                text = (
                    f"{item.backend.key} gets its first requests in {facts.target}: {percent(item.weight_bp)} of rule "
                    f"“{wanted.name}”. Make sure it is ready, and begin with few."
                )
                yield CHECK.finding(facts, at(wanted, item.backend), text)


CHECK = Check(
    id="TRF012",
    title="First requests to a backend",
    looks_for="A backend that has no requests now and will get some.",
    severity="warn",
    run=check,
)
