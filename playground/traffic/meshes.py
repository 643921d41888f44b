"""One mesh's objects as the virtual hosts of an Envoy: which kinds are watched, and what they mean together. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from playground.acceptance import HTTP_ROUTES
from playground.traffic import http_routes, virtual_services
from playground.traffic.config import ISTIO_BOUNDS, LINKERD_BOUNDS, SOURCE_NAMESPACE
from playground.traffic.forwarding import Backend, forward

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from playground.apiserver.jsontypes import Json
    from playground.traffic.model import Directory, Service

    Objects = Mapping[str, Sequence[Json]]

VIRTUAL_SERVICES = "virtualservices.networking.istio.io"
DESTINATION_RULES = "destinationrules.networking.istio.io"
POLICY_ROUTES = "httproutes.policy.linkerd.io"
PROFILES = "serviceprofiles.linkerd.io"


@dataclass(frozen=True)
class Istio:
    """Sidecars of Istio: the kinds that route, where each pod has its metrics, the bounds of histograms in ms."""

    kinds: tuple[str, ...] = (VIRTUAL_SERVICES, DESTINATION_RULES, HTTP_ROUTES)
    port: int = 15020
    path: str = "/stats/prometheus"
    bounds: tuple[float, ...] = ISTIO_BOUNDS

    def routes(self, objects: Objects, directory: Directory, service: Service, namespace: str) -> list[Json]:
        """The Envoy routes of a Service for clients of `namespace` (empty: of no mesh).

        A VirtualService, else HTTPRoutes, else the Service.
        """
        if not namespace:
            return [_plain(directory, service)]
        found = virtual_services.effective(objects[VIRTUAL_SERVICES], directory, service, namespace)
        if found is not None:
            return virtual_services.routes(found, objects[DESTINATION_RULES], directory, namespace)
        attached = http_routes.attached(objects[HTTP_ROUTES], service, namespace)
        if attached:
            return http_routes.routes(attached, directory, service, is_linkerd=False)
        return [_plain(directory, service)]


@dataclass(frozen=True)
class Linkerd:
    """Proxies of Linkerd, in the same words."""

    kinds: tuple[str, ...] = (HTTP_ROUTES, POLICY_ROUTES, PROFILES)
    port: int = 4191
    path: str = "/metrics"
    bounds: tuple[float, ...] = LINKERD_BOUNDS

    def routes(self, objects: Objects, directory: Directory, service: Service, namespace: str) -> list[Json]:
        """As Istio's: a ServiceProfile, else HTTPRoutes of both groups, else the Service."""
        if not namespace:
            return [_plain(directory, service)]
        profile = http_routes.profile(objects[PROFILES], service, namespace)
        if profile is not None:
            return http_routes.profile_routes(profile, directory, service)
        attached = http_routes.attached([*objects[HTTP_ROUTES], *objects[POLICY_ROUTES]], service, namespace)
        if attached:
            return http_routes.routes(attached, directory, service, is_linkerd=True)
        return [_plain(directory, service)]


Mesh: TypeAlias = Istio | Linkerd


def _plain(directory: Directory, service: Service) -> Json:
    return {"name": "default", "match": {"prefix": "/"}, **forward(directory, [Backend(service, 1)])}


def virtual_host(mesh: Mesh, objects: Objects, directory: Directory, service: Service) -> Json:
    """The virtual host of a Service: routes for clients of each namespace, told apart only where they differ."""
    found = {place: mesh.routes(objects, directory, service, place) for place in ("", *directory.namespaces)}
    first, *others = found.values()
    made = first
    if any(each != first for each in others):
        made = [_only_for(place, route) for place, routes in found.items() for route in routes]
    return {"name": service.key, "domains": [service.host, f"{service.host}:{service.port}"], "routes": made}


def _only_for(namespace: str, route: Json) -> Json:
    """The same route for clients of a namespace; those of no mesh send no such header."""
    match = route["match"]
    how = {"string_match": {"exact": namespace}} if namespace else {"present_match": False}
    headers = [*(match.get("headers") or ()), {"name": SOURCE_NAMESPACE, **how}]
    return {**route, "match": {**match, "headers": headers}}
