"""TRF020: another writer of the same object (trap 22, change-control §5.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from traffic.checks.base import Check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshes.types import Finding
    from traffic.checks.facts import Facts, Owner


def check(facts: Facts) -> Iterator[Finding]:
    """Objects that a controller or a GitOps tool would put back; a name in managedFields is only a hint."""
    for owner in facts.owners:
        if owner.owner_class == "controller":
            text = (
                f"{_name(owner)} drives {owner.object} in {facts.target} and would put its own weights back. "
                "Shift the traffic there, or let go of the object first."
            )
            yield CHECK.finding(facts, owner.object, text, severity="block")
        elif owner.owner_class == "gitops":
            text = (
                f"{_name(owner)} keeps {owner.object} in {facts.target} as its repository has it and would put that "
                "back. Change it in the repository."
            )
            yield CHECK.finding(facts, owner.object, text, severity="block")
        elif owner.hint:
            text = (
                f"{owner.hint} seems to have written {owner.object} in {facts.target} (a name in managedFields, which "
                "anybody can claim). Make sure that it does not put its own version back."
            )
            yield CHECK.finding(facts, owner.object, text, severity="warn")


def _name(owner: Owner) -> str:
    return owner.name or owner.owner_class


CHECK = Check(
    id="TRF020",
    title="Nobody else writes it",
    looks_for="An object that Flagger, Argo Rollouts, Argo CD, Flux or Helm owns and would put back; a hint of one in "
    "managedFields is a warning.",
    severity="block or warn",
    run=check,
)
