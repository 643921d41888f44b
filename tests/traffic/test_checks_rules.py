"""What rules take, which of two routes belong together, and what words say of them."""

from __future__ import annotations

import pytest

from meshes.types import FULL, Backend, HeaderMatch, Match, PathMatch, QueryMatch, Root, Route, Rule, WeightedBackend
from traffic.checks.rules import covers, expanded, match_words, pairs, removed, shares, takes_all

V1, V2 = (Backend("subset", "checkout", "shop", subset=name) for name in ("v1", "v2"))
CANARY = HeaderMatch("x-canary", "exact", "1")


def rule(name: str, *matches: Match, share: int = FULL) -> Rule:
    """`share` of it to v1."""
    return Rule(name, matches, (WeightedBackend(V1, share), WeightedBackend(V2, FULL - share)))


def route(*rules: Rule) -> Route:
    """Of shop/checkout."""
    return Route(Root("checkout", "shop"), rules)


def path(kind: str, value: str) -> Match:
    """A match of a path."""
    return Match(path=PathMatch(kind, value))  # type: ignore[arg-type]  # parametrized


def test_pairs__rule_put_in_front__the_others_keep_their_partners() -> None:
    live = route(rule("rule-1", path("prefix", "/api")), rule("rule-2"))
    desired = route(rule("chosen", Match(headers=(CANARY,))), rule("rule-1", path("prefix", "/api")), rule("rule-2"))

    assert [found.name if found else None for _, found in pairs(desired, live)] == [None, "rule-1", "rule-2"]
    assert removed(desired, live) == []


def test_pairs__same_requests_under_another_name__belong_together() -> None:
    live = route(rule("rule-2", Match(headers=(CANARY,))), rule("rule-1"))
    desired = route(rule("rule-1", Match(headers=(CANARY,))), rule("rule-2"))

    assert [found.name if found else None for _, found in pairs(desired, live)] == ["rule-2", "rule-1"]


def test_pairs__edited_match__goes_by_name() -> None:
    live = route(rule("chosen", Match(headers=(CANARY,))), rule("all"))
    edited = HeaderMatch("x-canary", "exact", "2")
    desired = route(rule("chosen", Match(headers=(edited,))), rule("all"))

    assert [found.name if found else None for _, found in pairs(desired, live)] == ["chosen", "all"]


def test_pairs__two_equal_rules_live__one_is_removed() -> None:
    live = route(rule("a"), rule("b"))

    assert [gone.name for gone in removed(route(rule("a")), live)] == ["b"]


def test_shares__backend_that_stands_twice__has_the_sum() -> None:
    twice = Rule("all", (), (WeightedBackend(V1, 4000), WeightedBackend(V1, 1000), WeightedBackend(V2, 5000)))

    assert shares(twice) == {V1.key: 5000, V2.key: 5000}
    assert shares(None) == {}


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        (Match(), True),
        (path("prefix", "/"), True),
        (path("segments", "/"), True),
        (path("regex", ".*"), True),
        (path("exact", "/"), False),
        (path("prefix", "/api"), False),
        (Match(methods=("GET",)), False),
        (Match(headers=(CANARY,)), False),
        (Match(query=(QueryMatch("v", "exact", "2"),)), False),
        (Match(opaque=(("sourceLabels", "{}"),)), False),
    ],
)
def test_takes_all__only_a_match_that_asks_for_nothing(match: Match, expected: bool) -> None:  # noqa: FBT001
    assert takes_all(rule("r", match)) is expected
    assert takes_all(rule("r", path("prefix", "/api"), match)) is expected


def test_takes_all__no_match__takes_all() -> None:
    assert takes_all(rule("r"))


@pytest.mark.parametrize(
    ("wide", "narrow", "expected"),
    [
        (path("prefix", "/api"), path("prefix", "/api/v1"), True),
        (path("prefix", "/api"), path("exact", "/apix"), True),
        (path("prefix", "/api"), path("segments", "/api"), True),
        (path("prefix", "/api"), path("regex", "/api/.*"), False),
        (path("prefix", "/api/v1"), path("prefix", "/api"), False),
        (path("segments", "/api"), path("exact", "/apix"), False),
        (path("segments", "/api"), path("exact", "/api"), True),
        (path("segments", "/api"), path("prefix", "/api"), False),
        (path("segments", "/api"), path("prefix", "/api/v1"), True),
        (path("segments", "/api/"), path("segments", "/api"), True),
        (path("exact", "/api"), path("exact", "/api"), True),
        (path("exact", "/api"), Match(), False),
        (Match(), path("exact", "/api"), True),
        (Match(methods=("GET", "PUT")), Match(methods=("GET",)), True),
        (Match(methods=("GET",)), Match(methods=("GET", "PUT")), False),
        (Match(methods=("GET",)), Match(), False),
        (Match(headers=(CANARY,)), Match(headers=(CANARY,), path=PathMatch("exact", "/a")), True),
        (Match(headers=(CANARY,)), Match(), False),
        (Match(opaque=(("port", "80"),)), Match(), False),
    ],
)
def test_covers__only_where_it_can_be_told(wide: Match, narrow: Match, expected: bool) -> None:  # noqa: FBT001
    assert covers(wide, narrow) is expected


def test_expanded__said_otherwise__is_the_same() -> None:
    listed = rule(
        "r", Match(path=PathMatch("prefix", "/"), methods=("GET", "PUT"), headers=(HeaderMatch("a", "present"),))
    )
    regex = (HeaderMatch("a", "regex", ".+"),)
    single = rule("r", Match(methods=("PUT",), headers=regex), Match(methods=("GET",), headers=regex))

    assert expanded(listed) == expanded(single)
    assert expanded(rule("r", Match(headers=(CANARY,)))) != expanded(rule("r"))


def test_match_words__secrets_and_native_parts__are_left_out() -> None:
    match = Match(
        headers=(HeaderMatch("authorization", "exact", "Bearer geheim"), CANARY),
        query=(QueryMatch("api_key", "exact", "geheim"),),
        opaque=(("sourceLabels", '{"k":"geheim"}'),),
    )

    words = match_words(match)

    assert "geheim" not in words
    assert "header x-canary exact 1" in words
    assert "header authorization exact …" in words
