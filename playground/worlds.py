"""Two believable Istio clusters as plain objects, and as many services as a test of size needs.

The same services exist in both clusters; their routes mean the same and are written differently, as people do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playground.apiserver.jsontypes import Json

ISTIO = "networking.istio.io/v1"
TEAMS = {"shop": "storefront", "payments": "billing"}


def eu_west() -> list[Json]:
    """Return the objects of cluster eu-west: short host names, weights out of 100."""
    return [*_system("eu-west", "network-eu"), *_workloads(replicas=2), *_eu_routes()]


def us_east() -> list[Json]:
    """Return the objects of cluster us-east: full host names, small weights, a match or a mirror more."""
    return [*_system("us-east", "network-us"), *_workloads(replicas=1), *_us_routes()]


def many_services(n: int, *, namespace: str = "bulk") -> list[Json]:
    """Return a namespace with n services, each with a VirtualService that splits and a DestinationRule."""
    objects = [_namespace(namespace, {"istio-injection": "enabled"})]
    for number in range(n):
        name = f"service-{number:05d}"
        share = number % 101
        objects += [
            _service(namespace, name),
            destination_rule(namespace, name, name, ("v1", "v2")),
            virtual_service(namespace, name, [name], [split(name, {"v1": 100 - share, "v2": share})]),
        ]
    return objects


def virtual_service(namespace: str, name: str, hosts: Sequence[str], http: Sequence[Json], **spec: object) -> Json:
    """Return a VirtualService."""
    metadata = {"name": name, "namespace": namespace, "labels": {"app": name}}
    body = {"hosts": list(hosts), "http": list(http), **spec}
    return {"apiVersion": ISTIO, "kind": "VirtualService", "metadata": metadata, "spec": body}


def destination_rule(namespace: str, name: str, host: str, subsets: Sequence[str], **policy: object) -> Json:
    """Return a DestinationRule whose subsets select by label version; `policy` is its traffic policy."""
    found = [{"name": subset, "labels": {"version": subset}} for subset in subsets]
    spec = {"host": host, "subsets": found} | ({"trafficPolicy": policy} if policy else {})
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": ISTIO, "kind": "DestinationRule", "metadata": metadata, "spec": spec}


def split(host: str, weights: dict[str, int], **more: object) -> Json:
    """Return an HTTP route that splits a host among its subsets."""
    route = [{"destination": {"host": host, "subset": name}, "weight": weight} for name, weight in weights.items()]
    return {**more, "route": route}


def _to(host: str, subset: str = "", port: int = 0) -> list[Json]:
    destination: Json = {"host": host} | ({"subset": subset} if subset else {})
    return [{"destination": destination | ({"port": {"number": port}} if port else {})}]


def _namespace(name: str, labels: dict[str, str]) -> Json:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def _service(namespace: str, name: str, *, port: int = 8080, protocol: str = "http") -> Json:
    ports = [{"name": protocol, "port": port, "targetPort": port, "appProtocol": protocol}]
    metadata = {"name": name, "namespace": namespace, "labels": {"app": name, "team": TEAMS.get(namespace, "bulk")}}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {"selector": {"app": name}, "ports": ports},
    }


def _deployment(namespace: str, app: str, version: str, replicas: int) -> Json:
    labels = {"app": app, "version": version}
    container = {"name": app, "image": f"registry.example.com/{namespace}/{app}:{version}"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"{app}-{version}", "namespace": namespace, "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{**container, "ports": [{"containerPort": 8080}]}]},
            },
        },
    }


VERSIONS: dict[tuple[str, str], tuple[str, ...]] = {
    ("shop", "frontend"): ("v1",),
    ("shop", "checkout"): ("v1", "v2"),
    ("shop", "cart"): ("v1",),
    ("shop", "catalog"): ("v1", "v2"),
    ("shop", "search"): ("v1", "v2"),
    ("shop", "recommendations"): ("v1", "v2", "v3"),
    ("payments", "payments"): ("v1", "v2"),
    ("payments", "ledger"): ("v1",),
}


def _workloads(*, replicas: int) -> list[Json]:
    objects = [_namespace(name, {"istio-injection": "enabled", "team": team}) for name, team in TEAMS.items()]
    for (namespace, app), versions in VERSIONS.items():
        protocol = "grpc" if app == "ledger" else "http"
        objects.append(_service(namespace, app, protocol=protocol))
        objects += [_deployment(namespace, app, version, replicas) for version in versions]
    return objects


def _system(cluster: str, network: str) -> list[Json]:
    """Return what an installation of Istio 1.31 leaves in istio-system."""
    labels = {"app": "istiod", "istio.io/rev": "default", "istio": "pilot"}
    pod = {"app": "istiod", "istio.io/rev": "default", "sidecar.istio.io/inject": "false"}
    container = {
        "name": "discovery",
        "image": "registry.istio.io/release/pilot:1.31.0",
        "args": ["discovery", "--monitoringAddr=:15014", "--domain", "cluster.local"],
        "env": [{"name": "REVISION", "value": "default"}, {"name": "CLUSTER_ID", "value": cluster}],
        "ports": [{"containerPort": 15010, "name": "grpc-xds"}, {"containerPort": 15014, "name": "monitoring"}],
    }
    metadata = {"name": "istiod", "namespace": "istio-system", "labels": labels}
    ports = [{"name": "grpc-xds", "port": 15010}, {"name": "https-webhook", "port": 443, "targetPort": 15017}]
    return [
        _namespace("istio-system", {"topology.istio.io/network": network}),
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata,
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": {"app": "istiod", "istio.io/rev": "default"}},
                "template": {"metadata": {"labels": pod}, "spec": {"containers": [container]}},
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"selector": {"app": "istiod"}, "ports": ports},
        },
        _mesh_config(cluster, network),
        _injector(),
    ]


def _mesh_config(cluster: str, network: str) -> Json:
    mesh = f"""\
