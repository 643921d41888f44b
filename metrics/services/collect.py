"""When the metrics of a cluster are due, and one round of them: the row is the queue, claimed by a lease."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from django.db.models import Q

from clusters.clients import ClusterError
from clusters.models import Cluster, Health
from meshui.lib.clock import db_now, read_db_now
from meshui.lib.errors import RefusedError
from meshui.lib.leases import claim, free, release, runner_name
from meshui.lib.queue import enqueue
from metrics.models import Collector, Watched
from metrics.providers.scrapes import plain
from metrics.services.asking import ask
from metrics.services.keeping import forget_old, keep, phase_of, turn_of
from metrics.services.places import places_of, routed_names, watched_names
from metrics.types import LONG, SHORT

if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any
    from uuid import UUID

    from django.db.models import QuerySet

    from metrics.types import ProxyCount

LEASE_SECONDS: Final = 180.0
"""Longer than one round may take."""
AGAIN: Final = dt.timedelta(minutes=5)
"""How long a Prometheus in the cluster that was of no use is left alone."""
MOST_RUNG: Final = 200
MOST_PROBLEM: Final = 1000
MOST_COUNTS: Final = 1000


def due_collectors() -> QuerySet[Collector]:
    """Those whose round is due, and whose cluster answers and is the one it was."""
    rows = Collector.objects.filter(next_at__lte=db_now(), cluster__removed_at=None)
    return rows.exclude(Q(cluster__next_try_at__isnull=False) | Q(cluster__health=Health.IDENTITY_CHANGED))


def ring_due() -> int:
    """Ring for every cluster whose metrics are due; how many. New clusters get their row. Two queries when none is."""
    new = list(
        Cluster.objects.filter(metrics_collector=None, last_synced_at__isnull=False).values_list("pk", flat=True)
    )
    if new:
        moment = read_db_now()
        rows = [Collector(cluster_id=pk, next_at=moment, minute_at=moment) for pk in new]
        Collector.objects.bulk_create(rows, ignore_conflicts=True)
    due = list(due_collectors().filter(free()).order_by("next_at").values_list("pk", flat=True)[:MOST_RUNG])
    for pk in due:
        enqueue("metrics.tasks.collect_cluster", pk)
    return len(due)


def collect_cluster(cluster_id: UUID | str) -> bool:
    """One round of a cluster, if it is due and free; whether it was. May run twice, the lease decides."""
    owner, rows = runner_name(), Collector.objects.filter(cluster_id=cluster_id)
    fence = claim(due_collectors().filter(cluster_id=cluster_id), owner=owner, seconds=LEASE_SECONDS)
    if fence is None:
        return False
    values = _round(rows.select_related("cluster").get())
    rows.filter(lease_owner=owner, lease_fence=fence).update(**values)
    release(rows, owner=owner, fence=fence)
    return True


def next_on_raster(moment: dt.datetime, step: int, cluster_id: UUID) -> dt.datetime:
    """The next turn of a cluster: its own second of each `step`."""
    return turn_of(moment, step, cluster_id) + phase_of(step, cluster_id) + dt.timedelta(seconds=step)


def _round(collector: Collector) -> dict[str, Any]:
    """Measure what is due and keep it; what to write on the row. Network, so no transaction."""
    cluster, moment = collector.cluster, read_db_now()
    watched = watched_names(cluster)
    is_minute = collector.minute_at <= moment
    tries_found = collector.found_again_at is None or collector.found_again_at <= moment
    told = Told(cluster, moment, tries_found=tries_found)
    told.measure(watched, step=SHORT, rasters=(SHORT, LONG) if is_minute else (SHORT,))
    if is_minute:
        told.measure(routed_names(cluster) - watched, step=LONG, rasters=(LONG,))
    values: dict[str, Any] = told.values(moment, is_whole=is_minute)
    if is_minute:
        values |= told.proxy_values(moment)
        values["minute_at"] = next_on_raster(moment, LONG, cluster.pk)
    is_watched = watched or Watched.objects.filter(cluster=cluster, until__gt=db_now()).exists()
    values["next_at"] = next_on_raster(read_db_now(), SHORT if is_watched else LONG, cluster.pk)
    return values


@dataclass
class Told:
    """What the parts of one round said: whom they asked, what went wrong, whether anything was measured.

    `has_failed`: a Prometheus in the cluster could not be asked; `empty`: those that knew nothing of a part; `knows`:
    one did.
    """

    cluster: Cluster
    begun: dt.datetime
    tries_found: bool
    sources: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    proxies: set[ProxyCount] = field(default_factory=set)
    has_measured: bool = False
    has_failed: bool = False
    empty: list[str] = field(default_factory=list)
    knows: bool = False

    def measure(self, names: Collection[tuple[str, str]], *, step: int, rasters: Collection[int]) -> None:
        """Measure and keep `names`; what goes wrong is noted."""
        places = places_of(self.cluster, names)
        if not places:
            return
        try:
            asked = ask(self.cluster, places, step=step, tries_found=self.tries_found)
        except (ClusterError, RefusedError) as error:
            self.problems.append(str(error))
            return
        self.has_failed |= bool(asked.failed)
        self.empty += asked.empty
        self.tries_found &= not asked.failed
        self.knows |= asked.is_known
        self.sources.append(asked.measured.source)
        self.problems += asked.measured.problems
        self.proxies.update(asked.measured.proxies)
        at = read_db_now()
        kept = keep(self.cluster, asked.measured, begun=self.begun, at=at, step=step, rasters=rasters)
        self.has_measured |= bool(kept)

    def values(self, moment: dt.datetime, *, is_whole: bool) -> dict[str, Any]:
        """For the row; where nothing was due, who was asked last stays. `is_whole`: every service was asked for.

        That a Prometheus knows nothing of the few that are looked at is no fault of it: they may be idle.
        """
        is_useless = is_whole and bool(self.empty) and not self.knows
        problems = dict.fromkeys([*self.problems, *(self.empty if is_useless else ())])
        values: dict[str, Any] = {"problem": plain(" ".join(problems))[:MOST_PROBLEM]}
        if self.sources:
            values["source"] = ", ".join(dict.fromkeys(self.sources))[:200]
        if self.has_measured:
            values["succeeded_at"] = moment
        if self.has_failed or is_useless:
            values["found_again_at"] = moment + AGAIN
        return values

    def proxy_values(self, moment: dt.datetime) -> dict[str, Any]:
        """What the proxies of this round run; where no pod was listed, what was known last stays with its age."""
        if not self.proxies:
            return {}
        kept = [[text[:253] for text in count[:-1]] + [count.pods] for count in sorted(self.proxies)]
        return {"proxies": kept[:MOST_COUNTS], "proxies_at": moment}


def prune() -> int:
    """Forget what is older than it is kept; how many points."""
    return forget_old()
