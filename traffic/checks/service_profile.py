"""TRF051: a ServiceProfile in front of a route (trap 14)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from traffic.checks.base import Check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshes.types import Finding
    from traffic.checks.facts import Facts


def check(facts: Facts) -> Iterator[Finding]:
    """ServiceProfiles of the called service: Linkerd leaves its routes aside as long as one is there."""
    if facts.desired is None or facts.kind == "ServiceProfile":
        return
    for words in facts.shadows:
        text = (
            f"{words} in {facts.target} switches off every route of this service: what is written would do nothing. "
            "Move what it says into the route, delete it, then plan again."
        )
        yield CHECK.finding(facts, words, text)


CHECK = Check(
    id="TRF051",
    title="No ServiceProfile shadows the route",
    looks_for="A Linkerd ServiceProfile of the same service, also one that the SMI adaptor left behind or that stands "
    "in a client's namespace: it makes the routes of the service ineffective.",
    severity="block",
    run=check,
)
