"""Golden signals from rates: ratios, quantiles, which way of counting answers, what a row is of."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshes.adapters.istio import IstioAdapter
from meshes.adapters.linkerd import LinkerdAdapter
from meshes.types import Grain
from metrics.samples import History, SampledRates, Target
from metrics.signals import measure, quantile
from metrics.types import BackendPlace, Place
from tests.metrics.recorded import END, LINKERD_PLACE, WINDOW, linkerd_proxies, name, series

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshes.types import Side, Way
    from metrics.types import Sums, Wanted

CHECKOUT = Place(
    "shop",
    "checkout",
    frozenset({"checkout-v1", "checkout-v2"}),
    backends=(
        BackendPlace("shop/checkout#v1", "shop", "checkout", is_subset=True, version="v1"),
        BackendPlace("shop/checkout#v2", "shop", "checkout", is_subset=True, workloads=frozenset({"checkout-v2"})),
        BackendPlace("shop/checkout-v3", "shop", "checkout-v3"),
    ),
)
ISTIO = IstioAdapter.signals


@dataclass
class Fixed:
    """Rates as a table: (side, metric, whether only good ones) → sums."""

    table: dict[tuple[str, str, bool], Sums]
    order: tuple[Side, ...] = ()
    asked: list[tuple[str, str, bool, Wanted]] = field(default_factory=list)

    def sums(self, way: Way, wanted: Wanted, *, good: bool = False) -> Sums:
        """As Rates.sums; grouped otherwise than asked for: nothing."""
        self.asked.append((way.side, way.metric, good, wanted))
        found = self.table.get((way.side, way.metric, good), {})
        return {group: value for group, value in found.items() if len(group) == len(way.labels)}


TOTAL, BUCKET = "istio_requests_total", "istio_request_duration_milliseconds_bucket"
SERVICE = ("shop", "checkout")


def test_measure__requests_and_errors__rate_and_success() -> None:
    rates = Fixed({("server", TOTAL, False): {SERVICE: 40.0}, ("server", TOTAL, True): {SERVICE: 39.0}})

    found = measure(ISTIO, rates, [CHECKOUT])[name(CHECKOUT, Grain.SERVICE)]

    assert (found.rate, found.success, found.p99_ms) == (40.0, 0.975, None)


def test_measure__every_request_failed__success_is_zero() -> None:
    rates = Fixed({("server", TOTAL, False): {SERVICE: 40.0}})

    assert measure(ISTIO, rates, [CHECKOUT])[name(CHECKOUT, Grain.SERVICE)].success == 0.0


def test_measure__counters_that_stand_still__rate_is_zero_and_success_unknown() -> None:
    rates = Fixed({("server", TOTAL, False): {SERVICE: 0.0}, ("server", TOTAL, True): {SERVICE: 0.0}})

    found = measure(ISTIO, rates, [CHECKOUT])[name(CHECKOUT, Grain.SERVICE)]

    assert (found.rate, found.success) == (0.0, None)


def test_measure__nothing_counted__nothing_is_said() -> None:
    assert measure(ISTIO, Fixed({}), [CHECKOUT]) == {}


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_measure__rate_that_is_no_number__nothing_is_said(value: float) -> None:
    assert measure(ISTIO, Fixed({("server", TOTAL, False): {SERVICE: value}}), [CHECKOUT]) == {}


def test_measure__waypoint_and_server__never_added_up() -> None:
    rates = Fixed({("waypoint", TOTAL, False): {SERVICE: 30.0}, ("server", TOTAL, False): {SERVICE: 31.0}})

    assert measure(ISTIO, rates, [CHECKOUT])[name(CHECKOUT, Grain.SERVICE)].rate == 30.0


def test_measure__waypoint_of_another_service__each_by_its_own_way() -> None:
    other = Place("shop", "cart")
    rates = Fixed(
        {
            ("waypoint", TOTAL, False): {("shop", "cart"): 5.0},
            ("server", TOTAL, False): {SERVICE: 31.0, ("shop", "cart"): 4.0},
        }
    )

    found = measure(ISTIO, rates, [CHECKOUT, other])

    assert [found[name(one, Grain.SERVICE)].rate for one in (CHECKOUT, other)] == [31.0, 5.0]


def test_measure__servers_first__clients_are_not_asked() -> None:
    row: Sums = {("shop", "checkout", "v1", "checkout-v1"): 9.0}
    table: dict[tuple[str, str, bool], Sums] = {
        ("server", TOTAL, False): row,
        ("client", TOTAL, False): {("shop", "checkout", "v1", "checkout-v1"): 7.0},
    }
    part = name(CHECKOUT, Grain.BACKEND, "shop/checkout#v1")

    as_said, servers = Fixed(table), Fixed(table, order=("waypoint", "server", "client", "destination"))

    assert measure(ISTIO, as_said, [CHECKOUT])[part].rate == 7.0
    assert measure(ISTIO, servers, [CHECKOUT])[part].rate == 9.0


def test_measure__rows_of_backends__by_version_workload_or_service() -> None:
    rows: Sums = {
        ("shop", "checkout", "v1", "checkout-v1"): 80.0,
        ("shop", "checkout", "v1", "checkout-v1-canary"): 10.0,
        ("shop", "checkout", "v2", "checkout-v2"): 6.0,
        ("shop", "checkout", "v9", "checkout-v9"): 1.0,
        ("shop", "checkout-v3", "", "checkout-v3"): 4.0,
        ("other", "checkout", "v1", "checkout-v1"): 99.0,
    }

    found = measure(ISTIO, Fixed({("client", TOTAL, False): rows}), [CHECKOUT])

    assert {key.part: golden.rate for key, golden in found.items() if key.grain is Grain.BACKEND} == {
        "shop/checkout#v1": 90.0,
        "shop/checkout#v2": 6.0,
        "shop/checkout-v3": 4.0,
    }


def test_measure__backends_that_are_services__known_by_their_name_or_by_where_the_asked_one_went() -> None:
    place = Place(
        "shop",
        "checkout",
        backends=(
            BackendPlace("shop/checkout", "shop", "checkout", workloads=frozenset({"checkout-v1"})),
            BackendPlace("shop/checkout-v2", "shop", "checkout-v2", workloads=frozenset({"checkout-v2"})),
        ),
    )
    asked: Sums = {("shop", "checkout", "v1", "checkout-v1"): 90.0, ("shop", "checkout", "v2", "checkout-v2"): 7.0}
    sent: Sums = {("shop", "checkout-v2", "v2", "checkout-v2"): 3.0, ("shop", "checkout-v2", "v2", "other"): 1.0}

    found = measure(ISTIO, Fixed({("server", TOTAL, False): {**asked, **sent}}), [place])

    assert {key.part: golden.rate for key, golden in found.items() if key.grain is Grain.BACKEND} == {
        "shop/checkout": 90.0,
        "shop/checkout-v2": 11.0,
    }


def test_measure__linkerd_callers__of_what_was_asked_for_else_of_where_it_was_sent() -> None:
    cart = Place("shop", "cart")
    table: dict[tuple[str, str, bool], Sums] = {
        ("client", "outbound_http_route_backend_requests_total", False): {("shop", "web", *SERVICE): 10.0},
        ("destination", "response_total", False): {
            ("shop", "web", *SERVICE): 9.0,
            ("shop", "web", "shop", "cart"): 4.0,
        },
    }

    found = measure(LinkerdAdapter.signals, Fixed(table), [Place(*SERVICE), cart])

    assert {(key.service, key.part): golden.rate for key, golden in found.items()} == {
        ("checkout", "shop/web"): 10.0,
        ("cart", "shop/web"): 4.0,
    }


def test_measure__callers__one_edge_each_and_none_without_name() -> None:
    rows: Sums = {("shop", "web", *SERVICE): 8.0, ("apps", "mobile", *SERVICE): 2.0, ("", "", *SERVICE): 1.0}

    found = measure(ISTIO, Fixed({("client", TOTAL, False): rows}), [Place(*SERVICE)])

    assert {key.part: golden.rate for key, golden in found.items()} == {"shop/web": 8.0, "apps/mobile": 2.0}


def test_measure__callers_without_end__the_busiest_hundred() -> None:
    rows: Sums = {("shop", f"w{number}", *SERVICE): float(number) for number in range(5_000)}

    found = measure(ISTIO, Fixed({("client", TOTAL, False): rows}), [Place(*SERVICE)])

    assert len(found) == 100
    assert name(CHECKOUT, Grain.EDGE, "shop/w4999") in found


@pytest.mark.parametrize("source", ["a\0b", "a/b", "<script>", "a" * 300, 'x"} or {', "A"])
def test_measure__caller_whose_name_is_none__left_out(source: str) -> None:
    rows: Sums = {("shop", source, *SERVICE): 8.0, (source, "web", *SERVICE): 8.0}

    assert measure(ISTIO, Fixed({("client", TOTAL, False): rows}), [Place(*SERVICE)]) == {}


def test_measure__linkerd_http_and_grpc_routes__added_up_and_servers_are_not_asked() -> None:
    row = ("shop", "checkout", "shop", "checkout-v1")
    table: dict[tuple[str, str, bool], Sums] = {
        ("client", "outbound_http_route_backend_requests_total", False): {row: 8.0},
        ("client", "outbound_grpc_route_backend_requests_total", False): {row: 2.0},
        ("server", "response_total", False): {("shop", "checkout-v1"): 99.0},
    }

    found = measure(LinkerdAdapter.signals, Fixed(table), [LINKERD_PLACE])

    assert found[name(LINKERD_PLACE, Grain.BACKEND, "shop/checkout-v1")].rate == 10.0
    assert name(LINKERD_PLACE, Grain.BACKEND, "shop/checkout-v2") not in found


def test_measure__linkerd_workloads_of_two_services__counted_for_both() -> None:
    behind = frozenset({"checkout-v1"})
    places = [Place("shop", "checkout", behind | {"checkout-v2"}), Place("shop", "checkout-v1", behind)]
    rows: Sums = {("shop", "checkout-v1"): 9.0, ("shop", "checkout-v2"): 1.0}

    found = measure(LinkerdAdapter.signals, Fixed({("server", "response_total", False): rows}), places)

    assert [found[name(place, Grain.SERVICE)].rate for place in places] == [10.0, 9.0]


def test_measure__linkerd_without_any_workload__not_asked() -> None:
    rates = Fixed({})

    measure(LinkerdAdapter.signals, rates, [Place("shop", "checkout")])

    assert [metric for side, metric, _, _ in rates.asked if side == "server"] == []


def test_measure__linkerd_errors_without_status__are_not_good() -> None:
    targets = [proxy.target() for proxy in linkerd_proxies()]

    found = measure(LinkerdAdapter.signals, SampledRates(targets, END, WINDOW, order=()), [LINKERD_PLACE])

    success = found[name(LINKERD_PLACE, Grain.BACKEND, "shop/checkout-v2")].success
    assert success == pytest.approx(1 - 22 / 143, abs=0.03)


def test_quantile__within_a_bucket__spread_evenly() -> None:
    buckets = {10.0: 50.0, 20.0: 90.0, 40.0: 100.0, math.inf: 100.0}

    assert [quantile(q, buckets) for q in (0.5, 0.7, 0.95)] == [10.0, 15.0, 30.0]


@pytest.mark.parametrize(
    ("buckets", "expected"),
    [
        ({}, None),
        ({math.inf: 5.0}, None),
        ({10.0: 5.0}, None),
        ({10.0: 0.0, math.inf: 0.0}, None),
        ({10.0: 1.0, math.inf: 10.0}, 10.0),
        ({10.0: 4.0, 20.0: 3.0, 40.0: 5.0, math.inf: 5.0}, 30.0),
        ({-1.0: 5.0, 10.0: 5.0, math.inf: 5.0}, -1.0),
    ],
    ids=["none", "only inf", "no inf", "no requests", "above the last bound", "sum that falls", "bound below zero"],
)
def test_quantile__odd_buckets__as_prometheus(buckets: dict[float, float], expected: float | None) -> None:
    found: Callable[[float, dict[float, float]], float | None] = quantile

    assert found(0.9, buckets) == (None if expected is None else pytest.approx(expected))


@given(st.lists(st.floats(0.001, 1e6), min_size=3, max_size=12))
def test_quantile__of_any_histogram__rises_with_q_and_stays_within_bounds(counts: list[float]) -> None:
    total, buckets = 0.0, {}
    for number, count in enumerate(counts[:-1], 1):
        total += count
        buckets[10.0 * number] = total
    buckets[math.inf] = total + counts[-1]

    found = [quantile(q, buckets) for q in (0.5, 0.95, 0.99)]

    assert all(value is not None and 0 <= value <= 10.0 * (len(counts) - 1) for value in found)
    assert found == sorted(found, key=lambda value: value or 0.0)


@pytest.mark.parametrize(
    ("status", "is_good"),
    [("", True), ("0", True), ("5", True), ("7", True), ("1", True), ("2", False), ("4", False), ("13", False),
     ("14", False), ("15", False)],
)  # fmt: skip
def test_measure__istio_grpc__its_status_under_a_200_decides(status: str, *, is_good: bool) -> None:
    labels = {
        "reporter": "destination",
        "destination_service_namespace": "shop",
        "destination_service_name": "checkout",
    }
    told = {**labels, "response_code": "200", "grpc_response_status": status}
    target = Target({}, History([(at, {series(TOTAL, **told): 10.0 * at}) for at in (0.0, 15.0, 30.0, 45.0, 60.0)]))

    found = measure(ISTIO, SampledRates([target], 60.0, 60.0), [CHECKOUT])

    assert found[name(CHECKOUT, Grain.SERVICE)].success == float(is_good)


@pytest.mark.parametrize(
    ("labels", "counts"),
    [({}, True), ({"route_name": "probe", "route_kind": "default"}, False), ({"target_port": "4191"}, False)],
    ids=["request", "probe", "scrape"],
)
def test_measure__linkerd_inbound__probes_and_scrapes_are_no_requests(labels: dict[str, str], *, counts: bool) -> None:
    told = {"direction": "inbound", "classification": "success", **labels}
    history = History([(at, {series("response_total", **told): 10.0 * at}) for at in (0.0, 15.0, 30.0, 45.0, 60.0)])
    target = Target({"namespace": "shop", "deployment": "checkout-v1"}, history)

    found = measure(LinkerdAdapter.signals, SampledRates([target], 60.0, 60.0), [CHECKOUT])

    assert (name(CHECKOUT, Grain.SERVICE) in found) == counts


@pytest.mark.parametrize(
    ("status", "is_good"),
    [("OK", True), ("NOT_FOUND", True), ("CANCELLED", True), ("UNKNOWN", False), ("DEADLINE_EXCEEDED", False),
     ("INTERNAL", False), ("UNAVAILABLE", False), ("DATA_LOSS", False)],
)  # fmt: skip
def test_measure__linkerd_grpc_route__faults_of_the_server_alone_are_failures(status: str, *, is_good: bool) -> None:
    of = {"parent_kind": "Service", "parent_namespace": "shop", "parent_name": "checkout"}
    to = {**of, "backend_namespace": "shop", "backend_name": "checkout-v1"}
    names = (
        series("outbound_grpc_route_backend_requests_total", **to),
        series("outbound_grpc_route_backend_response_statuses_total", **to, grpc_status=status, error=""),
    )
    history = History([(at, dict.fromkeys(names, 10.0 * at)) for at in (0.0, 15.0, 30.0, 45.0, 60.0)])

    found = measure(LinkerdAdapter.signals, SampledRates([Target({}, history)], 60.0, 60.0), [LINKERD_PLACE])

    assert found[name(LINKERD_PLACE, Grain.BACKEND, "shop/checkout-v1")].success == float(is_good)
