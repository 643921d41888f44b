"""Reading what stands around a route: the same for every mesh. It talks only to the Reader that it is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clusters.clients import ForbiddenError, ObjectRef, Resource

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from clusters.clients import Reader
    from meshes.types import Backend, Route
    from meshui.lib.jsontypes import JsonObject

SERVICES = Resource("", "v1", "services", "Service")
NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False)


def backends_of(route: Route) -> dict[str, Backend]:
    """Every backend of a route by its key, each once."""
    return {weighted.backend.key: weighted.backend for rule in route.rules for weighted in rule.backends}


def services_of(reader: Reader, route: Route) -> dict[tuple[str, str], JsonObject]:
    """The Services that the route names and that are there, by (namespace, name). Raises ClusterError."""
    wanted = [(route.root.namespace, route.root.service)]
    wanted += [(backend.namespace, backend.service) for backend in backends_of(route).values()]
    found: dict[tuple[str, str], JsonObject] = {}
    for namespace, name in dict.fromkeys(wanted):
        if "." in name or "/" in name or "*" in name:
            continue  # a host outside the cluster, or another kind
        body = reader.get_object(ObjectRef(SERVICES, namespace, name))
        if body is not None:
            found[namespace, name] = body
    return found


def namespaces_of(reader: Reader, names: Iterable[str]) -> Iterator[JsonObject]:
    """Namespaces with their labels and annotations; those that may not be read are left out. Raises ClusterError."""
    for name in dict.fromkeys(names):
        try:
            body = reader.get_object(ObjectRef(NAMESPACES, "", name))
        except ForbiddenError:
            continue
        if body is not None:
            yield {**body, "kind": "Namespace"}


def everywhere(reader: Reader, resource: Resource, namespaces: Iterable[str]) -> list[JsonObject]:
    """All objects of a kind; of `namespaces` alone where the credential may not see the others. Raises ClusterError."""
    try:
        return list(reader.list_objects(resource).items)
    except ForbiddenError:
        return within(reader, resource, namespaces)


def within(reader: Reader, resource: Resource, namespaces: Iterable[str]) -> list[JsonObject]:
    """The objects of a kind in `namespaces`. Raises ClusterError."""
    listings = [reader.list_objects(resource, namespace=name) for name in dict.fromkeys(namespaces) if name]
    return [body for listing in listings for body in listing.items]
