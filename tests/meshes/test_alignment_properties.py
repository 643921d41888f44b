"""What holds for every change that is translated: nothing moves that was not moved, and nothing is lost on the way."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meshes.alignment import Misfit, Side, translate, versions_of
from meshes.types import FULL, Backend, HeaderMatch, Match, Root, Route, Rule, WeightedBackend

BUSY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""How busy the machine is says nothing of the code."""
VERSIONS = ("v1", "v2", "v3", "v4")
SUBSETS = {v: Backend("subset", "web", "shop", None, v, (("version", v),)) for v in VERSIONS}
SERVICES = {v: Backend("service", f"web-{v}", "shop", 8080) for v in VERSIONS}
# One draw each: several small ones are too slow on a busy machine.
CHOICES = st.sampled_from([some for size in (2, 1, 3, 4) for some in permutations(VERSIONS, size)])
HEADERS = st.sampled_from([some for size in range(4) for some in permutations(("a", "b", "c"), size)])
Shape = list[tuple[str, dict[str, int]]]
"""Rules in order: the header they ask for ("" = all requests), and basis points by version."""


@st.composite
def shares(draw: st.DrawFn, versions: tuple[str, ...] | None = None) -> dict[str, int]:
    """Basis points that sum to all."""
    chosen = versions or draw(CHOICES)
    cuts = sorted(draw(st.lists(st.integers(0, FULL), min_size=len(chosen) - 1, max_size=len(chosen) - 1)))
    return dict(zip(chosen, (high - low for low, high in zip([0, *cuts], [*cuts, FULL], strict=True)), strict=True))


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    """Rules for headers, then one for everything."""
    headers = draw(HEADERS)
    return [(header, draw(shares())) for header in [*headers, ""]]


@st.composite
def changes(draw: st.DrawFn, shape: Shape) -> Shape:
    """Some rules with other shares, some gone, perhaps a new one somewhere before the last."""
    found: Shape = []
    for header, before in shape:
        if header and draw(st.booleans()):
            continue
        found.append((header, draw(st.one_of(st.just(before), shares()))))
    if draw(st.booleans()):
        found.insert(draw(st.integers(0, len(found) - 1)), ("new", draw(shares())))
    return found


def route_of(shape: Shape, backends: dict[str, Backend], prefix: str) -> Route:
    """The shape with these backends; rules bear names of their own."""
    return Route(
        Root("web", "shop"),
        tuple(
            Rule(
                f"{prefix}-{header or 'rest'}",
                (Match(headers=(HeaderMatch(header, "present"),)),) if header else (),
                tuple(WeightedBackend(backends[version], bp) for version, bp in weights.items()),
            )
            for header, weights in shape
        ),
    )


def side_of(shape: Shape, backends: dict[str, Backend], prefix: str) -> Side:
    """With every version at hand."""
    route = route_of(shape, backends, prefix)
    return Side(route, {key: found.version for key, found in versions_of(route).items()}, backends)


def shape_of(found: Route | Misfit, side: Side) -> Shape:
    """What a route says, in versions."""
    assert isinstance(found, Route), str(found)
    return [
        (
            rule.matches[0].headers[0].name if rule.matches else "",
            {str(side.version(item.backend)): item.weight_bp for item in rule.backends},
        )
        for rule in found.rules
    ]


def idle_left_out(shape: Shape) -> Shape:
    """Only what gets requests."""
    return [(header, {version: bp for version, bp in weights.items() if bp}) for header, weights in shape]


@BUSY
@given(shapes(), shapes())
def test_translate__base_unchanged__other_unchanged(here: Shape, there: Shape) -> None:
    base, other = side_of(here, SUBSETS, "i"), side_of(there, SERVICES, "l")

    assert translate(base.route, base, other) == other.route
    assert translate(other.route, other, base) == base.route


@BUSY
@given(st.data())
def test_translate__same_service_in_two_meshes__as_desired_version_by_version_and_back_again(
    data: st.DataObject,
) -> None:
    shape = data.draw(shapes())
    base, other = side_of(shape, SUBSETS, "i"), side_of(shape, SERVICES, "l")
    wanted = data.draw(changes(shape))
    desired = route_of(wanted, SUBSETS, "i")

    there = translate(desired, base, other)
    back = translate(there, other, base) if isinstance(there, Route) else there

    assert idle_left_out(shape_of(there, other)) == idle_left_out(wanted)
    assert idle_left_out(shape_of(back, base)) == idle_left_out(wanted)


@BUSY
@given(st.data())
def test_translate__other_shares_there__rules_that_moved_are_equal_and_the_others_untouched(
    data: st.DataObject,
) -> None:
    shape = data.draw(shapes())
    apart = [(header, data.draw(shares(tuple(weights)))) for header, weights in shape]
    base, other = side_of(shape, SUBSETS, "i"), side_of(apart, SERVICES, "l")
    wanted = [(header, data.draw(st.one_of(st.just(before), shares(tuple(before))))) for header, before in shape]

    found = translate(route_of(wanted, SUBSETS, "i"), base, other)

    for (_, before), (header, after), (_, old), (name, new) in zip(
        shape, wanted, apart, shape_of(found, other), strict=True
    ):
        assert name == header
        assert new == (old if after == before else after)


@BUSY
@given(st.data())
def test_translate__any_two_routes__all_requests_go_where_desired_or_it_is_refused(data: st.DataObject) -> None:
    here, there = data.draw(shapes()), data.draw(shapes())
    base, other = side_of(here, SUBSETS, "i"), side_of(there, SERVICES, "l")
    wanted = data.draw(changes(here))
    desired = route_of(wanted, SUBSETS, "i")

    found = translate(desired, base, other)

    if isinstance(found, Misfit):
        assert found.reason
        assert found.where
        return
    if shape_of(found, other) == shape_of(other.route, other):
        return
    was, is_now = dict(here), dict(idle_left_out(shape_of(found, other)))
    assert list(is_now) == [header for header, _ in wanted]
    for header, weights in wanted:
        expected = dict(there)[header] if weights == was.get(header) else weights
        assert is_now[header] == {version: bp for version, bp in expected.items() if bp}
        assert sum(is_now[header].values()) == FULL


@BUSY
@given(st.data())
def test_translate__versions_that_are_not_there__never_replaced_by_others(data: st.DataObject) -> None:
    shape = data.draw(shapes())
    base, full = side_of(shape, SUBSETS, "i"), side_of(shape, SERVICES, "l")
    missing = data.draw(st.sampled_from(VERSIONS))
    other = replace(full, extras={v: backend for v, backend in SERVICES.items() if v != missing})
    wanted = data.draw(changes(shape))

    found = translate(route_of(wanted, SUBSETS, "i"), base, other)

    is_there = missing in other.versions.values()
    needed = any(weights.get(missing) for _, weights in wanted)
    if needed and not is_there:
        assert isinstance(found, Misfit)
        assert missing in found.reason
    if isinstance(found, Route):
        assert idle_left_out(shape_of(found, full)) == idle_left_out(wanted)
