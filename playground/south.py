"""A believable Linkerd cluster as plain objects: the same shop, a Service for each version, routes of the Gateway API.

Linkerd 2.20 as it is installed by its command line; what its own objects say is from Linkerd's reference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from playground import parts
from playground.injector import LINKERD_ROOT, LINKERD_VERSION
from playground.trust import root_certificate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from playground.apiserver.jsontypes import Json

SYSTEM = "linkerd"
GATEWAY, POLICY = "gateway.networking.k8s.io", "policy.linkerd.io"
MADE_BY = {"linkerd.io/created-by": f"linkerd/cli {LINKERD_VERSION}"}
INBOUND = "config.linkerd.io/default-inbound-policy"
BETA = {"headers": [{"type": "Exact", "name": "x-user-group", "value": "beta"}]}


def ap_south() -> list[Json]:
    """Return the objects of cluster ap-south.

    checkout splits 90/10, recommendations 60/30/10; search has a route of Linkerd's older kind; payments has a route
    that a ServiceProfile puts out of work; catalog, cart and frontend have none. payments takes mutual TLS alone, but
    for the port of ledger.
    """
    return [*linkerd(), *workloads(replicas=1), *routes()]


def http_route(
    name: str, rules: Sequence[Json], *, namespace: str = "shop", port: int = 8080, kind: str = "HTTPRoute"
) -> Json:
    """Return a route whose parent is the Service of the same name."""
    parent = {"group": "", "kind": "Service", "name": name, "port": port}
    head = parts.thing(f"{GATEWAY}/v1", kind, namespace, name, labels={"app": name})
    return {**head, "spec": {"parentRefs": [parent], "rules": list(rules)}}


def split(weights: Mapping[str, int], *, port: int = 8080, **rule: object) -> Json:
    """Return a rule that splits among Services; each weight is the one of a Service."""
    backends = [{"name": name, "port": port, "weight": weight} for name, weight in weights.items()]
    return {**rule, "backendRefs": backends}


def policy_route(name: str, rules: Sequence[Json], *, namespace: str = "shop", port: int = 8080) -> Json:
    """Return a route of Linkerd's older kind, which must name the core group."""
    route = http_route(name, rules, namespace=namespace, port=port)
    route["spec"]["parentRefs"][0]["group"] = "core"
    return {**route, "apiVersion": f"{POLICY}/v1beta3"}


def service_profile(name: str, namespace: str, weights: Mapping[str, int]) -> Json:
    """Return a ServiceProfile that splits by its own means: no HTTPRoute of this Service counts any more."""
    overrides = [
        {"authority": f"{backend}.{namespace}.svc.cluster.local:8080", "weight": weight}
        for backend, weight in weights.items()
    ]
    full = f"{name}.{namespace}.svc.cluster.local"
    head = parts.thing("linkerd.io/v1alpha2", "ServiceProfile", namespace, full)
    return {**head, "spec": {"dstOverrides": overrides}}


def linkerd() -> list[Json]:
    """Return what an installation of Linkerd leaves in its namespace."""
    labels = {
        "linkerd.io/is-control-plane": "true",
        "linkerd.io/control-plane-ns": SYSTEM,
        "config.linkerd.io/admission-webhooks": "disabled",
    }
    destination = ("destination", "sp-validator", "policy")
    components = {"destination": destination, "identity": ("identity",), "proxy-injector": ("proxy-injector",)}
    return [
        parts.namespace(SYSTEM, labels, {"linkerd.io/inject": "disabled"}),
        *[_component(name, containers) for name, containers in components.items()],
        _service("linkerd-proxy-injector", "proxy-injector"),
        _config(),
        parts.config_map(SYSTEM, "linkerd-identity-trust-roots", {"ca-bundle.crt": root_certificate(LINKERD_ROOT)}),
        _injector(),
    ]


def workloads(*, replicas: int) -> list[Json]:
    """Return the shop in namespaces that Linkerd injects into, with a Service for each version that can be split."""
    inject = {"linkerd.io/inject": "enabled"}
    strict = {**inject, INBOUND: "all-authenticated"}
    found = {"shop": inject, "payments": strict}
    objects = [parts.namespace(name, {"team": parts.TEAMS[name]}, told) for name, told in found.items()]
    objects += parts.shop(replicas=replicas)
    for (where, app), versions in parts.VERSIONS.items():
        if len(versions) > 1:
            objects += [parts.service(where, f"{app}-{each}", app=app, version=each) for each in versions]
    return objects


