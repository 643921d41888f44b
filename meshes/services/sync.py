"""When a cluster is read: asked for, due, claimed. The reading itself stands in meshes.services.reading."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from django.conf import settings
from django.db.models import Q

from audit.services import about, record, verb
from clusters.breaker import closed, is_failure, note_failure, note_success
from clusters.clients import ClusterError
from clusters.connect import reader_for
from clusters.models import Cluster, Health
from meshes.errors import TooSoonError
from meshes.models import Sync
from meshes.services import stocks
from meshes.services.holding import Lease
from meshes.services.keeping import LostLeaseError
from meshes.services.reading import Reading
from meshes.services.rows import note_connection
from meshui.lib.bus import publish
from meshui.lib.clock import db_now
from meshui.lib.errors import DeniedError, GoneError, MissingError, RefusedError
from meshui.lib.leases import claim, free, runner_name
from meshui.lib.queue import enqueue
from meshui.lib.rights import may

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from django.db.models import QuerySet

    from audit.types import Actor

log = logging.getLogger(__name__)
LEASE_SECONDS = 120.0
"""Longer than one list may take; it is renewed between two."""
RETRY_SECONDS = 15
PATIENCE_SECONDS = 5
MAX_RUNG = 200


@verb("meshes.sync.requested")
def request_sync(*, actor: Actor, cluster_id: UUID) -> Cluster:
    """Read the cluster now instead of when it is due.

    Raises MissingError, DeniedError (needs inventory.read there), TooSoonError within 5 s of the last reading,
    GoneError where another cluster answers at its address.
    """
    cluster = Cluster.objects.filter(pk=cluster_id).first()
    if cluster is None:
        raise MissingError("There is no such cluster.")
    about(cluster)
    if not may(actor, "inventory.read", [cluster.place]):
        raise DeniedError("You may not read this cluster.", mend="Ask an Access admin for a role there.")
    if cluster.health == Health.IDENTITY_CHANGED:
        text = f"Another cluster answers where {cluster.slug} was: it is not read."
        raise GoneError(text, mend="Adopt it on the page of its connection, or mend its address.")
    if Sync.objects.filter(cluster=cluster, started_at__gt=db_now(plus=-PATIENCE_SECONDS)).exists():
        raise TooSoonError(f"{cluster.slug} was read a moment ago.", mend="Wait a few seconds and ask again.")
    Cluster.objects.filter(pk=cluster.pk).update(next_sync_at=db_now())
    record("meshes.sync.requested", actor=actor, target=cluster)
    enqueue("meshes.tasks.sync_cluster", cluster.pk)
    return cluster


def due_syncs() -> QuerySet[Cluster]:
    """Clusters whose reading is due, whose breaker is closed and that nobody reads now, longest due first."""
    due = Cluster.objects.filter(free(), closed(), Q(next_sync_at__lte=db_now())).exclude(
        health=Health.IDENTITY_CHANGED
    )
    return due.order_by("next_sync_at")


def ring_due() -> int:
    """Ring for every due cluster; how many. One query when none is."""
    due = list(due_syncs().values_list("pk", flat=True)[:MAX_RUNG])
    for pk in due:
        enqueue("meshes.tasks.sync_cluster", pk)
    return len(due)


def sync_cluster(cluster_id: UUID | str) -> bool:
    """Read the cluster if it is due and free; whether it was. May run twice, the lease decides.

    A cluster that is watched is not free: its watch reads it.
    """
    owner = runner_name()
    rows = Cluster.objects.filter(pk=cluster_id)
    due = rows.filter(closed(), next_sync_at__lte=db_now()).exclude(health=Health.IDENTITY_CHANGED)
    fence = claim(due, owner=owner, seconds=LEASE_SECONDS)
    if fence is None:
        return False
    lease = Lease(rows, owner, fence, LEASE_SECONDS)
    try:
        is_good = _read(rows.get(), lease)
    except LostLeaseError:
        lease.drop()
        log.warning("The reading of cluster %s was ended: it took too long, or the cluster left.", cluster_id)
        return False
    wait = settings.SYNC_SECONDS if is_good else min(RETRY_SECONDS, settings.SYNC_SECONDS)
    done = {"last_synced_at": db_now()} if is_good else {}
    lease.end(due_in=wait, **done)
    publish("cluster", cluster_id, is_progress=is_good)
    return True


def _read(cluster: Cluster, lease: Lease) -> bool:
    """Whether everything could be read; what could not stands on Sync rows."""
    stock = stocks.take(cluster.pk, lease.fence)
    try:
        lister = reader_for(cluster)
    except (RefusedError, ClusterError) as error:
        note_connection(cluster, str(error))
        note_failure(cluster.pk, error)
        return False
    reading = Reading(cluster, stock, lister, lease)
    is_good = reading.read_whole()
    stocks.keep(cluster.pk, stock, lease.fence)
    _note(cluster, reading.failures)
    return is_good


def _note(cluster: Cluster, failures: Sequence[ClusterError]) -> None:
    """Tell the breaker: kinds that are refused are no failure of the cluster."""
    broken = [error for error in failures if is_failure(error)]
    if broken:
        note_failure(cluster.pk, broken[0])
    else:
        note_success(cluster.pk)
