"""Which pods of a cluster get their proxy from which revision of a mesh: as namespaces and workloads ask for it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Count, Sum

from accounts.types import READ
from meshes.models import Workload
from meshui.lib.rights import in_scope

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from accounts.models import User
    from meshes.models import ControlPlane, Mesh

OFF = "none"
"""What a namespace or a workload says that wants no proxy."""
FULL = 10_000


@dataclass(frozen=True, slots=True)
class ProxyLine:
    """The pods that one revision gives a proxy. `versions`: of its control planes, empty: none goes by that name.

    `share_bp`: of all pods of the mesh. What version each proxy runs is not read.
    """

    revision: str
    versions: tuple[str, ...]
    workloads: int
    pods: int
    ready: int
    share_bp: int


@dataclass(slots=True)
class _Sum:
    """What was counted of one revision."""

    workloads: int = 0
    pods: int = 0
    ready: int = 0


def proxy_lines(
    user: User, mesh: Mesh, planes: Collection[ControlPlane], revisions: Mapping[str, str]
) -> list[ProxyLine]:
    """By revision, most pods first, as far as `user` sees the workloads. One query.

    `revisions`: of the namespaces whose new pods the mesh takes. A workload that wants a proxy where its namespace
    names no mesh is nobody's here: the injector decides.
    """
    rows = in_scope(Workload.objects.filter(cluster=mesh.cluster, gone_at=None), user, READ)
    counted = rows.exclude(injection=OFF).order_by("namespace").values_list("namespace")
    sums: dict[str, _Sum] = defaultdict(_Sum)
    for namespace, workloads, pods, ready in counted.annotate(Count("pk"), Sum("replicas"), Sum("ready")):
        if (revision := revisions.get(namespace)) is not None:
            found = sums[revision]
            found.workloads, found.pods, found.ready = (
                found.workloads + workloads,
                found.pods + pods,
                found.ready + ready,
            )
    whole = sum(found.pods for found in sums.values()) or 1
    lines = [
        ProxyLine(name, _versions(planes, name), each.workloads, each.pods, each.ready, each.pods * FULL // whole)
        for name, each in sums.items()
    ]
    return sorted(lines, key=lambda line: (-line.pods, line.revision))


def _versions(planes: Collection[ControlPlane], revision: str) -> tuple[str, ...]:
    named = [plane for plane in planes if not revision or revision == plane.revision or revision in plane.tags]
    return tuple(dict.fromkeys(plane.version for plane in named if plane.version))
