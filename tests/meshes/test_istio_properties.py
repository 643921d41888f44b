"""What holds for every split: written, patched and read back it is the one that was asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clusters.clients import ObjectRef, Resource
from meshes.adapters.istio import IstioAdapter
from meshes.adapters.shares import basis_points, native_weights
from meshes.types import FULL, Around
from tests.meshes.golden import patched

if TYPE_CHECKING:
    from meshes.types import LiveRoute, Route
    from meshui.lib.jsontypes import JsonObject

ADAPTER = IstioAdapter()
BUSY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""How busy the machine is says nothing of the code."""
REF = ObjectRef(Resource("networking.istio.io", "v1", "virtualservices", "VirtualService"), "shop", "web")
shares = st.lists(st.integers(0, FULL), min_size=1, max_size=7).map(
    lambda cuts: [b - a for a, b in zip([0, *sorted(cuts)], [*sorted(cuts), FULL], strict=True)]
)
weight = st.none() | st.integers(0, 1000)


@st.composite
def splits(draw: st.DrawFn) -> tuple[JsonObject, list[list[int]]]:
    """A VirtualService with one to three rules, and new shares for each."""
    wanted = draw(st.lists(shares, min_size=1, max_size=3))
    http = [
        {
            "match": [{"uri": {"prefix": f"/{number}"}}],
            "route": [
                {"destination": {"host": "web", "subset": f"v{place}"}} | ({} if old is None else {"weight": old})
                for place, old in enumerate(draw(st.lists(weight, min_size=len(rule), max_size=len(rule))))
            ],
            "timeout": "3s",
        }
        for number, rule in enumerate(wanted)
    ]
    metadata = {"name": "web", "namespace": "shop", "uid": "1", "resourceVersion": "7"}
    return cast("JsonObject", {"metadata": metadata, "spec": {"hosts": ["web"], "http": http}}), wanted


def desired_of(live: LiveRoute, wanted: list[list[int]]) -> Route:
    """The live route with new shares."""
    rules = tuple(
        replace(
            rule,
            backends=tuple(replace(b, weight_bp=bp) for b, bp in zip(rule.backends, new, strict=True)),
        )
        for rule, new in zip(live.route.rules, wanted, strict=True)
    )
    return replace(live.route, rules=rules)


def weights_of(route: Route) -> list[list[int]]:
    """Basis points, rule by rule."""
    return [[b.weight_bp for b in rule.backends] for rule in route.rules]


@BUSY
@given(splits())
def test_render__any_split__patched_and_read_back_is_what_was_asked_for(
    split: tuple[JsonObject, list[list[int]]],
) -> None:
    body, wanted = split
    live = ADAPTER.live(body)

    rendered = ADAPTER.render(desired_of(live, wanted), live, Around())
    after = patched(body, rendered.objects[0].operations) if rendered.objects else body

    assert not rendered.losses
    assert rendered.quantisation_error_bp == 0
    assert weights_of(ADAPTER.live(after).route) == wanted


@BUSY
@given(splits())
def test_render__any_split__touches_weights_of_moved_rules_alone(split: tuple[JsonObject, list[list[int]]]) -> None:
    body, wanted = split
    live = ADAPTER.live(body)
    before = weights_of(live.route)

    rendered = ADAPTER.render(desired_of(live, wanted), live, Around())
    after = rendered.objects[0].body if rendered.objects else body

    assert without_weights(after) == without_weights(body)
    for index, (old, new) in enumerate(zip(before, wanted, strict=True)):
        if old == new:
            assert cast("Any", after)["spec"]["http"][index] == cast("Any", body)["spec"]["http"][index]


@BUSY
@given(splits())
def test_render__any_split__a_backend_without_requests_gets_some_only_if_asked(
    split: tuple[JsonObject, list[list[int]]],
) -> None:
    body, wanted = split
    live = ADAPTER.live(body)

    rendered = ADAPTER.render(desired_of(live, wanted), live, Around())
    after = weights_of(ADAPTER.live(rendered.objects[0].body if rendered.objects else body).route)

    assert [[bool(share) for share in rule] for rule in after] == [[bool(share) for share in rule] for rule in wanted]


@BUSY
@given(st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=9))
def test_basis_points__any_weights__sum_to_all_and_err_by_less_than_one(weights: list[int]) -> None:
    found = basis_points(weights)

    total = sum(weights)
    assert sum(found) == (FULL if total else 0)
    assert all(abs(bp * total - FULL * w) < max(total, 1) for bp, w in zip(found, weights, strict=True))


@BUSY
@given(shares)
def test_native_weights__any_shares__percents_if_whole_and_never_reduced(wanted: list[int]) -> None:
    found = native_weights(wanted)

    assert sum(found) in {100, FULL}
    assert basis_points(found) == wanted


@BUSY
@given(splits(), st.integers(1, 9))
def test_project__weights_by_ratio__same_hash(split: tuple[JsonObject, list[list[int]]], factor: int) -> None:
    body, _ = split
    scaled = cast("Any", patched(body, []))
    for rule in scaled["spec"]["http"]:
        for entry in rule["route"]:
            entry["weight"] = factor * (entry.get("weight") or 0)

    before, after = ADAPTER.project(REF, body), ADAPTER.project(REF, scaled)

    assert before == after


def without_weights(body: JsonObject) -> Any:
    """`body` without the weights of its entries."""
    found = cast("Any", patched(body, []))
    for rule in found["spec"]["http"]:
        for entry in rule["route"]:
            entry.pop("weight", None)
    return found
