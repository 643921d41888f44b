"""Edits of a route: the shares stay the whole, nothing else moves, and what cannot be says how to mend it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshes.types import FULL, Backend, HeaderMatch, Match, PathMatch, Root, Route, Rule, WeightedBackend
from traffic import edits
from traffic.edits import (
    AddBackend,
    AddRule,
    EditRule,
    Refusal,
    RemoveBackend,
    RemoveRule,
    add_backend,
    add_rule,
    edit_rule,
    moved_words,
    remove_backend,
    remove_rule,
    set_shares,
    start,
)

if TYPE_CHECKING:
    from collections.abc import Callable

BETA = HeaderMatch("x-beta", "exact", "1")
ROOT = Root("checkout", "shop")


def subset(name: str) -> Backend:
    """A subset of shop/checkout."""
    return Backend("subset", "checkout", "shop", subset=name, labels=(("version", name),))


def rule(name: str, *shares: int, matches: tuple[Match, ...] = ()) -> Rule:
    """v1 … with these shares, native weights beside them."""
    backends = tuple(
        WeightedBackend(subset(f"v{number}"), share, str(share)) for number, share in enumerate(shares, start=1)
    )
    return Rule(name, matches, backends, timeout_ms=3000, extras=("retries",))


def checkout() -> Route:
    """/api at 90/10, all else to v1."""
    api = rule("api", 9000, 1000, matches=(Match(path=PathMatch("prefix", "/api")), Match(methods=("POST",))))
    return Route(ROOT, (api, rule("rest", 10000)))


def refused(answer: Route | Refusal) -> str:
    """What a refusal says; it always says a mend, too."""
    assert isinstance(answer, Refusal)
    assert answer.mend
    return str(answer)


def done(answer: Route | Refusal) -> Route:
    """The route."""
    assert isinstance(answer, Route)
    return answer


def sums(route: Route) -> set[int]:
    """Of the shares of each rule."""
    return {sum(item.weight_bp for item in found.backends) for found in route.rules}


shares = st.lists(st.integers(0, FULL), min_size=1, max_size=7).map(
    lambda cuts: [b - a for a, b in zip([0, *sorted(cuts)], [*sorted(cuts), FULL], strict=True)]
)


@st.composite
def routes(draw: st.DrawFn) -> Route:
    """One to four rules with shares that add up."""
    wanted = draw(st.lists(shares, min_size=1, max_size=4))
    matches = [(Match(path=PathMatch("prefix", f"/{number}")),) for number in range(len(wanted))]
    return Route(ROOT, tuple(rule(f"r{n}", *given, matches=matches[n]) for n, given in enumerate(wanted)))


@given(route=routes(), data=st.data())
def test_edits__any_of_them_anywhere__sums_stay_and_nothing_else_moves(route: Route, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([found.name for found in route.rules]))
    touched = next(found for found in route.rules if found.name == name)
    new = data.draw(st.permutations([item.weight_bp for item in touched.backends]))
    keys = [item.backend.key for item in touched.backends]
    makers: list[Callable[[], Route | Refusal]] = [
        lambda: set_shares(route, name, dict(zip(keys, new, strict=True))),
        lambda: add_backend(route, name, subset("new")),
        lambda: remove_backend(route, name, data.draw(st.sampled_from(keys))),
        lambda: add_rule(route, name, BETA, [(subset("v1"), FULL)]),
    ]

    answer = data.draw(st.sampled_from(makers))()

    if isinstance(answer, Refusal):
        assert answer.mend
        return
    assert sums(answer) == {FULL}
    kept = [found for found in answer.rules if found.name in {r.name for r in route.rules}]
    others = [(a, b) for a, b in zip(kept, route.rules, strict=True) if b.name != name]
    assert all(after == before for after, before in others)
    mine = next(found for found in kept if found.name == name)
    assert replace(mine, backends=()) == replace(touched, backends=())
    assert replace(answer, rules=()) == replace(route, rules=())


@given(route=routes(), data=st.data())
def test_remove_backend__any__no_share_goes_to_one_that_had_none(route: Route, data: st.DataObject) -> None:
    found = data.draw(st.sampled_from(route.rules))
    key = data.draw(st.sampled_from([item.backend.key for item in found.backends]))

    answer = remove_backend(route, found.name, key)

    if isinstance(answer, Refusal):
        assert sum(item.weight_bp for item in found.backends if item.backend.key != key) == 0
        return
    before = {item.backend.key: item.weight_bp for item in found.backends}
    after = next(r for r in answer.rules if r.name == found.name)
    assert key not in {item.backend.key for item in after.backends}
    assert all(item.weight_bp >= before[item.backend.key] for item in after.backends)
    assert all(item.weight_bp == 0 for item in after.backends if before[item.backend.key] == 0)


@given(route=routes())
def test_remove_backend__just_added__the_route_as_it_was(route: Route) -> None:
    added = done(add_backend(route, "r0", subset("new")))

    assert remove_backend(added, "r0", "shop/checkout#new") == route


@given(route=routes())
def test_remove_rule__just_added__the_route_as_it_was(route: Route) -> None:
    added = done(add_rule(route, "r0", BETA, [(subset("v1"), FULL)]))

    assert remove_rule(added, added.rules[0].name) == route


def test_set_shares__moved__native_weight_kept_only_where_nothing_moved() -> None:
    route = Route(ROOT, (rule("all", 5000, 3000, 2000),))

    moved = done(
        set_shares(route, "all", {"shop/checkout#v1": 5000, "shop/checkout#v2": 2000, "shop/checkout#v3": 3000})
    )

    assert [item.native_weight for item in moved.rules[0].backends] == ["5000", None, None]


@pytest.mark.parametrize(
    ("given_shares", "said"),
    [
        ({"shop/checkout#v1": 9000, "shop/checkout#v2": 500}, "add up to 95.00 %"),
        ({"shop/checkout#v1": 10001, "shop/checkout#v2": -1}, "add up to 100"),
        ({"shop/checkout#v1": 10000}, "has other backends"),
        ({"shop/checkout#v1": 9000, "shop/checkout#v9": 1000}, "has other backends"),
    ],
)
def test_set_shares__do_not_fit__refused(given_shares: dict[str, int], said: str) -> None:
    assert said in refused(set_shares(checkout(), "api", given_shares))


def test_remove_backend__with_a_share__others_get_it_in_proportion_and_words_say_so() -> None:
    route = Route(ROOT, (rule("all", 6000, 3000, 1000),))

    after = done(remove_backend(route, "all", "shop/checkout#v3"))

    assert [item.weight_bp for item in after.rules[0].backends] == [6667, 3333]
    words = moved_words(route, "all", "shop/checkout#v3")
    assert words == "v1 goes from 60\u202f% to 66.67\u202f%, v2 goes from 30\u202f% to 33.33\u202f%."


@pytest.mark.parametrize(
    ("name", "key", "said"),
    [
        ("rest", "shop/checkout#v1", "only backend"),
        ("api", "shop/checkout#v9", "exactly once"),
        ("gone", "shop/checkout#v1", "no rule “gone”"),
    ],
)
def test_remove_backend__cannot_be__refused(name: str, key: str, said: str) -> None:
    assert said in refused(remove_backend(checkout(), name, key))


def test_remove_backend__has_every_request__refused() -> None:
    route = Route(ROOT, (rule("all", 10000, 0),))

    assert "Give another backend a share first." in refused(remove_backend(route, "all", "shop/checkout#v1"))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (add_backend(checkout(), "api", subset("v2")), "stand twice"),
        (add_backend(Route(ROOT, (Rule("redirect"),)), "redirect", subset("v2")), "sends to no backend"),
        (add_backend(Route(ROOT, (rule("all", 10000, *[0] * 15),)), "all", subset("new")), "at most 16"),
    ],
)
def test_add_backend__cannot_be__refused(answer: Route | Refusal, said: str) -> None:
    assert said in refused(answer)


def test_add_rule__before_a_rule__narrows_each_of_its_matches_and_comes_right_before() -> None:
    after = done(add_rule(checkout(), "api", BETA, [(subset("v2"), FULL)]))

    assert [found.name for found in after.rules] == ["x-beta-1", "api", "rest"]
    assert after.rules[0].matches == (
        Match(path=PathMatch("prefix", "/api"), headers=(BETA,)),
        Match(methods=("POST",), headers=(BETA,)),
    )
    assert after.rules[0].timeout_ms is None


def test_add_rule__before_a_rule_for_all__for_the_header_alone() -> None:
    after = done(add_rule(checkout(), "rest", BETA, [(subset("v1"), 2500), (subset("v2"), 7500)]))

    assert after.rules[1].matches == (Match(headers=(BETA,)),)
    assert [item.weight_bp for item in after.rules[1].backends] == [2500, 7500]


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (HeaderMatch("X-Beta", "exact", "1"), "no name of a header"),
        (HeaderMatch("x beta", "exact", "1"), "no name of a header"),
        (HeaderMatch("", "exact", "1"), "no name of a header"),
        (HeaderMatch("x-beta", "exact", ""), "empty, too long or not printable"),
        (HeaderMatch("x-beta", "prefix", "a\nb"), "empty, too long or not printable"),
        (HeaderMatch("x-beta", "present", "1"), "has no value"),
    ],
)
def test_add_rule__header_is_none__refused(header: HeaderMatch, said: str) -> None:
    assert said in refused(add_rule(checkout(), "rest", header, [(subset("v2"), FULL)]))


def test_add_rule__twice_or_without_shares__refused() -> None:
    once = done(add_rule(checkout(), "rest", BETA, [(subset("v2"), FULL)]))

    assert "there already" in refused(add_rule(once, "rest", BETA, [(subset("v2"), FULL)]))
    assert "asks for x-beta already" in refused(add_rule(once, "x-beta-1", BETA, [(subset("v2"), FULL)]))
    assert "add up to 100" in refused(add_rule(once, "rest", HeaderMatch("x-a", "present"), [(subset("v2"), 5000)]))


def test_edit_rule__other_header__only_the_callers_change() -> None:
    once = done(add_rule(checkout(), "api", BETA, [(subset("v2"), FULL)]))
    canary = HeaderMatch("x-canary", "present")

    after = done(edit_rule(once, "x-beta-1", canary))

    assert [match.headers for match in after.rules[0].matches] == [(canary,), (canary,)]
    assert [match.path for match in after.rules[0].matches] == [match.path for match in once.rules[0].matches]
    assert after.rules[0].backends == once.rules[0].backends
    assert after.rules[1:] == once.rules[1:]


def test_edit_and_remove_rule__not_for_a_header__refused() -> None:
    assert "does not match one header alone" in refused(edit_rule(checkout(), "api", BETA))
    assert "not for callers with a header" in refused(remove_rule(checkout(), "api"))


def test_remove_rule__nobody_would_take_its_requests__refused() -> None:
    route = Route(ROOT, (rule("beta", 10000, matches=(Match(headers=(BETA,)),)),))

    assert "No rule after" in refused(remove_rule(route, "beta"))


def test_start__two_versions__first_gets_all() -> None:
    route = done(start(ROOT, [subset("v1"), subset("v2")]))

    assert [item.weight_bp for item in route.rules[0].backends] == [FULL, 0]
    assert route.rules[0].matches == ()


def test_start__one_version_or_one_twice__refused() -> None:
    assert "at least two versions" in refused(start(ROOT, [subset("v1")]))
    assert "stand twice" in refused(start(ROOT, [subset("v1"), subset("v1")]))


EVERY: list[edits.Edit] = [
    AddBackend("rest", subset("v2")),
    AddRule("rest", BETA, subset("v2")),
    EditRule("x-beta-1", HeaderMatch("x-beta", "regex", "[12]")),
    RemoveBackend("api", "shop/checkout#v2", "v1 goes from 90 % to 100 %."),
    RemoveRule("x-beta-1"),
]


@pytest.mark.parametrize("edit", EVERY)
def test_encoded__every_edit__decoded_is_equal_and_has_words(edit: edits.Edit) -> None:
    again = edits.decoded(edits.encoded(edit))

    assert again == edit
    assert again.words.endswith(".")


def test_replayed__all__as_if_made_one_by_one() -> None:
    made = edits.replayed(checkout(), EVERY)

    assert made.refused == ()
    assert [[item.weight_bp for item in found.backends] for found in made.route.rules] == [[10000], [10000, 0]]


def test_replayed__one_no_longer_fits__left_out_and_named() -> None:
    gone: list[edits.Edit] = [RemoveRule("gone"), AddBackend("rest", subset("v2"))]

    made = edits.replayed(checkout(), gone)

    assert [place for place, _ in made.refused] == [0]
    assert len(made.route.rules[1].backends) == 2


@pytest.mark.parametrize("text", ["", "{}", '{"type": "drop-table"}', '{"type": "remove-rule", "rule": 7}', "null"])
def test_decoded__not_an_edit__refused(text: str) -> None:
    with pytest.raises((msgspec.ValidationError, msgspec.DecodeError)):
        edits.decoded(text)