def routes() -> list[Json]:
    """Return the routes of the shop."""
    halves = {"payments-v1": 50, "payments-v2": 50}
    thirds = {"recommendations-v1": 60, "recommendations-v2": 30, "recommendations-v3": 10}
    return [
        http_route("checkout", [split({"checkout-v1": 90, "checkout-v2": 10}, timeouts={"request": "3s"})]),
        http_route("recommendations", [split(thirds)]),
        policy_route("search", [split({"search-v2": 1}, matches=[BETA]), split({"search-v1": 80, "search-v2": 20})]),
        http_route("payments", [split(halves)], namespace="payments"),
        service_profile("payments", "payments", {"payments-v1": 100, "payments-v2": 0}),
        _ledger_is_a_server(),
    ]


def _ledger_is_a_server() -> Json:
    head = parts.thing(f"{POLICY}/v1beta3", "Server", "payments", "ledger-grpc")
    selector = {"matchLabels": {"app": "ledger"}}
    return {
        **head,
        "spec": {"podSelector": selector, "port": 8080, "proxyProtocol": "gRPC", "accessPolicy": "all-unauthenticated"},
    }


def _labels(component: str) -> dict[str, str]:
    return {
        "linkerd.io/control-plane-component": component,
        "linkerd.io/control-plane-ns": SYSTEM,
        "app.kubernetes.io/name": component,
        "app.kubernetes.io/part-of": "Linkerd",
        "app.kubernetes.io/version": LINKERD_VERSION,
    }


def _component(name: str, containers: Sequence[str]) -> Json:
    labels = _labels(name)
    found = [
        {
            "name": each,
            "image": f"cr.l5d.io/linkerd/{'policy-controller' if each == 'policy' else 'controller'}:{LINKERD_VERSION}",
        }
        for each in containers
    ]
    proxy = {"name": "linkerd-proxy", "image": f"cr.l5d.io/linkerd/proxy:{LINKERD_VERSION}"}
    pod = {"spec": {"containers": [proxy, *found]}}
    made = parts.system_workload(SYSTEM, f"linkerd-{name}", labels, pod)
    made["metadata"]["annotations"] = dict(MADE_BY)
    return made


def _service(name: str, component: str) -> Json:
    head = parts.thing("v1", "Service", SYSTEM, name, labels=_labels(component))
    ports = [{"name": component, "port": 443, "targetPort": 8443}]
    return {**head, "spec": {"selector": {"linkerd.io/control-plane-component": component}, "ports": ports}}


def _config() -> Json:
    anchors = "\n".join(f"  {line}" for line in root_certificate(LINKERD_ROOT).splitlines())
    values = f"""\
clusterDomain: cluster.local
cniEnabled: false
controllerReplicas: 1
identity:
  issuer:
    scheme: linkerd.io/tls
identityTrustAnchorsPEM: |
{anchors}
identityTrustDomain: cluster.local
linkerdVersion: {LINKERD_VERSION}
proxy:
  defaultInboundPolicy: all-unauthenticated
  image:
    version: {LINKERD_VERSION}
  nativeSidecar: true
"""
    return parts.config_map(
        SYSTEM, "linkerd-config", {"values": values}, labels=_labels("controller"), annotations=MADE_BY
    )


def _injector() -> Json:
    chosen = {
        "matchExpressions": [
            {"key": "config.linkerd.io/admission-webhooks", "operator": "NotIn", "values": ["disabled"]},
            {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["kube-system", "cert-manager"]},
        ]
    }
    name, called = "linkerd-proxy-injector-webhook-config", "linkerd-proxy-injector.linkerd.io"
    webhook = parts.injector_webhook(
        name, called, (SYSTEM, "linkerd-proxy-injector"), chosen, **_labels("proxy-injector")
    )
    webhook["webhooks"][0]["failurePolicy"] = "Ignore"
    return webhook
