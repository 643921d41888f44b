"""What was read of one cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Count, Exists, OuterRef, Q

from accounts.types import READ
from clusters.selectors import list_clusters
from meshes.adapters.registry import adapter_for
from meshes.models import CONNECTION, ControlPlane, Namespace, Route, Service, Sync
from meshes.selectors.freshness import sync_word
from meshes.selectors.kinds import kind_lines
from meshes.types import Version
from meshui.lib import clock
from meshui.lib.errors import MissingError
from meshui.lib.rights import in_scope

if TYPE_CHECKING:
    from accounts.models import User
    from clusters.models import Cluster
    from meshes.adapters.base import Capabilities
    from meshes.selectors.kinds import KindLine

MAX_ROWS = 50


@dataclass(frozen=True, slots=True)
class PlaneLine:
    """A control plane, with what its version can hold."""

    row: ControlPlane
    label: str
    can: Capabilities


@dataclass(frozen=True, slots=True)
class ClusterInventory:
    """What was read of one cluster. Lists hold at most 50; counts are of all."""

    cluster: Cluster
    sync: str
    is_due: bool
    syncs: tuple[Sync, ...]
    planes: tuple[PlaneLine, ...]
    namespaces: tuple[Namespace, ...]
    counts: dict[str, int]
    unread: tuple[Route, ...]
    doubtful: tuple[Route, ...]
    hosts: tuple[Route, ...]

    @property
    def problems(self) -> list[dict[str, str]]:
        """What could not be read of a kind that was listed."""
        return [problem for sync in self.syncs for problem in sync.problems]

    @property
    def kinds(self) -> list[KindLine]:
        """Each kind with how it is kept up to date."""
        return kind_lines(self.cluster, self.syncs)

    @property
    def errors(self) -> list[Sync]:
        """Kinds that could not be listed."""
        return [sync for sync in self.syncs if sync.error]


def cluster_inventory(user: User, slug: str) -> ClusterInventory:
    """Everything that was read of the cluster. Raises MissingError, also where out of scope. Constant queries.

    Readings and control planes need no scope of their own: whoever may see a cluster as such may see all of it.
    """
    cluster = list_clusters(user).prefetch_related(None).filter(slug=slug).first()
    if cluster is None:
        raise MissingError("There is no such cluster.")
    syncs = tuple(Sync.objects.filter(cluster=cluster).exclude(resource=CONNECTION, error=""))
    routes = in_scope(Route.objects.filter(cluster=cluster, gone_at__isnull=True), user, READ)
    shown = routes.defer("body", "neutral").order_by("namespace", "name")
    spaces = in_scope(Namespace.objects.filter(cluster=cluster, gone_at__isnull=True), user, READ)
    services = in_scope(Service.objects.filter(cluster=cluster, gone_at__isnull=True), user, READ)
    known = services.filter(namespace=OuterRef("root_namespace"), name=OuterRef("root_service"))
    readable = shown.exclude(projection_hash="")
    has_errors = any(sync.error for sync in syncs)
    return ClusterInventory(
        cluster=cluster,
        sync=sync_word(cluster, has_errors=has_errors),
        is_due=cluster.next_sync_at is not None and cluster.next_sync_at <= clock.now(),
        syncs=syncs,
        planes=tuple(_planes(cluster)),
        namespaces=tuple(spaces.order_by("name")[:MAX_ROWS]),
        counts={
            **spaces.aggregate(namespaces=Count("pk"), meshed=Count("pk", filter=~Q(injection="none"))),
            **services.aggregate(services=Count("pk")),
            **routes.aggregate(routes=Count("pk"), split=Count("pk", filter=Q(is_split=True))),
        },
        unread=tuple(shown.filter(projection_hash="")[:MAX_ROWS]),
        doubtful=tuple(readable.exclude(problems=[])[:MAX_ROWS]),
        hosts=tuple(readable.filter(~Exists(known))[:MAX_ROWS]),
    )


def _planes(cluster: Cluster) -> list[PlaneLine]:
    rows = ControlPlane.objects.filter(cluster=cluster, gone_at__isnull=True).select_related("mesh")
    found = []
    for row in rows.order_by("namespace", "name"):
        adapter = adapter_for(row.mesh.kind)
        found.append(PlaneLine(row, adapter.label, adapter.capabilities(Version.parse(row.version))))
    return found
