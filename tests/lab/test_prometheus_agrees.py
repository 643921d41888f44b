"""A real Prometheus and the direct evaluation of the same samples say the same, by the very queries of the product."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.processes import Keeper
from lab.prometheus import make_blocks, start_prometheus
from meshes.adapters.istio import IstioAdapter
from meshes.adapters.linkerd import LinkerdAdapter
from meshes.types import Grain
from metrics.promql import rate_query
from metrics.samples import SampledRates
from metrics.signals import measure
from tests.metrics.recorded import (
    END,
    ISTIO_PLACE,
    LINKERD_PLACE,
    WINDOW,
    istio_proxies,
    linkerd_proxies,
    name,
    openmetrics,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from lab.prometheus import Prometheus
    from meshes.adapters.base import MeshAdapter
    from meshes.types import Side, Way
    from metrics.types import Golden, Name, Place, Sums, Wanted
    from tests.metrics.recorded import Proxy

NEAR = 0.01
SUBJECTS: dict[str, tuple[MeshAdapter, Place, Callable[[], list[Proxy]]]] = {
    "istio": (IstioAdapter(), ISTIO_PLACE, istio_proxies),
    "linkerd": (LinkerdAdapter(), LINKERD_PLACE, linkerd_proxies),
}


@pytest.fixture(scope="module")
def prometheus(lab_prometheus: Path) -> Iterator[Prometheus]:
    """One that holds what the proxies of both meshes told."""
    with Keeper() as keeper:
        data = make_blocks(openmetrics([*istio_proxies(), *linkerd_proxies()]), keeper.place)
        running = start_prometheus(keeper.place, data)
        yield running
        running.server.stop()


class Asked:
    """Rates from the real server, by the product's queries; `order` as the direct evaluation has it."""

    def __init__(self, prometheus: Prometheus, order: tuple[Side, ...]) -> None:
        self.prometheus = prometheus
        self.order = order

    def sums(self, way: Way, wanted: Wanted, *, good: bool = False) -> Sums:
        """As Rates.sums."""
        found = vector(self.prometheus, rate_query(way, wanted, window=WINDOW, good=good))
        return {tuple(labels.get(label, "") for label in way.labels): value for labels, value in found}


def vector(prometheus: Prometheus, query: str) -> list[tuple[dict[str, str], float]]:
    """What it answers at the end of the recording."""
    answer = prometheus.get("/api/v1/query", query=query, time=str(END))
    data = answer["data"]
    assert isinstance(data, dict)
    return [(row["metric"], float(row["value"][1])) for row in data["result"]]


def both(
    prometheus: Prometheus, mesh: str, order: tuple[Side, ...]
) -> tuple[dict[Name, Golden], dict[Name, Golden], Place]:
    """(by Prometheus, by samples) of everything that is known of a mesh's service."""
    adapter, place, proxies = SUBJECTS[mesh]
    sampled = SampledRates([proxy.target() for proxy in proxies()], END, WINDOW, order)
    asked = measure(adapter.signals, Asked(prometheus, order), [place])
    return asked, measure(adapter.signals, sampled, [place]), place


@pytest.mark.lab
@pytest.mark.parametrize("mesh", SUBJECTS)
@pytest.mark.parametrize(
    "order", [(), ("waypoint", "server", "client", "destination")], ids=["as the mesh says", "servers first"]
)
def test_samples__evaluated_by_prometheus_and_directly__agree_within_a_percent(
    prometheus: Prometheus, mesh: str, order: tuple[Side, ...]
) -> None:
    asked, sampled, place = both(prometheus, mesh, order)

    assert asked.keys() == sampled.keys()
    assert {key.grain for key in asked} == set(Grain)
    assert len([key for key in asked if key.grain is Grain.BACKEND]) == len(place.backends)
    for key, golden in asked.items():
        for signal in ("rate", "success", "p50_ms", "p95_ms", "p99_ms"):
            expected, found = getattr(golden, signal), getattr(sampled[key], signal)
            assert found == (None if expected is None else pytest.approx(expected, rel=NEAR)), (key, signal)


@pytest.mark.lab
def test_signals__of_istio__are_what_the_queries_of_its_reference_say(prometheus: Prometheus) -> None:
    _, sampled, place = both(prometheus, "istio", ())
    found = sampled[name(place, Grain.SERVICE)]
    of = 'reporter=~"destination|waypoint",destination_service_namespace="shop",destination_service_name="checkout"'
    whole = f"sum(rate(istio_requests_total{{{of}}}[{WINDOW}s]))"
    well = 'response_code!~"5..",grpc_response_status!~"2|4|13|14|15"'
    good = f"sum(rate(istio_requests_total{{{of},{well}}}[{WINDOW}s]))"
    buckets = f"sum by (le) (rate(istio_request_duration_milliseconds_bucket{{{of}}}[{WINDOW}s]))"

    said = [
        vector(prometheus, query)[0][1]
        for query in (whole, f"{good} / {whole}", *(f"histogram_quantile({q}, {buckets})" for q in (0.5, 0.95, 0.99)))
    ]

    assert [found.rate, found.success, found.p50_ms, found.p95_ms, found.p99_ms] == pytest.approx(said, rel=NEAR)


@pytest.mark.lab
def test_signals__of_linkerd__are_what_the_queries_of_its_reference_say(prometheus: Prometheus) -> None:
    _, sampled, place = both(prometheus, "linkerd", ())
    found = sampled[name(place, Grain.BACKEND, "shop/checkout-v2")]
    of = 'parent_kind="Service",parent_namespace="shop",parent_name="checkout",backend_name="checkout-v2"'
    http, grpc = "outbound_http_route_backend", "outbound_grpc_route_backend"

    def rate_of(metric: str, more: str = "") -> str:
        return f"sum(rate({metric}{{{of}{more}}}[{WINDOW}s]))"

    good = [
        rate_of(f"{http}_response_statuses_total", ',http_status!~"5..",error=""'),
        rate_of(f"{grpc}_response_statuses_total", ',grpc_status=~"OK|NOT_FOUND",error=""'),
    ]
    every = [rate_of(f"{metric}_response_statuses_total") for metric in (http, grpc)]
    whole = [rate_of(f"{metric}_requests_total") for metric in (http, grpc)]
    buckets = " + ".join(
        f"sum by (le) (rate({metric}_response_duration_seconds_bucket{{{of}}}[{WINDOW}s]))" for metric in (http, grpc)
    )

    said = [
        vector(prometheus, query)[0][1]
        for query in (" + ".join(whole), f"({' + '.join(good)}) / ({' + '.join(every)})")
    ]
    slowest = vector(prometheus, f"1000 * histogram_quantile(0.99, {buckets})")[0][1]

    assert [found.rate, found.success, found.p99_ms] == pytest.approx([*said, slowest], rel=NEAR)
