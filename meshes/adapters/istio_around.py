"""What stands around a route of Istio in its cluster, read live: for writing it and for its checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshes.adapters import gateway_kinds, gateway_rivals, istio_delegates, nearby
from meshes.adapters.gateway_shapes import GatewayRoute
from meshes.adapters.istio_kinds import resources
from meshes.adapters.istio_read import outline_of, split_host
from meshes.adapters.istio_start import destinations_of
from meshes.adapters.natives import name_of, namespace_of
from meshes.adapters.shapes import sound
from meshes.types import Around

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clusters.clients import ObjectRef, Reader
    from meshes.types import Route
    from meshui.lib.jsontypes import JsonObject


def around(reader: Reader, route: Route, ref: ObjectRef | None) -> Around:
    """Raises ClusterError."""
    served = reader.api_groups()
    kinds = {resource.plural: resource for resource in resources(served)}
    root = (route.root.namespace, route.root.service)
    spaces = [root[0], ref.namespace if ref else root[0]]
    spaces += [backend.namespace for backend in nearby.backends_of(route).values()]
    services: list[JsonObject] = []
    rules: list[JsonObject] = []
    if "virtualservices" in kinds:
        services = nearby.everywhere(reader, kinds["virtualservices"], spaces)
        rules = nearby.within(reader, kinds["destinationrules"], spaces)
    others = [body for body in services if not _is(ref, body)]
    rivals = [body for body in others if _claims(body, root)]
    routes = _routes(reader, served, spaces)
    rivals += [body for body in routes if not _is(ref, body) and _leads(body, root)]
    near = [body for body in others if body not in rivals and _bears_on(body, route, _delegates(services, ref))]
    namespaces = nearby.namespaces_of(reader, spaces)
    return Around(nearby.services_of(reader, route), (*rules, *near, *namespaces), tuple(rivals), served)


def _routes(reader: Reader, served: frozenset[str], spaces: list[str]) -> list[JsonObject]:
    found = [body for kind in gateway_kinds.resources(served) for body in nearby.everywhere(reader, kind, spaces)]
    return sound(found, GatewayRoute)[0]


def _is(ref: ObjectRef | None, body: JsonObject) -> bool:
    if ref is None or (namespace_of(body), name_of(body)) != (ref.namespace, ref.name):
        return False
    return body.get("kind") == ref.resource.kind


def _claims(body: JsonObject, root: tuple[str, str]) -> bool:
    outline = outline_of(body)
    hosts = outline.root.hosts if outline else ()
    return any(split_host(host, namespace_of(body)) == root[::-1] for host in hosts)


def _leads(body: JsonObject, root: tuple[str, str]) -> bool:
    return root in gateway_rivals.by_parent([body])


def _delegates(services: Iterable[JsonObject], ref: ObjectRef | None) -> set[tuple[str, str]]:
    """What the route itself delegates to."""
    return {target for body in services if _is(ref, body) for target in istio_delegates.targets_of(body).values()}


def _bears_on(body: JsonObject, route: Route, delegates: set[tuple[str, str]]) -> bool:
    """Whether it names a subset of a service of the route, or is a delegate of it."""
    if (namespace_of(body), name_of(body)) in delegates:
        return True
    hosts = {(backend.service, backend.namespace) for backend in nearby.backends_of(route).values()}
    return bool(hosts & set(destinations_of(body)))
