"""Routes of the Gateway API: who reads which, how far one has come, what a match means."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from meshes.adapters.gateway_kinds import ISTIO, LINKERD, owner_of, ref_of
from meshes.adapters.gateway_match import match_fault, match_of, native_match
from meshes.adapters.gateway_read import route_of
from meshes.adapters.gateway_rivals import sorted_out
from meshes.adapters.gateway_status import verify
from meshes.adapters.gateway_write import project
from meshes.adapters.istio_match import match_fault as istio_fault
from meshes.types import HeaderMatch, LiveRoute, Match, PathMatch, QueryMatch

if TYPE_CHECKING:
    from meshes.adapters.base import Problem
    from meshes.adapters.gateway_kinds import Flavour
    from meshes.adapters.gateway_rivals import Sorted
    from meshui.lib.jsontypes import JsonObject

PARENT = {"group": "", "kind": "Service", "name": "web", "port": 8080}


def route(status: Any = None, parent: Any = PARENT, **spec: Any) -> JsonObject:
    """A route of generation 3 that splits 90/10."""
    refs = [{"name": "web-v1", "port": 8080, "weight": 90}, {"name": "web-v2", "port": 8080, "weight": 10}]
    body = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "web", "namespace": "shop", "uid": "1", "resourceVersion": "7", "generation": 3},
        "spec": {"parentRefs": [parent], "rules": [{"backendRefs": refs}], **spec},
    }
    return cast("JsonObject", {**body, "status": status} if status else body)


def said(controller: str, *, parent: Any = PARENT, **conditions: tuple[str, int | None]) -> dict[str, Any]:
    """A status in which `controller` says these conditions, each of a generation."""
    told = [
        {"type": kind, "status": value, "reason": "R", "message": "m"} | ({"observedGeneration": gen} if gen else {})
        for kind, (value, gen) in conditions.items()
    ]
    return {"parents": [{"parentRef": parent, "controllerName": controller, "conditions": told}]}


def live_of(body: JsonObject, flavour: Flavour) -> LiveRoute:
    """Read."""
    return LiveRoute(route_of(body, flavour)[0], ref_of(body), body)


GOOD = {"Accepted": ("True", 3), "ResolvedRefs": ("True", 3)}


@pytest.mark.parametrize(
    ("flavour", "status", "expected"),
    [
        (ISTIO, said(ISTIO.controller, **GOOD), ("L2", "verified")),
        (LINKERD, said(LINKERD.controller, **GOOD), ("L2", "verified")),
        (LINKERD, said(LINKERD.controller, Accepted=("True", None), ResolvedRefs=("True", None)), ("L2", "verified")),
        (ISTIO, said(ISTIO.controller, Accepted=("True", None), ResolvedRefs=("True", None)), ("L1", "waiting")),
        (ISTIO, None, ("L1", "waiting")),
        (ISTIO, said(LINKERD.controller, **GOOD), ("L1", "waiting")),
        (ISTIO, said(ISTIO.controller, parent={**PARENT, "name": "other"}, **GOOD), ("L1", "waiting")),
        (ISTIO, said(ISTIO.controller, parent={**PARENT, "port": 9090}, **GOOD), ("L1", "waiting")),
        (ISTIO, said(ISTIO.controller, Accepted=("True", 3)), ("L1", "waiting")),
        (ISTIO, said(ISTIO.controller, Accepted=("True", 2), ResolvedRefs=("True", 3)), ("L1", "waiting")),
        (LINKERD, said(LINKERD.controller, Accepted=("True", 2), ResolvedRefs=("True", 2)), ("L1", "waiting")),
        (ISTIO, said(ISTIO.controller, Accepted=("False", 2), ResolvedRefs=("True", 3)), ("L1", "waiting")),
        (ISTIO, said(ISTIO.controller, Accepted=("False", 3), ResolvedRefs=("True", 3)), ("L1", "mismatch")),
        (LINKERD, said(LINKERD.controller, Accepted=("True", 3), ResolvedRefs=("False", 3)), ("L1", "mismatch")),
    ],
)
def test_verify__what_a_controller_says__of_this_parent_and_generation_alone(
    flavour: Flavour, status: Any, expected: tuple[str, str]
) -> None:
    live = live_of(route(status), flavour)

    found = verify(live.route, live, flavour)

    assert (found.level, found.answer) == expected
    assert found.detail


def test_verify__other_weights_are_stored__mismatch_whatever_the_status() -> None:
    live = live_of(route(said(ISTIO.controller, **GOOD)), ISTIO)
    first = live.route.rules[0]
    moved = replace(first, backends=tuple(replace(b, weight_bp=5000) for b in first.backends))

    found = verify(replace(live.route, rules=(moved,)), live, ISTIO)

    assert (found.level, found.answer) == ("L1", "mismatch")


def test_verify__gone_or_not_yet_there__says_so() -> None:
    live = live_of(route(), ISTIO)

    assert verify(None, None, ISTIO).answer == "verified"
    assert verify(None, live, ISTIO).detail == "HTTPRoute shop/web is still there."
    assert verify(live.route, None, ISTIO).detail == "It is not there."


def namespace(name: str, *meshes: str) -> JsonObject:
    """A namespace that these meshes inject into."""
    labels = {"istio-injection": "enabled"} if "istio" in meshes else {}
    annotations = {"linkerd.io/inject": "enabled"} if "linkerd" in meshes else {}
    return cast("JsonObject", {"metadata": {"name": name, "uid": name, "labels": labels, "annotations": annotations}})


def problems_of(found: Sorted) -> list[Problem]:
    """What is to be said of routes that nobody reads."""
    return [problem for told in found.told.values() for problem in told]


BOTH = {
    "parents": [
        *said(ISTIO.controller, **GOOD)["parents"],
        *said(LINKERD.controller, **GOOD)["parents"],
    ]
}


@pytest.mark.parametrize(
    ("status", "meshes", "expected"),
    [
        (said(ISTIO.controller, **GOOD), ["linkerd"], "istio"),
        (said(LINKERD.controller, **GOOD), [], "linkerd"),
        (said("io.cilium/gateway-controller", **GOOD), ["linkerd"], "linkerd"),
        (None, ["istio"], "istio"),
        (None, ["linkerd"], "linkerd"),
        (None, [], ""),
        (None, ["istio", "linkerd"], ""),
        (BOTH, ["linkerd"], "linkerd"),
        (BOTH, [], ""),
    ],
)
def test_owner_of__status_then_injection__or_nobody(status: Any, meshes: list[str], expected: str) -> None:
    assert owner_of(route(status), {"shop": namespace("shop", *meshes)}) == expected


def test_sorted_out__claimed_by_nobody__told_and_not_taken() -> None:
    for flavour in (ISTIO, LINKERD):
        found = sorted_out([route()], [namespace("shop")], flavour)

        assert found.mine == ()
        assert [problem.where for problem in problems_of(found)] == ["HTTPRoute shop/web"]
        assert "it does nothing" in problems_of(found)[0].message


def test_sorted_out__service_under_the_default_group__the_mend_is_told() -> None:
    """The API server fills in the group of the Gateway API, which has no Service."""
    body = route(parent={**PARENT, "group": "gateway.networking.k8s.io"})

    found = sorted_out([body], [namespace("shop", "istio")], ISTIO)

    assert found.mine == ()
    assert 'Write group: ""' in problems_of(found)[0].message


def test_sorted_out__of_another_shape__named_and_the_others_stay() -> None:
    bad = route(rules=[{"backendRefs": [{"name": "x", "weight": -1}]}])

    found = sorted_out([bad, route()], [namespace("shop", "istio")], ISTIO)

    assert len(found.mine) == 1
    assert ">= 0" in problems_of(found)[0].message


MATCHES = [
    Match(path=PathMatch("exact", "/a")),
    Match(path=PathMatch("segments", "/a/b")),
    Match(path=PathMatch("regex", "/a.*"), methods=("GET",)),
    Match(headers=(HeaderMatch("x-a", "exact", "1"), HeaderMatch("x-b", "regex", "2.*"))),
    Match(query=(QueryMatch("v", "exact", "1"), QueryMatch("w", "regex", ".*"))),
]


@pytest.mark.parametrize("match", MATCHES)
def test_match__written_and_read_back__is_the_same(match: Match) -> None:
    assert match_fault(match, "http") == ""
    assert match_of(native_match(match, "http"), "http") == match


@pytest.mark.parametrize(
    "match",
    [
        Match(path=PathMatch("prefix", "/a")),
        Match(methods=("GET", "POST")),
        Match(headers=(HeaderMatch("x-a", "prefix", "1"),)),
        Match(headers=(HeaderMatch("x-a", "present"),)),
        Match(headers=(HeaderMatch("x-a", "exact", "1", is_inverted=True),)),
        Match(query=(QueryMatch("v", "suffix", "1"),)),
        Match(opaque=(("sourceLabels", '{"app":"x"}'),)),
        Match(path=PathMatch("segments", "/a/")),
    ],
)
def test_match__what_it_cannot_hold__refused_and_never_dropped(match: Match) -> None:
    assert match_fault(match, "http")


def test_match__prefixes_of_both_worlds__are_never_each_other() -> None:
    assert istio_fault(Match(path=PathMatch("segments", "/a")))
    assert not istio_fault(Match(path=PathMatch("prefix", "/a")))
    assert not match_fault(Match(path=PathMatch("segments", "/a")), "http")
    assert istio_fault(Match(opaque=(("path", '{"type":"Other"}'),)))


@pytest.mark.parametrize("match", [Match(path=PathMatch("regex", "/a")), Match(methods=("GET",))])
def test_match__of_http_in_a_route_of_grpc__refused(match: Match) -> None:
    assert match_fault(match, "grpc")


def weighted(*weights: int | None) -> JsonObject:
    """A route whose backends have these weights; None: it is not written."""
    refs = [{"name": f"web-v{n}", "port": 8080} | ({} if w is None else {"weight": w}) for n, w in enumerate(weights)]
    return route(rules=[{"backendRefs": refs}])


def test_project__absent_weight__is_one_and_ratios_count() -> None:
    bare = project(weighted(None, None)).hash

    assert bare == project(weighted(1, 1)).hash == project(weighted(50, 50)).hash
    assert bare != project(weighted(0, 0)).hash
    assert project(weighted(None, 3)).hash == project(weighted(10, 30)).hash != project(weighted(0, 3)).hash
