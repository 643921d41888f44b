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
INBOUND: Final = (LabelMatch("direction", "inbound"),)
OUTBOUND: Final = (LabelMatch("direction", "outbound"), LabelMatch("dst_service", "", "!="))
OF_SERVICE: Final = (LabelMatch("parent_kind", "Service"),)
CLASSIFIED: Final = (LabelMatch("classification", "success"),)
ANSWERED: Final = (LabelMatch("http_status", "5..", "!~"), LabelMatch("error", ""))
WORKLOAD: Final[Keys] = (("namespace", "namespace"), ("workload", "deployment"))
BACKEND: Final[Keys] = (
    ("namespace", "parent_namespace"),
    ("service", "parent_name"),
    ("backend_namespace", "backend_namespace"),
    ("backend", "backend_name"),
)
EDGE: Final[Keys] = (
    ("source_namespace", "namespace"),
    ("source_workload", "deployment"),
    ("namespace", "dst_namespace"),
    ("service", "dst_service"),
)
BACKENDS: Final = "outbound_http_route_backend"
SECONDS: Final = 1000.0


def _spec(
    route_metric: str,
    metric: str,
    *,
    good: tuple[tuple[LabelMatch, ...], tuple[LabelMatch, ...]] = ((), ()),
    to_ms: tuple[float, float] = (0.0, 0.0),
) -> SignalSpec:
    """`good` and `to_ms`: of what routes count, then of the rest."""
    received = Way("server", metric, INBOUND, WORKLOAD, good[1], to_ms[1])
    routed = Way("client", f"{BACKENDS}_{route_metric}", OF_SERVICE, BACKEND, good[0], to_ms[0])
    sent = Way("client", metric, OUTBOUND, EDGE, good[1], to_ms[1])
    return SignalSpec(
        MappingProxyType({Grain.SERVICE: (received,), Grain.BACKEND: (routed, received), Grain.EDGE: (sent,)})
    )


SIGNALS: Final[Mapping[Signal, SignalSpec]] = MappingProxyType(
    {
        Signal.REQUEST_RATE: _spec("requests_total", "response_total"),
        Signal.SUCCESS_RATE: _spec("response_statuses_total", "response_total", good=(ANSWERED, CLASSIFIED)),
        Signal.LATENCY: _spec("response_duration_seconds_bucket", "response_latency_ms_bucket", to_ms=(SECONDS, 1.0)),
    }
)
