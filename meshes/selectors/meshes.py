"""The meshes of all clusters: what was found of each, what runs it, who gets its proxies, what is odd about it."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext

from accounts.types import READ
from meshes.adapters.registry import adapter_for
from meshes.models import ControlPlane, Mesh, Namespace, Sync
from meshes.selectors.capabilities import abilities_by_answer, ability_counts
from meshes.selectors.clusters import PlaneLine
from meshes.selectors.freshness import sync_word
from meshes.selectors.kinds import MESHES
from meshes.selectors.proxies import proxy_lines
from meshes.selectors.security import ending_of, mtls_view
from meshes.selectors.upgrades import behind
from meshes.types import Version
from meshui.lib.errors import MissingError
from meshui.lib.rights import in_scope

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from uuid import UUID

    from django.db.models import QuerySet

    from accounts.models import User
    from clusters.models import Cluster
    from meshes.abilities import Ability
    from meshes.selectors.proxies import ProxyLine
    from meshes.selectors.security import Ending, MtlsView
    from meshes.selectors.upgrades import Behind

MAX_ODD = 20


@dataclass(frozen=True, slots=True)
class MeshRow:
    """One installation in a list. `status`: ready, not_ready (some control plane), headless (none runs), gone."""

    mesh: Mesh
    label: str
    versions: tuple[str, ...]
    revisions: tuple[str, ...]
    status: str
    problem_count: int


@dataclass(frozen=True, slots=True)
class Odd:
    """What is odd about the meshes of one cluster; `problems` as stored: where, message."""

    cluster: Cluster
    problems: tuple[dict[str, str], ...]


@dataclass(frozen=True, slots=True)
class Injected:
    """How many namespaces give their new pods to a revision; `is_here` False: no control plane goes by that name."""

    revision: str
    injection: str
    count: int
    is_here: bool


@dataclass(frozen=True, slots=True)
class MeshDetail:
    """One installation, whole. `planes`: those that went, too, last. `peers`: meshes that trust the same root.

    `spaces`: namespaces whose new pods it takes. `abilities`: how many features it can hold, loses
    something of, cannot hold.
    """

    row: MeshRow
    sync: str
    planes: tuple[PlaneLine, ...]
    injected: tuple[Injected, ...]
    spaces: tuple[Namespace, ...]
    abilities: Mapping[str, int]
    proxies: tuple[ProxyLine, ...]
    mtls: MtlsView
    problems: tuple[dict[str, str], ...]
    errors: tuple[Sync, ...]
    peers: tuple[Mesh, ...]

    @property
    def mesh(self) -> Mesh:
        """As it was last read."""
        return self.row.mesh

    @property
    def cluster(self) -> Cluster:
        """Where it is."""
        return self.row.mesh.cluster

    @property
    def root_end(self) -> Ending | None:
        """When the first of its root certificates ends."""
        return ending_of(self.mesh.root_ends_at)

    @property
    def features(self) -> Mapping[str, tuple[Ability, ...]]:
        """What it can hold, loses something of, cannot hold."""
        return abilities_by_answer(self.mesh.kind)

    @property
    def behind(self) -> list[Behind]:
        """Revisions older than its newest, and whom they still give their proxies."""
        planes = [plane.row for plane in self.planes if plane.row.gone_at is None]
        return behind(self.mesh.kind, planes, self.proxies)


def list_meshes(user: User) -> QuerySet[Mesh]:
    """Installations in scope, gone or not, with their clusters; not those of clusters that were removed."""
    rows = Mesh.objects.filter(cluster__removed_at=None).select_related("cluster")
    return in_scope(rows, user, READ)


def mesh_rows(rows: Collection[Mesh]) -> list[MeshRow]:
    """What a list shows of each, for whoever may see them. Two queries."""
    planes: dict[UUID, list[ControlPlane]] = defaultdict(list)
    for plane in ControlPlane.objects.filter(mesh__in=rows, gone_at=None).order_by("namespace", "name"):
        planes[plane.mesh_id].append(plane)
    told = Sync.objects.filter(cluster__in={row.cluster_id for row in rows}, resource=MESHES)
    counts = {sync.cluster_id: len(sync.problems) for sync in told}
    return [_row(row, planes[row.pk], counts.get(row.cluster_id, 0)) for row in rows]


def odd_clusters(user: User) -> list[Odd]:
    """Clusters about whose meshes something is odd, such as one that was removed by half; at most 20. One query."""
    rows = in_scope(Sync.objects.filter(resource=MESHES, cluster__removed_at=None), user, READ)
    found = rows.exclude(problems=[]).select_related("cluster").order_by("cluster__slug")[:MAX_ODD]
    return [Odd(sync.cluster, tuple(sync.problems)) for sync in found]


def mesh_detail(user: User, pk: UUID) -> MeshDetail:
    """One installation. Raises MissingError, also where out of scope. Constant queries."""
    mesh = _get_mesh(user, pk)
    planes = list(ControlPlane.objects.filter(mesh=mesh).order_by("namespace", "name"))
    live = [plane for plane in planes if plane.gone_at is None]
    syncs = list(Sync.objects.filter(cluster=mesh.cluster))
    rows = Namespace.objects.filter(cluster=mesh.cluster, injected_by=mesh.kind, gone_at=None)
    spaces = list(in_scope(rows, user, READ).only("name", "revision", "injection"))
    problems = tuple(problem for sync in syncs if sync.resource == MESHES for problem in sync.problems)
    errors = tuple(sync for sync in syncs if sync.error)
    return MeshDetail(
        row=_row(mesh, live, len(problems)),
        sync=sync_word(mesh.cluster, has_errors=bool(errors)),
        planes=tuple(_plane(mesh, plane) for plane in sorted(planes, key=lambda plane: plane.gone_at is not None)),
        injected=tuple(_injected(spaces, {plane.revision for plane in live})),
        spaces=tuple(spaces),
        abilities=ability_counts(mesh.kind),
        proxies=tuple(proxy_lines(user, mesh, live, {space.name: space.revision for space in spaces})),
        mtls=mtls_view(user, mesh),
        problems=problems,
        errors=errors,
        peers=tuple(_peers(user, mesh)),
    )


def mesh_head(user: User, pk: UUID) -> MeshRow:
    """One installation as a list shows it. Raises MissingError, also where out of scope. Four queries."""
    return mesh_rows([_get_mesh(user, pk)])[0]


def _get_mesh(user: User, pk: UUID) -> Mesh:
    mesh = list_meshes(user).filter(pk=pk).first()
    if mesh is None:
        raise MissingError(gettext("There is no such mesh."), mend=gettext("Open the list of meshes."))
    return mesh


def _row(mesh: Mesh, planes: Collection[ControlPlane], problem_count: int) -> MeshRow:
    return MeshRow(
        mesh=mesh,
        label=adapter_for(mesh.kind).label,
        versions=tuple(dict.fromkeys(plane.version for plane in planes if plane.version)),
        revisions=tuple(dict.fromkeys(plane.revision for plane in planes if plane.revision)),
        status=_status(mesh, planes),
        problem_count=problem_count,
    )


def _status(mesh: Mesh, planes: Collection[ControlPlane]) -> str:
    if mesh.gone_at is not None:
        return "gone"
    if not planes:
        return "headless"
    return "ready" if all(plane.is_ready for plane in planes) else "not_ready"


def _plane(mesh: Mesh, plane: ControlPlane) -> PlaneLine:
    adapter = adapter_for(mesh.kind)
    return PlaneLine(plane, adapter.label, adapter.capabilities(Version.parse(plane.version)))


def _injected(spaces: Collection[Namespace], revisions: Collection[str]) -> list[Injected]:
    counts = Counter((space.revision, space.injection) for space in spaces)
    return [
        Injected(revision, injection, count, not revision or revision in revisions)
        for (revision, injection), count in sorted(counts.items())
    ]


def _peers(user: User, mesh: Mesh) -> QuerySet[Mesh] | list[Mesh]:
    """Of the same kind, in other clusters, under the same root certificate."""
    if not mesh.trust_root:
        return []
    rows = list_meshes(user).filter(kind=mesh.kind, trust_root=mesh.trust_root, gone_at=None).exclude(pk=mesh.pk)
    return rows.order_by("cluster__slug")[:MAX_ODD]
