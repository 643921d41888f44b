"""How Linkerd's proxies count requests (mesh-reference §2d). A service is what its workloads' own proxies received.

`namespace` and `deployment` are labels of whoever collects: Prometheus by relabelling, MeshUI of the pod it asked.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from meshes.types import Grain, LabelMatch, ProxyPage, Signal, SignalSpec, Way

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshes.types import Key

    Keys = tuple[tuple[Key, str], ...]

PROXY_PAGE: Final = ProxyPage(4191, "/metrics", ("linkerd-proxy",))
INBOUND: Final = (
    LabelMatch("direction", "inbound"),
    LabelMatch("route_name", "probe", "!="),
    LabelMatch("target_port", "4191", "!="),
)
"""Probes of the kubelet, which Linkerd counts under a route of its own, and scrapes are no requests of anybody."""
OUTBOUND: Final = (LabelMatch("direction", "outbound"), LabelMatch("dst_service", "", "!="))
OF_SERVICE: Final = (LabelMatch("parent_kind", "Service"),)
CLASSIFIED: Final = (LabelMatch("classification", "success"),)
ANSWERED: Final = (LabelMatch("http_status", "5..", "!~"), LabelMatch("error", ""))
FAULTS: Final = "UNKNOWN|DEADLINE_EXCEEDED|INTERNAL|UNAVAILABLE|DATA_LOSS"
"""What Linkerd's own classification takes for a fault of the server; all others are answers to the caller."""
ANSWERED_GRPC: Final = (LabelMatch("grpc_status", FAULTS, "!~"), LabelMatch("error", ""))
WORKLOAD: Final[Keys] = (("namespace", "namespace"), ("workload", "deployment"))
BACKEND: Final[Keys] = (
    ("namespace", "parent_namespace"),
    ("service", "parent_name"),
    ("backend_namespace", "backend_namespace"),
    ("backend", "backend_name"),
)
SOURCE: Final[Keys] = (("source_namespace", "namespace"), ("source_workload", "deployment"))
ASKED: Final[Keys] = (*SOURCE, ("namespace", "parent_namespace"), ("service", "parent_name"))
SENT: Final[Keys] = (*SOURCE, ("namespace", "dst_namespace"), ("service", "dst_service"))
HTTP, GRPC = "outbound_http_route_backend_", "outbound_grpc_route_backend_"
SECONDS: Final = 1000.0


def _spec(
    of_routes: str,
    of_proxies: str,
    *,
    good: tuple[tuple[LabelMatch, ...], ...] = ((), (), ()),
    to_ms: tuple[float, float] = (0.0, 0.0),
) -> SignalSpec:
    """`good`: of what HTTP routes count, of what gRPC routes do, of the rest; `to_ms`: of routes, of the rest."""
    of_http, of_grpc, of_rest = good
    received = Way("server", of_proxies, INBOUND, WORKLOAD, of_rest, to_ms[1])
    sent = Way("destination", of_proxies, OUTBOUND, SENT, of_rest, to_ms[1])

    def routed(keys: Keys) -> tuple[Way, Way]:
        http = Way("client", HTTP + of_routes, OF_SERVICE, keys, of_http, to_ms[0])
        return http, Way("client", GRPC + of_routes, OF_SERVICE, keys, of_grpc, to_ms[0])

    ways = {
        Grain.SERVICE: (received,),
        Grain.BACKEND: (*routed(BACKEND), received),
        Grain.EDGE: (*routed(ASKED), sent),  # a ServiceProfile's service has no routes
    }
    return SignalSpec(MappingProxyType(ways))


SIGNALS: Final[Mapping[Signal, SignalSpec]] = MappingProxyType(
    {
        Signal.REQUEST_RATE: _spec("requests_total", "response_total"),
        Signal.SUCCESS_RATE: _spec(
            "response_statuses_total", "response_total", good=(ANSWERED, ANSWERED_GRPC, CLASSIFIED)
        ),
        Signal.LATENCY: _spec("response_duration_seconds_bucket", "response_latency_ms_bucket", to_ms=(SECONDS, 1.0)),
    }
)
