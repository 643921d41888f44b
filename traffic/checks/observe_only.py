"""TRF021: a cluster that is only observed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from traffic.checks.base import Check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshes.types import Finding
    from traffic.checks.facts import Facts


def check(facts: Facts) -> Iterator[Finding]:
    """A target where nothing may be written."""
    if facts.is_observe_only:
        text = f"MeshUI only observes {facts.target}. A Cluster admin can allow writes on the cluster's page."
        yield CHECK.finding(facts, "cluster", text)


CHECK = Check(
    id="TRF021",
    title="The cluster may be written to",
    looks_for="A cluster that is set to observe only.",
    severity="block",
    run=check,
)
