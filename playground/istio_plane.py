"""What an installation of Istio leaves in a cluster: one revision's control plane, its ConfigMap, its webhooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playground import parts
from playground.injector import REVISIONS, SERVICES
from playground.trust import root_certificate

if TYPE_CHECKING:
    from playground.apiserver.jsontypes import Json

SYSTEM, MESH = "istio-system", "shop-mesh"
INJECTED = {"istio-injection": "enabled"}


def istio(cluster: str, network: str, revision: str = "default") -> list[Json]:
    """Return the control plane of a revision, in a namespace that is there already if it is not the default one."""
    labels = {"app": "istiod", "istio.io/rev": revision, "istio": "pilot"}
    ports = [{"name": "grpc-xds", "port": 15010}, {"name": "https-webhook", "port": 443, "targetPort": 15017}]
    selector = {"app": "istiod", "istio.io/rev": revision}
    behind = parts.thing("v1", "Service", SYSTEM, SERVICES[revision], labels=labels)
    is_default = revision == "default"
    return [
        *([parts.namespace(SYSTEM, {"topology.istio.io/network": network}), root(SYSTEM)] if is_default else []),
        _istiod(cluster, revision, labels, selector),
        {**behind, "spec": {"selector": selector, "ports": ports}},
        _mesh_config(cluster, network, revision),
        _injector(revision),
    ]


def tag(name: str, revision: str) -> Json:
    """Return the webhook that makes a tag stand for a revision."""
    labels = {"istio.io/rev": revision, "istio.io/tag": name, "app": "sidecar-injector"}
    called, behind = "rev.namespace.sidecar-injector.istio.io", (SYSTEM, SERVICES[revision])
    return parts.injector_webhook(f"istio-revision-tag-{name}", called, behind, _labelled(name), **labels)


def root(namespace: str) -> Json:
    """Return the root certificate as istiod writes it into every namespace."""
    certificate = {"root-cert.pem": root_certificate(MESH)}
    return parts.config_map(namespace, "istio-ca-root-cert", certificate, labels={"istio.io/config": "true"})


def _istiod(cluster: str, revision: str, labels: Json, selector: Json) -> Json:
    container = {
        "name": "discovery",
        "image": f"registry.istio.io/release/pilot:{REVISIONS[revision]}",
        "args": ["discovery", "--monitoringAddr=:15014", "--domain", "cluster.local"],
        "env": [{"name": "REVISION", "value": revision}, {"name": "CLUSTER_ID", "value": cluster}],
        "ports": [{"containerPort": 15010, "name": "grpc-xds"}, {"containerPort": 15014, "name": "monitoring"}],
    }
    pod = {"labels": {**selector, "sidecar.istio.io/inject": "false"}}
    template = {"metadata": pod, "spec": {"containers": [container]}}
    spec = {"replicas": 1, "selector": {"matchLabels": selector}, "template": template}
    return {**parts.thing("apps/v1", "Deployment", SYSTEM, SERVICES[revision], labels=labels), "spec": spec}


def _suffix(revision: str) -> str:
    return "" if revision == "default" else f"-{revision}"


def _mesh_config(cluster: str, network: str, revision: str) -> Json:
    mesh = f"""\
defaultConfig:
  discoveryAddress: {SERVICES[revision]}.istio-system.svc:15012
  meshId: {MESH}
  proxyMetadata:
    ISTIO_META_NETWORK: {network}
defaultProviders:
  metrics:
  - prometheus
enablePrometheusMerge: true
rootNamespace: istio-system
trustDomain: cluster.local
trustDomainAliases:
- {cluster}.example.com
"""
    data = {"mesh": mesh, "meshNetworks": "networks: {}\n"}
    return parts.config_map(SYSTEM, f"istio{_suffix(revision)}", data, labels={"istio.io/rev": revision})


def _injector(revision: str) -> Json:
    labels = {"istio.io/rev": revision, "app": "sidecar-injector"}
    if revision == "default":
        labels |= {"istio.io/tag": "default"}
    name = f"istio-sidecar-injector{_suffix(revision)}"
    called, behind = "namespace.sidecar-injector.istio.io", (SYSTEM, SERVICES[revision])
    return parts.injector_webhook(name, called, behind, _chosen(revision), **labels)


def _chosen(revision: str) -> Json:
    if revision == "default":
        return {"matchLabels": dict(INJECTED)}
    return _labelled(revision)


def _labelled(revision_or_tag: str) -> Json:
    return {"matchExpressions": [{"key": "istio.io/rev", "operator": "In", "values": [revision_or_tag]}]}
