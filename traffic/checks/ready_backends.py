"""TRF041: a backend that cannot answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from traffic.checks.base import Check
from traffic.checks.rules import at, pairs, share_before

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshes.types import Backend, Finding
    from traffic.checks.base import Severity
    from traffic.checks.facts import Facts


def check(facts: Facts) -> Iterator[Finding]:
    """Backends with requests but without ready pods; and raises to backends of which it cannot be told."""
    unsound = facts.missing | facts.undefined
    for wanted, found in pairs(facts.desired, facts.live) if facts.desired else ():
        for item in wanted.backends:
            if not item.weight_bp or item.backend.key in unsound:
                continue
            before = share_before(facts, found, item.backend)
            said = _said(facts, item.backend, before=before, after=item.weight_bp)
            if said is not None:
                severity, text = said
                yield CHECK.finding(facts, at(wanted, item.backend), text, severity=severity)


def _said(facts: Facts, backend: Backend, *, before: int, after: int) -> tuple[Severity, str] | None:
    ready = facts.ready.get(backend.key)
    if ready is None:
        if after <= before:
            return None
        text = (
            f"MeshUI cannot tell whether {backend.name} has ready pods in {facts.target}. "
            "Look there before it gets more requests."
        )
        return "warn", text
    if ready > 0:
        return None
    if before == 0:
        text = f"{backend.name} has no ready pod in {facts.target}: its requests would fail. Wait until it is ready."
        return "block", text
    text = (
        f"{backend.name} has no ready pod in {facts.target} and gets requests already. "
        "Give it 0 % until it is ready again."
    )
    return "warn", text


CHECK = Check(
    id="TRF041",
    title="The backends are ready",
    looks_for="A backend without a ready pod: refused for its first requests, a warning where it has requests already "
    "or where it cannot be told.",
    severity="block or warn",
    run=check,
)
