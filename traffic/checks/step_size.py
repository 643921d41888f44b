"""TRF014: a step that is larger than it need be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshes.types import FULL
from traffic.checks.base import Check
from traffic.checks.rules import at, is_root, pairs, percent, share_before, takes_all

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshes.types import Backend, Finding, Rule
    from traffic.checks.facts import Facts


def check(facts: Facts) -> Iterator[Finding]:
    """Backends that get everything from nothing, or in production more at once than the setting allows."""
    for wanted, found in pairs(facts.desired, facts.live) if facts.desired else ():
        if found is None and not takes_all(wanted):
            continue  # a new rule for chosen callers is no step of all requests
        for item in wanted.backends:
            if text := _too_big(facts, found, item.backend, item.weight_bp):
                mend = "Go there in several changes, and look at the errors in between."
                yield CHECK.finding(facts, at(wanted, item.backend), f"{text} {mend}")


def _too_big(facts: Facts, found: Rule | None, backend: Backend, after: int) -> str:
    if facts.live is None and is_root(facts, backend):
        return ""
    before = share_before(facts, found, backend)
    if after == FULL and before == 0:
        return f"{backend.name} gets every request at once in {facts.target}; it has none now."
    if facts.is_production and after - before > facts.max_step_bp:
        return (
            f"{backend.name} goes from {percent(before)} to {percent(after)} at once in {facts.target}, "
            f"a step of more than {percent(facts.max_step_bp)} in production."
        )
    return ""


CHECK = Check(
    id="TRF014",
    title="No step is too big",
    looks_for="A backend that grows by more than MESHUI_MAX_STEP_PERCENT (50) points at once in production, or goes "
    "from 0 to 100 % anywhere.",
    severity="warn",
    run=check,
)
