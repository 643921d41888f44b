"""Read one cluster: list what adapters ask for, outside any transaction, then keep what moved.

Errors stand on Sync rows beside what was found. A kind that could not be listed keeps its rows as they are.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from django.conf import settings
from django.db.models import Q

from audit.services import about, record, verb
from clusters.clients import ClusterError, Resource
from clusters.connect import reader_for
from clusters.models import Cluster
from meshes.adapters.registry import all_adapters
from meshes.models import ControlPlane, Mesh, Namespace, Route, Service, Sync
from meshes.services.store import store_rows
from meshui.lib.clock import db_now, read_db_now
from meshui.lib.errors import DeniedError, MissingError, RefusedError
from meshui.lib.leases import claim, free, release, runner_name
from meshui.lib.masking import masked_body
from meshui.lib.queue import enqueue
from meshui.lib.rights import may

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable
    from uuid import UUID

    from django.db.models import QuerySet

    from audit.types import Actor
    from clusters.clients import Reader
    from meshes.adapters.base import Detected, MeshAdapter, Read, ReadRoute
    from meshui.lib.jsontypes import JsonObject

log = logging.getLogger(__name__)
SYNC_LEASE_SECONDS = 300.0
RETRY_SECONDS = 15
NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
SERVICES = Resource("", "v1", "services", "Service")
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment")


@verb("meshes.sync.requested")
def request_sync(*, actor: Actor, cluster_id: UUID) -> Cluster:
    """Read the cluster now instead of when it is due. Raises MissingError, DeniedError (needs inventory.read there)."""
    cluster = Cluster.objects.filter(pk=cluster_id).first()
    if cluster is None:
        raise MissingError("There is no such cluster.")
    about(cluster)
    if not may(actor, "inventory.read", [cluster.place]):
        raise DeniedError("You may not read this cluster.", mend="Ask an Access admin for a role there.")
    Cluster.objects.filter(pk=cluster.pk).update(next_sync_at=db_now())
    record("meshes.sync.requested", actor=actor, target=cluster)
    enqueue("meshes.tasks.sync_cluster", cluster.pk)
    return cluster


def due_syncs() -> QuerySet[Cluster]:
    """Clusters whose reading is due and that nobody reads now."""
    return Cluster.objects.filter(free(), Q(next_sync_at__lte=db_now()))


def ring_due() -> int:
    """Ring for every due cluster; how many. One query when none is."""
    due = list(due_syncs().values_list("pk", flat=True)[:200])
    for pk in due:
        enqueue("meshes.tasks.sync_cluster", pk)
    return len(due)


def sync_cluster(cluster_id: UUID | str) -> bool:
    """Read the cluster if it is due and free; whether it was. May run twice, the lease decides."""
    owner = runner_name()
    rows = Cluster.objects.filter(pk=cluster_id)
    fence = claim(rows.filter(next_sync_at__lte=db_now()), owner=owner, seconds=SYNC_LEASE_SECONDS)
    if fence is None:
        return False
    cluster = rows.get()
    is_good = _read_into(cluster)
    wait = settings.SYNC_SECONDS if is_good else RETRY_SECONDS
    done = {"last_synced_at": db_now()} if is_good else {}
    rows.filter(lease_owner=owner, lease_fence=fence).update(next_sync_at=db_now(plus=wait), **done)
    release(rows, owner=owner, fence=fence)
    return True


def _read_into(cluster: Cluster) -> bool:
    """Whether everything could be read."""
    try:
        reader = reader_for(cluster)
    except RefusedError as error:
        log.warning("Cluster %s cannot be read: %s", cluster.slug, error)
        return False
    reading = _Reading(cluster, reader)
    namespaces = reading.listed(NAMESPACES)
    services = reading.listed(SERVICES)
    deployments = reading.listed(DEPLOYMENTS)
    if services is not None:
        wanted = {(_uid(body),): _service_values(body) for body in services}
        reading.stored("services", store_rows(Service, cluster, wanted, key=("uid",)))
    for adapter in all_adapters():
        _read_mesh(reading, adapter, deployments, namespaces)
    return not reading.failed


class _Reading:
    """One reading of one cluster: lists, and the Sync row of each kind."""

    def __init__(self, cluster: Cluster, reader: Reader) -> None:
        self.cluster = cluster
        self.reader = reader
        self.failed: set[str] = set()
        self._rows = {row.resource: row for row in Sync.objects.filter(cluster=cluster)}

    def listed(self, resource: Resource) -> tuple[JsonObject, ...] | None:
        """All objects of a kind; None, with the error kept, where the list failed."""
        started = read_db_now()
        try:
            listing = self.reader.list_objects(resource)
        except ClusterError as error:
            self.failed.add(resource.plural)
            self._note(resource.plural, started, error=error.message[:2000])
            return None
        now = read_db_now()
        version = {"count": len(listing.items), "resource_version": listing.resource_version}
        self._note(resource.plural, started, error="", succeeded_at=now, finished_at=now, **version)
        return listing.items

    def stored(self, plural: str, written: int, problems: Iterable[Any] = ()) -> None:
        """What became of a kind."""
        kept = [{"where": p.where, "message": p.message} for p in problems]
        self._note(plural, self._rows[plural].started_at, written=written, problems=kept)

    def _note(self, plural: str, started: dt.datetime, **values: Any) -> None:
        row = self._rows.setdefault(plural, Sync(cluster=self.cluster, resource=plural))
        row.started_at = started
        for name, value in values.items():
            setattr(row, name, value)
        row.save()


def _read_mesh(
    reading: _Reading,
    adapter: MeshAdapter,
    deployments: tuple[JsonObject, ...] | None,
    namespaces: tuple[JsonObject, ...] | None,
) -> None:
    objects = {resource.plural: reading.listed(resource) for resource in adapter.resources()}
    if deployments is not None:
        detected = adapter.detect(reading.reader, deployments)
        written = _store_meshes(reading.cluster, adapter, detected)
        reading.stored("deployments", written, detected.problems)
    known = {plural: items for plural, items in objects.items() if items is not None}
    read = adapter.read(known, namespaces or ())
    if namespaces is not None:
        wanted = {(_uid(body),): _namespace_values(body, read) for body in namespaces}
        reading.stored("namespaces", store_rows(Namespace, reading.cluster, wanted, key=("uid",)))
    if len(known) == len(objects):
        wanted = {(_uid(found.body),): _route_values(found, adapter, read) for found in read.routes}
        written = store_rows(Route, reading.cluster, wanted, key=("uid",))
        reading.stored(adapter.resources()[0].plural, written, read.problems)


def _store_meshes(cluster: Cluster, adapter: MeshAdapter, detected: Detected) -> int:
    wanted = {
        (mesh.kind, mesh.trust_domain): {"kind": mesh.kind, "trust_domain": mesh.trust_domain}
        for mesh in detected.meshes
    }
    written = store_rows(Mesh, cluster, wanted, key=("kind", "trust_domain"))
    rows = {row.trust_domain: row for row in Mesh.objects.filter(cluster=cluster, kind=adapter.kind)}
    planes = {
        (plane.namespace, plane.name): {
            "mesh": rows[mesh.trust_domain],
            "namespace": plane.namespace,
            "name": plane.name,
            "revision": plane.revision,
            "version": plane.version.text[:100],
            "is_ready": plane.is_ready,
        }
        for mesh in detected.meshes
        for plane in mesh.control_planes
    }
    return written + store_rows(ControlPlane, cluster, planes, key=("namespace", "name"))


def _meta(body: JsonObject) -> dict[str, Any]:
    return cast("dict[str, Any]", body.get("metadata") or {})


def _uid(body: JsonObject) -> str:
    return str(_meta(body).get("uid") or "")


def _service_values(body: JsonObject) -> dict[str, Any]:
    meta, spec = _meta(body), cast("dict[str, Any]", body.get("spec") or {})
    ports = [{"name": p.get("name", ""), "port": p.get("port", 0)} for p in spec.get("ports") or []]
    return {
        "namespace": meta.get("namespace", ""),
        "name": meta.get("name", ""),
        "uid": _uid(body),
        "ports": ports,
        "selector": spec.get("selector") or {},
    }


def _namespace_values(body: JsonObject, read: Read) -> dict[str, Any]:
    name = str(_meta(body).get("name") or "")
    found = read.injections.get(name)
    return {
        "name": name,
        "uid": _uid(body),
        "injection": found.state if found else "none",
        "injection_reason": found.reason[:200] if found else "",
    }


def _route_values(found: ReadRoute, adapter: MeshAdapter, read: Read) -> dict[str, Any]:
    """Masked: a row never holds a secret that stands in a route. The hash is of what is really there."""
    meta = _meta(found.body)
    live = found.live
    masked = masked_body(_without_managers(found.body))
    here = f"{found.body.get('kind', '')} {meta.get('namespace', '')}/{meta.get('name', '')}"
    problems = [*found.problems, *(p for p in read.problems if p.where == here)]
    resource = live.ref.resource if live else adapter.resources()[0]
    neutral = masked_body(live.route.to_json()) if live else None
    return {
        "mesh_kind": adapter.kind,
        "group": resource.group,
        "version": resource.version,
        "plural": resource.plural,
        "kind": resource.kind,
        "namespace": str(meta.get("namespace") or ""),
        "name": str(meta.get("name") or ""),
        "uid": _uid(found.body),
        "root_service": live.route.root.service if live else "",
        "root_namespace": live.route.root.namespace if live else "",
        "neutral": neutral,
        "body": masked,
        "problems": [{"where": p.where, "message": p.message} for p in problems],
        "projection_hash": adapter.project(live).hash if live else "",
        "resource_version": str(meta.get("resourceVersion") or ""),
        "generation": int(meta.get("generation") or 0),
        "is_split": bool(live and any(len(rule.backends) > 1 for rule in live.route.rules)),
    }


def _without_managers(body: JsonObject) -> JsonObject:
    kept = {key: value for key, value in _meta(body).items() if key != "managedFields"}
    return {**body, "metadata": kept}


def stale_after() -> timedelta:
    """Inventory older than this wears its age: three intervals."""
    return timedelta(seconds=3 * settings.SYNC_SECONDS)
