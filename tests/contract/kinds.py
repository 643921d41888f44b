"""Every kind that the product writes, with an object of it and a change of its weights or the like."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
GATEWAY, POLICY = "gateway.networking.k8s.io", "policy.linkerd.io"


@dataclass(frozen=True)
class Kind:
    """One kind in one version. `weight` is the path of a number that is 90 in `spec`; `unknown` a field it lacks."""

    api_version: str
    kind: str
    plural: str
    spec: Json
    weight: str
    unknown: Json
    kept: Json = field(default_factory=dict)
    name: str = "checkout"

    @property
    def group(self) -> str:
        """Its API group."""
        return self.api_version.partition("/")[0]

    def path(self, namespace: str) -> str:
        """Where its objects are."""
        return f"/apis/{self.api_version}/namespaces/{namespace}/{self.plural}"

    def object(self, **metadata: Any) -> Json:
        """A new object."""
        head = {"apiVersion": self.api_version, "kind": self.kind}
        return {**head, "metadata": {"name": self.name, **metadata}, "spec": self.spec}

    def stored(self) -> Json:
        """The spec as the server fills it in."""
        return {**self.spec, **self.kept}


def _backends(*, defaults: bool) -> list[Json]:
    filled = {"group": "", "kind": "Service"} if defaults else {}
    return [{**filled, "name": f"checkout-{v}", "port": 80, "weight": w} for v, w in (("v1", 90), ("v2", 10))]


def _parents(group: str) -> list[Json]:
    return [{"group": group, "kind": "Service", "name": "checkout", "port": 80}]


EVERY_PATH = [{"path": {"type": "PathPrefix", "value": "/"}}]
SUBSETS = [{"name": version, "labels": {"version": version}} for version in ("v1", "v2")]
DESTINATIONS = [{"destination": {"host": "checkout", "subset": v}, "weight": w} for v, w in (("v1", 90), ("v2", 10))]

VIRTUAL_SERVICE = Kind(
    "networking.istio.io/v1",
    "VirtualService",
    "virtualservices",
    {"hosts": ["checkout"], "http": [{"route": DESTINATIONS}]},
    "/spec/http/0/route/0/weight",
    {"hostnames": []},
)
DESTINATION_RULE = Kind(
    "networking.istio.io/v1",
    "DestinationRule",
    "destinationrules",
    {"host": "checkout", "subsets": SUBSETS, "trafficPolicy": {"connectionPool": {"tcp": {"maxConnections": 90}}}},
    "/spec/trafficPolicy/connectionPool/tcp/maxConnections",
    {"subset": []},
)
HTTP_ROUTE = Kind(
    f"{GATEWAY}/v1",
    "HTTPRoute",
    "httproutes",
    {"parentRefs": _parents(""), "rules": [{"backendRefs": _backends(defaults=False)}]},
    "/spec/rules/0/backendRefs/0/weight",
    {"hosts": []},
    {"rules": [{"matches": EVERY_PATH, "backendRefs": _backends(defaults=True)}]},
)
GRPC_ROUTE = Kind(
    f"{GATEWAY}/v1",
    "GRPCRoute",
    "grpcroutes",
    {"parentRefs": _parents(""), "rules": [{"backendRefs": _backends(defaults=False)}]},
    "/spec/rules/0/backendRefs/0/weight",
    {"hosts": []},
    {"rules": [{"backendRefs": _backends(defaults=True)}]},
)
POLICY_ROUTE = Kind(
    f"{POLICY}/v1beta3",
    "HTTPRoute",
    "httproutes",
    {"parentRefs": _parents("core"), "rules": [{"backendRefs": _backends(defaults=False)}]},
    "/spec/rules/0/backendRefs/0/weight",
    {"hosts": []},
    {"rules": [{"matches": EVERY_PATH, "backendRefs": _backends(defaults=True)}]},
)
SERVICE_PROFILE = Kind(
    "linkerd.io/v1alpha2",
    "ServiceProfile",
    "serviceprofiles",
    {"dstOverrides": [{"authority": "checkout-v1:80", "weight": 90}, {"authority": "checkout-v2:80", "weight": "10"}]},
    "/spec/dstOverrides/0/weight",
    {"overrides": []},
    name="checkout.shop.svc.cluster.local",
)
ISTIO = (VIRTUAL_SERVICE, DESTINATION_RULE)
OTHERS = (HTTP_ROUTE, GRPC_ROUTE, POLICY_ROUTE, SERVICE_PROFILE)
