"""What a sidecar of Istio says at :15020/stats/prometheus. Pure.

A request is counted at the caller's pod with reporter=source, and each attempt at the called pod with
reporter=destination: as with Istio, a retry that succeeds is one good request there and two requests here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from playground.traffic.config import ISTIO_BOUNDS
from playground.traffic.exposition import MS, Exposition

if TYPE_CHECKING:
    from collections.abc import Iterable

    from playground.traffic.model import Pod, Service
    from playground.traffic.samples import Traffic

UNKNOWN = "unknown"


def istio_metrics(pod: Pod, traffic: Iterable[Traffic]) -> str:
    """The metrics of one pod's sidecar."""
    made = Exposition()
    for each in traffic:
        is_here = each.pod == pod if each.is_inbound else each.source == pod
        if is_here:
            labels = _labels(each)
            made.count("istio_requests_total", labels, each.requests)
            made.observe("istio_request_duration_milliseconds", labels, each.latency, bounds=ISTIO_BOUNDS, unit=MS)
    return made.text()


def _labels(each: Traffic) -> dict[str, str]:
    service = each.asked if each.is_inbound else each.backend
    security = UNKNOWN  # of its own requests a sidecar does not know
    if each.is_inbound:
        security = "mutual_tls" if each.source else "none"
    return {
        "reporter": "destination" if each.is_inbound else "source",
        **_side("source", each.source, each.source.workload if each.source else UNKNOWN),
        **_service(service),
        **_side("destination", each.pod, each.workload or UNKNOWN),
        "request_protocol": "http",
        "response_code": each.code,
        "response_flags": each.flags,
        "grpc_response_status": "",
        "connection_security_policy": security,
    }


def _service(service: Service) -> dict[str, str]:
    return {
        "destination_service": service.host,
        "destination_service_name": service.name,
        "destination_service_namespace": service.namespace,
    }


def _side(side: str, pod: Pod | None, workload: str) -> dict[str, str]:
    """Who is at one side; without a pod nothing is known but its workload."""
    account = f"spiffe://cluster.local/ns/{pod.namespace}/sa/{pod.account}" if pod else UNKNOWN
    return {
        f"{side}_workload": workload,
        f"{side}_workload_namespace": pod.namespace if pod else UNKNOWN,
        f"{side}_principal": account,
        f"{side}_app": pod.app if pod else UNKNOWN,
        f"{side}_version": pod.version if pod else UNKNOWN,
        f"{side}_canonical_service": pod.app if pod else UNKNOWN,
        f"{side}_canonical_revision": pod.version if pod else "latest",
    }
