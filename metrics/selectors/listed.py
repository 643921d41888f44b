"""Signals for the rows of a list, each a service over clusters: sums over its places, however many rows there are."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Sum

from meshes.types import Grain
from meshui.lib.clock import now
from metrics.models import Series, Source, SourceKind
from metrics.selectors.latest import is_late
from metrics.selectors.points import minute_points, whole_minutes
from metrics.types import RowSignals

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
    from typing import TypeVar
    from uuid import UUID

    R = TypeVar("R", bound=Hashable)
    Key = tuple[UUID, str, str]

MINUTES: Final = 60


def row_signals(rows: Mapping[R, Collection[Key]], *, minutes: int = MINUTES) -> dict[R, RowSignals]:
    """Each row by its key: the places of `rows` are (cluster's id, namespace, service). At most four queries.

    Of a place without a source the values that were kept are still told, as of when they were.
    """
    wanted = {key for keys in rows.values() for key in keys}
    if not wanted:
        return {row: RowSignals("none", 0) for row in rows}
    found = _latest(wanted)
    off = set(Source.objects.filter(kind=SourceKind.NONE).values_list("cluster_id", flat=True))
    lines = _lines(rows, found, minutes)
    moment = now()
    return {row: _row(keys, found, off, lines.get(row, ()), moment) for row, keys in rows.items()}


def _latest(wanted: Collection[Key]) -> dict[Key, Series]:
    rows = Series.objects.filter(
        cluster__in={cluster for cluster, _, _ in wanted},
        grain=Grain.SERVICE,
        namespace__in={namespace for _, namespace, _ in wanted},
        service__in={service for _, _, service in wanted},
    )
    return {key: row for row in rows if (key := (row.cluster_id, row.namespace, row.service)) in wanted}


def _row(
    keys: Collection[Key],
    found: Mapping[Key, Series],
    off: Collection[UUID],
    line: tuple[float | None, ...],
    moment: dt.datetime,
) -> RowSignals:
    known = [found[key] for key in keys if key in found]
    live = [row for row in known if not is_late(row, moment)]
    if not known:
        is_off = bool(keys) and all(cluster in off for cluster, _, _ in keys)
        return RowSignals("off" if is_off else "none", len(keys))
    if not live:
        return RowSignals("stale", len(keys), at=max(row.at for row in known), line=line)
    judged = [(row.rate, row.success) for row in live if row.success is not None]
    weight = sum(rate for rate, _ in judged)
    return RowSignals(
        "live",
        len(keys),
        len(live),
        rate=sum(row.rate for row in live),
        success=sum(rate * success for rate, success in judged) / weight if weight else None,
        p99_ms=max((row.p99_ms for row in live if row.p99_ms is not None), default=None),
        at=min(row.at for row in live),
        line=line,
    )


def _lines(
    rows: Mapping[R, Collection[Key]], found: Mapping[Key, Series], minutes: int
) -> dict[R, tuple[float | None, ...]]:
    """Requests/s by the minute. Summed by name in the database; a name that stands in two rows is summed here."""
    owners: dict[tuple[str, str], set[R]] = defaultdict(set)
    for row, keys in rows.items():
        for key in keys:
            owners[key[1:]].add(row)
    times = whole_minutes(minutes)
    sums: dict[R, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    plain = {key: series for key, series in found.items() if len(owners[key[1:]]) == 1}
    for namespace, service, at, rate in _points(plain.values(), times, "series__namespace", "series__service"):
        (row,) = owners[namespace, service]
        sums[row][int(at.timestamp())] += rate
    odd = {series.pk: key for key, series in found.items() if key not in plain}
    by_place = {key: row for row, keys in rows.items() for key in keys}
    for pk, at, rate in _points([found[key] for key in odd.values()], times, "series_id"):
        sums[by_place[odd[pk]]][int(at.timestamp())] += rate
    return {row: tuple(there.get(at) for at in times) for row, there in sums.items()}


def _points(series: Iterable[Series], times: Sequence[int], *by: str) -> list[tuple[Any, ...]]:
    """(`by`…, moment, requests/s together). One query; none without series."""
    keys = [row.pk for row in series]
    if not keys:
        return []
    return list(minute_points(keys, times).order_by().values_list(*by, "at").annotate(Sum("rate")))
