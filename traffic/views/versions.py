"""The backends that a service of one cluster could have: versions of its pods, and Services that stand beside it. Pure.

A mesh that knows subsets tells versions of one Service apart by the labels of its pods; every mesh can name Services.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from meshes.alignment import VERSION_LABELS, version_of
from meshes.types import Backend, Root

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from meshes.models import Service, Workload

WITH_SUBSETS: Final = frozenset({"istio"})
MAX_VERSIONS: Final = 40


def backends_found(
    root: Root, mesh_kind: str, services: Sequence[Service], workloads: Sequence[Workload], *, by_service: bool = False
) -> dict[str, Backend]:
    """By version, the first that stands for it: subsets before Services, or the other way round (`by_service`).

    `services` and `workloads` are those of the root's namespace in one cluster.
    """
    beside = list(_services(root, mesh_kind, services))
    subsets = list(_subsets(root, services, workloads)) if mesh_kind in WITH_SUBSETS else []
    found: dict[str, Backend] = {}
    for version, backend in [*beside, *subsets] if by_service else [*subsets, *beside]:
        if len(found) < MAX_VERSIONS:
            found.setdefault(version, backend)
    return found


def port_for(ports: Sequence[Mapping[str, Any]], wanted: int | None) -> int | None:
    """`wanted` if there is such a port, else the first one; None: there is none."""
    numbers = [int(port.get("port") or 0) for port in ports]
    return wanted if wanted in numbers else next(iter(numbers), None)


def _services(root: Root, mesh_kind: str, services: Iterable[Service]) -> Iterator[tuple[str, Backend]]:
    """Services whose name begins with the root's; the root itself too, where no subset can stand for it."""
    for service in services:
        is_root = service.name == root.service
        if is_root and mesh_kind in WITH_SUBSETS:
            continue
        if not is_root and not re.match(rf"{re.escape(root.service)}[-_.]", service.name):
            continue
        backend = Backend("service", service.name, service.namespace, port=port_for(service.ports, root.port))
        yield version_of(backend, root=root, selector=service.selector).version, backend


def _subsets(root: Root, services: Iterable[Service], workloads: Iterable[Workload]) -> Iterator[tuple[str, Backend]]:
    """One for each version among the labels of the pods that the root selects."""
    selector = next((service.selector for service in services if service.name == root.service), {})
    for workload in workloads:
        labels = workload.labels
        if not selector or any(labels.get(key) != value for key, value in selector.items()):
            continue
        label = next((key for key in VERSION_LABELS if labels.get(key)), "")
        if label:
            name = re.sub(r"[^a-z0-9]+", "-", labels[label].lower()).strip("-")[:63]
            backend = Backend("subset", root.service, root.namespace, subset=name, labels=((label, labels[label]),))
            yield version_of(backend, root=root).version, backend
