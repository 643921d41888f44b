"""Means over a span of time that ended now or earlier: what stands still for a picture of traffic at a moment.

A mean is over what was measured: a minute without a measurement counts for nothing, and is no zero.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Avg, Count, Max, Min, Sum

from meshes.types import Grain
from meshui.lib.clock import now
from metrics.models import Point, Series
from metrics.selectors.latest import BY_REQUESTS, MOST_EDGES, latest_of, live, success_of, sums_of
from metrics.types import FleetSignals, Golden, Name, Reading, Span

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from uuid import UUID

    from django.db.models import QuerySet

    from metrics.selectors.latest import Clusters

NOW: Final = Span()
KEPT: Final = dt.timedelta(hours=24)
LONGEST: Final = 60
"""Minutes that a span may take."""
PLACE: Final = ("series__cluster__slug", "series__namespace", "series__service", "series__grain", "series__part")


def list_in_span(
    clusters: Clusters, span: Span, grains: Collection[Grain], *, services: Collection[tuple[str, str]] | None = None
) -> list[tuple[str, Reading]]:
    """(cluster's slug, what was measured in `span`) of each series of `grains`, the busiest 2,000. One query.

    `services`: (namespace, name) of those that are wanted; None: all. A p99 is the highest of the span.
    """
    if span.is_latest:
        return latest_of(_of_services(Series.objects.filter(cluster__in=clusters, grain__in=grains), "", services))
    points = _points(span).filter(series__cluster__in=clusters, series__grain__in=grains)
    rows = _of_services(points, "series__", services)
    means = rows.values(*PLACE).annotate(
        mean=Avg("rate"),
        **BY_REQUESTS,
        worst=Max("p99_ms"),
        last=Max("at"),
        source=Max("series__source"),
        sampled=Avg("share"),
    )
    return [_reading(row) for row in means.order_by("-mean", *PLACE)[:MOST_EDGES]]


def cluster_sums(series: QuerySet[Series], span: Span) -> dict[UUID, FleetSignals]:
    """Cluster's id → sums over those of `series` that are of services, in `span`; one without any is not in it.

    One query. Of a span the mean of its minutes.
    """
    services = series.filter(grain=Grain.SERVICE)
    if span.is_latest:
        return sums_of(services.filter(live()))
    means = (
        _points(span)
        .filter(series__in=services, step=60)
        .order_by()
        .values("series__cluster")
        .annotate(
            whole=Sum("rate"),
            **BY_REQUESTS,
            moments=Count("at", distinct=True),
            services=Count("series", distinct=True),
            worst=Max("p99_ms"),
            oldest=Min("at"),
        )
    )
    return {row["series__cluster"]: _sums(row) for row in means}


def oldest_kept(clusters: Clusters) -> dt.datetime | None:
    """The oldest moment that anything of these clusters is kept of. One query."""
    oldest: dt.datetime | None = Point.objects.filter(series__cluster__in=clusters).aggregate(oldest=Min("at"))[
        "oldest"
    ]
    return oldest


def _points(span: Span) -> QuerySet[Point]:
    """The points of a span: of a single minute those of both rasters, which are of the same rounds."""
    until = span.at or now()
    begin = until - dt.timedelta(minutes=min(span.minutes, LONGEST))
    if span.minutes == 1:
        return Point.objects.filter(step__in=(15, 60), at__gt=begin, at__lte=until)
    return Point.objects.filter(step=60, at__gt=begin, at__lte=until)


def _of_services(rows: QuerySet[Any], prefix: str, services: Collection[tuple[str, str]] | None) -> QuerySet[Any]:
    """Narrowed by names; of a namespace and a name that belong to different ones too much is read, not shown."""
    if services is None:
        return rows
    spaces, names = {space for space, _ in services}, {name for _, name in services}
    return rows.filter(**{f"{prefix}namespace__in": spaces, f"{prefix}service__in": names})


def _reading(row: dict[str, Any]) -> tuple[str, Reading]:
    slug, namespace, service, grain, part = (row[field] for field in PLACE)
    golden = Golden(row["mean"], success_of(row), p99_ms=row["worst"])
    age = max(0.0, (now() - row["last"]).total_seconds())
    name = Name(namespace, service, Grain(grain), part)
    return slug, Reading(name, golden, "stale", row["last"], age, row["source"], row["sampled"])


def _sums(row: Mapping[str, Any]) -> FleetSignals:
    return FleetSignals(
        rate=row["whole"] / row["moments"],
        success=success_of(row),
        slowest=None,
        live=row["services"],
        known=row["services"],
        oldest_at=row["oldest"],
        worst_p99_ms=row["worst"],
    )
