"""TRF054: ambient without a waypoint (trap 11)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from traffic.checks.base import Check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshes.types import Finding
    from traffic.checks.facts import Facts


def check(facts: Facts) -> Iterator[Finding]:
    """Services of ambient namespaces: their requests are routed by a waypoint or not at all."""
    if facts.desired is None or not facts.is_ambient or facts.waypoint:
        return
    root = f"{facts.desired.root.namespace}/{facts.desired.root.service}"
    if facts.waypoint is None:
        text = (
            f"{root} in {facts.target} is in an ambient namespace, and MeshUI cannot tell whether a waypoint serves "
            "it. Without one no rule counts: look for the label istio.io/use-waypoint."
        )
        yield CHECK.finding(facts, "root", text, severity="warn")
    else:
        text = (
            f"{root} in {facts.target} is in an ambient namespace without a waypoint: no rule would count. "
            "Give it one (label istio.io/use-waypoint), then plan again."
        )
        yield CHECK.finding(facts, "root", text, severity="block")


CHECK = Check(
    id="TRF054",
    title="Ambient services have a waypoint",
    looks_for="A service in an ambient namespace without a waypoint, where nothing routes HTTP requests.",
    severity="block or warn",
    run=check,
)
