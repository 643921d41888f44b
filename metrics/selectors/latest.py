"""The latest values, each with its age and source; what is old says so, and what was never measured is no zero."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Count, F, Max, Min, Q, Sum

from meshes.types import Grain
from meshui.lib.clock import now
from meshui.lib.rights import in_scope
from metrics.models import Collector, Series
from metrics.types import FleetSignals, Name, Reading, ServiceSignals

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from uuid import UUID

    from django.db.models import QuerySet

    from accounts.models import User
    from clusters.models import Cluster

    Clusters = QuerySet[Cluster] | Collection[Cluster]
    Key = tuple[UUID, str, str]

LATE: Final = {15: dt.timedelta(seconds=75), 60: dt.timedelta(seconds=150)}
"""How old the latest value may be, by its step, before it is stale: who stops looking waits for the next minute."""
MOST_EDGES: Final = 2_000
JUDGED: Final = Q(success__isnull=False)
BY_REQUESTS: Final = {
    "good": Sum(F("rate") * F("success"), filter=JUDGED),
    "judged": Sum("rate", filter=JUDGED),
}
"""What a success rate over several is made of: each counts by its requests."""
SUMS: Final = {
    "whole": Sum("rate"),
    **BY_REQUESTS,
    "services": Count("pk"),
    "worst": Max("p99_ms"),
    "oldest": Min("at"),
}
"""Over the latest values of services."""
NOBODY: Final = "Nobody has measured it yet: the next round is within a minute."


def get_signals(cluster: Cluster, namespace: str, service: str) -> ServiceSignals:
    """All that is known of one service of a cluster: itself, its backends, who calls it. Two queries."""
    rows = list(Series.objects.filter(cluster=cluster, namespace=namespace, service=service).order_by("part"))
    moment = now()
    readings = {row.name: _reading(row, moment) for row in rows}
    own = Name(namespace, service, Grain.SERVICE)
    whole = readings.get(own) or Reading(own, None, "none")
    return ServiceSignals(
        cluster.slug,
        whole,
        {name.part: reading for name, reading in readings.items() if name.grain is Grain.BACKEND},
        tuple(reading for name, reading in readings.items() if name.grain is Grain.EDGE),
        why_missing(cluster) if not whole.is_live else "",
    )


def why_missing(cluster: Cluster) -> str:
    """Why there is no data of now, in words. One query."""
    collector = Collector.objects.filter(cluster=cluster).only("problem").first()
    return (collector.problem if collector else "") or NOBODY


def list_readings(clusters: Clusters, names: Iterable[tuple[str, str]]) -> dict[Key, Reading]:
    """(cluster's id, namespace, service) → its latest values, for rows of a list; what is missing is not known.

    One query for at most a page of names.
    """
    wanted = set(names)
    rows = Series.objects.filter(
        cluster__in=clusters,
        grain=Grain.SERVICE,
        namespace__in={space for space, _ in wanted},
        service__in={name for _, name in wanted},
    )
    moment = now()
    return {
        (row.cluster_id, row.namespace, row.service): _reading(row, moment)
        for row in rows
        if (row.namespace, row.service) in wanted
    }


def latest_of(rows: QuerySet[Series]) -> list[tuple[str, Reading]]:
    """(cluster's slug, its latest values) of those of `rows` that are live, the busiest 2,000. One query."""
    moment = now()
    found = rows.filter(live()).select_related("cluster").order_by("-rate", "pk")[:MOST_EDGES]
    return [(row.cluster.slug, _reading(row, moment)) for row in found]


def fleet_signals(clusters: Clusters, *, user: User | None = None) -> FleetSignals:
    """Sums over the services of `clusters` that are live. Three queries. `user`: only services in their scope."""
    rows = Series.objects.filter(cluster__in=clusters, grain=Grain.SERVICE)
    if user is not None:
        rows = in_scope(rows, user, "inventory.read")
    known = rows.count()
    fresh = rows.filter(live())
    slowest = fresh.exclude(p99_ms=None).order_by("-p99_ms", "pk").first()
    return _told(fresh.aggregate(**SUMS), known=known, slowest=_reading(slowest, now()) if slowest else None)


def cluster_signals(clusters: Clusters, *, user: User | None = None) -> dict[UUID, FleetSignals]:
    """Cluster's id → sums over its services that are live; one without any is not in it. One query."""
    rows = Series.objects.filter(live(), cluster__in=clusters, grain=Grain.SERVICE)
    if user is not None:
        rows = in_scope(rows, user, "inventory.read")
    return sums_of(rows)


def sums_of(rows: QuerySet[Series]) -> dict[UUID, FleetSignals]:
    """Cluster's id → sums over `rows`. One query."""
    sums: Iterable[Mapping[str, Any]] = rows.order_by().values("cluster").annotate(**SUMS)
    return {row["cluster"]: _told(row, known=row["services"]) for row in sums}


def success_of(sums: Mapping[str, Any]) -> float | None:
    """The success rate that BY_REQUESTS found; None: no request was judged."""
    return sums["good"] / sums["judged"] if sums["judged"] else None


def _told(sums: Mapping[str, Any], *, known: int, slowest: Reading | None = None) -> FleetSignals:
    """What SUMS found."""
    return FleetSignals(
        rate=sums["whole"],
        success=success_of(sums),
        slowest=slowest,
        live=sums["services"],
        known=known,
        oldest_at=sums["oldest"],
        worst_p99_ms=sums["worst"],
    )


def live() -> Q:
    """Series whose latest value is of now."""
    moment, found = now(), Q()
    for step, late in LATE.items():
        found |= Q(step=step, at__gte=moment - late)
    return found


def _reading(row: Series, moment: dt.datetime) -> Reading:
    age = max(0.0, (moment - row.at).total_seconds())
    return Reading(
        row.name, row.golden, "stale" if is_late(row, moment) else "live", row.at, age, row.source, row.share
    )


def is_late(row: Series, moment: dt.datetime) -> bool:
    """Whether its latest value is too old to be told as of now."""
    return row.at < moment - LATE.get(row.step, max(LATE.values()))