defaultConfig:
  discoveryAddress: istiod.istio-system.svc:15012
  meshId: shop-mesh
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
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "istio", "namespace": "istio-system", "labels": {"istio.io/rev": "default"}},
        "data": {"mesh": mesh, "meshNetworks": "networks: {}\n"},
    }


def _injector() -> Json:
    service = {"name": "istiod", "namespace": "istio-system", "path": "/inject", "port": 443}
    rule = {"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {
            "name": "istio-sidecar-injector",
            "labels": {"istio.io/rev": "default", "app": "sidecar-injector", "istio.io/tag": "default"},
        },
        "webhooks": [
            {
                "name": "namespace.sidecar-injector.istio.io",
                "clientConfig": {"service": service},
                "rules": [rule],
                "namespaceSelector": {"matchLabels": {"istio-injection": "enabled"}},
                "failurePolicy": "Fail",
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
            }
        ],
    }


RETRIES = {"attempts": 2, "perTryTimeout": "1s", "retryOn": "5xx,reset"}
OUTLIERS = {"consecutive5xxErrors": 5, "interval": "10s", "baseEjectionTime": "30s"}


def _eu_routes() -> list[Json]:
    checkout = split("checkout", {"v1": 90, "v2": 10}, timeout="3s", retries=RETRIES)
    beta = {"name": "beta", "match": [{"headers": {"x-user-group": {"exact": "beta"}}}], "route": _to("catalog", "v2")}
    search = split("search", {"v1": 80, "v2": 20}, name="main")
    recommendations = split("recommendations", {"v1": 60, "v2": 30, "v3": 10})
    checkout_service = virtual_service("shop", "checkout", ["checkout"], [checkout])
    checkout_service["metadata"]["annotations"] = {"example.com/owner": "team-storefront", "example.com/ticket": "4711"}
    return [
        destination_rule("shop", "checkout", "checkout", ("v1", "v2"), outlierDetection=OUTLIERS),
        checkout_service,
        destination_rule("shop", "catalog", "catalog", ("v1", "v2")),
        virtual_service("shop", "catalog", ["catalog"], [beta, {"name": "all", "route": _to("catalog", "v1")}]),
        destination_rule("shop", "search", "search", ("v1", "v2")),
        virtual_service("shop", "search", ["search"], [search]),
        destination_rule("shop", "recommendations", "recommendations", ("v1", "v2", "v3")),
        virtual_service("shop", "recommendations", ["recommendations"], [recommendations]),
        virtual_service("shop", "cart", ["cart"], [{"route": _to("cart"), "timeout": "2s"}]),
        destination_rule("payments", "payments", "payments", ("v1", "v2"), tls={"mode": "ISTIO_MUTUAL"}),
        virtual_service("payments", "payments", ["payments"], [split("payments", {"v1": 50, "v2": 50})]),
    ]


def _full(namespace: str, name: str) -> str:
    return f"{name}.{namespace}.svc.cluster.local"


def _us_routes() -> list[Json]:
    checkout, catalog, search = (_full("shop", name) for name in ("checkout", "catalog", "search"))
    recommendations, payments = _full("shop", "recommendations"), _full("payments", "payments")
    employees = {"headers": {"x-employee": {"regex": "^(yes|true)$"}}, "uri": {"prefix": "/checkout"}}
    staff = {"name": "staff", "match": [employees], "route": _to(checkout, "v2", 8080)}
    mirrored = split(payments, {"v1": 1, "v2": 1})
    mirrored |= {"mirror": {"host": payments, "subset": "v2"}, "mirrorPercentage": {"value": 12.5}}
    beta = {"match": [{"headers": {"x-user-group": {"prefix": "beta"}}}, {"queryParams": {"beta": {"exact": "1"}}}]}
    faulty = {"fault": {"delay": {"percentage": {"value": 0.1}, "fixedDelay": "5s"}}}
    rewritten = {"name": "old", "match": [{"uri": {"prefix": "/find"}}], "rewrite": {"uri": "/search"}}
    return [
        destination_rule("shop", "checkout", checkout, ("v1", "v2"), connectionPool={"tcp": {"maxConnections": 100}}),
        virtual_service("shop", "checkout", [checkout], [staff, split(checkout, {"v1": 9, "v2": 1}, name="canary")]),
        destination_rule("shop", "catalog", catalog, ("v1", "v2")),
        virtual_service(
            "shop",
            "catalog",
            [catalog],
            [{**beta, "route": _to(catalog, "v2")}, {"route": _to(catalog, "v1"), **faulty}],
        ),
        destination_rule("shop", "search", search, ("v1", "v2")),
        virtual_service(
            "shop", "search", [search], [{**rewritten, "route": _to(search, "v1")}, split(search, {"v1": 4, "v2": 1})]
        ),
        destination_rule("shop", "recommendations", recommendations, ("v1", "v2", "v3")),
        virtual_service(
            "shop", "recommendations", [recommendations], [split(recommendations, {"v1": 6, "v2": 3, "v3": 1})]
        ),
        virtual_service("shop", "cart", ["cart"], [{"route": _to(_full("shop", "cart"))}], exportTo=["*"]),
        destination_rule("payments", "payments", payments, ("v1", "v2")),
        virtual_service("payments", "payments", [payments, "pay.example.com"], [mirrored], gateways=["mesh"]),
    ]
