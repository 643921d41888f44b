"""What opens clusters: stored encrypted, replaced without a copy, put under a new key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings

from audit.services import record, verb
from audit.types import About
from clusters.certificates import fingerprint
from clusters.connect import forget, resealed
from clusters.models import Cluster, Credential
from clusters.secrets import Opened, key_id, seal
from clusters.services.gate import managed
from meshui.lib.clock import db_now, read_db_now
from meshui.lib.errors import DeniedError, InvalidError
from meshui.lib.queue import enqueue

if TYPE_CHECKING:
    from uuid import UUID

    from audit.types import Actor
    from clusters.kubeconfig import ParsedKubeconfig

ROTATED_AT_ONCE = 500
CREDENTIALS = About(kind="credentials", id="", name="credentials")


@verb("clusters.credential.replaced")
def replace_credential(*, actor: Actor, cluster_id: UUID, role: str, kubeconfig: ParsedKubeconfig) -> Cluster:
    """A new credential of one role; no copy of the old one stays. The address must be the cluster's own.

    Under another CA nothing is written until the identity is adopted anew. A writer's alone does not allow writes:
    allow_writes does. Raises MissingError, DeniedError (needs cluster.credential), InvalidError.
    """
    cluster = managed(actor, cluster_id, "cluster.credential")
    known = (cluster.server, cluster.tls_name, cluster.is_tls_unverified)
    given = (kubeconfig.server, kubeconfig.tls_name, kubeconfig.skips_tls_verification)
    if given != known:
        raise InvalidError("This credential is of another server.", mend="Add that one as a cluster of its own.")
    Credential.objects.filter(cluster=cluster, role=role).delete()
    store_credential(cluster, role, kubeconfig, actor)
    due = db_now()
    Cluster.objects.filter(pk=cluster.pk).update(next_check_at=due, access_checked_at=None, next_try_at=None)
    ca_fingerprint = fingerprint(kubeconfig.ca_pem)
    record(
        "clusters.credential.replaced",
        actor=actor,
        target=cluster,
        role=role,
        kind=kubeconfig.kind,
        ca_fingerprint=ca_fingerprint if ca_fingerprint != cluster.ca_fingerprint else None,
    )
    enqueue("clusters.tasks.check_cluster", cluster.pk)
    return cluster


@verb("clusters.credentials.rotated")
def rotate_credentials(*, actor: Actor) -> int:
    """Put at most 500 credentials that are under an older key under the first one; how many were. 0: all are.

    The operator's, at the command line. Call it until it says 0; stopped in between, it goes on where it was. Raises
    DeniedError, UnavailableError (a credential whose key is gone: nothing of this batch is kept).
    """
    if actor.kind != "system":
        raise DeniedError("Only the operator rotates keys.", mend="Use manage.py rotate_credentials.")
    first = key_id(settings.CREDENTIAL_KEYS[0])
    batch = list(Credential.objects.select_for_update().exclude(key_id=first).order_by("pk")[:ROTATED_AT_ONCE])
    for credential in batch:
        credential.ciphertext, credential.key_id = resealed(credential), first
    if batch:
        Credential.objects.bulk_update(batch, ["ciphertext", "key_id"])
        record("clusters.credentials.rotated", actor=actor, target=CREDENTIALS, count=len(batch), key_id=first)
    return len(batch)


def store_credential(cluster: Cluster, role: str, kubeconfig: ParsedKubeconfig, actor: Actor) -> None:
    """Encrypted under the first key. Inside a verb, where there is none of this role."""
    opened = Opened(
        kubeconfig.token,
        kubeconfig.certificate_pem,
        kubeconfig.key_pem,
        kubeconfig.ca_pem,
        kubeconfig.skips_tls_verification,
        kubeconfig.is_in_cluster,
    )
    _store(
        Credential(cluster=cluster, role=role, kind=kubeconfig.kind, expires_at=kubeconfig.expires_at), opened, actor
    )


def store_for_metrics(cluster: Cluster, kind: str, opened: Opened | None, actor: Actor) -> None:
    """What opens the Prometheus of `cluster`, of `kind`, in the place of the one before; None: nothing does.

    Inside a verb.
    """
    Credential.objects.filter(cluster=cluster, role="metrics").delete()
    if opened is not None:
        _store(Credential(cluster=cluster, role="metrics", kind=kind), opened, actor)


def _store(credential: Credential, opened: Opened, actor: Actor) -> None:
    keys, cluster = settings.CREDENTIAL_KEYS, credential.cluster
    credential.key_id = key_id(keys[0])
    credential.ciphertext = seal(opened, cluster_id=str(cluster.pk), role=credential.role, keys=keys)
    credential.fingerprint = opened.fingerprint()
    credential.created_at = read_db_now()
    credential.created_by_name = actor.name
    credential.save(force_insert=True)
    forget(cluster.pk)
