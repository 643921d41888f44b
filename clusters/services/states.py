"""What MeshUI may do with a cluster: write or only observe, and whose identity it goes by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit.services import record, verb
from clusters.models import Cluster, Credential, Health
from clusters.services.gate import managed
from clusters.services.register import required_reason
from meshui.lib.clock import db_now
from meshui.lib.errors import GoneError, InvalidError, StaleError
from meshui.lib.queue import enqueue

if TYPE_CHECKING:
    from uuid import UUID

    from audit.types import Actor


@verb("clusters.writes.allowed")
def allow_writes(*, actor: Actor, cluster_id: UUID) -> Cluster:
    """MeshUI may write to the cluster from now on. Raises MissingError, DeniedError, InvalidError (no writer)."""
    cluster = managed(actor, cluster_id, "cluster.manage")
    if cluster.is_tls_unverified:
        raise InvalidError("Its certificate is not checked, so it is only observed.", mend="Add it again with its CA.")
    if not Credential.objects.filter(cluster=cluster, role="writer").exists():
        raise InvalidError("There is no writer credential.", mend="Upload one for writing first.")
    Cluster.objects.filter(pk=cluster.pk).update(is_observe_only=False, next_check_at=db_now(), access_checked_at=None)
    record("clusters.writes.allowed", actor=actor, target=cluster)
    enqueue("clusters.tasks.check_cluster", cluster.pk)
    return cluster


@verb("clusters.writes.forbidden")
def forbid_writes(*, actor: Actor, cluster_id: UUID) -> Cluster:
    """MeshUI only observes the cluster from now on. Raises MissingError, DeniedError."""
    cluster = managed(actor, cluster_id, "cluster.manage")
    Cluster.objects.filter(pk=cluster.pk).update(is_observe_only=True)
    record("clusters.writes.forbidden", actor=actor, target=cluster)
    return cluster


@verb("clusters.identity.adopted")
def adopt_identity(*, actor: Actor, cluster_id: UUID, uid: str, reason: str) -> Cluster:
    """The cluster that answers now is the one that is meant: `uid` is what the reader saw of it.

    Writes are open again; plans and approvals that were made for the one before are void by their own check. Raises
    MissingError, DeniedError (needs cluster.manage), InvalidError (no reason), GoneError (nothing to adopt), StaleError
    (yet another one answers).
    """
    cluster = managed(actor, cluster_id, "cluster.manage")
    reason = required_reason(reason)
    if cluster.health != Health.IDENTITY_CHANGED or not cluster.found_uid:
        raise GoneError(f"The identity of {cluster.slug} has not changed.", mend="Test the connection to look again.")
    if uid != cluster.found_uid:
        raise StaleError("Yet another cluster answers by now.", mend="Look at its page again, then decide.")
    due = db_now()
    Cluster.objects.filter(pk=cluster.pk).update(
        identity_uid=cluster.found_uid,
        ca_fingerprint=cluster.found_ca_fingerprint,
        found_uid="",
        found_ca_fingerprint="",
        health=Health.UNKNOWN,
        health_reason="",
        next_check_at=due,
        access_checked_at=None,
        next_try_at=None,
    )
    record(
        "clusters.identity.adopted",
        actor=actor,
        target=cluster,
        reason=reason,
        before={"uid": cluster.identity_uid, "ca": cluster.ca_fingerprint},
        after={"uid": cluster.found_uid, "ca": cluster.found_ca_fingerprint},
    )
    enqueue("clusters.tasks.check_cluster", cluster.pk)
    return cluster
