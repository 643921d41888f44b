"""Whether the backends of a route are there and ready, from what was last read of their clusters."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshes.models import Service, Sync, Workload

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from uuid import UUID

    from clusters.models import Cluster
    from meshes.types import Backend, Route

Labels = dict[str, str]
SERVICES = "services"
SUBSETS = "destinationrules"


@dataclass(frozen=True, slots=True)
class Readiness:
    """Ready pods by backend key, None where it cannot be told.

    `missing`: backends whose Service is not there; `undefined`: those whose subset nothing defines.
    """

    ready: Mapping[str, int | None]
    missing: frozenset[str]
    undefined: frozenset[str]


def readiness_of(cluster: Cluster, route: Route) -> Readiness:
    """Of the backends of one route. Three queries."""
    return readiness_of_all([(cluster, route)])[0]


def readiness_of_all(
    asked: Sequence[tuple[Cluster, Route]], *, known: Collection[tuple[UUID, str]] | None = None
) -> list[Readiness]:
    """Of the backends of each route, in order. Three queries, whatever their number.

    `known`: (cluster, kind) of what was ever read, where the caller knows it: a query less.
    """
    inventory = _Inventory(asked, known)
    return [inventory.readiness(cluster.pk, backends_of(route)) for cluster, route in asked]


def backends_of(route: Route) -> dict[str, Backend]:
    """The different backends of a route, by key."""
    return {item.backend.key: item.backend for rule in route.rules for item in rule.backends}


def is_outside(backend: Backend) -> bool:
    """Whether it is a host that no Service of the cluster stands for: a name of DNS, behind a ServiceEntry."""
    return "." in backend.service


class _Inventory:
    """The Services that are named, and the workloads of their namespaces."""

    def __init__(
        self, asked: Sequence[tuple[Cluster, Route]], known: Collection[tuple[UUID, str]] | None = None
    ) -> None:
        clusters = {cluster.pk for cluster, _ in asked}
        backends = [backend for _, route in asked for backend in backends_of(route).values()]
        namespaces = {backend.namespace for backend in backends}
        names = {backend.service for backend in backends}
        read = Sync.objects.filter(cluster__in=clusters, succeeded_at__isnull=False)
        self.known = set(read.values_list("cluster_id", "resource") if known is None else known)
        services = Service.objects.filter(
            cluster__in=clusters, namespace__in=namespaces, name__in=names, gone_at__isnull=True
        )
        self.selectors: dict[tuple[UUID, str, str], Labels] = {
            (cluster, namespace, name): dict(selector or {})
            for cluster, namespace, name, selector in services.values_list(
                "cluster_id", "namespace", "name", "selector"
            )
        }
        self.workloads: dict[tuple[UUID, str], list[tuple[Labels, int]]] = defaultdict(list)
        workloads = Workload.objects.filter(cluster__in=clusters, namespace__in=namespaces, gone_at__isnull=True)
        for cluster, namespace, labels, ready in workloads.values_list("cluster_id", "namespace", "labels", "ready"):
            self.workloads[cluster, namespace].append((dict(labels or {}), ready))

    def readiness(self, cluster: UUID, backends: Mapping[str, Backend]) -> Readiness:
        """What is known of these backends in one cluster."""
        return Readiness(
            ready={key: self._ready(cluster, backend) for key, backend in backends.items()},
            missing=frozenset(key for key, backend in backends.items() if self._is_missing(cluster, backend)),
            undefined=frozenset(key for key, backend in backends.items() if self._is_undefined(cluster, backend)),
        )

    def _is_missing(self, cluster: UUID, backend: Backend) -> bool:
        """Only where the Services of the cluster could be read: what was never read is not missing."""
        is_there = (cluster, backend.namespace, backend.service) in self.selectors
        return not is_there and not is_outside(backend) and (cluster, SERVICES) in self.known

    def _is_undefined(self, cluster: UUID, backend: Backend) -> bool:
        return bool(backend.subset) and not backend.labels and (cluster, SUBSETS) in self.known

    def _ready(self, cluster: UUID, backend: Backend) -> int | None:
        selector = self.selectors.get((cluster, backend.namespace, backend.service))
        if not selector or (backend.subset and not backend.labels):
            return None
        behind = [
            (labels, ready)
            for labels, ready in self.workloads[cluster, backend.namespace]
            if _has(labels, selector.items())
        ]
        if not behind:
            return None
        return sum(ready for labels, ready in behind if _has(labels, backend.labels))


def _has(labels: Labels, wanted: Iterable[tuple[str, str]]) -> bool:
    return all(labels.get(key) == value for key, value in wanted)
