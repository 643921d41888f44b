"""Routes without the secrets that may stand in them: what rows and pages hold, and back to the live ones."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from meshes.types import Route
from meshui.lib.masking import masked_body

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshes.types import Match, Rule


def masked_route(route: Route) -> Route:
    """`route` with secret values of its matches masked."""
    return Route.from_json(masked_body(route.to_json()))


def with_live_matches(desired: Route, live: Route) -> Route:
    """`desired`, made from a masked row, with the matches of `live` wherever both are the same once masked.

    Rules are known by name. A match whose cookie moved meanwhile, or that is new, stays masked: it is refused then.
    """
    found = {rule.name: _matches(rule, masked) for rule, masked in _pairs(live)}
    rules = []
    for rule, masked in _pairs(desired):
        known = found.get(rule.name, {})
        matches = [known.get(seen, own) for own, seen in zip(rule.matches, masked.matches, strict=True)]
        rules.append(replace(rule, matches=tuple(matches)))
    return replace(desired, rules=tuple(rules))


def _pairs(route: Route) -> Iterator[tuple[Rule, Rule]]:
    """Every rule beside itself with its secrets masked."""
    return zip(route.rules, masked_route(route).rules, strict=True)


def _matches(rule: Rule, masked: Rule) -> dict[Match, Match]:
    """The matches of a rule by what they look like masked."""
    return dict(zip(masked.matches, rule.matches, strict=True))
