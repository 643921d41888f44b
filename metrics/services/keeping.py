"""Keep what was measured: the latest of each series, and points on a raster. In bulk, in one transaction."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from django.db import transaction

from meshui.lib.bus import publish
from meshui.lib.clock import db_now
from metrics.models import MOST_PART, Point, ProxyScrape, Series, Watched
from metrics.types import LONG, SHORT

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    from clusters.models import Cluster
    from metrics.types import Measurement, Name

HELD: Final = {SHORT: 2 * 3600, LONG: 24 * 3600}
"""How long points of a raster are kept, in seconds."""
VALUES: Final = ("rate", "success", "p50_ms", "p95_ms", "p99_ms", "share")
LATEST: Final = ("at", "step", "source", *VALUES)
KEY: Final = ("cluster", "namespace", "service", "grain", "part")
MOST_SOURCE: Final = 200


def keep(
    cluster: Cluster, measured: Measurement, *, begun: dt.datetime, at: dt.datetime, step: int, rasters: Collection[int]
) -> int:
    """Write what was measured at `at`, on each of `rasters`; how many series. Three queries or so, whatever the number.

    `begun`: when the round began: its points are of that turn, however long it took. `step`: when it will be measured
    again, in seconds. What was not found is not written: its age grows.
    """
    rows = [_row(cluster, measured, name, at=at, step=step) for name in measured.found if len(name.part) <= MOST_PART]
    if not rows:
        return 0
    turns = {raster: turn_of(begun, raster, cluster.pk) for raster in rasters}
    with transaction.atomic():
        kept = Series.objects.bulk_create(
            rows, update_conflicts=True, unique_fields=KEY, update_fields=LATEST, batch_size=200
        )
        Point.objects.bulk_create(
            [
                Point(series_id=row.pk, step=raster, at=turn, **{f: getattr(row, f) for f in VALUES})
                for row in kept
                for raster, turn in turns.items()
            ],
            ignore_conflicts=True,
            batch_size=500,
        )
        publish("metric", cluster.pk, is_progress=True)
    return len(rows)


def _row(cluster: Cluster, measured: Measurement, name: Name, *, at: dt.datetime, step: int) -> Series:
    golden = measured.found[name]
    return Series(
        cluster=cluster,
        namespace=name.namespace,
        service=name.service,
        grain=name.grain,
        part=name.part,
        at=at,
        step=step,
        rate=golden.rate,
        success=golden.success,
        p50_ms=golden.p50_ms,
        p95_ms=golden.p95_ms,
        p99_ms=golden.p99_ms,
        source=measured.source[:MOST_SOURCE],
        share=measured.shares.get((name.namespace, name.service), 1.0),
    )


def on_raster(at: dt.datetime, step: int) -> dt.datetime:
    """The last moment of the raster of `step` seconds that is not after `at`."""
    seconds = int(at.timestamp()) // step * step
    return dt.datetime.fromtimestamp(seconds, tz=dt.UTC)


def turn_of(moment: dt.datetime, step: int, cluster_id: UUID) -> dt.datetime:
    """The moment of the raster for which a cluster has its turn at `moment`, or had it last: at a second of its own.

    So a turn that comes late or takes long fills its own place, not that of the next.
    """
    return on_raster(moment - phase_of(step, cluster_id), step)


def phase_of(step: int, cluster_id: UUID) -> dt.timedelta:
    """The second of each `step` that is a cluster's own, so that clusters do not all come at once."""
    return dt.timedelta(seconds=cluster_id.int % step)


def forget_old() -> int:
    """Delete what is older than it is kept; how many points. A query each."""
    count = 0
    for step, seconds in HELD.items():
        count += Point.objects.filter(step=step, at__lt=db_now(plus=-seconds)).delete()[0]
    Series.objects.filter(at__lt=db_now(plus=-HELD[LONG])).delete()
    Watched.objects.filter(until__lt=db_now(plus=-3600)).delete()
    ProxyScrape.objects.filter(asked_at__lt=db_now(plus=-3600)).delete()
    return count
