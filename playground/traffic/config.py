"""What Envoy is told: its bootstrap, its clusters, its routes, as JSON. Pure.

One Envoy stands for all sidecars of a cluster. Who calls is in request headers that the load generator sets; Envoy
counts each request by its own stats access logger, with caller, host, route, cluster, upstream, code and flags as tags:
`outbound_*` once for each request of a client, `inbound_*` once for each attempt at an upstream.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from playground.traffic.model import cluster_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from playground.apiserver.jsontypes import Json
    from playground.traffic.model import Directory

SOURCE_POD, SOURCE_NAMESPACE, SOURCE_LABELS = "x-source-pod", "x-source-namespace", "x-source-labels"
HTTP = "type.googleapis.com/envoy.extensions.filters.http"
NETWORK = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
STATS = "type.googleapis.com/envoy.extensions.access_loggers.stats.v3.Config"
DISCOVERY = "type.googleapis.com/envoy"
RESOURCES = {"cds": f"{DISCOVERY}.config.cluster.v3.Cluster", "rds": f"{DISCOVERY}.config.route.v3.RouteConfiguration"}
ROUTES = "mesh"
FLUSH_SECONDS = 1
# The bounds of Istio's histogram (milliseconds), and those of both of Linkerd's (milliseconds; seconds times 1000).
ISTIO_BOUNDS = (0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000, 600000)
LINKERD_MS = tuple(factor * power for power in (1, 10, 100, 1000, 10000) for factor in (1, 2, 3, 4, 5))
LINKERD_SECONDS = (25, 50, 100, 250, 500, 1000, 10000)
LINKERD_BOUNDS = tuple(sorted({*LINKERD_MS, *LINKERD_SECONDS}))
LIMITS = ("max_connections", "max_pending_requests", "max_requests", "max_retries")
MOST = 2**32 - 1  # Envoy's own limit is three retries at once; a mesh has none unless somebody sets one
TAGS = {
    "source": f"%REQ({SOURCE_POD})%",
    "host": "%REQ(:AUTHORITY)%",
    "route": "%ROUTE_NAME%",
    "cluster": "%UPSTREAM_CLUSTER%",
    "upstream": "%UPSTREAM_HOST%",
    "code": "%RESPONSE_CODE%",
    "flags": "%RESPONSE_FLAGS%",
}


def bootstrap(folder: Path, name: str, bounds: Sequence[float]) -> Json:
    """The bootstrap of an Envoy whose files are in `folder`; its administration listens on a socket there.

    `bounds` are those of its histograms, in milliseconds.
    """
    return {
        "node": {"id": name, "cluster": name},
        "admin": {"address": {"pipe": {"path": str(folder / "admin.sock"), "mode": 0o600}}},
        "stats_flush_interval": f"{FLUSH_SECONDS}s",
        "stats_config": {
            "use_all_default_tags": False,
            "histogram_bucket_settings": [{"match": {"contains": "duration"}, "buckets": list(bounds)}],
        },
        "dynamic_resources": {"cds_config": _watched(folder, "cds")},
        "static_resources": {"listeners": [_listener(folder)]},
        "layered_runtime": {"layers": [{"name": "still", "static_layer": {}}]},
    }


def _watched(folder: Path, kind: str) -> Json:
    path = {"path": str(folder / f"{kind}.json")}
    return {"path_config_source": path, "resource_api_version": "V3", "initial_fetch_timeout": "5s"}


def _listener(folder: Path) -> Json:
    manager = {
        "@type": NETWORK,
        "stat_prefix": ROUTES,
        "generate_request_id": False,
        "access_log": [_counting("outbound")],
        "http_filters": [
            {"name": "envoy.filters.http.fault", "typed_config": {"@type": f"{HTTP}.fault.v3.HTTPFault"}},
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{HTTP}.router.v3.Router", "upstream_log": [_counting("inbound")]},
            },
        ],
        "rds": {"route_config_name": ROUTES, "config_source": _watched(folder, "rds")},
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    address = {"socket_address": {"address": "127.0.0.1", "port_value": 0}}
    return {"name": ROUTES, "address": address, "filter_chains": [chain]}


def _counting(prefix: str) -> Json:
    tags = [{"name": name, "value_format": text} for name, text in TAGS.items()]
    counter = {"stat": {"name": "requests", "tags": tags}, "value_fixed": 1}
    histogram = {"stat": {"name": "duration", "tags": tags}, "unit": "Milliseconds"}
    logger = {
        "@type": STATS,
        "stat_prefix": prefix,  # deprecated in 1.40, which still takes it
        "counters": [counter],
        "histograms": [{**histogram, "value_format": "%DURATION%"}],
    }
    return {"name": "envoy.access_loggers.stats", "typed_config": logger}


def clusters(directory: Directory, ports: Mapping[str, int]) -> list[Json]:
    """A cluster for each workload of each Service, and for each Service one that nobody is behind."""
    made = []
    for service in directory.services.values():
        made.append(_cluster(cluster_name(service, ""), []))
        for workload, pods in sorted(directory.workloads(service).items()):
            found = [ports[pod.key] for pod in pods if pod.key in ports]
            made.append(_cluster(cluster_name(service, workload), found))
    return made


def _cluster(name: str, ports: Sequence[int]) -> Json:
    endpoints = [
        {"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}} for port in ports
    ]
    assignment = {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]}
    cluster = {"name": name, "type": "STATIC", "connect_timeout": "1s", "load_assignment": assignment}
    return {**cluster, "circuit_breakers": {"thresholds": [dict.fromkeys(LIMITS, MOST)]}}


def route_configuration(virtual_hosts: Sequence[Json]) -> Json:
    """All routes; a host that nobody made a route for is not found."""
    return {"name": ROUTES, "virtual_hosts": list(virtual_hosts)}


def document(kind: str, resources: Sequence[Json]) -> str:
    """What stands in the watched file of `cds` or `rds`."""
    return json.dumps({"resources": [{"@type": RESOURCES[kind], **each} for each in resources]})
