"""What is kept of a native object: column values of its row. Route bodies are masked; hashes are of what is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import msgspec

from meshes.services.kinds import DAEMON_SETS, service_of, workload_of
from meshui.lib.masking import masked_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from clusters.clients import Head, Resource, Slim
    from clusters.slims import Container, WorkloadBody
    from meshes.adapters.base import FoundControlPlane, Injection, MeshAdapter, ReadRoute
    from meshes.adapters.mtls import FoundMtls
    from meshes.models import Mesh
    from meshui.lib.jsontypes import JsonObject

Values = dict[str, Any]
"""Column values; JSON may be encoded already, as msgspec.Raw."""
VERSION_LABELS = ("app.kubernetes.io/version", "version")
PROXIES = frozenset({"istio-proxy", "linkerd-proxy"})
INJECTS = ("sidecar.istio.io/inject", "linkerd.io/inject")
"""What a pod says for itself, whatever its namespace says."""
SWITCH = {"true": "injected", "enabled": "injected", "false": "none", "disabled": "none"}
SHORT_DIGEST = len("sha256:") + 12
MOST_REPLICAS = 2**31 - 1
MOST_TOLD = 50


def uid_of(body: JsonObject) -> str:
    """metadata.uid."""
    return str(_meta(body).get("uid") or "")


def _meta(body: JsonObject) -> dict[str, Any]:
    return cast("dict[str, Any]", body.get("metadata") or {})


def of_service(slim: Slim) -> Values:
    """A Service: ports and selector."""
    spec = service_of(slim).spec
    ports = [{"name": port.name or "", "port": port.port} for port in (spec.ports if spec else None) or ()]
    return {**_named(slim.head), "ports": ports, "selector": (spec.selector if spec else None) or {}}


def of_workload(slim: Slim, resource: Resource) -> Values:
    """A workload: its pods' labels, their version, and how many of them are ready."""
    body = workload_of(slim)
    wanted, ready = _counts(body, resource)
    template = body.spec.template if body.spec else None
    meta = template.metadata if template else None
    return {
        **_named(slim.head),
        "kind": resource.kind,
        "labels": (meta.labels if meta else None) or {},
        "injection": _injection(body),
        "version": version_of(body)[:100],
        "replicas": min(max(wanted, 0), MOST_REPLICAS),
        "ready": min(max(ready, 0), MOST_REPLICAS),
    }


def version_of(body: WorkloadBody) -> str:
    """By label of its pods or its own, else by the tag of its first image that is no proxy, else by its digest."""
    template = body.spec.template if body.spec else None
    for labels in ((template.metadata.labels if template and template.metadata else None), body.metadata.labels):
        told = next((labels[name] for name in VERSION_LABELS if labels.get(name)), "") if labels else ""
        if told:
            return told
    return next((image_version(c.image) for c in _containers(body) if c.image and c.name not in PROXIES), "")


def image_version(image: str) -> str:
    """`registry:5000/shop/web:v2@sha256:…` → v2; by digest alone `sha256:` and 12 digits; neither: empty."""
    name, _, digest = image.partition("@")
    return name.rpartition("/")[2].partition(":")[2] or digest[:SHORT_DIGEST]


def _counts(body: WorkloadBody, resource: Resource) -> tuple[int, int]:
    status = body.status
    if resource == DAEMON_SETS:
        return ((status.desired_number_scheduled or 0), (status.number_ready or 0)) if status else (0, 0)
    replicas = body.spec.replicas if body.spec else None
    return (1 if replicas is None else replicas), ((status.ready_replicas or 0) if status else 0)


def _containers(body: WorkloadBody) -> Iterator[Container]:
    spec = body.spec.template.spec if body.spec and body.spec.template else None
    yield from (spec.containers if spec else None) or ()


def _injection(body: WorkloadBody) -> str:
    """injected or none, where its pods say it themselves; empty: as their namespace says."""
    spec = body.spec.template if body.spec else None
    containers = [*_containers(body), *((spec.spec.init_containers if spec and spec.spec else None) or ())]
    if any(container.name in PROXIES for container in containers):
        return "injected"
    meta = spec.metadata if spec else None
    told = {**((meta.annotations if meta else None) or {}), **((meta.labels if meta else None) or {})}
    return next((SWITCH[told[name]] for name in INJECTS if told.get(name) in SWITCH), "")


def of_namespace(head: Head, injection: Injection | None, injected_by: str) -> Values:
    """A namespace, with whether new pods there get a proxy, by which mesh, and why."""
    return {
        "name": head.name,
        "uid": head.uid,
        "injection": injection.state if injection else "none",
        "injection_reason": injection.reason[:200] if injection else "",
        "injected_by": injected_by,
        "revision": injection.revision[:63] if injection and injected_by else "",
    }


def of_plane(plane: FoundControlPlane, mesh: Mesh, tags: Mapping[str, str]) -> Values:
    """A control plane of `mesh`, with those of `tags` (tag → revision) that stand for it."""
    return {
        "mesh": mesh,
        "namespace": plane.namespace,
        "name": plane.name,
        "revision": plane.revision[:63],
        "tags": sorted(tag for tag, revision in tags.items() if revision == plane.revision),
        "version": plane.version.text[:100],
        "is_ready": plane.is_ready,
    }


def of_mtls(kind: str, namespace: str, found: FoundMtls) -> Values:
    """What the pods of a namespace take; at most 50 parts, and of each at most 50 workloads."""
    parts = [
        {"where": p.where[:600], "mode": p.mode, "origin": p.origin[:600], "workloads": list(p.workloads[:MOST_TOLD])}
        for p in found.parts[:MOST_TOLD]
    ]
    return {
        "mesh_kind": kind,
        "namespace": namespace,
        "mode": found.mode,
        "base": found.base,
        "scope": found.scope,
        "origin": found.origin[:600],
        "note": found.note[:400],
        "parts": parts,
    }


def of_route(found: ReadRoute, adapter: MeshAdapter) -> Values:
    """A route: neutral where it could be read, native as it is, both masked; and what could not be said."""
    meta, live, resource = _meta(found.body), found.live, found.ref.resource
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
        "neutral": msgspec.Raw(masked_json(live.route)) if live else None,
        "body": msgspec.Raw(masked_json(_without_managers(found.body))),
        "problems": [{"where": problem.where, "message": problem.message} for problem in found.problems],
        "projection_hash": found.projection_hash,
        "resource_version": str(meta.get("resourceVersion") or ""),
        "generation": int(meta.get("generation") or 0),
        "is_split": bool(live and any(len(rule.backends) > 1 for rule in live.route.rules)),
    }


def _named(head: Head) -> Values:
    return {"namespace": head.namespace, "name": head.name, "uid": head.uid}


def _without_managers(body: JsonObject) -> JsonObject:
    kept = {key: value for key, value in _meta(body).items() if key != "managedFields"}
    return {**body, "metadata": kept}
