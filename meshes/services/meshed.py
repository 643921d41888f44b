"""The meshes of a cluster: found among its workloads, kept as rows, and told where one is there by half."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from meshes.adapters.base import Detected, FoundMesh, Problem
from meshes.adapters.registry import all_adapters
from meshes.models import ControlPlane, Mesh
from meshes.services import values
from meshes.services.kinds import DEPLOYMENTS, WORKLOADS
from meshes.services.rows import MESHES

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping

    from clusters.clients import Lister, Resource
    from meshes.adapters.base import FoundControlPlane, MeshAdapter
    from meshes.services.fetching import Moved
    from meshes.services.keeping import Rows
    from meshes.services.stock import Stock
    from meshui.lib.jsontypes import JsonObject

SHARED_GROUPS = frozenset({"", "apps", "admissionregistration.k8s.io", "gateway.networking.k8s.io"})
"""Groups whose kinds say nothing of one mesh."""


def keep(rows: Rows, stock: Stock, lister: Lister, moves: Mapping[Resource, Moved], *, is_whole: bool) -> bool:
    """Look for meshes where that may have changed; whether it did. Not before Deployments could be listed."""
    if not stock.is_listed(DEPLOYMENTS):
        return False
    if stock.detected is not None and not is_whole and not _is_touched(stock, lister, moves):
        return False
    bodies = list(_candidates(stock, moves))
    found = {adapter.kind: adapter.detect(lister, bodies) for adapter in all_adapters()}
    found = {kind: _remembering(detected, (stock.detected or {}).get(kind)) for kind, detected in found.items()}
    has_moved = found != stock.detected
    if has_moved:
        stock.detected = found
        store(rows, stock)
    stock.mesh_problems = tuple(_problems(stock, found))
    return has_moved


def _remembering(found: Detected, before: Detected | None) -> Detected:
    """What a control plane is configured to do, as it was where that cannot be read now."""
    known = {(p.namespace, p.name): p for mesh in (before.meshes if before else ()) for p in mesh.control_planes}
    if not known:
        return found
    meshes = [
        replace(mesh, control_planes=tuple(_filled(p, known.get((p.namespace, p.name))) for p in mesh.control_planes))
        for mesh in found.meshes
    ]
    return replace(found, meshes=tuple(meshes))


def _filled(plane: FoundControlPlane, before: FoundControlPlane | None) -> FoundControlPlane:
    if before is None:
        return plane
    place, inbound = plane.policy_namespace or before.policy_namespace, plane.inbound or before.inbound
    return replace(plane, policy_namespace=place, inbound=inbound)


def _is_touched(stock: Stock, lister: Lister, moves: Mapping[Resource, Moved]) -> bool:
    """Whether a control plane came, went or moved: among what moved, and where control planes are known to be."""
    places = _places(stock)
    if any(moves[r].gone for r in WORKLOADS if r in moves):
        return True
    touched = [(stock.kinds[r], uid) for r in WORKLOADS if r in moves for uid in moves[r].touched]
    if any(kind.held[uid].head.namespace in places for kind, uid in touched):
        return True
    bodies = list(_bodies(stock, moves, touched_only=True))
    return any(bool(d.meshes or d.problems) for d in (a.detect(lister, bodies) for a in all_adapters()))


def _candidates(stock: Stock, moves: Mapping[Resource, Moved]) -> Iterator[JsonObject]:
    """All workloads at first; later what moved, and everything beside the control planes that are known."""
    if stock.detected is None:
        yield from _bodies(stock, moves, touched_only=False)
        return
    places = _places(stock)
    for resource in WORKLOADS:
        kind = stock.kinds.get(resource)
        touched = moves[resource].touched if resource in moves else set()
        for uid, held in kind.held.items() if kind else ():
            if uid in touched or held.head.namespace in places:
                yield held.slim().body()


def _bodies(stock: Stock, moves: Mapping[Resource, Moved], *, touched_only: bool) -> Iterator[JsonObject]:
    """Those that may be part of a control plane: most are not, and are not decoded."""
    signs = [sign for adapter in all_adapters() for sign in adapter.signs]
    for resource in WORKLOADS:
        kind = stock.kinds.get(resource)
        touched = moves[resource].touched if resource in moves else set()
        for uid, held in kind.held.items() if kind else ():
            if not touched_only or uid in touched:
                slim = held.slim()
                if any(sign in slim.data for sign in signs):
                    yield slim.body()


def _places(stock: Stock) -> set[str]:
    """The namespaces of control planes."""
    found = (stock.detected or {}).values()
    return {plane.namespace for detected in found for mesh in detected.meshes for plane in mesh.control_planes}


def store(rows: Rows, stock: Stock) -> None:
    """Meshes, then their control planes; one whose trust cannot be read now stays in the mesh it was in."""
    found = stock.detected or {}
    planes = ControlPlane.objects.filter(cluster=rows.cluster, gone_at=None).select_related("mesh")
    before = {(plane.namespace, plane.name): plane.mesh for plane in planes}
    placed: dict[tuple[str, str], tuple[tuple[str, str], FoundControlPlane]] = {}
    meshes: dict[tuple[str, str], values.Values] = {}
    for kind, detected in found.items():
        for mesh in detected.meshes:
            domain, root, ends_at = _trust(kind, mesh, before)
            trust = {"trust_domain": domain, "trust_root": root, "root_ends_at": ends_at}
            meshes[kind, domain] = {"kind": kind, **trust}
            for plane in mesh.control_planes:
                placed.setdefault((plane.namespace, plane.name), ((kind, domain), plane))
    is_whole_known = all(stock.is_listed(resource) for resource in WORKLOADS)
    write = rows.replace if is_whole_known else rows.upsert_by
    write(MESHES, Mesh, meshes, key=("kind", "trust_domain"))
    kept = {(row.kind, row.trust_domain): row for row in Mesh.objects.filter(cluster=rows.cluster)}
    tags = stock.tags
    wanted = {key: values.of_plane(p, kept[mesh], tags.get(mesh[0], {})) for key, (mesh, p) in placed.items()}
    write(MESHES, ControlPlane, wanted, key=("namespace", "name"))


def _trust(kind: str, mesh: FoundMesh, before: Mapping[tuple[str, str], Mesh]) -> tuple[str, str, dt.datetime | None]:
    """Trust domain, root and its end; what cannot be read now is as it was."""
    known = [before[p.namespace, p.name] for p in mesh.control_planes if (p.namespace, p.name) in before]
    last = next((row for row in known if row.kind == kind), None)
    domain = mesh.trust_domain or (last.trust_domain if last else "")
    is_same = last is not None and last.trust_domain == domain
    if mesh.trust_root or last is None or not is_same:
        return domain, mesh.trust_root, mesh.root_ends_at
    return domain, last.trust_root, last.root_ends_at


def _problems(stock: Stock, found: Mapping[str, Detected]) -> Iterator[Problem]:
    """What went wrong on the way, and meshes that are there by half."""
    for adapter in all_adapters():
        detected = found[adapter.kind]
        yield from detected.problems
        own = sorted(_own_groups(adapter, stock.served))
        if own and not detected.meshes and not detected.problems:
            text = f"Its kinds are served ({', '.join(own)}), but no control plane was found: nothing acts on them."
            yield Problem(adapter.label, text)
        if detected.meshes and not own and stock.served is not None:
            text = "Its control plane runs, but the cluster serves none of its kinds: install its CRDs, or remove it."
            yield Problem(adapter.label, text)


def _own_groups(adapter: MeshAdapter, served: frozenset[str] | None) -> set[str]:
    return {r.group for r in adapter.resources(served or frozenset())} - SHARED_GROUPS
