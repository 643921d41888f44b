"""The neutral diff says what moves, in basis points, also three ways."""

from __future__ import annotations

from dataclasses import replace

from meshes.types import Backend, HeaderMatch, Match, Root, Route, Rule, WeightedBackend
from traffic.diff import neutral_diff, three_way


def route(**rules: dict[str, int]) -> Route:
    """`route(primary={"v1": 9000, "v2": 1000})`."""
    return Route(
        root=Root("checkout", "shop"),
        rules=tuple(
            Rule(
                name=name,
                backends=tuple(
                    WeightedBackend(Backend("subset", "checkout", "shop", subset=subset), weight)
                    for subset, weight in shares.items()
                ),
            )
            for name, shares in rules.items()
        ),
    )


def test_neutral_diff__weights_moved__says_from_to_and_how_much() -> None:
    before, after = route(primary={"v1": 9000, "v2": 1000}), route(primary={"v1": 7500, "v2": 2500})

    (rule,) = neutral_diff(before, after)

    assert [(r.name, r.before_bp, r.after_bp, r.moved_bp) for r in rule.rows] == [
        ("v1", 9000, 7500, -1500),
        ("v2", 1000, 2500, 1500),
    ]
    assert rule.is_moved
    assert rule.moved_bp == 1500
    assert rule.before == [("v1", 9000), ("v2", 1000)]
    assert rule.after == [("v1", 7500), ("v2", 2500)]


def test_neutral_diff__rule_unchanged__is_there_and_not_moved() -> None:
    before = route(canary={"v2": 10000}, primary={"v1": 9000, "v2": 1000})
    after = route(canary={"v2": 10000}, primary={"v1": 5000, "v2": 5000})

    found = neutral_diff(before, after)

    assert [(rule.name, rule.is_moved) for rule in found] == [("canary", False), ("primary", True)]


def test_neutral_diff__rules_added_and_gone__none_says_so() -> None:
    found = neutral_diff(route(old={"v1": 10000}), route(new={"v1": 10000}, other={"v2": 10000}))

    assert [(rule.name, [(r.before_bp, r.after_bp) for r in rule.rows]) for rule in found] == [
        ("new", [(None, 10000)]),
        ("other", [(None, 10000)]),
        ("old", [(10000, None)]),
    ]


def test_neutral_diff__same_rules_named_otherwise__paired_by_place() -> None:
    (rule,) = neutral_diff(route(rule_1={"v1": 9000, "v2": 1000}), route(primary={"v1": 5000, "v2": 5000}))

    assert (rule.name, [(r.before_bp, r.after_bp) for r in rule.rows]) == ("primary", [(9000, 5000), (1000, 5000)])


def test_neutral_diff__as_many_rules_but_others__paired_by_name() -> None:
    beta = Match(headers=(HeaderMatch("x-beta", "exact", "1"),))
    before, after = route(old={"v1": 10000}, rest={"v1": 10000}), route(new={"v2": 10000}, rest={"v1": 10000})
    before = replace(before, rules=(replace(before.rules[0], matches=(Match(methods=("GET",)),)), before.rules[1]))
    after = replace(after, rules=(replace(after.rules[0], matches=(beta,)), after.rules[1]))

    found = neutral_diff(before, after)

    assert [(rule.name, rule.is_new, rule.is_gone) for rule in found] == [
        ("new", True, False),
        ("rest", False, False),
        ("old", False, True),
    ]


def test_neutral_diff__same_shares_for_other_callers__is_moved_and_says_both() -> None:
    before = route(beta={"v2": 10000}, rest={"v1": 10000})
    old, new = (Match(headers=(HeaderMatch("x-beta", "exact", value),)) for value in ("1", "2"))
    after = replace(before, rules=(replace(before.rules[0], matches=(new,)), before.rules[1]))
    before = replace(before, rules=(replace(before.rules[0], matches=(old,)), before.rules[1]))

    beta, rest = neutral_diff(before, after)

    assert (beta.matches_before, beta.matches) == (("header x-beta exact 1",), ("header x-beta exact 2",))
    assert (beta.is_moved, rest.is_moved) == (True, False)


def test_neutral_diff__route_starts_or_ends__all_new_or_all_gone() -> None:
    one = route(primary={"v1": 9000, "v2": 1000})

    (started,), (ended,) = neutral_diff(None, one), neutral_diff(one, None)

    assert (started.is_new, started.before, started.moved_bp) == (True, [], 10000)
    assert (ended.is_gone, ended.after) == (True, [])


def test_neutral_diff__mesh_rounds__achieved_is_named() -> None:
    wanted, held = route(primary={"v1": 6667, "v2": 3333}), route(primary={"v1": 6700, "v2": 3300})

    (rule,) = neutral_diff(route(primary={"v1": 10000, "v2": 0}), wanted, held)

    assert [(r.achieved_bp, r.is_rounded) for r in rule.rows] == [(6700, True), (3300, True)]


def test_neutral_diff__without_route__is_empty() -> None:
    assert neutral_diff(None, None) == ()


def test_three_way__foreign_edit__shows_all_three() -> None:
    planned = route(primary={"v1": 9000, "v2": 1000})
    live = route(primary={"v1": 6000, "v2": 4000})
    ours = route(primary={"v1": 7500, "v2": 2500})

    rows = three_way(planned, live, ours)

    assert [(r.rule, r.name, r.planned_bp, r.live_bp, r.ours_bp, r.is_foreign) for r in rows] == [
        ("primary", "v1", 9000, 6000, 7500, True),
        ("primary", "v2", 1000, 4000, 2500, True),
    ]


def test_three_way__object_gone__live_is_none() -> None:
    planned = route(primary={"v1": 10000})

    (row,) = three_way(planned, None, planned)

    assert (row.live_bp, row.is_foreign) == (None, True)
