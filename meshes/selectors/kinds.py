"""How each kind of a cluster is kept up to date: watched, or read at intervals, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils.translation import gettext, gettext_lazy

from meshes.models import CONNECTION, SERVED, Sync
from meshes.selectors.freshness import is_watched

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

    from clusters.models import Cluster

MESHES = "meshes"
NOT_LISTED = frozenset({CONNECTION, SERVED, MESHES})
"""Rows that are no kind of object: they follow from a whole reading."""
SWITCHED_OFF = gettext_lazy("watching is switched off here (MESHUI_WATCH)")
UNWATCHED = gettext_lazy("nothing watches the cluster now")


@dataclass(frozen=True, slots=True)
class KindLine:
    """One kind: its last reading. `watched_since` None: it is read every `interval` seconds, for the reason `why`.

    `is_listed` False: it is no kind of object, and follows from each whole reading.
    """

    sync: Sync
    watched_since: dt.datetime | None
    why: str
    interval: float
    is_listed: bool

    @property
    def plural(self) -> str:
        """`httproutes`."""
        return self.sync.resource.partition(".")[0]

    @property
    def group(self) -> str:
        """`gateway.networking.k8s.io`; empty: none."""
        return self.sync.resource.partition(".")[2]


def kind_lines(cluster: Cluster, syncs: Iterable[Sync]) -> list[KindLine]:
    """One for each of `syncs`, which are rows of `cluster`. No query."""
    has_watcher = is_watched(cluster)
    return [_line(sync, has_watcher=has_watcher) for sync in syncs]


def of_kinds(cluster: Cluster, plurals: Iterable[str]) -> list[KindLine]:
    """Of these kinds, and of what kept the cluster from being read at all. One query."""
    wanted = (*plurals, CONNECTION)
    rows = [row for row in Sync.objects.filter(cluster=cluster) if row.resource.partition(".")[0] in wanted]
    return kind_lines(cluster, [row for row in rows if row.resource != CONNECTION or row.error])


def _line(sync: Sync, *, has_watcher: bool) -> KindLine:
    since = sync.watched_since if has_watcher else None
    is_listed = sync.resource not in NOT_LISTED
    why = "" if since is not None or not is_listed else _why(sync, has_watcher=has_watcher)
    return KindLine(sync, since, why, settings.SYNC_SECONDS, is_listed)


def _why(sync: Sync, *, has_watcher: bool) -> str:
    """Why it is not watched: refused or broken, switched off, or nobody does."""
    if sync.watch_error:
        return sync.watch_error
    if not settings.WATCH:
        return str(SWITCHED_OFF)
    return gettext("its watch is about to begin") if has_watcher else str(UNWATCHED)
