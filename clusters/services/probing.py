"""Probes of clusters whose breaker is open, in a lane of their own: dead ones cost the others nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from audit.types import SYSTEM
from clusters.breaker import due_probes, is_failure, note_failure
from clusters.clients import ClusterError
from clusters.connect import prober_for
from clusters.models import Cluster, Health
from clusters.services.checking import Check, keep_check
from meshui.lib.bus import publish
from meshui.lib.clock import db_now
from meshui.lib.errors import RefusedError
from meshui.lib.queue import enqueue

if TYPE_CHECKING:
    from clusters.access import Inspector

AT_ONCE: Final = 4
MAX_PROBES: Final = 40
CLAIM_SECONDS: Final = 60
"""Longer than all probes of one round may take: one probe of a cluster at a time."""


def ring_probes() -> bool:
    """Ring once if a probe is due; whether one is. One query."""
    is_due = due_probes().exists()
    if is_due:
        enqueue("clusters.tasks.probe_clusters")
    return is_due


def probe_clusters() -> int:
    """Probe every cluster whose probe is due and that nobody else probes now; how many.

    Network in four threads, the database in this one. An answer closes the breaker: the cluster is tested and read at
    once.
    """
    asked = [(cluster, _prober(cluster)) for cluster in _claimed()]
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="probe") as pool:
        answers = pool.map(_ask, [prober for _, prober in asked])
        for (cluster, _), error in zip(asked, answers, strict=True):
            _settle(cluster, error)
    return len(asked)


def _claimed() -> list[Cluster]:
    """Those whose probe this worker moved out first."""
    taken = due_probes().order_by()
    due = list(due_probes()[:MAX_PROBES])
    return [row for row in due if taken.filter(pk=row.pk).update(next_try_at=db_now(plus=CLAIM_SECONDS))]


def _prober(cluster: Cluster) -> Inspector | RefusedError:
    try:
        return prober_for(cluster)
    except RefusedError as error:
        return error


def _ask(prober: Inspector | RefusedError) -> Exception | None:
    """What went wrong; None where it answered, if only with a refusal."""
    if isinstance(prober, RefusedError):
        return prober
    try:
        prober.require_ready()
    except ClusterError as error:
        return error if is_failure(error) else None
    finally:
        prober.close()
    return None


def _settle(cluster: Cluster, error: Exception | None) -> None:
    if error is None:
        _open_again(cluster)
        return
    note_failure(cluster.pk, error)
    keep_check(actor=SYSTEM, cluster_id=cluster.pk, check=Check(Health.UNREACHABLE, str(error)))


def _open_again(cluster: Cluster) -> None:
    """Closed, and due at once; who answers is tested before another cluster than before would be read."""
    due = db_now()
    rows = Cluster.objects.filter(pk=cluster.pk)
    rows.update(next_try_at=None, next_check_at=due)
    publish("cluster", cluster.pk)
    enqueue("clusters.tasks.check_cluster", cluster.pk)
    if rows.filter(found_uid="").update(next_sync_at=due):
        enqueue("meshes.tasks.sync_cluster", cluster.pk)
