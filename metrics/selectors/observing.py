"""How the requests of a window were shared out, from stored points: what level L3 of verification rests on."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from django.conf import settings

from meshes.types import Grain
from metrics.models import Point
from metrics.observed import Coverage, Observation, observe_split
from metrics.selectors.latest import NOBODY, why_missing
from metrics.types import LONG, SHORT, window_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clusters.models import Cluster


def observe_service(
    cluster: Cluster,
    namespace: str,
    service: str,
    *,
    approved: Mapping[str, int],
    window: tuple[dt.datetime, dt.datetime],
) -> Observation:
    """Whether the requests between the two moments of `window` were shared as `approved` (key → basis points).

    A rate looks back over its own window, so the first minute still tells of what was before and is left out. At most
    three queries.
    """
    looked = _coverage(cluster, (namespace, service), window)
    enough = next((each for each in looked if each.is_enough), None)
    if enough is not None and (key := enough.unseen(approved)):
        often = f"{enough.moments.get(key, 0)} of {enough.measured} moments"
        return replace(
            observe_split(approved, None, why=f"What {key} got is not known: it was measured at {often}."),
            coverage=enough,
        )
    if enough is not None:
        return replace(observe_split(approved, enough.counts), coverage=enough)
    best = max(looked, key=lambda each: each.measured * each.step_s)
    return replace(observe_split(approved, None, why=_why(cluster, *window)), coverage=best)


def _coverage(cluster: Cluster, service: tuple[str, str], window: tuple[dt.datetime, dt.datetime]) -> list[Coverage]:
    """By 15 s, and by the minute if that is not enough."""
    since, until = window
    found: list[Coverage] = []
    for step in (SHORT, LONG):
        back = window_of(step, settings.METRICS_WINDOW_SECONDS)
        start = since + dt.timedelta(seconds=back)
        due = max(0, int((until - start).total_seconds() // step))
        points = _points(cluster, *service, step, start, until)
        measured = min(due, len({point.at for point in points}))
        moments = Counter(point.series.part for point in points)
        found.append(Coverage(step, back, due, measured, _counts(points, step), moments))
        if found[-1].is_enough:
            break
    return found


def _points(
    cluster: Cluster, namespace: str, service: str, step: int, start: dt.datetime, end: dt.datetime
) -> Sequence[Point]:
    rows = Point.objects.filter(
        series__cluster=cluster, series__namespace=namespace, series__service=service, series__grain=Grain.BACKEND
    )
    return list(rows.filter(step=step, at__gte=start, at__lte=end).select_related("series").order_by("at"))


def _counts(points: Sequence[Point], step: int) -> dict[str, float]:
    """Requests by backend that were really counted: of what was scaled up, the sampled part."""
    found: dict[str, float] = defaultdict(float)
    for point in points:
        found[point.series.part] += point.rate * point.share * step
    return dict(found)


def _why(cluster: Cluster, since: dt.datetime, until: dt.datetime) -> str:
    length = (until - since).total_seconds()
    if length < settings.METRICS_WINDOW_SECONDS + 15:
        return f"The window of {length:.0f} s is too short: rates look back over {settings.METRICS_WINDOW_SECONDS} s."
    missing = why_missing(cluster)
    if missing == NOBODY:
        return "Its backends were not measured often enough in that time so far."
    return f"Its backends were not measured in that time. {missing}"
