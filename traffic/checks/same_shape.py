"""TRF010: nothing differs from what was asked but what the proposal names."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from traffic.checks.base import Check
from traffic.checks.rules import at, expanded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshes.types import Finding, Match, Route, Rule
    from traffic.checks.facts import Facts

    Key = tuple[frozenset[Match], int]


def check(facts: Facts) -> Iterator[Finding]:
    """What this target wants against the proposal, and what would be written against what it wants."""
    if facts.desired is None:
        return
    if facts.asked is not None:
        yield from _against_asked(facts, facts.desired, facts.asked)
    if facts.written is not None:
        yield from _against_written(facts, facts.desired, facts.written)


def _against_asked(facts: Facts, desired: Route, asked: Route) -> Iterator[Finding]:
    wanted, named = _by_matches(desired), _by_matches(asked)
    live = _by_matches(facts.live) if facts.live else {}
    for key, rule in named.items():
        if key not in wanted:
            text = f"Rule “{rule.name}” of the proposal is not among those for {facts.target}. Propose it on its own."
            yield CHECK.finding(facts, at(rule), text)
        elif _weights(wanted[key]) != _weights(rule) and not _is_kept(key, wanted[key], live):
            text = (
                f"Rule “{rule.name}” has other weights for {facts.target} than in the proposal. Propose it on its own."
            )
            yield CHECK.finding(facts, at(rule), text)
    for key, rule in wanted.items():
        if key not in named and not _is_kept(key, rule, live):
            text = f"Rule “{rule.name}” for {facts.target} is not in the proposal. Propose that cluster on its own."
            yield CHECK.finding(facts, at(rule), text)


def _against_written(facts: Facts, desired: Route, written: Route) -> Iterator[Finding]:
    if len(desired.rules) != len(written.rules):
        text = (
            f"{facts.object or 'The object'} in {facts.target} would have {len(written.rules)} rules, "
            f"{len(desired.rules)} are wanted. Propose it on its own."
        )
        yield CHECK.finding(facts, "rules", text)
        return
    for wanted, found in zip(desired.rules, written.rules, strict=True):
        if not _holds(_backends(wanted), _backends(found), facts.quantisation_error_bp):
            text = (
                f"Rule “{wanted.name}” in {facts.target} would be written with other backends or weights than wanted. "
                "Propose it on its own."
            )
            yield CHECK.finding(facts, at(wanted), text)


def _is_kept(key: Key, rule: Rule, live: dict[Key, Rule]) -> bool:
    """Whether the rule stays as it is: what the proposal does not move may differ from cluster to cluster."""
    return key in live and _backends(live[key]) == _backends(rule)


def _by_matches(route: Route) -> dict[Key, Rule]:
    """Rules by what they match; the n-th of the same is the n-th."""
    seen: Counter[frozenset[Match]] = Counter()
    found: dict[Key, Rule] = {}
    for rule in route.rules:
        matches = frozenset(expanded(rule))
        found[matches, seen[matches]] = rule
        seen[matches] += 1
    return found


def _weights(rule: Rule) -> list[int]:
    """Of whatever backends: another mesh names them otherwise."""
    return sorted(item.weight_bp for item in rule.backends if item.weight_bp)


def _backends(rule: Rule) -> dict[tuple[str, str, str], int]:
    """Without ports: some meshes must name one where others need none."""
    total: Counter[tuple[str, str, str]] = Counter()
    for item in rule.backends:
        total[item.backend.namespace, item.backend.service, item.backend.subset] += item.weight_bp
    return dict(total)


def _holds(wanted: dict[tuple[str, str, str], int], found: dict[tuple[str, str, str], int], error: int) -> bool:
    return wanted.keys() == found.keys() and all(abs(wanted[key] - found[key]) <= error for key in wanted)


CHECK = Check(
    id="TRF010",
    title="The target gets what was asked, nothing else",
    looks_for="Rules, backends or weights for this target, or in the object that would be written, that differ from "
    "the proposal in a way nobody named.",
    severity="block",
    run=check,
)
