"""What is known around routes: which meshes are in their clusters, what was last read of the Services beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshes.models import SERVED, Mesh, Namespace, Service, Sync

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from uuid import UUID

    from meshui.lib.jsontypes import JsonObject

NAMESPACE = ("cluster_id", "name", "injected_by")


@dataclass(frozen=True, slots=True)
class MeshesIn:
    """Kinds of meshes by cluster; which one gives a proxy to the pods of a namespace, by cluster and namespace."""

    kinds: Mapping[UUID, tuple[str, ...]]
    injected: Mapping[tuple[UUID, str], str]


def meshes_in(clusters: Collection[UUID]) -> MeshesIn:
    """Of clusters that the caller may see. Two queries; none for no clusters."""
    kinds: dict[UUID, tuple[str, ...]] = {}
    if not clusters:
        return MeshesIn(kinds, {})
    for cluster, kind in Mesh.objects.filter(cluster__in=clusters, gone_at=None).values_list("cluster_id", "kind"):
        kinds[cluster] = (*kinds.get(cluster, ()), kind)
    rows = Namespace.objects.filter(cluster__in=clusters, gone_at=None).exclude(injected_by="")
    return MeshesIn(kinds, {(row.cluster_id, row.name): row.injected_by for row in rows.only(*NAMESPACE)})


@dataclass(frozen=True, slots=True)
class Read:
    """What was last read of clusters, as adapters want it around a route: group/versions, and Services by name."""

    served: Mapping[UUID, frozenset[str]]
    services: Mapping[UUID, Mapping[tuple[str, str], JsonObject]]


def read_of(clusters: Collection[UUID], namespaces: Collection[str]) -> Read:
    """Of clusters that the caller may see; of Services their ports and selectors. Two queries."""
    found = Sync.objects.filter(cluster__in=clusters, resource=SERVED).values_list("cluster_id", "found")
    services: dict[UUID, dict[tuple[str, str], JsonObject]] = {}
    for row in Service.objects.filter(cluster__in=clusters, namespace__in=namespaces, gone_at=None):
        services.setdefault(row.cluster_id, {})[row.namespace, row.name] = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"namespace": row.namespace, "name": row.name},
            "spec": {"ports": row.ports, "selector": row.selector},
        }
    return Read({cluster: frozenset(groups) for cluster, groups in found}, services)
