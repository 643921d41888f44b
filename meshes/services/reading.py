"""Read one cluster: list what adapters ask for, outside any transaction, then keep what moved.

Errors stand on Sync rows beside what was found. A kind that could not be listed keeps its rows as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from clusters.clients import ClusterError, Resource
from meshes.adapters.registry import all_adapters
from meshes.adapters.shapes import Anything, sound
from meshes.adapters.shapes import Service as ServiceShape
from meshes.models import ControlPlane, Mesh, Namespace, Route, Service
from meshes.services import rows, values
from meshes.services.store import store_rows
from meshui.lib.clock import read_db_now

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from clusters.clients import Reader
    from clusters.models import Cluster
    from meshes.adapters.base import Detected, MeshAdapter, Problem, Read
    from meshes.adapters.shapes import Shape
    from meshes.models import ReadRow
    from meshes.services.store import Wanted
    from meshui.lib.jsontypes import JsonObject

    Bodies = Sequence[JsonObject]
    M = TypeVar("M", bound=ReadRow)
else:
    M = TypeVar("M")

NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
SERVICES = Resource("", "v1", "services", "Service")
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment")
SERVED = "apis"


class LostLeaseError(Exception):
    """Another worker has the cluster now: what was read is not stored."""


def read_cluster(cluster: Cluster, reader: Reader, is_ours: Callable[[], bool]) -> bool:
    """Whether everything could be listed. Raises LostLeaseError as soon as `is_ours()` is no longer true."""
    reading = _Reading(cluster, reader, is_ours)
    namespaces = reading.listed(NAMESPACES, Anything)
    services = reading.listed(SERVICES, ServiceShape)
    if services is not None:
        reading.store("services", Service, values.by_uid(services, values.of_service), key=("uid",))
    deployments = reading.listed(DEPLOYMENTS, Anything)
    served = reading.served()
    for adapter in all_adapters():
        _read_mesh(reading, adapter, served, deployments, namespaces)
    return not reading.has_failed


class _Reading:
    """One reading of one cluster: lists, then stores, each only as long as the lease is held."""

    def __init__(self, cluster: Cluster, reader: Reader, is_ours: Callable[[], bool]) -> None:
        self.cluster = cluster
        self.reader = reader
        self.is_ours = is_ours
        self.has_failed = False
        self._faults: dict[str, list[Problem]] = {}

    def listed(self, resource: Resource, shape: Shape) -> Bodies | None:
        """All objects of a kind that have the shape; None, with the error kept, where the list failed."""
        started = read_db_now()
        try:
            listing = self.reader.list_objects(resource)
        except ClusterError as error:
            self._failed(resource.plural, started, error)
            return None
        good, self._faults[resource.plural] = sound(listing.items, shape, is_namespaced=resource.namespaced)
        count, version = len(listing.items), listing.resource_version
        rows.note_list(self.cluster, resource.plural, started, count=count, version=version)
        return good

    def served(self) -> frozenset[str] | None:
        """The API groups that the cluster serves; None, with the error kept, where they are not known."""
        started = read_db_now()
        try:
            found = self.reader.api_groups()
        except ClusterError as error:
            self._failed(SERVED, started, error)
            return None
        rows.note_list(self.cluster, SERVED, started, count=len(found), version="")
        return found

    def _failed(self, resource: str, started: Any, error: ClusterError) -> None:
        self.has_failed = True
        rows.note_error(self.cluster, resource, started, error.message)

    def store(
        self, plural: str, model: type[M], wanted: Wanted, *, key: tuple[str, ...], problems: Sequence[Problem] = ()
    ) -> None:
        """Keep what moved of a kind."""
        if not self.is_ours():
            raise LostLeaseError
        written = store_rows(model, self.cluster, wanted, key=key)
        rows.note_stored(self.cluster, plural, written=written, problems=[*self._faults.get(plural, ()), *problems])


def _read_mesh(
    reading: _Reading,
    adapter: MeshAdapter,
    served: frozenset[str] | None,
    deployments: Bodies | None,
    namespaces: Bodies | None,
) -> None:
    resources = adapter.resources(served) if served is not None else ()
    objects = {resource.plural: reading.listed(resource, Anything) for resource in resources}
    if deployments is not None:
        _store_meshes(reading, adapter, adapter.detect(reading.reader, deployments))
    known = {plural: bodies for plural, bodies in objects.items() if bodies is not None}
    read = adapter.read(known, namespaces or ())
    if namespaces is not None:
        wanted = values.by_uid(namespaces, lambda body: values.of_namespace(body, read))
        reading.store("namespaces", Namespace, wanted, key=("uid",))
    _store_routes(reading, adapter, read, served, tuple(known))


def _store_routes(
    reading: _Reading, adapter: MeshAdapter, read: Read, served: frozenset[str] | None, known: tuple[str, ...]
) -> None:
    """Routes, if their own kind was listed whole, or is not served at all: then there are none."""
    resources = adapter.resources(served) if served is not None else ()
    if served is None or (resources and resources[0].plural not in known):
        return
    found = {(values.uid_of(route.body),): values.of_route(route, adapter, resources[0]) for route in read.routes}
    plural = resources[0].plural if resources else SERVED
    reading.store(plural, Route, found, key=("uid",), problems=read.problems)


def _store_meshes(reading: _Reading, adapter: MeshAdapter, detected: Detected) -> None:
    """Meshes, then their control planes; one whose trust domain cannot be read now stays in the mesh it was in."""
    before = {
        (plane.namespace, plane.name): plane.mesh.trust_domain
        for plane in ControlPlane.objects.filter(cluster=reading.cluster, gone_at=None).select_related("mesh")
    }
    placed = [
        (mesh.trust_domain or before.get((plane.namespace, plane.name), ""), plane)
        for mesh in detected.meshes
        for plane in mesh.control_planes
    ]
    meshes = {(adapter.kind, domain): {"kind": adapter.kind, "trust_domain": domain} for domain, _ in placed}
    reading.store("deployments", Mesh, meshes, key=("kind", "trust_domain"))
    kept = {row.trust_domain: row for row in Mesh.objects.filter(cluster=reading.cluster, kind=adapter.kind)}
    planes = {(plane.namespace, plane.name): values.of_plane(plane, kept[domain]) for domain, plane in placed}
    reading.store("deployments", ControlPlane, planes, key=("namespace", "name"), problems=detected.problems)
