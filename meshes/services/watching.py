"""One cluster, watched: a thread that keeps its inventory, and a blocking one for each kind that it listens to.

It holds the cluster's lease, so nobody else reads the cluster meanwhile. Kinds that may not be watched, or whose watch
breaks again and again, are read at intervals as before; the page says which and why.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import close_old_connections, connections, transaction

from clusters.breaker import is_failure, note_failure, note_success
from clusters.clients import ClusterError, ExpiredError, ForbiddenError, InvalidObjectError, WatchEvent
from clusters.connect import reader_for
from clusters.models import Cluster
from meshes.services import following, rows, stocks
from meshes.services.holding import due
from meshes.services.inbox import Inbox
from meshes.services.keeping import LostLeaseError
from meshes.services.kinds import kind_name
from meshes.services.reading import Reading
from meshui.lib.bus import publish
from meshui.lib.clock import db_now, read_db_now
from meshui.lib.errors import RefusedError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from clusters.clients import Resource, WatchStream
    from meshes.services.holding import LongLease

log = logging.getLogger(__name__)
TICK_SECONDS = 1.0
FRESH_SECONDS = 20.0
RELIST_SECONDS = 24 * 3600.0
REST_SECONDS = 60.0
REFUSED_SECONDS = 600.0
"""How long a refused watch is left alone: rights may be given meanwhile."""
RETRY_SECONDS = 15
MOST_WAIT = 60.0
PATIENCE = 3
"""So many breaks in a row: the kind is read at intervals until its watch holds again."""

Heard = tuple["Listening", "WatchEvent | ClusterError | None"]
"""Of whom: an event, why it broke, or None: it ended as asked."""


@dataclass
class Listening:
    """One kind: its watch, or why there is none and when it is tried again."""

    resource: Resource
    inbox: Inbox[Heard]
    stream: WatchStream | None = None
    error: str | None = None
    is_refused: bool = False
    retry_at: float = 0.0
    breaks: int = 0
    heard_at: float = field(default_factory=time.monotonic)
    _began: float = 0.0

    def begin(self, stream: WatchStream) -> None:
        """Listen in a thread of its own."""
        self.stream, self._began = stream, time.monotonic()
        name = f"watch-{self.resource.plural}"[:15]
        threading.Thread(target=self._listen, args=(stream,), name=name, daemon=True).start()

    def _listen(self, stream: WatchStream) -> None:
        try:
            for event in stream:
                if not self.inbox.put((self, event), len(event.item.data) if event.item else 0):
                    stream.stop()
            self.inbox.put((self, None))
        except ClusterError as error:
            self.inbox.put((self, error))

    def went_well(self) -> None:
        """Something was heard."""
        self.heard_at, self.breaks, self.error, self.is_refused = time.monotonic(), 0, None, False

    def ended(self, error: ClusterError | None) -> None:
        """It is tried again: at once where it ended as asked, else later and later."""
        self.stream, moment = None, time.monotonic()
        self.is_refused = isinstance(error, ForbiddenError) or (
            isinstance(error, InvalidObjectError) and not isinstance(error, ExpiredError)
        )
        if self.is_refused and error is not None:
            self.error, self.retry_at = error.message, moment + REFUSED_SECONDS
            return
        is_short = moment - self._began < TICK_SECONDS
        self.breaks = self.breaks + 1 if error is not None or is_short else 0
        self.retry_at = moment + min(MOST_WAIT, 2.0**self.breaks - 1) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
        if self.breaks >= PATIENCE:
            self.error = error.message if error is not None else "Its watches end as soon as they begin."


class ClusterWatch:
    """One cluster from the moment its lease was claimed until it is stopped, lost, or not worth watching."""

    def __init__(self, cluster: Cluster, lease: LongLease) -> None:
        self.cluster = cluster
        self.lease = lease
        self.is_asked = False
        self.rest_seconds = REST_SECONDS
        self._inbox: Inbox[Heard] = Inbox()
        self._kinds: dict[Resource, Listening] = {}
        self._told: dict[str, str | None] = {}
        self._stopping = threading.Event()
        self._relist_at = self._fresh_at = self._poll_at = 0.0
        self._thread = threading.Thread(target=self._run, name=f"watch-{cluster.slug}"[:15], daemon=True)

    @property
    def is_alive(self) -> bool:
        """Whether it is still at work."""
        return self._thread.is_alive()

    @property
    def thread_count(self) -> int:
        """Its own thread and those that listen."""
        return 1 + max(len(self._kinds), 1)

    def start(self) -> None:
        """Begin; call once."""
        self._thread.start()

    def ask(self) -> None:
        """Read the whole cluster now."""
        self.is_asked = True
        self._inbox.wake()

    def stop(self) -> None:
        """End soon: from any thread."""
        self._stopping.set()
        self._inbox.close()

    def join(self, timeout: float) -> None:
        """Wait for the end."""
        self._thread.join(timeout)

    def _run(self) -> None:
        try:
            reader = reader_for(self.cluster)
            rows.note_unwatched(self.cluster)  # what watched it before may have died
            reading = Reading(self.cluster, stocks.take(self.cluster.pk, self.lease.fence), reader, self.lease)
            if self._read_whole(reading):
                self._follow(reading)
            stocks.keep(self.cluster.pk, reading.stock, self.lease.fence)
            self._end()
        except LostLeaseError:
            log.warning("The watch of %s was ended: another process has it, or the cluster left.", self.cluster.slug)
            self._end_by(self.lease.drop)
        except (ClusterError, RefusedError) as error:
            rows.note_connection(self.cluster, str(error))
            note_failure(self.cluster.pk, error)
            self._end()
        except Exception:
            log.exception("The watch of %s failed; it is read at intervals.", self.cluster.slug)
            self._end()
        finally:
            self.stop()
            for kind in self._kinds.values():
                if kind.stream is not None:
                    kind.stream.stop()
            connections.close_all()

    def _end(self) -> None:
        """Give the cluster back: it is read at intervals, and soon."""
        self._end_by(lambda: self.lease.end(due_in=min(RETRY_SECONDS, settings.SYNC_SECONDS)))

    def _end_by(self, let_go: Callable[[], bool]) -> None:
        """Nothing is watched any more, where it was still this one that did."""
        self.stop()
        with transaction.atomic():
            if let_go():
                rows.note_unwatched(self.cluster)

    def _follow(self, reading: Reading) -> None:
        """Listen and write until there is nothing to listen to any more."""
        while not self._stopping.is_set():
            self._listen_on(reading)
            if self._kinds and all(kind.is_refused for kind in self._kinds.values()):
                self._tell()
                self.rest_seconds = REFUSED_SECONDS
                return
            self._hear(reading, self._inbox.take(TICK_SECONDS))
            if self._is_whole_due() and not (self._is_as_before(reading) and self._read_whole(reading)):
                return
            self._note_fresh(reading)
            self._tell()
            close_old_connections()

    def _read_whole(self, reading: Reading) -> bool:
        """Read everything; whether the cluster works as far as it lets itself be read."""
        is_good = reading.read_whole()
        broken = [error for error in reading.failures if is_failure(error)]
        if broken:
            note_failure(self.cluster.pk, broken[0])
            return False
        note_success(self.cluster.pk)
        moment = time.monotonic()
        self.is_asked = False
        self._relist_at = moment + RELIST_SECONDS * random.uniform(0.9, 1.1)  # noqa: S311 - jitter
        self._poll_at = moment + settings.SYNC_SECONDS
        self._move_on({"last_synced_at": db_now()} if is_good else {}, is_read=True)
        return True

    def _is_as_before(self, reading: Reading) -> bool:
        """Whether it is still the address and the scope that are watched; what opens it is looked up anew."""
        fresh = Cluster.objects.filter(pk=self.cluster.pk).first()
        if fresh is None or _scope(fresh) != _scope(self.cluster):
            self.rest_seconds = 0.0
            return False
        reading.lister = reader_for(fresh)
        return True

    def _is_whole_due(self) -> bool:
        """Asked for, once a day, and at intervals while some kind is not watched."""
        moment = time.monotonic()
        has_gaps = any(kind.error is not None for kind in self._kinds.values())
        is_due = self.is_asked or moment >= self._relist_at or (has_gaps and moment >= self._poll_at)
        return is_due and not self._stopping.is_set()

    def _listen_on(self, reading: Reading) -> None:
        """A watch for every kind that is known whole and has none."""
        moment = time.monotonic()
        wanted = [resource for resource in reading.wanted() if reading.stock.is_listed(resource)]
        for resource in [r for r in self._kinds if r not in wanted]:
            gone = self._kinds.pop(resource)
            if gone.stream is not None:
                gone.stream.stop()
        for resource in wanted:
            kind = self._kinds.setdefault(resource, Listening(resource, self._inbox))
            if kind.stream is None and kind.retry_at <= moment:
                kind.begin(reading.lister.watch(resource, reading.stock.kinds[resource].version or ""))

    def _hear(self, reading: Reading, heard: list[Heard]) -> None:
        """Events first, all at once; then the watches that ended."""
        live = [(kind, said) for kind, said in heard if self._kinds.get(kind.resource) is kind]
        events = [
            (kind.resource, said) for kind, said in live if said is not None and not isinstance(said, ClusterError)
        ]
        if events:
            following.apply(reading, events)
        for kind, said in live:
            if isinstance(said, WatchEvent):
                kind.went_well()
            else:
                self._ended(reading, kind, said)

    def _ended(self, reading: Reading, kind: Listening, error: ClusterError | None) -> None:
        kind.ended(error)
        if isinstance(error, ExpiredError) and reading.read_kind(kind.resource):
            kind.went_well()
            kind.retry_at = 0.0

    def _note_fresh(self, reading: Reading) -> None:
        """How far all watches have come, now and then: what was heard of last is the age of the whole."""
        moment = time.monotonic()
        if moment < self._fresh_at:
            return
        self._fresh_at = moment + FRESH_SECONDS
        watched = [kind for kind in self._kinds.values() if kind.error is None]
        now = read_db_now()
        rows.note_fresh(self.cluster, {kind_name(k.resource): self._fresh(reading, k, now, moment) for k in watched})
        silence = max((moment - kind.heard_at for kind in watched), default=0.0)
        is_whole = not reading.failures and len(watched) == len(self._kinds)
        self._move_on({"last_synced_at": db_now(plus=-silence)} if is_whole else {}, is_read=False)

    def _fresh(self, reading: Reading, kind: Listening, now: dt.datetime, moment: float) -> dict[str, Any]:
        found = reading.stock.kinds[kind.resource]
        return {
            "count": len(found.held) + len(found.faults),
            "resource_version": (found.version or "")[:64],
            "succeeded_at": now - timedelta(seconds=moment - kind.heard_at),
            "problems": rows.told(kind_name(kind.resource), reading.stock.problems_of(kind.resource)),
        }

    def _move_on(self, values: dict[str, Any], *, is_read: bool) -> None:
        """The row of the cluster: how old what is shown is, and when it is due if this process dies now.

        A reading that somebody asked for stays due until it was done. Raises LostLeaseError.
        """
        if not self.lease.note(next_sync_at=due(settings.SYNC_SECONDS, unless_asked=not is_read), **values):
            raise LostLeaseError
        publish("cluster", self.cluster.pk, is_progress=True)

    def _tell(self) -> None:
        """Which kinds are watched, and why the others are not, when that moved."""
        states = {kind_name(kind.resource): kind.error for kind in self._kinds.values()}
        if states != self._told:
            rows.note_watched(self.cluster, states)
            self._told = states


def _scope(cluster: Cluster) -> tuple[object, ...]:
    return cluster.server, cluster.tls_name, cluster.ca_fingerprint, tuple(cluster.read_namespaces)
