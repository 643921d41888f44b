"""The neutral diff: rule, backend, before → after, for one target; and three ways where somebody else came between.

Pure. The native diff of two bodies is drawn by meshui.ui.diffs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshes.types import Match, Route, Rule


@dataclass(frozen=True, slots=True)
class ShareRow:
    """One backend of one rule. None = it is not there. `achieved_bp`: what the mesh can hold, where that differs."""

    name: str
    key: str
    before_bp: int | None
    after_bp: int | None
    achieved_bp: int | None = None

    @property
    def is_moved(self) -> bool:
        """Whether its share changes."""
        return self.before_bp != self.after_bp

    @property
    def moved_bp(self) -> int:
        """By how much, signed."""
        return (self.after_bp or 0) - (self.before_bp or 0)

    @property
    def is_rounded(self) -> bool:
        """Whether the mesh holds something else than was asked for."""
        return self.achieved_bp is not None and self.achieved_bp != self.after_bp


@dataclass(frozen=True, slots=True)
class RuleDiff:
    """One rule: which requests it is for, and the shares of its backends."""

    name: str
    matches: tuple[str, ...]
    rows: tuple[ShareRow, ...]

    @property
    def is_moved(self) -> bool:
        """Whether any share changes."""
        return any(row.is_moved for row in self.rows)

    @property
    def moved_bp(self) -> int:
        """The share of this rule's requests that goes elsewhere."""
        return sum(row.moved_bp for row in self.rows if row.moved_bp > 0)

    @property
    def before(self) -> list[tuple[str, int]]:
        """For the bar: what is."""
        return [(row.name, row.before_bp) for row in self.rows if row.before_bp is not None]

    @property
    def after(self) -> list[tuple[str, int]]:
        """For the bar: what would be."""
        return [(row.name, row.after_bp) for row in self.rows if row.after_bp is not None]


@dataclass(frozen=True, slots=True)
class ThreeWayRow:
    """One backend of one rule: when it was planned, now, and as this change wanted it. None = it is not there."""

    rule: str
    name: str
    planned_bp: int | None
    live_bp: int | None
    ours_bp: int | None

    @property
    def is_foreign(self) -> bool:
        """Whether somebody else moved it."""
        return self.planned_bp != self.live_bp


def neutral_diff(before: Route | None, after: Route | None, achieved: Route | None = None) -> tuple[RuleDiff, ...]:
    """Every rule of `after`, then those that only `before` has. `achieved` is what the server says it would hold."""
    return tuple(_rule_diff(name, old, new, held) for name, (new, old, held) in _paired(after, before, achieved))


def three_way(planned: Route | None, live: Route | None, ours: Route | None) -> tuple[ThreeWayRow, ...]:
    """Every backend of every rule that one of the three has."""
    return tuple(row for name, sides in _paired(planned, live, ours) for row in _three_way_rule(name, sides))


def match_words(match: Match) -> str:
    """A match as one line: `path prefix /api and header x-user exact jason`."""
    parts = [f"path {match.path.type} {match.path.value}"] if match.path else []
    if match.methods:
        parts.append("method " + " or ".join(match.methods))
    parts += [f"header {h.name} {'not ' if h.is_inverted else ''}{h.type} {h.value}".strip() for h in match.headers]
    parts += [f"query {q.name} {q.type} {q.value}".strip() for q in match.query]
    parts += [f"{path} {value}" for path, value in match.opaque]
    return " and ".join(parts)


def _paired(*routes: Route | None) -> Iterator[tuple[str, list[Rule | None]]]:
    """The rules that belong together, under the first name: by place where all have as many, else by name."""
    present = [route for route in routes if route is not None]
    if len({len(route.rules) for route in present}) == 1:
        for index, first in enumerate(present[0].rules):
            yield first.name, [route.rules[index] if route else None for route in routes]
        return
    sides = [{rule.name: rule for rule in route.rules} if route else {} for route in routes]
    for name in dict.fromkeys(name for side in sides for name in side):
        yield name, [side.get(name) for side in sides]


def _rule_diff(name: str, old: Rule | None, new: Rule | None, held: Rule | None) -> RuleDiff:
    before, after, achieved = _shares(old), _shares(new), _shares(held)
    named = {**_names(old), **_names(new)}
    rows = tuple(
        ShareRow(
            name=label,
            key=key,
            before_bp=before.get(key),
            after_bp=after.get(key),
            achieved_bp=achieved.get(key) if held else None,
        )
        for key, label in named.items()
    )
    rule = new or old
    return RuleDiff(name, tuple(match_words(match) for match in rule.matches) if rule else (), rows)


def _three_way_rule(name: str, sides: list[Rule | None]) -> Iterator[ThreeWayRow]:
    shares = [_shares(side) for side in sides]
    named: dict[str, str] = {}
    for side in sides:
        named.update(_names(side))
    for key, label in named.items():
        yield ThreeWayRow(name, label, shares[0].get(key), shares[1].get(key), shares[2].get(key))


def _shares(rule: Rule | None) -> dict[str, int]:
    return {item.backend.key: item.weight_bp for item in rule.backends} if rule else {}


def _names(rule: Rule | None) -> dict[str, str]:
    return {item.backend.key: item.backend.name for item in rule.backends} if rule else {}
