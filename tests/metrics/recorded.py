"""What proxies of two meshes told over two minutes, made by rule: restarts, a missed scrape, series that begin late."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from metrics.samples import History, Target, labels_of
from metrics.types import BackendPlace, Name, Place

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from meshes.types import Grain

START: Final = 1_790_000_000
STEP: Final = 15
SCRAPES: Final = 9
END: Final = START + STEP * (SCRAPES - 1) + 4
"""Not at a scrape: what is extrapolated matters."""
WINDOW: Final = 60
ISTIO_BOUNDS: Final = ("0.5", "1", "5", "10", "25", "50", "100", "250", "500", "1000", "+Inf")
SECOND_BOUNDS: Final = ("0.025", "0.05", "0.1", "0.25", "0.5", "1", "10", "+Inf")

ISTIO_PLACE: Final = Place(
    "shop",
    "checkout",
    frozenset({"checkout-v1", "checkout-v2"}),
    backends=(
        BackendPlace("shop/checkout#v1", "shop", "checkout", is_subset=True, version="v1"),
        BackendPlace("shop/checkout#v2", "shop", "checkout", is_subset=True, workloads=frozenset({"checkout-v2"})),
    ),
)
LINKERD_PLACE: Final = Place(
    "shop",
    "checkout",
    frozenset({"checkout-v1", "checkout-v2"}),
    backends=(
        BackendPlace("shop/checkout-v1", "shop", "checkout-v1", workloads=frozenset({"checkout-v1"})),
        BackendPlace("shop/checkout-v2", "shop", "checkout-v2", workloads=frozenset({"checkout-v2"})),
    ),
)


def name(place: Place, grain: Grain, part: str = "") -> Name:
    """What signals are of."""
    return Name(place.namespace, place.service, grain, part)


@dataclass
class Proxy:
    """One proxy: its labels, how fast each of its counters grows a scrape, and which scrapes fail or find it anew."""

    labels: Mapping[str, str]
    growth: Mapping[str, float]
    restarts_at: int = -1
    misses: int = -1
    begins: Mapping[str, int] = field(default_factory=dict)

    def scrapes(self) -> Iterator[tuple[float, dict[str, float]]]:
        """(time, samples) of every scrape that succeeded."""
        noise = random.Random(repr(sorted(self.labels.items())))  # noqa: S311 - a recording, the same each time
        values = dict.fromkeys(self.growth, 0.0)
        for number in range(SCRAPES):
            if number == self.restarts_at:
                values = dict.fromkeys(self.growth, 0.0)
            factor = noise.uniform(0.6, 1.4)
            for series, growth in self.growth.items():
                values[series] += round(growth * factor)
            if number != self.misses:
                there = {s: v for s, v in values.items() if number >= self.begins.get(s, 0)}
                yield START + STEP * number, there

    def target(self) -> Target:
        """As MeshUI would have asked it."""
        history = History()
        for at, samples in self.scrapes():
            history.add(at, samples, window=1_000.0)
        return Target({k: v for k, v in self.labels.items() if k != "pod"}, history)


def openmetrics(proxies: list[Proxy], *, shift: int = 0) -> str:
    """What a Prometheus that had asked them would hold; all of it `shift` seconds later."""
    lines = []
    for proxy in proxies:
        for at, samples in proxy.scrapes():
            for series, value in samples.items():
                labels = {**labels_of(series), **proxy.labels}
                text = ",".join(f'{key}="{value_}"' for key, value_ in labels.items())
                lines.append(f"{series.partition('{')[0]}{{{text}}} {value} {at + shift}")
    return "\n".join([*lines, "# EOF", ""])


def series(metric: str, **labels: str) -> str:
    """A series as a proxy writes it."""
    return metric + "{" + ",".join(f'{key}="{value}"' for key, value in labels.items()) + "}"


def histogram(metric: str, bounds: tuple[str, ...], rate: float, middle: float, **labels: str) -> dict[str, float]:
    """Growth of the buckets of `rate` requests around the bound at index `middle` of `bounds`."""
    shares = [min(1.0, max(0.0, (index + 1 - middle / 2) / middle)) for index in range(len(bounds) - 1)] + [1.0]
    return {series(metric, **labels, le=bound): rate * share for bound, share in zip(bounds, shares, strict=True)}


def istio_proxy(
    version: str, rate: float, *, bad: float, reporter: str = "destination", source: str = "web", **faults: int
) -> Proxy:
    """A sidecar of checkout (or, as `source`, of who calls it)."""
    base = {
        "reporter": reporter,
        "source_workload": source,
        "source_workload_namespace": "shop",
        "destination_workload": f"checkout-{version}",
        "destination_workload_namespace": "shop",
        "destination_version": version,
        "destination_service": "checkout.shop.svc.cluster.local",
        "destination_service_name": "checkout",
        "destination_service_namespace": "shop",
    }
    growth = {
        series("istio_requests_total", **base, response_code="200"): rate,
        series("istio_requests_total", **base, response_code="503"): bad,
        series("istio_requests_total", **base, response_code="200", grpc_response_status="0"): rate / 20,
        series("istio_requests_total", **base, response_code="200", grpc_response_status="5"): rate / 50,
        series("istio_requests_total", **base, response_code="200", grpc_response_status="14"): bad / 4,
        **histogram("istio_request_duration_milliseconds_bucket", ISTIO_BOUNDS, rate, 4.0, **base, response_code="200"),
    }
    who = f"{reporter}-{version}-{source}-{faults.get('number', 0)}"
    late = {series("istio_requests_total", **base, response_code="503"): 6} if faults.get("late") else {}
    return Proxy({"pod": who}, growth, faults.get("restarts_at", -1), faults.get("misses", -1), late)


def istio_proxies() -> list[Proxy]:
    """Both ends of the same requests, and one other service that nobody asks for."""
    return [
        istio_proxy("v1", 900, bad=9, restarts_at=6),
        istio_proxy("v1", 600, bad=30, number=1, misses=7),
        istio_proxy("v2", 160, bad=16, late=1),
        istio_proxy("v2", 55, bad=0, source="mobile", number=2),
        istio_proxy("v1", 1500, bad=39, reporter="source"),
        istio_proxy("v2", 190, bad=20, reporter="source", restarts_at=8),
    ]


def linkerd_server(version: str, rate: float, *, bad: float, **faults: int) -> Proxy:
    """A proxy of checkout, as it counts what it received."""
    base = {"direction": "inbound", "tls": "true"}
    growth = {
        series("response_total", **base, classification="success", status_code="200"): rate,
        series("response_total", **base, classification="failure", status_code="500"): bad,
        **histogram("response_latency_ms_bucket", ISTIO_BOUNDS, rate, 5.0, **base),
    }
    labels = {
        "namespace": "shop",
        "deployment": f"checkout-{version}",
        "pod": f"in-{version}-{faults.get('misses', 0)}",
    }
    return Proxy(labels, growth, faults.get("restarts_at", -1), faults.get("misses", -1))


def linkerd_client(rates: Mapping[str, tuple[float, float]], *, restarts_at: int) -> Proxy:
    """A proxy of who calls checkout: what its route sent to which backend, `(rate, bad)` by version."""
    growth: dict[str, float] = {}
    for version, (rate, bad) in rates.items():
        base = {
            "parent_kind": "Service",
            "parent_namespace": "shop",
            "parent_name": "checkout",
            "backend_namespace": "shop",
            "backend_name": f"checkout-{version}",
        }
        metric, grpc = "outbound_http_route_backend", "outbound_grpc_route_backend"
        sent = {"direction": "outbound", "dst_namespace": "shop", "dst_service": "checkout", "v": version}
        growth |= {
            series(f"{metric}_requests_total", **base): rate,
            series(f"{metric}_response_statuses_total", **base, http_status="200", error=""): rate - bad,
            series(f"{metric}_response_statuses_total", **base, http_status="503", error=""): bad / 2,
            series(f"{metric}_response_statuses_total", **base, http_status="", error="TIMEOUT"): bad / 2,
            series("response_total", **sent, classification="success"): rate - bad,
            series("response_total", **sent, classification="failure"): bad,
            **histogram(f"{metric}_response_duration_seconds_bucket", SECOND_BOUNDS, rate, 3.0, **base),
            series(f"{grpc}_requests_total", **base): rate / 10,
            series(f"{grpc}_response_statuses_total", **base, grpc_status="OK", error=""): rate / 10 - 3,
            series(f"{grpc}_response_statuses_total", **base, grpc_status="NOT_FOUND", error=""): 1,
            series(f"{grpc}_response_statuses_total", **base, grpc_status="INTERNAL", error=""): 2,
            **histogram(f"{grpc}_response_duration_seconds_bucket", SECOND_BOUNDS, rate / 10, 5.0, **base),
        }
    return Proxy({"namespace": "shop", "deployment": "web", "pod": "out"}, growth, restarts_at)


def linkerd_proxies() -> list[Proxy]:
    """Two that serve checkout and one that calls it."""
    return [
        linkerd_server("v1", 800, bad=10, restarts_at=5),
        linkerd_server("v2", 120, bad=12, misses=6),
        linkerd_client({"v1": (800, 12), "v2": (130, 20)}, restarts_at=7),
    ]
