"""Two believable Istio clusters as plain objects, and as many services as a test of size needs.

The same services exist in both clusters; their routes mean the same and are written differently, as people do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from playground import parts
from playground.istio_plane import INJECTED, istio, root

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playground.apiserver.jsontypes import Json

ISTIO = "networking.istio.io/v1"


def eu_west() -> list[Json]:
    """Return the objects of cluster eu-west: short host names, weights out of 100."""
    return [*istio("eu-west", "network-eu"), *_workloads(replicas=2), *_eu_routes(), *_eu_modes()]


def us_east() -> list[Json]:
    """Return the objects of cluster us-east: full host names, small weights, a match or a mirror more."""
    return [*istio("us-east", "network-us"), *_workloads(replicas=1), *_us_routes(), *_us_modes()]


def many_services(n: int, *, namespace: str = "bulk") -> list[Json]:
    """Return a namespace with n services, each with a VirtualService that splits and a DestinationRule."""
    objects = [parts.namespace(namespace, INJECTED)]
    for number in range(n):
        name = f"service-{number:05d}"
        share = number % 101
        objects += [
            parts.service(namespace, name),
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


def peer_authentication(namespace: str, name: str, mode: str = "", app: str = "", **ports: str) -> Json:
    """Return a PeerAuthentication: of one app or of all, with a mode for all ports and for some, such as p8080."""
    spec: Json = {"selector": {"matchLabels": {"app": app}}} if app else {}
    spec |= {"mtls": {"mode": mode}} if mode else {}
    if ports:
        spec["portLevelMtls"] = {port.removeprefix("p"): {"mode": told} for port, told in ports.items()}
    return {**parts.thing("security.istio.io/v1", "PeerAuthentication", namespace, name), "spec": spec}


def split(host: str, weights: dict[str, int], **more: object) -> Json:
    """Return an HTTP route that splits a host among its subsets."""
    route = [{"destination": {"host": host, "subset": name}, "weight": weight} for name, weight in weights.items()]
    return {**more, "route": route}


def _to(host: str, subset: str = "", port: int = 0) -> list[Json]:
    destination: Json = {"host": host} | ({"subset": subset} if subset else {})
    return [{"destination": destination | ({"port": {"number": port}} if port else {})}]


def _workloads(*, replicas: int) -> list[Json]:
    objects = []
    for name in ("shop", "payments"):
        objects += [parts.namespace(name, {**INJECTED, "team": parts.TEAMS[name]}), root(name)]
    return [*objects, *parts.shop(replicas=replicas)]


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


def _eu_modes() -> list[Json]:
    """Strict everywhere, but for one port that visitors from outside the mesh call."""
    return [
        peer_authentication("istio-system", "default", "STRICT"),
        peer_authentication("shop", "frontend", app="frontend", p8080="PERMISSIVE"),
    ]


def _us_modes() -> list[Json]:
    """Istio's default, but where money is."""
    return [peer_authentication("payments", "default", "STRICT")]


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
