"""What holds for every change of rules, on Istio and on Linkerd: written and read back it is what was asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meshes.adapters.edits import same_rule, same_rules
from meshes.adapters.istio import IstioAdapter
from meshes.adapters.linkerd import LinkerdAdapter
from meshes.types import FULL, Around, Backend, HeaderMatch, Match, PathMatch, Root, Route, Rule, WeightedBackend
from tests.meshes.golden import patched, stored

if TYPE_CHECKING:
    from meshes.adapters.base import MeshAdapter
    from meshui.lib.jsontypes import JsonObject

ISTIO, LINKERD = IstioAdapter(), LinkerdAdapter()
BUSY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""How busy the machine is says nothing of the code."""


@st.composite
def splits(draw: st.DrawFn) -> tuple[WeightedBackend, ...]:
    """One to four backends and their shares."""
    chosen = draw(st.lists(st.integers(1, 6), min_size=1, max_size=4, unique=True))
    cuts = sorted(draw(st.lists(st.integers(0, FULL), min_size=len(chosen) - 1, max_size=len(chosen) - 1)))
    shares = [b - a for a, b in zip([0, *cuts], [*cuts, FULL], strict=True)]
    backends = [Backend("service", f"web-v{number}", "shop", 8080) for number in chosen]
    return tuple(WeightedBackend(b, share) for b, share in zip(backends, shares, strict=True))


@st.composite
def matches(draw: st.DrawFn) -> tuple[Match, ...]:
    """One to three matches that every mesh can hold."""
    found = draw(
        st.lists(
            st.builds(
                Match,
                path=st.none() | st.sampled_from([PathMatch("exact", "/x"), PathMatch("exact", "/y")]),
                methods=st.sampled_from([(), ("GET",)]),
                headers=st.sampled_from([("1",), ("2",)]).map(lambda v: (HeaderMatch("x-user", "exact", v[0]),)),
            ),
            min_size=1,
            max_size=3,
            unique=True,
        )
    )
    return tuple(found)


@st.composite
def changes(draw: st.DrawFn) -> tuple[tuple[Rule, ...], tuple[Rule, ...]]:
    """Rules as they are and as they shall be: some go, some come, some get other matches or backends."""
    pool = {name: Rule(name, draw(matches()), draw(splits())) for name in "abcd"}
    order = draw(st.permutations("abcd"))
    before = [name for name in order if draw(st.booleans())]
    after = [name for name in order if draw(st.booleans())]
    last = Rule("rest", (), draw(splits()))
    wanted = [moved(draw, pool[name]) for name in after]
    live = (*(pool[name] for name in before), last)
    return live, (*wanted, replace(moved(draw, last), matches=()))


def moved(draw: st.DrawFn, rule: Rule) -> Rule:
    """The rule, or one with other matches, other backends or both."""
    found = draw(st.just(rule.matches) | matches())
    return replace(rule, matches=found, backends=draw(st.just(rule.backends) | splits()))


def made(adapter: MeshAdapter, route: Route) -> JsonObject:
    """A route as this adapter makes it, stored, with what is not ours in every rule."""
    (write,) = adapter.render(route, None, Around()).objects
    body = cast("Any", patched(stored(write.body), []))
    for index, rule in enumerate(body["spec"]["http" if adapter is ISTIO else "rules"]):
        field, value = ("timeout", f"{index + 1}s") if adapter is ISTIO else ("timeouts", {"request": f"{index + 1}s"})
        rule[field] = value
    return cast("JsonObject", body)


def route_with(rules: tuple[Rule, ...]) -> Route:
    """Of Service web."""
    return Route(Root("web", "shop"), rules)


def check(
    adapter: MeshAdapter, live_rules: tuple[Rule, ...], wanted: tuple[Rule, ...], *, maker: MeshAdapter | None = None
) -> None:
    """The four promises of a write. `maker`: whose kind of object it is, where the adapter reads several."""
    live = adapter.live(made(maker or adapter, route_with(live_rules)))
    own = {rule.name: found for rule, found in zip(live_rules, live.route.rules, strict=True)}
    rules = tuple(replace(r, name=own[r.name].name if r.name in own else f"new-{r.name}") for r in wanted)

    rendered = adapter.render(replace(live.route, rules=rules), live, Around())

    assert not any(loss.moves_requests for loss in rendered.losses)
    after = patched(live.body, rendered.objects[0].operations) if rendered.objects else live.body
    assert not rendered.objects or after == rendered.objects[0].body
    found = adapter.live(after).route
    assert same_rules(rules, found.rules)
    for rule, now in zip(rules, found.rules, strict=True):
        before = next((old for old in live.route.rules if old.name == rule.name), None)
        if before is not None:
            assert now.timeout_ms == before.timeout_ms
        if before is not None and same_rule(rule, before):
            assert replace(now, name="") == replace(before, name="")
        asked = {b.backend.key for b in rule.backends if b.weight_bp}
        assert {b.backend.key for b in now.backends if b.weight_bp} == asked


@BUSY
@given(changes())
def test_render__any_change_on_istio__read_back_is_what_was_asked_and_all_else_stays(
    change: tuple[tuple[Rule, ...], tuple[Rule, ...]],
) -> None:
    check(ISTIO, *change)


@BUSY
@given(changes())
def test_render__any_change_on_linkerd__read_back_is_what_was_asked_and_all_else_stays(
    change: tuple[tuple[Rule, ...], tuple[Rule, ...]],
) -> None:
    check(LINKERD, *change)


@BUSY
@given(changes())
def test_render__any_change_of_a_route_of_a_service_on_istio__read_back_is_what_was_asked_and_all_else_stays(
    change: tuple[tuple[Rule, ...], tuple[Rule, ...]],
) -> None:
    check(ISTIO, *change, maker=LINKERD)


@BUSY
@given(changes())
def test_render__start__read_back_is_what_was_asked(change: tuple[tuple[Rule, ...], tuple[Rule, ...]]) -> None:
    for adapter in (ISTIO, LINKERD):
        (write,) = adapter.render(route_with(change[1]), None, Around()).objects

        assert same_rules(change[1], adapter.live(stored(write.body)).route.rules)


@BUSY
@given(splits(), splits())
def test_render__weights__are_the_approved_ones_to_the_basis_point(
    before: tuple[WeightedBackend, ...], wanted: tuple[WeightedBackend, ...]
) -> None:
    for adapter, maker in ((ISTIO, ISTIO), (ISTIO, LINKERD), (LINKERD, LINKERD)):
        live = adapter.live(made(maker, route_with((Rule("rest", (), before),))))
        rule = replace(live.route.rules[0], backends=wanted)

        rendered = adapter.render(replace(live.route, rules=(rule,)), live, Around())
        body = rendered.objects[0].body if rendered.objects else live.body

        got = {b.backend.key: b.weight_bp for b in adapter.live(body).route.rules[0].backends}
        assert got == {b.backend.key: b.weight_bp for b in wanted}
        assert rendered.quantisation_error_bp == 0
