"""Somebody looks at a service, or a change of it runs: it is measured every few seconds for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from meshui.lib.clock import db_now, read_db_now
from meshui.lib.queue import enqueue
from metrics.models import Collector, Watched

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clusters.models import Cluster


class Target(Protocol):
    """A service of a cluster."""

    @property
    def cluster(self) -> Cluster: ...
    @property
    def namespace(self) -> str: ...
    @property
    def service(self) -> str: ...


WATCH_SECONDS: Final = 90


def watch_all(targets: Iterable[Target], *, seconds: float = WATCH_SECONDS) -> None:
    """The services of several places, as watch_service."""
    for target in targets:
        watch_service(target.cluster, target.namespace, target.service, seconds=seconds)


def watch_service(cluster: Cluster, namespace: str, service: str, *, seconds: float = WATCH_SECONDS) -> None:
    """Measure a service every 15 s for `seconds` from now; whoever still looks says so again.

    It writes a row, but at most every half of `seconds`, so never for a request that only reads. One query, a few where
    it writes. A service that was not watched is measured at once.
    """
    rows = Watched.objects.filter(cluster=cluster, namespace=namespace, service=service)
    if rows.filter(until__gt=db_now(plus=seconds / 2)).exists():
        return
    is_new = not rows.filter(until__gt=db_now()).exists()
    if not rows.update(until=db_now(plus=seconds)):
        until = read_db_now()
        row = Watched(cluster=cluster, namespace=namespace, service=service, until=until)
        Watched.objects.bulk_create([row], ignore_conflicts=True)
        rows.update(until=db_now(plus=seconds))
    if is_new:
        Collector.objects.filter(pk=cluster.pk, next_at__gt=db_now(plus=5)).update(next_at=db_now())
        enqueue("metrics.tasks.collect_cluster", cluster.pk)
