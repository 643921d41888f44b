"""Checks of a desired route against what a cluster holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshes.types import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshes.types import Route, Rule


def check_same_shape(desired: Route, live: Route, *, target: str) -> Iterator[Finding]:
    """TRF010: this cluster has the same rules, matches and backends as the proposal; only weights may differ.

    A route that differs in more would not do there what was proposed.
    """
    if len(desired.rules) != len(live.rules):
        text = f"Rules in {target}: {len(live.rules)}, in the proposal: {len(desired.rules)}. Propose it on its own."
        yield Finding("TRF010", "block", "rules", text, (target,))
        return
    for wanted, found in zip(desired.rules, live.rules, strict=True):
        if _shape(wanted) != _shape(found):
            text = f"Rule “{found.name}” of {target} has other matches or backends. Propose that cluster on its own."
            yield Finding("TRF010", "block", f"rules[{wanted.name}]", text, (target,))


def check_something_moves(desired: Route, live: Route, *, target: str) -> Iterator[Finding]:
    """TRF011: the proposal changes something on this target; else the target has it already and nothing is sent."""
    if all(_weights(a) == _weights(b) for a, b in zip(desired.rules, live.rules, strict=False)):
        text = f"{target} already has these weights: nothing will be written there."
        yield Finding("TRF011", "warn", "rules", text, (target,))


def check_zero_backend_gets_requests(desired: Route, live: Route, *, target: str) -> Iterator[Finding]:
    """TRF012: a backend that has no requests now will get some; worth a look before the first ones arrive."""
    for wanted, found in zip(desired.rules, live.rules, strict=False):
        before = _weights(found)
        for key, weight in _weights(wanted).items():
            if weight and before.get(key) == 0:
                text = f"{key} gets its first requests in {target}. Make sure it is ready."
                yield Finding("TRF012", "warn", f"rules[{wanted.name}].backends[{key}]", text, (target,))


def _shape(rule: Rule) -> tuple[object, ...]:
    return (rule.matches, frozenset(backend.backend.key for backend in rule.backends))


def _weights(rule: Rule) -> dict[str, int]:
    return {backend.backend.key: backend.weight_bp for backend in rule.backends}
