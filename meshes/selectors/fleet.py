"""Every cluster with the meshes in it, from stored data alone."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django.db.models import Count, Q, Value
from django.utils.translation import gettext

from accounts.types import READ
from clusters.models import Cluster
from clusters.selectors import with_rank
from meshes.adapters.mtls import STRICT, UNKNOWN
from meshes.models import ManagedRoute, MtlsMode, Route, Service
from meshes.selectors.freshness import (
    MeshLine,
    clusters_with_errors,
    fact_of,
    kept,
    meshes_of,
    planes_in,
    sync_word,
)
from meshes.types import FULL

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from django.db.models import QuerySet

    from accounts.rights import Held
    from clusters.types import SyncFact

SERVICES, ROUTES, MANAGED, MODES = range(4)
SHOWN: Final = (
    "slug", "environment", "platform", "server_version", "health", "health_reason", "last_synced_at", "lease_owner",
    "lease_until",
)  # fmt: skip
"""Of a cluster, what a row of the fleet shows; the rest, JSON among it, is not read."""
Tally = tuple[int, int, int]
NONE: Tally = (0, 0, 0)
Counts = dict[UUID, dict[int, Tally]]


@dataclass(frozen=True, slots=True)
class FleetFace:
    """What a row says that stays until something moves: plain values alone. `reason` is that of its health.

    `judged`: namespaces whose pods a mesh takes; `strict` of them take mutual TLS alone.
    """

    slug: str
    platform: str
    version: str
    health: str
    reason: str
    environment: str
    meshes: tuple[MeshLine, ...]
    services: int
    routes: int
    split: int
    judged: int
    strict: int

    @property
    def strict_bp(self) -> int:
        """The share of namespaces that take mutual TLS alone."""
        return strict_share(self.judged, self.strict)


@dataclass(frozen=True, slots=True)
class FleetRow:
    """One cluster. `sync` is a status of that kind; `problem_count`: kinds and routes that could not be read.

    `modes`: namespaces whose pods a mesh takes, of them strict, of them not known.
    """

    cluster: Cluster
    meshes: tuple[MeshLine, ...]
    service_count: int
    route_count: int
    split_count: int
    problem_count: int
    modes: Tally
    sync: str
    fact: SyncFact

    @property
    def face(self) -> FleetFace:
        """All of it but how fresh it is."""
        at = self.cluster
        return FleetFace(
            at.slug,
            at.platform,
            at.server_version,
            at.health,
            at.health_reason,
            at.environment,
            self.meshes,
            services=self.service_count,
            routes=self.route_count,
            split=self.split_count,
            judged=self.modes[0],
            strict=self.modes[1],
        )

    @property
    def read_at(self) -> dt.datetime | None:
        """When everything could last be read."""
        return self.cluster.last_synced_at


def fleet_clusters(held: Held) -> QuerySet[Cluster]:
    """The clusters in scope as a list shows them, with health_rank; narrow and order them freely."""
    return with_rank(held.narrow(Cluster.objects.only(*SHOWN), READ))


def fleet_rows(held: Held, clusters: Sequence[Cluster], counts: Counts | None = None) -> list[FleetRow]:
    """A row for each of `fleet_clusters`, in their order. Three queries, however many there are; two with `counts`.

    `counts`: those of all that `held` sees in these clusters, from `counts_in`.
    """
    meshes, errors = meshes_of(held.narrow(planes_in(clusters), READ)), clusters_with_errors(clusters)
    found = _counts(held, clusters) if counts is None else counts
    return [_row(each, meshes.get(each.pk, ()), errors.get(each.pk, 0), found.get(each.pk, {})) for each in clusters]


def fleet_groups(rows: Sequence[FleetRow], group: str) -> list[tuple[str, list[FleetRow]]]:
    """Rows under headings: by `environment`, by `mesh` (a cluster stands under each of its own), else under none."""
    found: dict[str, list[FleetRow]] = {}
    for row in rows:
        for name in _headings(row, group):
            found.setdefault(name, []).append(row)
    return sorted(found.items())


def _headings(row: FleetRow, group: str) -> tuple[str, ...]:
    if group == "environment":
        return (row.cluster.environment,)
    if group == "mesh":
        return tuple(dict.fromkeys(mesh.label for mesh in row.meshes)) or (gettext("No mesh found"),)
    return ("",)


def _row(cluster: Cluster, meshes: tuple[MeshLine, ...], errors: int, counts: dict[int, Tally]) -> FleetRow:
    routes, split, unread = counts.get(ROUTES, NONE)
    managed, drifted, _ = counts.get(MANAGED, NONE)
    sync = sync_word(cluster, has_errors=bool(errors))
    return FleetRow(
        cluster,
        meshes,
        service_count=counts.get(SERVICES, NONE)[0],
        route_count=routes,
        split_count=split,
        problem_count=errors + unread,
        modes=counts.get(MODES, NONE),
        sync=sync,
        fact=fact_of(cluster, sync, (managed, drifted)),
    )


def counts_in(
    services: QuerySet[Service],
    routes: QuerySet[Route],
    managed: QuerySet[ManagedRoute],
    modes: QuerySet[MtlsMode],
) -> Counts:
    """Cluster's id → SERVICES: how many; ROUTES: how many, that split, that could not be read; MANAGED: drifted.

    MODES: namespaces of a mesh, that take mutual TLS alone, of which that is not known. Of rows that are there and that
    the reader may see. One query.
    """
    found: Counts = defaultdict(dict)
    for pk, kind, *tally in _tally(services, SERVICES).union(
        _tally(routes, ROUTES, Q(is_split=True), Q(projection_hash="")),
        _tally(managed, MANAGED, ~Q(drift="")),
        _tally(modes, MODES, Q(mode=STRICT), Q(mode=UNKNOWN)),
        all=True,
    ):
        found[pk][kind] = (tally[0], tally[1], tally[2])
    return found


def strict_share(judged: int, strict: int) -> int:
    """Basis points of `judged` namespaces that take mutual TLS alone: what is not known does not count as such."""
    return strict * FULL // judged if judged else 0


def sum_of(counts: Counts, kind: int) -> Tally:
    """Over all clusters."""
    tallies = [each.get(kind, NONE) for each in counts.values()]
    return sum(one for one, _, _ in tallies), sum(two for _, two, _ in tallies), sum(last for *_, last in tallies)


def _counts(held: Held, clusters: Sequence[Cluster]) -> Counts:
    there = Q(cluster__in=clusters, gone_at__isnull=True)
    return counts_in(
        held.narrow(Service.objects.filter(there), READ),
        held.narrow(Route.objects.filter(there), READ),
        held.narrow(kept().filter(cluster__in=clusters), READ),
        held.narrow(MtlsMode.objects.filter(there), READ),
    )


def _tally(rows: QuerySet[Any], kind: int, one: Q | None = None, other: Q | None = None) -> QuerySet[Any]:
    parts = [Count("pk", filter=part) if part else Value(0) for part in (one, other)]
    counted = rows.order_by().values_list("cluster_id").annotate(kind=Value(kind), n=Count("pk"))
    told: QuerySet[Any] = counted.annotate(one=parts[0], other=parts[1])
    return told
