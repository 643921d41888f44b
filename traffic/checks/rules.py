"""Rules of two routes that belong together, what they take, and how words name them. Pure."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from meshes.types import FULL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshes.types import Backend, Match, Route, Rule
    from traffic.checks.facts import Facts

EVERYTHING = frozenset({("prefix", "/"), ("segments", "/"), ("regex", ".*"), ("regex", "/.*")})
SECRET = re.compile(r"authorization|cookie|token|key|secret|password", re.IGNORECASE)
"""Names of headers and parameters whose values must not be read by everybody who reads a change."""


def pairs(desired: Route, live: Route | None) -> list[tuple[Rule, Rule | None]]:
    """Each desired rule with the live one that takes the same requests, else with the one of its name, else None."""
    left = list(live.rules) if live else []
    found: dict[int, Rule] = {}
    for is_same in (_same_matches, _same_name):
        for index, rule in enumerate(desired.rules):
            other = next((candidate for candidate in left if is_same(rule, candidate)), None)
            if index not in found and other is not None:
                found[index] = other
                left.remove(other)
    return [(rule, found.get(index)) for index, rule in enumerate(desired.rules)]


def removed(desired: Route, live: Route) -> list[Rule]:
    """Live rules that no desired one is paired with."""
    kept = [id(found) for _, found in pairs(desired, live)]
    return [rule for rule in live.rules if id(rule) not in kept]


def shares(rule: Rule | None) -> dict[str, int]:
    """Basis points by backend key; a backend that stands twice has the sum."""
    total: Counter[str] = Counter()
    for item in rule.backends if rule else ():
        total[item.backend.key] += item.weight_bp
    return dict(total)


def share_before(facts: Facts, found: Rule | None, backend: Backend) -> int:
    """Its share of the rule now; of a new rule, the most it has anywhere; of a start, what the Service itself gives."""
    if facts.live is None:
        return FULL if is_root(facts, backend) and not backend.subset else 0
    if found is not None:
        return shares(found).get(backend.key, 0)
    return max((shares(rule).get(backend.key, 0) for rule in facts.live.rules), default=0)


def is_root(facts: Facts, backend: Backend) -> bool:
    """Whether it is the called Service itself, or a subset of it: its pods have requests without any route."""
    route = facts.desired or facts.live
    return route is not None and (backend.service, backend.namespace) == (route.root.service, route.root.namespace)


def takes_all(rule: Rule) -> bool:
    """Whether every request matches it."""
    return not rule.matches or any(matches_all(match) for match in rule.matches)


def matches_all(match: Match) -> bool:
    """Whether it asks for nothing."""
    is_any_path = match.path is None or (match.path.type, match.path.value) in EVERYTHING
    return is_any_path and not (match.methods or match.headers or match.query or match.opaque)


def expanded(rule: Rule) -> set[Match]:
    """Its matches, one method each and without what says nothing: equal for rules that take the same requests."""
    return {single for match in rule.matches for single in _single(match)}


def covers(wide: Match, narrow: Match) -> bool:
    """Whether everything that `narrow` takes, `wide` takes too. Where it cannot be told: False."""
    return (
        _path_covers(wide, narrow)
        and (not wide.methods or (bool(narrow.methods) and set(narrow.methods) <= set(wide.methods)))
        and set(wide.headers) <= set(narrow.headers)
        and set(wide.query) <= set(narrow.query)
        and set(wide.opaque) <= set(narrow.opaque)
    )


def at(rule: Rule, backend: Backend | None = None) -> str:
    """The path of a rule, or of one of its backends."""
    return f"rules[{rule.name}]" + (f".backends[{backend.key}]" if backend else "")


def percent(share_bp: int) -> str:
    """`12.5 %`."""
    return f"{share_bp / 100:g} %"


def requests_of(rule: Rule) -> str:
    """Which requests it is for, in words without secrets."""
    return "all requests" if takes_all(rule) else " or ".join(match_words(match) for match in rule.matches)


def match_words(match: Match) -> str:
    """A match in words; values that may be secret, and those of parts without words, stay out."""
    headers = tuple(replace(h, value="…") if h.value and SECRET.search(h.name) else h for h in match.headers)
    query = tuple(replace(q, value="…") if q.value and SECRET.search(q.name) else q for q in match.query)
    opaque = tuple((name, "…") for name, _ in match.opaque)
    return replace(match, headers=headers, query=query, opaque=opaque).words or "all requests"


def _same_matches(one: Rule, other: Rule) -> bool:
    return one.matches == other.matches


def _same_name(one: Rule, other: Rule) -> bool:
    return one.name == other.name


def _single(match: Match) -> Iterator[Match]:
    """A header that must be there at all is said in several ways; a path that is any path is none."""
    path = None if match.path and (match.path.type, match.path.value) in EVERYTHING else match.path
    headers = tuple(
        replace(h, type="present", value="") if (h.type, h.value) in {("regex", ".+"), ("regex", ".*")} else h
        for h in match.headers
    )
    for method in match.methods or ("",):
        yield replace(match, path=path, headers=headers, methods=(method,) if method else ())


def _path_covers(wide: Match, narrow: Match) -> bool:
    if wide.path is None or (wide.path.type, wide.path.value) in EVERYTHING:
        return True
    if narrow.path is None:
        return False
    if wide.path.type == "prefix" and narrow.path.type != "regex":
        return narrow.path.value.startswith(wide.path.value)
    if wide.path.type == "segments" and narrow.path.type != "regex":
        whole = wide.path.value.rstrip("/")
        is_whole = narrow.path.value == whole and narrow.path.type != "prefix"
        return is_whole or narrow.path.value.startswith(f"{whole}/")
    return wide.path == narrow.path
