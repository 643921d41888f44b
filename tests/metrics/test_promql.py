"""Queries from templates: names of Kubernetes and nothing else becomes a part of one (S15)."""

from __future__ import annotations

import re
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshes.adapters.istio import IstioAdapter
from meshes.adapters.linkerd import LinkerdAdapter
from meshes.types import Grain, Signal, Way
from metrics.promql import NAME, UnsafeQueryError, rate_query, require_fixed

WAYS = [
    way
    for adapter in (IstioAdapter(), LinkerdAdapter())
    for spec in adapter.signals.values()
    for ways in spec.ways.values()
    for way in ways
]
BACKEND = IstioAdapter.signals[Signal.REQUEST_RATE].ways[Grain.BACKEND][2]
MARKS = ('"', "'", "`", "\\", "\n", "\r", "\t", "\0", "{", "}", "(", ")", "[", "]", ",", "=~", "!=", "|", "*", "+", "$")
PIECES = (
    "checkout",
    '"} or vector(1) or {a="',
    "\\",
    '\\"',
    "a|b",
    ".*",
    "x or y",
    " unless ",
    "#",
    "$__range",
    "{{",
    "%00",
    "\u00e9",
    "\uff02",
    "\u202e",
)
STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"')


def hostile() -> list[str]:
    """More than 300 values that are no names of Kubernetes, each in its place within one."""
    found = [
        f"{before}{mark}{after}" for mark in MARKS for before, after in product(("", "shop", "a."), ("", "b", "-x"))
    ]
    found += ["".join(pair) for pair in product(PIECES, repeat=2)]
    found += ["", ".", "..", "-a", "a-", "a..b", "A", "a_b", "a b", "a" * 254, "*", "shop\n", " shop", "shop\u2028"]
    return [value for value in dict.fromkeys(found) if not re.fullmatch(r"[a-z0-9]+([.-]?[a-z0-9]+)*", value)]


def test_s15_promql__hostile_value__refused_or_quoted_never_a_part_of_the_query() -> None:
    values = hostile()
    assert len(values) >= 300

    for value in values:
        for wanted in (
            {"namespace": {value}},
            {"service": {"checkout", value}},
            {"namespace": {"shop"}, "service": [value]},
        ):
            with pytest.raises(UnsafeQueryError):
                rate_query(BACKEND, wanted, window=60)  # type: ignore[arg-type]  # keys as text


def test_s15_promql__hostile_fixed_label__refused() -> None:
    for value in hostile():
        if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._/-]*[A-Za-z0-9]|[A-Za-z0-9]", value):
            continue
        with pytest.raises(UnsafeQueryError):
            require_fixed("cluster", value)
    for label in ("", "__name__", "a-b", "1a", 'a="b",c', "é", "a\n", "a" * 200):
        with pytest.raises(UnsafeQueryError):
            require_fixed(label, "eu-west")


LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)


@settings(max_examples=60)
@given(
    way=st.sampled_from(WAYS),
    names=st.lists(st.lists(LABELS, min_size=1, max_size=3).map(".".join), min_size=1, max_size=4),
)
def test_s15_promql__any_accepted_name__stays_inside_its_string(way: Way, names: list[str]) -> None:
    plain = {key: {"shop"} if len(set(names)) == 1 else {"shop", "x"} for key, _ in way.keys[:2]}
    wanted = {key: set(names) for key in plain}
    assert all(NAME.match(name) for name in names)

    query = rate_query(way, wanted, window=60, fixed={"cluster": "eu-west"})

    assert STRINGS.sub('""', query) == STRINGS.sub(
        '""', rate_query(way, plain, window=60, fixed={"cluster": "eu-west"})
    )
    assert query.count('{cluster="eu-west",') == 1


def test_query__one_name__equality() -> None:
    query = rate_query(BACKEND, {"namespace": {"shop"}, "service": {"checkout"}}, window=60)

    assert query == (
        "sum by (destination_service_namespace, destination_service_name, destination_version, destination_workload) "
        '(rate(istio_requests_total{reporter="destination",destination_service_namespace="shop",'
        'destination_service_name="checkout"}[60s]))'
    )


def test_query__names_with_dots__escaped_in_the_regex_and_in_its_string() -> None:
    query = rate_query(BACKEND, {"service": {"a.b", "c-d"}}, window=60)

    assert 'destination_service_name=~"a\\\\.b|c\\\\-d"' in query


def test_query__good_ones__error_condition_beside_the_others() -> None:
    way = LinkerdAdapter.signals[Signal.SUCCESS_RATE].ways[Grain.BACKEND][0]

    query = rate_query(way, {"namespace": {"shop"}, "service": {"web"}}, window=60, good=True)

    assert '{parent_kind="Service",http_status!~"5..",error="",parent_namespace="shop",parent_name="web"}' in query


@pytest.mark.parametrize("window", [0, 14, 3_601, -60])
def test_query__window_out_of_bounds__refused(window: int) -> None:
    with pytest.raises(UnsafeQueryError, match="window"):
        rate_query(BACKEND, {"namespace": {"shop"}}, window=window)


@pytest.mark.parametrize("names", [set(), {f"s{number}" for number in range(501)}])
def test_query__no_names_or_too_many__refused(names: set[str]) -> None:
    with pytest.raises(UnsafeQueryError, match="narrowed"):
        rate_query(BACKEND, {"service": names}, window=60)
