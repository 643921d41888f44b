"""How Istio's proxies count requests (mesh-reference §1d, ruling 12): waypoints, else one end, never both added up.

`response_code` 0 is a client that went away: no fault of the service.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from meshes.types import Grain, LabelMatch, ProxyPage, Signal, SignalSpec, Way

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshes.types import Key, Side

PROXY_PAGE: Final = ProxyPage(15020, "/stats/prometheus", ("istio-proxy",))
REPORTERS: Final[Mapping[Side, str]] = MappingProxyType(
    {"waypoint": "waypoint", "server": "destination", "client": "source"}
)
GOOD: Final = (LabelMatch("response_code", "5..", "!~"), LabelMatch("grpc_response_status", "2|4|13|14|15", "!~"))
"""gRPC says how it went in a trailer under a 200: UNKNOWN, DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE, DATA_LOSS."""
SERVICE: Final[tuple[tuple[Key, str], ...]] = (
    ("namespace", "destination_service_namespace"),
    ("service", "destination_service_name"),
)
GROUPS: Final[Mapping[Grain, tuple[tuple[tuple[Key, str], ...], tuple[Side, ...]]]] = MappingProxyType(
    {
        Grain.SERVICE: (SERVICE, ("waypoint", "server")),
        Grain.BACKEND: (
            (*SERVICE, ("version", "destination_version"), ("workload", "destination_workload")),
            ("waypoint", "client", "server"),
        ),
        Grain.EDGE: (
            (("source_namespace", "source_workload_namespace"), ("source_workload", "source_workload"), *SERVICE),
            ("waypoint", "client", "server"),
        ),
    }
)
"""What names a group, and whose proxies are asked, in order."""


def _spec(metric: str, *, good: tuple[LabelMatch, ...] = (), to_ms: float = 0.0) -> SignalSpec:
    return SignalSpec(
        MappingProxyType(
            {
                grain: tuple(
                    Way(side, metric, (LabelMatch("reporter", REPORTERS[side]),), keys, good, to_ms) for side in sides
                )
                for grain, (keys, sides) in GROUPS.items()
            }
        )
    )


SIGNALS: Final[Mapping[Signal, SignalSpec]] = MappingProxyType(
    {
        Signal.REQUEST_RATE: _spec("istio_requests_total"),
        Signal.SUCCESS_RATE: _spec("istio_requests_total", good=GOOD),
        Signal.LATENCY: _spec("istio_request_duration_milliseconds_bucket", to_ms=1.0),
    }
)
