"""The Sync rows: one per cluster and kind, with what came of the last reading and when it last went well.

What one reading has to say is gathered and written at once: a statement for what went well, one for what did not.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from meshes.models import CONNECTION, SERVED, Sync
from meshui.lib.bus import publish
from meshui.lib.clock import read_db_now

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from clusters.models import Cluster
    from meshes.adapters.base import Problem

MAX_ERROR = 2000
MAX_WATCH_ERROR = 500
MAX_PROBLEMS = 50
MESHES = "meshes"
"""The kind of the Sync row that says what is odd about the meshes found."""
FAILED = ("error", "started_at", "finished_at")
READ = (*FAILED, "succeeded_at", "resource_version", "count", "written", "problems", "found")
FRESH = ("succeeded_at", "resource_version", "count", "problems")
WATCH = ("watched_since", "watch_error")


def note_connection(cluster: Cluster, error: str) -> None:
    """Why a reading could not even begin."""
    notes = Notes(cluster)
    notes.failed(CONNECTION, error)
    notes.flush()


@dataclass
class Notes:
    """What one reading has to say; nothing stands in the database before `flush`."""

    cluster: Cluster
    _good: dict[str, dict[str, Any]] = field(default_factory=dict)
    _bad: dict[str, dict[str, Any]] = field(default_factory=dict)
    _seconds: dict[str, tuple[float, float]] = field(default_factory=dict)
    _began: dict[str, float] = field(default_factory=dict)

    def begin(self, name: str) -> None:
        """A kind is read from now on."""
        self._began[name] = time.monotonic()

    def failed(self, name: str, error: str) -> None:
        """A kind that could not be listed; when it last went well stays."""
        self._bad[name] = {"error": error[:MAX_ERROR]}
        self._timed(name)

    def listed(self, name: str, *, count: int, version: str) -> None:
        """A kind that was listed whole."""
        self._good.setdefault(name, {}).update(count=count, resource_version=version[:64])
        self._timed(name)

    def served(self, groups: frozenset[str]) -> None:
        """The group/versions that the API serves."""
        self.listed(SERVED, count=len(groups), version="")
        self._good[SERVED]["found"] = sorted(groups)

    def wrote(self, name: str, count: int) -> None:
        """Rows of a kind that were written."""
        if name in self._good:
            self._good[name]["written"] = self._good[name].get("written", 0) + count

    def problems(self, name: str, problems: Sequence[Problem]) -> None:
        """What could not be read of a kind that was listed."""
        if name in self._good:
            self._good[name]["problems"] = told(name, problems)

    def flush(self) -> None:
        """Write what was gathered."""
        now, clock = read_db_now(), time.monotonic()
        good = [self._row(name, now, clock, {**values, "succeeded_at": now}) for name, values in self._good.items()]
        bad = [self._row(name, now, clock, values) for name, values in self._bad.items()]
        _upsert(good, READ)
        _upsert(bad, FAILED)

    def _timed(self, name: str) -> None:
        end = time.monotonic()
        self._seconds[name] = (self._began.get(name, end), end)

    def _row(self, name: str, now: dt.datetime, clock: float, values: dict[str, Any]) -> Sync:
        began, ended = (now - timedelta(seconds=clock - moment) for moment in self._seconds[name])
        return Sync(cluster=self.cluster, resource=name, started_at=began, finished_at=ended, **values)


def note_watched(cluster: Cluster, states: dict[str, str | None]) -> None:
    """Of each kind: None, it is watched; else why it is not. Kinds that were never read get no row."""
    now = read_db_now()
    rows = {row.resource: row for row in Sync.objects.filter(cluster=cluster, resource__in=states)}
    moved = []
    for name, error in states.items():
        row = rows.get(name)
        if row is None:
            continue
        since = (row.watched_since or now) if error is None else None
        if (row.watched_since, row.watch_error) != (since, (error or "")[:MAX_WATCH_ERROR]):
            row.watched_since, row.watch_error = since, (error or "")[:MAX_WATCH_ERROR]
            moved.append(row)
    if moved:
        Sync.objects.bulk_update(moved, WATCH)
        publish("cluster", cluster.pk)


def note_unwatched(cluster: Cluster) -> None:
    """No kind of the cluster is watched from now on."""
    Sync.objects.filter(cluster=cluster).exclude(watched_since=None).update(watched_since=None)


def note_fresh(cluster: Cluster, kinds: dict[str, dict[str, Any]]) -> None:
    """How far watches have come: per kind its version, count and problems, and the time when it was last heard of."""
    rows = {row.resource: row for row in Sync.objects.filter(cluster=cluster, resource__in=kinds)}
    for name, row in rows.items():
        for column, value in kinds[name].items():
            setattr(row, column, value)
    if rows:
        Sync.objects.bulk_update(rows.values(), FRESH)


def told(name: str, problems: Sequence[Problem]) -> list[dict[str, str]]:
    """At most 50 problems, as they are stored."""
    kept = [{"where": p.where, "message": p.message} for p in problems[:MAX_PROBLEMS]]
    if len(problems) > MAX_PROBLEMS:
        kept.append({"where": name, "message": f"and {len(problems) - MAX_PROBLEMS} more"})
    return kept


def _upsert(rows: list[Sync], columns: tuple[str, ...]) -> None:
    if rows:
        unique = ["cluster", "resource"]
        Sync.objects.bulk_create(rows, update_conflicts=True, unique_fields=unique, update_fields=columns)
