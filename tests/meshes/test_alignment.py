"""Which backend is which version, and what a change of one route means for another: case by case."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meshes.alignment import Misfit, Side, VersionFound, align, misfits, translate, version_of, versions_of
from meshes.types import Backend, HeaderMatch, Match, PathMatch, Root, Route, WeightedBackend
from tests.meshes.sides import (
    ALL,
    BETA,
    ISTIO,
    JASON,
    LINKERD,
    NAMED,
    ROOT,
    S1,
    S2,
    S3,
    V1,
    V2,
    V3,
    route,
    rule,
    service,
    side,
    subset,
)


def weights(found: Route | Misfit, name: str) -> dict[str, int]:
    """Basis points by backend name of the rule."""
    assert isinstance(found, Route), found
    (wanted,) = (r for r in found.rules if r.name == name)
    return {item.backend.name: item.weight_bp for item in wanted.backends}


def reason(found: Route | Misfit) -> str:
    """Where and why it does not fit."""
    assert isinstance(found, Misfit), found
    return str(found)


def with_rest(*backends: tuple[Backend, int]) -> Route:
    """ISTIO with other shares in its last rule."""
    return replace(ISTIO.route, rules=(ISTIO.route.rules[0], rule("rest", ALL, *backends)))


@pytest.mark.parametrize(
    ("backend", "selector", "corrected", "expected"),
    [
        (V1, None, "", VersionFound("v1", "label", "version")),
        (subset("a", **{NAMED: "2.1"}), None, "", VersionFound("2.1", "label", NAMED)),
        (subset("a", **{NAMED: "2.1", "version": "v2"}), None, "", VersionFound("v2", "label", "version")),
        (subset("canary", track="canary"), {"version": "v9"}, "", VersionFound("canary", "name")),
        (subset("checkout-v2", track="canary"), None, "", VersionFound("v2", "name")),
        (S2, {"app": "checkout", "version": "2.0"}, "", VersionFound("2.0", "selector", "version")),
        (S2, {NAMED: "2.0"}, "", VersionFound("2.0", "selector", NAMED)),
        (S2, {"app": "checkout"}, "", VersionFound("v2", "name")),
        (service("v2-checkout"), None, "", VersionFound("v2", "name")),
        (service("checkout_canary"), None, "", VersionFound("canary", "name")),
        (service("checkoutv2"), None, "", VersionFound("checkoutv2", "name")),
        (service("ledger"), None, "", VersionFound("ledger", "name")),
        (service("checkout"), {"app": "checkout"}, "", VersionFound("current", "root")),
        (service("checkout"), {"version": "v1"}, "", VersionFound("v1", "selector", "version")),
        (service("checkout", namespace="pay"), None, "", VersionFound("pay/checkout", "name")),
        (V1, None, "v7", VersionFound("v7", "corrected")),
    ],
)
def test_version_of__what_is_known__the_first_that_tells(
    backend: Backend, selector: dict[str, str] | None, corrected: str, expected: VersionFound
) -> None:
    assert version_of(backend, root=ROOT, selector=selector, corrected=corrected) == expected


def test_versions_of__two_backends_of_a_rule_alike__neither_is_told_apart() -> None:
    alike = route(rule("all", ALL, (S1, 5000), (S2, 3000), (S3, 2000)))
    selectors = {("shop", "checkout-v1"): {"version": "v1"}, ("shop", "checkout-v2"): {"version": "v1"}}

    found = versions_of(alike, selectors=selectors)

    assert found[S1.key] == VersionFound(S1.key, "key")
    assert found[S2.key] == VersionFound(S2.key, "key")
    assert not found[S1.key].is_told_apart
    assert found[S3.key] == VersionFound("v3", "name")


def test_versions_of__one_of_two_alike_corrected__both_are_told_apart() -> None:
    alike = route(rule("all", ALL, (S1, 5000), (S2, 5000)))
    selectors = {("shop", "checkout-v1"): {"version": "v1"}, ("shop", "checkout-v2"): {"version": "v1"}}

    found = versions_of(alike, selectors=selectors, corrected={S2.key: "v2"})

    assert [(f.version, f.source) for f in found.values()] == [("v1", "selector"), ("v2", "corrected")]


def test_versions_of__alike_in_different_rules__the_same_version() -> None:
    ports = route(rule("a", JASON, (service("checkout-v2", 80), 10_000)), rule("b", ALL, (S2, 10_000)))

    assert {found.version for found in versions_of(ports).values()} == {"v2"}


def test_align__subsets_and_services__by_version_with_what_is_alone() -> None:
    base = side(route(rule("all", ALL, (V1, 5000), (V2, 4000), (V3, 1000))))
    other = side(route(rule("all", ALL, (S1, 5000), (S2, 4000), (service("ledger"), 1000))))

    found = align(base, other)

    assert [(p.version, p.base, p.other) for p in found.pairs] == [("v1", (V1,), (S1,)), ("v2", (V2,), (S2,))]
    assert (found.only_base, found.only_other) == ((V3,), (service("ledger"),))
    assert found.words == (
        "v1 = shop/checkout#v1 and shop/checkout-v1:8080; v2 = shop/checkout#v2 and shop/checkout-v2:8080; "
        "only here shop/checkout#v3; only there shop/ledger:8080"
    )


def test_align__not_told_apart__only_the_same_key_pairs() -> None:
    both = route(rule("all", ALL, (S1, 5000), (S2, 5000)))
    versions = {S1.key: S1.key, S2.key: S2.key}

    found = align(Side(both, versions), Side(both, versions))
    none = align(Side(both, versions), ISTIO)

    assert [pair.version for pair in found.pairs] == [S1.key, S2.key]
    assert not none.pairs


def test_translate__weights_moved_from_istio_to_linkerd__the_same_shares_by_version() -> None:
    found = translate(with_rest((V1, 5050), (V2, 4950)), ISTIO, LINKERD)

    assert weights(found, "rule-2") == {"checkout-v1": 5050, "checkout-v2": 4950}
    assert isinstance(found, Route)
    assert found.rules[0] == LINKERD.route.rules[0]
    assert [item.native_weight for item in found.rules[1].backends] == [None, None]


def test_translate__unchanged__the_very_route_even_where_nothing_pairs() -> None:
    stranger = side(route(rule("x", BETA, (service("ledger"), 10_000))))

    assert translate(ISTIO.route, ISTIO, stranger) is stranger.route


def test_translate__rule_for_a_header_added__at_the_same_place_with_its_own_backends() -> None:
    dark = rule("dark", BETA, (V3, 10_000))
    first, last = ISTIO.route.rules
    base = replace(ISTIO, extras={"v3": V3})

    found = translate(replace(ISTIO.route, rules=(first, dark, last)), base, LINKERD)

    assert isinstance(found, Route)
    assert [(r.name, r.matches) for r in found.rules] == [("rule-1", JASON), ("dark", BETA), ("rule-2", ALL)]
    assert found.rules[1].backends == (WeightedBackend(S3, 10_000),)
    assert (found.rules[0], found.rules[2]) == LINKERD.route.rules


def test_translate__new_rule_with_a_name_that_is_taken_there__another_name() -> None:
    dark = rule("rule-2", BETA, (V2, 10_000))

    found = translate(replace(ISTIO.route, rules=(dark, *ISTIO.route.rules)), ISTIO, LINKERD)

    assert isinstance(found, Route)
    assert [r.name for r in found.rules] == ["rule-2-2", "rule-1", "rule-2"]


def test_translate__rule_removed__removed_there_too() -> None:
    found = translate(replace(ISTIO.route, rules=ISTIO.route.rules[1:]), ISTIO, LINKERD)

    assert found == replace(LINKERD.route, rules=LINKERD.route.rules[1:])


def test_translate__match_of_a_rule_edited__its_counterpart_keeps_the_rest() -> None:
    timed = replace(LINKERD.route.rules[0], timeout_ms=300, extras=("retries",))
    other = replace(LINKERD, route=replace(LINKERD.route, rules=(timed, LINKERD.route.rules[1])))
    edited = replace(ISTIO.route.rules[0], matches=BETA)

    found = translate(replace(ISTIO.route, rules=(edited, ISTIO.route.rules[1])), ISTIO, other)

    assert found == replace(other.route, rules=(replace(timed, matches=BETA), other.route.rules[1]))


def test_translate__rule_added_that_is_there_already__becomes_the_same() -> None:
    base = side(route(rule("rest", ALL, (V1, 9000), (V2, 1000))))
    dark = rule("dark", JASON, (V1, 10_000))

    found = translate(route(dark, *base.route.rules), base, LINKERD)

    assert reason(found) == (
        "rules[rule-1]: shop/checkout-v2:8080 (version v2) gets requests there and has no counterpart."
    )
    agreed = translate(route(rule("dark", JASON, (V2, 10_000)), *base.route.rules), base, LINKERD)
    assert agreed == LINKERD.route


def test_translate__backend_added__the_one_of_its_version() -> None:
    base = replace(ISTIO, extras={"v3": V3})

    found = translate(with_rest((V1, 8000), (V2, 1000), (V3, 1000)), base, LINKERD)

    assert weights(found, "rule-2") == {"checkout-v1": 8000, "checkout-v2": 1000, "checkout-v3": 1000}


def test_translate__backend_removed__removed_there_too() -> None:
    found = translate(with_rest((V1, 10_000)), ISTIO, LINKERD)

    assert weights(found, "rule-2") == {"checkout-v1": 10_000}


def test_translate__idle_backend_there_without_counterpart__stays_idle() -> None:
    last = rule("rule-2", ALL, (S3, 0), (S1, 7500), (S2, 2500))
    other = side(route(LINKERD.route.rules[0], last))

    found = translate(with_rest((V1, 5000), (V2, 5000)), ISTIO, other)

    assert weights(found, "rule-2") == {"checkout-v3": 0, "checkout-v1": 5000, "checkout-v2": 5000}


def test_translate__idle_backend_here_that_is_not_there__left_out() -> None:
    base = side(route(ISTIO.route.rules[0], rule("rest", ALL, (V1, 9000), (V2, 1000), (V3, 0))))
    desired = replace(base.route, rules=(base.route.rules[0], rule("rest", ALL, (V1, 5000), (V2, 5000), (V3, 0))))

    found = translate(desired, base, replace(LINKERD, extras={}))

    assert weights(found, "rule-2") == {"checkout-v1": 5000, "checkout-v2": 5000}


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_translate__same_requests_written_otherwise__paired(order: tuple[int, int]) -> None:
    parts = (HeaderMatch("x-a", "exact", "1"), HeaderMatch("x-b", "exact", "2"))
    two = (Match(methods=("GET",), headers=parts), Match(methods=("POST",), headers=parts))
    one = (Match(methods=("POST", "GET"), headers=tuple(parts[i] for i in order)),)
    everything = (Match(path=PathMatch("prefix", "/")),)
    base = side(route(rule("a", two, (V2, 10_000)), rule("rest", ALL, (V1, 10_000), (V2, 0))))
    other = side(route(rule("b", one, (S2, 10_000)), rule("c", everything, (S1, 10_000), (S2, 0))))
    desired = replace(base.route, rules=(base.route.rules[0], rule("rest", ALL, (V1, 0), (V2, 10_000))))

    assert weights(translate(desired, base, other), "c") == {"checkout-v1": 0, "checkout-v2": 10_000}


MOVED = with_rest((V1, 5000), (V2, 5000))
ADDED = replace(ISTIO.route, rules=(rule("dark", BETA, (V2, 10_000)), *ISTIO.route.rules))


@pytest.mark.parametrize(
    ("desired", "base", "other", "expected"),
    [
        (
            MOVED,
            ISTIO,
            side(route(LINKERD.route.rules[1])),
            "rules[jason]: It has no rule for header x-user exact jason.",
        ),
        (
            MOVED,
            ISTIO,
            side(route(rule("b", BETA, (S2, 10_000)), *LINKERD.route.rules)),
            "rules[b]: Only it has a rule for header x-beta present.",
        ),
        (
            MOVED,
            ISTIO,
            side(route(*reversed(LINKERD.route.rules))),
            "rules: Its rules stand in another order, so other rules decide first.",
        ),
        (
            MOVED,
            ISTIO,
            side(route(*LINKERD.route.rules, rule("again", ALL, (S1, 10_000)))),
            "rules: Two rules are for the same requests: only the first of them decides.",
        ),
        (
            MOVED,
            ISTIO,
            side(route(LINKERD.route.rules[0], rule("r", ALL, (S1, 9000), (service("ledger"), 1000)))),
            "rules[r]: shop/ledger:8080 (version ledger) gets requests there and has no counterpart.",
        ),
        (
            with_rest((V1, 9000), (V2, 500), (V3, 500)),
            replace(ISTIO, extras={"v3": V3}),
            replace(LINKERD, extras={}),
            "rules[rule-2]: It has no version v3: no backend, Service or workload there is it.",
        ),
        (
            with_rest((V1, 9000), (V2, 1000), (V3, 0)),
            replace(ISTIO, extras={"v3": V3}),
            replace(LINKERD, extras={}),
            "rules[rule-2]: It has no version v3: no backend, Service or workload there is it.",
        ),
        (
            with_rest((V1, 9000), (V3, 1000)),
            ISTIO,
            LINKERD,
            "rules[rest]: Nothing says which version shop/checkout#v3 is.",
        ),
        (
            MOVED,
            replace(ISTIO, versions={V1.key: "v1", V2.key: "v1"}),
            LINKERD,
            "rules[rest]: shop/checkout#v1, shop/checkout#v2 are both version v1: correct one of them.",
        ),
        (
            ADDED,
            ISTIO,
            replace(LINKERD, route=replace(LINKERD.route, protocol="grpc")),
            "rules[dark]: Its rules are for grpc, this one for http.",
        ),
        (replace(ISTIO.route, scope="gateway"), ISTIO, LINKERD, "scope: The scope of a route cannot be changed along."),
        (
            replace(ISTIO.route, root=Root("cart", "shop")),
            ISTIO,
            LINKERD,
            "root: The root of a route cannot be changed along.",
        ),
        (
            replace(MOVED, rules=(replace(MOVED.rules[0], timeout_ms=9), MOVED.rules[1])),
            ISTIO,
            LINKERD,
            "rules[jason]: Only matches, backends and weights can be changed along.",
        ),
        (
            replace(ADDED, rules=(replace(ADDED.rules[0], extras=("fault",)), *ADDED.rules[1:])),
            ISTIO,
            LINKERD,
            "rules[dark]: Parts of this rule have no words that every mesh knows.",
        ),
        (
            replace(
                ADDED, rules=(replace(ADDED.rules[0], matches=(Match(opaque=(("port", "80"),)),)), *ADDED.rules[1:])
            ),
            ISTIO,
            LINKERD,
            "rules[dark]: Parts of this rule have no words that every mesh knows.",
        ),
    ],
)
def test_translate__what_cannot_be_paired__said_where_and_why(
    desired: Route, base: Side, other: Side, expected: str
) -> None:
    assert reason(translate(desired, base, other)) == expected


def test_translate__version_in_another_rule_there_alone__taken_from_it() -> None:
    other = side(route(LINKERD.route.rules[0], rule("r", ALL, (S1, 10_000))))

    assert weights(translate(MOVED, ISTIO, other), "r") == {"checkout-v1": 5000, "checkout-v2": 5000}


def test_translate__several_backends_of_the_version_there__not_guessed() -> None:
    ports = side(
        route(
            rule("j", JASON, (service("checkout-v2", 80), 10_000)),
            rule("b", BETA, (S2, 10_000)),
            rule("r", ALL, (S1, 10_000)),
        )
    )
    base = side(
        route(rule("j", JASON, (V2, 10_000)), rule("b", BETA, (V2, 10_000)), rule("r", ALL, (V1, 10_000), (V2, 0)))
    )
    desired = replace(base.route, rules=(*base.route.rules[:2], rule("r", ALL, (V1, 9000), (V2, 1000))))

    assert reason(translate(desired, base, ports)) == (
        "rules[r]: Several backends there are version v2: shop/checkout-v2:80, shop/checkout-v2:8080."
    )


def test_misfits__aligned_routes__none_whatever_the_weights() -> None:
    assert misfits(ISTIO, LINKERD) == ()
    assert misfits(LINKERD, ISTIO) == ()


def test_misfits__several_reasons__all_of_them() -> None:
    other = side(route(rule("b", BETA, (S2, 10_000)), LINKERD.route.rules[1]))

    assert list(map(str, misfits(ISTIO, other))) == [
        "rules[jason]: It has no rule for header x-user exact jason.",
        "rules[b]: Only it has a rule for header x-beta present.",
    ]


def test_misfits__a_backend_without_counterpart__named_with_its_rule() -> None:
    other = side(route(LINKERD.route.rules[0], rule("r", ALL, (S1, 5000), (S2, 0), (service("ledger"), 5000))))

    assert list(map(str, misfits(ISTIO, other))) == [
        "rules[r]: shop/ledger:8080 (version ledger) gets requests there and has no counterpart."
    ]
