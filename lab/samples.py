"""A believable Istio shop for tests: a control plane to discover, one service in two versions, its routes."""

import datetime as dt
import json
from typing import Any

from lab.client import ApiError, Object
from lab.cluster import Cluster
from lab.istiod import MESH_CONFIG, SYSTEM
from playground.acceptance import LINKERD
from playground.south import ap_south

SHOP = "shop"
ISTIO_VERSION = "1.31.0"
_REGISTRY = "registry.istio.io/release"


def deploy_shop(cluster: Cluster) -> None:
    """Namespace `shop` with checkout v1 and v2, split 90/10, and an Istio control plane that discovery can find.

    May be called again: what exists stays as it is. Returns when pods are ready and EndpointSlices name them.
    """
    for item in shop_objects():
        try:
            cluster.client.create(item)
        except ApiError as error:
            if error.status != 409:
                raise
    for name, namespace in (("istiod", SYSTEM), ("checkout-v1", SHOP), ("checkout-v2", SHOP)):
        cluster.wait("Deployment", name, namespace, is_available, seconds=60)
    cluster.wait("Service", "checkout", SHOP, lambda _service: ready_endpoints(cluster, "checkout") == 3, seconds=60)


def deploy_linkerd_shop(cluster: Cluster) -> None:
    """The shop of the playground's Linkerd cluster, on a real API server that knows Linkerd's kinds.

    Linkerd's control plane cannot be built: its objects are there and nothing runs, so nobody injects proxies and
    nobody writes `status.parents`; a test that needs them calls `accept`. May be called again: what exists stays.
    Returns when pods are ready.
    """
    for item in ap_south():
        if item["kind"] == "MutatingWebhookConfiguration":
            continue  # nobody answers it
        try:
            cluster.client.create(item)
        except ApiError as error:
            if error.status != 409:
                raise
    for item in ap_south():
        if item["kind"] == "Deployment":
            metadata = item["metadata"]
            cluster.wait("Deployment", metadata["name"], metadata["namespace"], is_available, seconds=120)


def accept(cluster: Cluster, kind: str, name: str, namespace: str, *, reason: str = "Accepted") -> Object:
    """Let Linkerd's controller have its word about a route: accepted, or refused for another `reason`."""
    route = cluster.get(kind, name, namespace)
    is_good = reason == "Accepted"
    moment = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    accepted = {"type": "Accepted", "status": str(is_good), "reason": reason, "message": ""}
    resolved = {"type": "ResolvedRefs", "status": "True", "reason": "ResolvedRefs", "message": ""}
    conditions = [{**each, "lastTransitionTime": moment} for each in (accepted, resolved)]
    parents = [
        {"controllerName": LINKERD.name, "parentRef": parent, "conditions": conditions}
        for parent in route["spec"]["parentRefs"]
    ]
    return cluster.set_status(kind, name, namespace, {"parents": parents}, manager=LINKERD.manager)


def is_available(deployment: Object) -> bool:
    """Whether every wanted replica is ready."""
    return bool(deployment.get("status", {}).get("availableReplicas", 0) == deployment["spec"]["replicas"])


def ready_endpoints(cluster: Cluster, service: str) -> int:
    """How many ready endpoints the EndpointSlices of `service` in the shop name."""
    return sum(
        endpoint["conditions"].get("ready", False)
        for slice_ in cluster.list("EndpointSlice", SHOP)
        if slice_["metadata"]["labels"].get("kubernetes.io/service-name") == service
        for endpoint in slice_.get("endpoints") or ()
    )


def shop_objects() -> list[Object]:
    """Everything `deploy_shop` creates, in order."""
    return [
        _object("v1", "Namespace", SYSTEM, ""),
        _object("v1", "Namespace", SHOP, "", labels={"istio-injection": "enabled"}),
        _control_plane(),
        {**_object("v1", "ConfigMap", "istio", SYSTEM, labels={"istio.io/rev": "default"}), "data": _mesh_data()},
        _workload("v1", replicas=2),
        _workload("v2", replicas=1),
        _service(),
        _destination_rule(),
        virtual_service(90, 10),
    ]


def virtual_service(first: int, second: int, *, name: str = "checkout") -> Object:
    """A VirtualService that splits checkout between v1 and v2."""
    route = [
        {"destination": {"host": "checkout", "subset": subset}, "weight": weight}
        for subset, weight in (("v1", first), ("v2", second))
    ]
    spec = {"hosts": ["checkout"], "http": [{"name": "primary", "timeout": "5s", "route": route}]}
    return {**_object("networking.istio.io/v1", "VirtualService", name, SHOP), "spec": spec}


def _object(api_version: str, kind: str, name: str, namespace: str, **metadata: Any) -> Object:
    within = {"namespace": namespace} if namespace else {}
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, **within, **metadata}}


def _mesh_data() -> dict[str, str]:
    return {"mesh": MESH_CONFIG, "meshNetworks": "networks: {}"}


def _deployment(name: str, namespace: str, labels: dict[str, str], replicas: int, pod: Object) -> Object:
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": pod}
    return {**_object("apps/v1", "Deployment", name, namespace, labels=labels), "spec": spec}


def _control_plane() -> Object:
    """The Deployment of istiod; the process itself runs beside the cluster, and kwok plays this pod."""
    labels = {"app": "istiod", "istio.io/rev": "default"}
    container = {"name": "discovery", "image": f"{_REGISTRY}/pilot:{ISTIO_VERSION}"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return _deployment("istiod", SYSTEM, labels, 1, pod)


def _workload(version: str, *, replicas: int) -> Object:
    """checkout in one version, as the sidecar injector would have left its pods."""
    labels = {"app": "checkout", "version": version}
    containers = [
        {"name": "checkout", "image": f"example/checkout:{version}", "ports": [{"containerPort": 8080}]},
        {"name": "istio-proxy", "image": f"{_REGISTRY}/proxyv2:{ISTIO_VERSION}"},
    ]
    status = json.dumps({"containers": ["istio-proxy"], "revision": "default"})
    injected = {"labels": {**labels, "istio.io/rev": "default"}, "annotations": {"sidecar.istio.io/status": status}}
    pod = {"metadata": injected, "spec": {"containers": containers}}
    return _deployment(f"checkout-{version}", SHOP, labels, replicas, pod)


def _service() -> Object:
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    spec = {"selector": {"app": "checkout"}, "ports": ports}
    return {**_object("v1", "Service", "checkout", SHOP, labels={"app": "checkout"}), "spec": spec}


def _destination_rule() -> Object:
    subsets = [{"name": version, "labels": {"version": version}} for version in ("v1", "v2")]
    spec = {"host": "checkout", "subsets": subsets}
    return {**_object("networking.istio.io/v1", "DestinationRule", "checkout", SHOP), "spec": spec}
