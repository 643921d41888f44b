"""Lines for charts, on a fixed raster of whole seconds: a moment without a measurement is a gap (None), not a zero."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from typing import TYPE_CHECKING, Final

from django.db.models import Sum

from meshes.types import Grain
from meshui.lib.clock import now
from meshui.lib.rights import in_scope
from metrics.models import Point, Series
from metrics.selectors.latest import BY_REQUESTS, success_of
from metrics.types import LONG, Line, Name

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from django.db.models import QuerySet

    from accounts.models import User
    from clusters.models import Cluster
    from metrics.selectors.latest import Clusters

STEPS: Final = {15: 120, 60: 1_440}
"""Step → the minutes that are kept of it."""
MOST_LINES: Final = 12
LATE_SECONDS: Final = 10
"""So much later than its turn a round may be over."""


def list_points(
    cluster: Cluster, namespace: str, service: str, *, step: int | None = 15, minutes: int = 30
) -> list[Line]:
    """The line of a service, then of each of its backends by key, over the last `minutes`. Two queries.

    `step` is 15 (two hours are kept) or 60 (a day); None: the one that tells of more of the span, for only what is
    looked at is measured every 15 s. At most 12 lines; none where nothing was ever measured.
    """
    rows = Series.objects.filter(cluster=cluster, namespace=namespace, service=service).exclude(grain=Grain.EDGE)
    series = sorted(rows, key=lambda row: (row.grain != Grain.SERVICE, row.part))[:MOST_LINES]
    steps = sorted(STEPS) if step is None else [step]
    begin = min(raster(each, minutes)[0] for each in steps)
    points = Point.objects.filter(series__in=[row.pk for row in series], step__in=steps, at__gte=_moment(begin))
    by_step: dict[int, dict[int, dict[int, Point]]] = {each: defaultdict(dict) for each in steps}
    for point in points.order_by("at"):
        by_step[point.step][point.series_id][int(point.at.timestamp())] = point
    chosen = max(steps, key=lambda each: (each * _most(by_step[each]), -each))
    times = raster(chosen, minutes)
    return [_line(row.name, chosen, times, by_step[chosen][row.pk]) for row in series]


def _most(by_series: Mapping[int, Mapping[int, Point]]) -> int:
    """Points of the line that has most of them."""
    return max(map(len, by_series.values()), default=0)


def fleet_line(clusters: Clusters, *, minutes: int = 60, user: User | None = None) -> Line:
    """Requests/s of all services of `clusters` together, minute by minute, and the fraction that went well. One query.

    A minute in which nothing was measured is a gap. `user`: only services in their scope.
    """
    times = whole_minutes(minutes)
    series = Series.objects.filter(cluster__in=clusters, grain=Grain.SERVICE)
    if user is not None:
        series = in_scope(series, user, "inventory.read")
    rows = minute_points(series, times).values("at").order_by("at")
    sums = rows.annotate(whole=Sum("rate"), **BY_REQUESTS)
    by_time = {int(row["at"].timestamp()): row for row in sums}
    none: tuple[float | None, ...] = (None,) * len(times)
    rates = tuple(by_time[at]["whole"] if at in by_time else None for at in times)
    success = tuple(success_of(by_time[at]) if at in by_time else None for at in times)
    return Line(Name("", "", Grain.SERVICE), 60, times, rates, success, none, none, none)


def raster(step: int, minutes: int, *, late: int = 0) -> tuple[int, ...]:
    """The moments of the last `minutes`, those of the last `late` s left out; the newest is the last.

    Raises ValueError for a step that is not kept, or minutes beyond what is.
    """
    if step not in STEPS or not 0 < minutes <= STEPS[step]:
        raise ValueError(f"{minutes} minutes by {step} s are not kept")
    last = int(now().timestamp() - late) // step * step
    return tuple(range(last - minutes * 60 + step, last + step, step))


def whole_minutes(minutes: int) -> tuple[int, ...]:
    """The last minutes in which every cluster has had its turn, so that sums over clusters are of all of them."""
    return raster(LONG, minutes, late=LONG + LATE_SECONDS)


def minute_points(series: Collection[int] | QuerySet[Series], times: Sequence[int]) -> QuerySet[Point]:
    """The points by the minute of `series` at `times`."""
    return Point.objects.filter(series__in=series, step=LONG, at__gte=_moment(times[0]), at__lte=_moment(times[-1]))


def _moment(seconds: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, tz=dt.UTC)


def _line(name: Name, step: int, times: tuple[int, ...], points: Mapping[int, Point]) -> Line:
    def values(field: str) -> tuple[float | None, ...]:
        return tuple(getattr(points[at], field) if at in points else None for at in times)

    return Line(
        name, step, times, values("rate"), values("success"), values("p50_ms"), values("p95_ms"), values("p99_ms")
    )
