"""The neutral diff: rule, backend, before → after, for one target; and three ways where somebody else came between.

Pure. The native diff of two bodies is drawn by meshui.ui.diffs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshes.types import Route, Rule


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
    """One rule: which requests it is for, and the shares of its backends.

    `matches_before` where it was for other requests. `is_new`, `is_gone`: the rule itself comes or goes.
    """

    name: str
    matches: tuple[str, ...]
    rows: tuple[ShareRow, ...]
    matches_before: tuple[str, ...] = ()
    is_new: bool = False
    is_gone: bool = False
    has_other_callers: bool = False

    @property
    def is_moved(self) -> bool:
        """Whether any share changes, or who it is for."""
        return self.has_other_callers or any(row.is_moved for row in self.rows)

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


def _paired(*routes: Route | None) -> Iterator[tuple[str, list[Rule | None]]]:
    """The rules that belong together, under the first name: by place where all are the same rules, else by name."""
    present = [route for route in routes if route is not None]
    if _are_alike(present):
        for index, first in enumerate(present[0].rules):
            yield first.name, [route.rules[index] if route else None for route in routes]
        return
    sides = [{rule.name: rule for rule in route.rules} if route else {} for route in routes]
    for name in dict.fromkeys(name for side in sides for name in side):
        yield name, [side.get(name) for side in sides]


def _are_alike(routes: list[Route]) -> bool:
    """Whether all have as many rules, and those of one place the same name or the same matches."""
    if len({len(route.rules) for route in routes}) != 1:
        return False
    places = list(zip(*(route.rules for route in routes), strict=True))
    return all(len({r.name for r in place}) == 1 or len({r.matches for r in place}) == 1 for place in places)


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
    is_other = new is not None and old is not None and new.matches != old.matches
    return RuleDiff(
        name,
        _said(new or old),
        rows,
        matches_before=_said(old) if is_other else (),
        is_new=old is None,
        is_gone=new is None,
        has_other_callers=is_other,
    )


def _said(rule: Rule | None) -> tuple[str, ...]:
    return tuple(match.words for match in rule.matches) if rule else ()


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
