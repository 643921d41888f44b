"""Routes without the secrets that may stand in them: what rows and pages hold, and back to the live ones."""

from __future__ import annotations

from dataclasses import replace

from meshes.types import Route
from meshui.lib.masking import masked_body


def masked_route(route: Route) -> Route:
    """`route` with secret values of its matches masked."""
    return Route.from_json(masked_body(route.to_json()))


def with_live_matches(desired: Route, live: Route) -> Route:
    """`desired`, made from a masked row, with the matches of `live` wherever both are the same once masked.

    A rule that matches on a cookie can be changed so; one whose cookie moved meanwhile stays different, and is refused.
    """
    if len(desired.rules) != len(live.rules):
        return desired
    pairs = zip(desired.rules, live.rules, masked_route(desired).rules, masked_route(live).rules, strict=True)
    rules = tuple(
        replace(wanted, matches=found.matches) if masked.matches == seen.matches else wanted
        for wanted, found, masked, seen in pairs
    )
    return replace(desired, rules=rules)
