"""The watches of this process: clusters claimed by lease, so that several processes share them; one heart renews."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from typing import TYPE_CHECKING

from django.db import DatabaseError, close_old_connections, connections
from django.db.models import BooleanField, Case, Exists, OuterRef, When

from clusters.breaker import closed
from clusters.models import Cluster, Health
from meshes.models import SERVED, WATCHING, Sync
from meshes.services.holding import LongLease
from meshes.services.watching import ClusterWatch
from meshui.lib.clock import db_now
from meshui.lib.leases import PROCESS, claim, free

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet

log = logging.getLogger(__name__)
HEARTBEAT_SECONDS = 1.0
LEASE_SECONDS = 15.0
"""A process that dies leaves its clusters to others after so long."""
MOST_THREADS = 256
HELD = ("lease_fence", "next_sync_at", "is_asked")
EXPECTED = 16
"""Threads of a cluster before its kinds are known."""
MOST_AT_ONCE = 4
"""Clusters taken in one beat: processes that start together share them."""


class Watchers:
    """Watches every cluster that was read once, works, and is nobody else's."""

    def __init__(self) -> None:
        self.owner = f"{PROCESS}{WATCHING}{uuid.uuid4().hex[:8]}"
        self._watches: dict[UUID, ClusterWatch] = {}
        self._resting: dict[UUID, float] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="meshui-watchers", daemon=True)

    def start(self) -> None:
        """Begin; call once."""
        self._thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        """End all watches and give their clusters back."""
        self._stopping.set()
        end = time.monotonic() + timeout
        if self._thread.ident is not None:
            self._thread.join(timeout)
        for watch in self._watches.values():
            watch.stop()
        for watch in self._watches.values():
            watch.join(max(0.0, end - time.monotonic()))

    def _run(self) -> None:
        while not self._stopping.wait(HEARTBEAT_SECONDS):
            try:
                self.beat()
            except DatabaseError as error:
                log.warning("The watchers cannot reach the database: %s", error)
            finally:
                close_old_connections()
        connections.close_all()

    def beat(self) -> None:
        """Renew what is held, let go what ended, take what is free."""
        self._reap()
        self._renew()
        self._take()

    def watched(self) -> list[ClusterWatch]:
        """What is watched now."""
        return list(self._watches.values())

    def _reap(self) -> None:
        moment = time.monotonic()
        for pk, watch in list(self._watches.items()):
            if not watch.is_alive:
                del self._watches[pk]
                self._resting[pk] = moment + watch.rest_seconds
        self._resting = {pk: until for pk, until in self._resting.items() if until > moment}

    def _renew(self) -> None:
        """One statement for all; one more to see which of them are asked for, or lost."""
        if not self._watches:
            return
        held = Cluster.objects.filter(pk__in=list(self._watches), lease_owner=self.owner, lease_until__gt=db_now())
        held.update(lease_until=db_now(plus=LEASE_SECONDS))
        asked = Case(When(next_sync_at__lte=db_now(), then=True), default=False, output_field=BooleanField())
        found = {pk: rest for pk, *rest in held.annotate(is_asked=asked).values_list("pk", *HELD)}
        for pk, watch in self._watches.items():
            fence, due_at, is_asked = found.get(pk, (0, None, False))
            if fence != watch.lease.fence:
                watch.lease.is_lost = True
            if watch.lease.is_lost or due_at is None:  # another's, or silenced: it was removed, or is another cluster
                watch.stop()
            elif is_asked:
                watch.ask()

    def _take(self) -> None:
        room = MOST_THREADS - sum(max(watch.thread_count, EXPECTED) for watch in self._watches.values())
        for cluster in _candidates().exclude(pk__in=[*self._watches, *self._resting])[
            : min(MOST_AT_ONCE, room // EXPECTED)
        ]:
            mine = Cluster.objects.filter(pk=cluster.pk)
            fence = claim(mine, owner=self.owner, seconds=LEASE_SECONDS)
            if fence is not None:
                watch = ClusterWatch(cluster, LongLease(mine, self.owner, fence, LEASE_SECONDS))
                self._watches[cluster.pk] = watch
                watch.start()


def _candidates() -> QuerySet[Cluster]:
    """Clusters that were read before, whose breaker is closed, that are what they were, and that nobody reads now."""
    read = Sync.objects.filter(cluster=OuterRef("pk"), resource=SERVED, succeeded_at__isnull=False)
    rows = Cluster.objects.filter(free(), closed(), Exists(read), next_sync_at__isnull=False)
    return rows.exclude(health=Health.IDENTITY_CHANGED).order_by("next_sync_at")
