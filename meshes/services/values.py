"""What is kept of a native object: column values of its row. Route bodies are masked; hashes are of what is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from meshui.lib.masking import masked_body

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from clusters.clients import Resource
    from meshes.adapters.base import FoundControlPlane, MeshAdapter, Read, ReadRoute
    from meshes.models import Mesh
    from meshui.lib.jsontypes import JsonObject

Values = dict[str, Any]


def by_uid(bodies: Iterable[JsonObject], values_of: Callable[[JsonObject], Values]) -> dict[tuple[str], Values]:
    """Values by uid: an object made anew under an old name is another one."""
    return {(uid_of(body),): values_of(body) for body in bodies}


def uid_of(body: JsonObject) -> str:
    """metadata.uid."""
    return str(_meta(body).get("uid") or "")


def _meta(body: JsonObject) -> dict[str, Any]:
    return cast("dict[str, Any]", body.get("metadata") or {})


def of_service(body: JsonObject) -> Values:
    """A Service: ports and selector."""
    meta, spec = _meta(body), cast("dict[str, Any]", body.get("spec") or {})
    ports = [{"name": port.get("name") or "", "port": port.get("port") or 0} for port in spec.get("ports") or []]
    return {
        "namespace": meta.get("namespace", ""),
        "name": meta["name"],
        "uid": uid_of(body),
        "ports": ports,
        "selector": spec.get("selector") or {},
    }


def of_namespace(body: JsonObject, read: Read) -> Values:
    """A namespace, with whether new pods there get a proxy."""
    name = str(_meta(body)["name"])
    found = read.injections.get(name)
    return {
        "name": name,
        "uid": uid_of(body),
        "injection": found.state if found else "none",
        "injection_reason": found.reason[:200] if found else "",
    }


def of_plane(plane: FoundControlPlane, mesh: Mesh) -> Values:
    """A control plane of `mesh`."""
    return {
        "mesh": mesh,
        "namespace": plane.namespace,
        "name": plane.name,
        "revision": plane.revision[:63],
        "version": plane.version.text[:100],
        "is_ready": plane.is_ready,
    }


def of_route(found: ReadRoute, adapter: MeshAdapter, resource: Resource) -> Values:
    """A route: neutral where it could be read, native as it is, both masked; and what could not be said."""
    meta, live = _meta(found.body), found.live
    root = live.route.root if live else None
    return {
        "mesh_kind": adapter.kind,
        "group": resource.group,
        "version": resource.version,
        "plural": resource.plural,
        "kind": resource.kind,
        "namespace": str(meta.get("namespace") or ""),
        "name": str(meta["name"]),
        "uid": uid_of(found.body),
        "root_service": root.service[:253] if root else "",
        "root_namespace": root.namespace if root else "",
        "neutral": masked_body(live.route.to_json()) if live else None,
        "body": masked_body(_without_managers(found.body)),
        "problems": [{"where": problem.where, "message": problem.message} for problem in found.problems],
        "projection_hash": found.projection_hash,
        "resource_version": str(meta.get("resourceVersion") or ""),
        "generation": int(meta.get("generation") or 0),
        "is_split": bool(live and any(len(rule.backends) > 1 for rule in live.route.rules)),
    }


def _without_managers(body: JsonObject) -> JsonObject:
    kept = {key: value for key, value in _meta(body).items() if key != "managedFields"}
    return {**body, "metadata": kept}
