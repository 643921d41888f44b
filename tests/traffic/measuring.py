"""Rows of metrics as rounds would have left them: the latest of a series, and its points."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from meshes.types import Grain
from meshui.lib.clock import now
from metrics.models import Point, Series
from metrics.services.keeping import on_raster

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clusters.models import Cluster

V1, V2 = "shop/checkout#v1", "shop/checkout#v2"


def measure(cluster: Cluster, rate: float, part: str = "", **values: Any) -> Series:
    """shop/checkout (or its backend `part`) as it was measured just now: `rate` requests/s, all good unless said."""
    return make_series(cluster, Grain.BACKEND if part else Grain.SERVICE, part, rate, **values)


def measure_edge(cluster: Cluster, source: str, service: str, rate: float, *, success: float | None = 1.0) -> Series:
    """Requests of the workload `source` (namespace/name) to shop/`service`, measured just now."""
    row = make_series(cluster, Grain.EDGE, source, rate, service=service)
    Series.objects.filter(pk=row.pk).update(success=success)
    return row


def make_series(
    cluster: Cluster, grain: Grain, part: str, rate: float, *, service: str = "checkout", **values: Any
) -> Series:
    """The row, a minute's step."""
    age = values.pop("age", 0.0)
    given = {"success": 1.0, "p50_ms": 20.0, "p95_ms": 40.0, "p99_ms": 60.0} | values
    row, _ = Series.objects.update_or_create(
        cluster=cluster,
        namespace="shop",
        service=service,
        grain=grain,
        part=part,
        defaults={
            "at": now() - dt.timedelta(seconds=age),
            "step": 60,
            "rate": rate,
            "source": "2 of 2 proxies",
            **given,
        },
    )
    return row


def draw_success(series: Series, shares: Iterable[float], *, step: int = 60) -> None:
    """Points of `series` with these success rates, the last one now, each `step` seconds before the next."""
    found = list(shares)
    draw(series, [1.0] * len(found), step=step)
    for point, share in zip(series.points.filter(step=step).order_by("at"), found, strict=True):
        Point.objects.filter(pk=point.pk).update(success=share)


def draw(series: Series, rates: Iterable[float | None], *, step: int = 60) -> None:
    """Points of `series`, the last one now, each `step` seconds before the next; None: nothing was measured."""
    found = list(rates)
    last = on_raster(now(), step)
    Point.objects.bulk_create(
        Point(
            series=series,
            step=step,
            at=last - dt.timedelta(seconds=step * (len(found) - 1 - n)),
            rate=rate,
            success=1.0,
            p50_ms=20.0,
            p95_ms=40.0,
            p99_ms=60.0,
        )
        for n, rate in enumerate(found)
        if rate is not None
    )
