"""TRF053: whose requests move (trap 13)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from traffic.checks.base import Check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshes.types import Finding
    from traffic.checks.facts import Facts


def check(facts: Facts) -> Iterator[Finding]:
    """Routes that are not for every client."""
    if facts.desired is None or facts.desired.scope == "producer":
        return
    scope, name = facts.desired.scope, facts.object or "This route"
    if scope == "gateway":
        text = (
            f"{name} in {facts.target} decides at gateways alone: no request inside the mesh moves. "
            "Propose the route of the mesh if you mean those."
        )
    else:
        spaces = scope.removeprefix("consumer(").removesuffix(")").replace(",", ", ")
        text = (
            f"{name} in {facts.target} moves the requests from {spaces} alone, not those of other clients. "
            "Propose the route in the namespace of the service if you mean all."
        )
    yield CHECK.finding(facts, "scope", text)


CHECK = Check(
    id="TRF053",
    title="Whose requests move",
    looks_for="A route for the clients of some namespaces, or of gateways, alone.",
    severity="warn",
    run=check,
)
