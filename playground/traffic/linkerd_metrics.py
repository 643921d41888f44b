"""What a proxy of Linkerd says at :4191/metrics. Pure.

Of a Service's HTTP routes the caller's proxy tells parent, route and backend; of a Service with a ServiceProfile it
tells the destination alone, as Linkerd's does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from playground.traffic.config import LINKERD_MS, LINKERD_SECONDS
from playground.traffic.exposition import MS, SECONDS, Exposition
from playground.traffic.model import HASH

if TYPE_CHECKING:
    from collections.abc import Iterable

    from playground.traffic.model import Pod, Service
    from playground.traffic.samples import Traffic

DEFAULT_ROUTE = {"route_group": "", "route_kind": "default", "route_namespace": "", "route_name": "http"}
ROUTE = "outbound_http_route"
BACKEND = f"{ROUTE}_backend"


def linkerd_metrics(pod: Pod, traffic: Iterable[Traffic]) -> str:
    """The metrics of one pod's proxy."""
    made = Exposition()
    for each in traffic:
        if each.is_inbound and each.pod == pod:
            _requests(made, _inbound(each), each)
        elif not each.is_inbound and each.source == pod:
            _requests(made, _outbound(each), each)
            if not each.route.startswith("ServiceProfile/"):
                _route(made, each)
    return made.text()


def _requests(made: Exposition, labels: dict[str, str], each: Traffic) -> None:
    is_failure = each.code.startswith("5") or each.code == "0"
    answered = {**labels, "status_code": each.code}
    classified = {"classification": "failure" if is_failure else "success", "grpc_status_code": "", "error": ""}
    made.count("request_total", labels, each.requests)
    made.count("response_total", {**answered, **classified}, each.requests)
    made.observe("response_latency_ms", answered, each.latency, bounds=LINKERD_MS, unit=MS)


def _inbound(each: Traffic) -> dict[str, str]:
    pod = each.pod
    return {
        "direction": "inbound",
        "tls": "true" if each.source else "no_identity",
        "client_id": _identity(each.source) if each.source else "",
        "target_addr": f"{pod.ip}:{each.asked.port}" if pod else "",
        "target_port": str(each.asked.port),
        "srv_group": "",
        "srv_kind": "default",
        "srv_name": "all-unauthenticated",
        "route_group": "",
        "route_kind": "default",
        "route_name": "default",
    }


def _outbound(each: Traffic) -> dict[str, str]:
    pod = each.pod
    return {
        "direction": "outbound",
        "authority": f"{each.asked.host}:{each.asked.port}",
        "tls": "true" if pod else "",
        "server_id": _identity(pod) if pod else "",
        "dst_service": each.backend.name,
        "dst_namespace": each.backend.namespace,
        "dst_deployment": each.workload,
        "dst_pod_template_hash": pod.labels.get(HASH, "") if pod else "",
    }


def _route(made: Exposition, each: Traffic) -> None:
    labels = {**_reference("parent", each.asked), **_route_labels(each.route)}
    status = {"http_status": each.code, "error": ""}
    made.count(f"{ROUTE}_request_statuses_total", {**labels, **status}, each.requests)
    made.observe(f"{ROUTE}_request_duration_seconds", labels, each.latency, bounds=LINKERD_SECONDS, unit=SECONDS)
    labels |= _reference("backend", each.backend)
    made.count(f"{BACKEND}_requests_total", labels, each.requests)
    made.count(f"{BACKEND}_response_statuses_total", {**labels, **status}, each.requests)
    made.observe(f"{BACKEND}_response_duration_seconds", labels, each.latency, bounds=LINKERD_SECONDS, unit=SECONDS)


def _reference(role: str, service: Service) -> dict[str, str]:
    return {
        f"{role}_group": "core",
        f"{role}_kind": "Service",
        f"{role}_namespace": service.namespace,
        f"{role}_name": service.name,
        f"{role}_port": str(service.port),
        f"{role}_section_name": "",
    }


def _route_labels(route: str) -> dict[str, str]:
    """Of `kind/group/namespace/name`, else those of the route that every Service has."""
    parts = route.split("/")
    if len(parts) != 4:
        return DEFAULT_ROUTE
    kind, group, namespace, name = parts
    return {"route_group": group, "route_kind": kind, "route_namespace": namespace, "route_name": name}


def _identity(pod: Pod) -> str:
    return f"{pod.account}.{pod.namespace}.serviceaccount.identity.linkerd.cluster.local"
