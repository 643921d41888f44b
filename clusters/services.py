"""Verbs of clusters: add, check, allow writes, replace what opens them. No network inside a transaction."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q

from audit.services import about, record, verb
from audit.types import SYSTEM, About
from clusters.certificates import fingerprint
from clusters.clients import ClusterError, CredentialRejectedError, Identity, NotSentError
from clusters.connect import forget, policy, reader_for, resealed, writer_for
from clusters.endpoints import parse_endpoint, resolve
from clusters.models import DNS_LABEL, Cluster, Credential, Health
from clusters.secrets import Opened, key_id, seal
from clusters.types import EXCESS, READ_NEEDS, WRITE_NEEDS
from meshui.lib.clock import db_now, now, read_db_now
from meshui.lib.errors import DeniedError, InvalidError, MissingError, RefusedError
from meshui.lib.queue import enqueue
from meshui.lib.rights import Place, has, may

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from django.db.models import QuerySet

    from audit.types import Actor, Outcome
    from clusters.clients import AccessAnswer, Reader
    from clusters.kubeconfig import ParsedKubeconfig

CHECK_SECONDS = 30
ACCESS_STEP = timedelta(minutes=10)
ROTATED_AT_ONCE = 500
CREDENTIALS = About(kind="credentials", id="", name="credentials")
RESERVED = frozenset({"add"})
"""Short names that would stand where a page has its URL."""


@dataclass(frozen=True, slots=True)
class NewCluster:
    """A cluster to add: names, where it belongs, what opens it. `writes`: the same credential also writes."""

    name: str
    slug: str
    environment: str
    kubeconfig: ParsedKubeconfig
    writes: bool = False


@dataclass(frozen=True, slots=True)
class Check:
    """What one connection test found. `health` and why; the rest where it got that far."""

    health: Health
    reason: str = ""
    identity: Identity | None = None
    server_version: str = ""
    latency_ms: int | None = None
    access: tuple[dict[str, Any], ...] | None = None


def require_callable(*, actor: Actor, kubeconfig: ParsedKubeconfig) -> None:
    """The server's address passes the guard, now. Resolves a name: call it before the verb, never inside a transaction.

    For whoever may not bring credentials nothing is resolved: the verb refuses them. Raises EndpointRefusedError,
    InvalidError (the name is not known).
    """
    if not (has(actor, "cluster.manage") or has(actor, "cluster.credential")):
        return
    try:
        resolve(parse_endpoint(kubeconfig.server, tls_name=kubeconfig.tls_name), policy())
    except NotSentError as error:
        raise InvalidError(error.message, mend="Check the server's name, and that MeshUI's DNS knows it.") from error


@verb("clusters.cluster.added")
def add_cluster(*, actor: Actor, new: NewCluster) -> Cluster:
    """A cluster with its reader (and, if ticked, the same as writer); it is checked and read as soon as this commits.

    Raises DeniedError (needs cluster.manage there), InvalidError (a bad or taken short name), EndpointRefusedError.
    """
    about(About(kind="cluster", id="", name=new.slug[:63]))
    place = Place(environment=new.environment, cluster=new.slug)
    if not may(actor, "cluster.manage", [place]):
        raise DeniedError("You may not add clusters there.", mend="Ask an Access admin for the Cluster admin role.")
    _require_names(new)
    parse_endpoint(new.kubeconfig.server, tls_name=new.kubeconfig.tls_name)
    cluster = _new_row(new)
    for role in ("reader", "writer") if new.writes else ("reader",):
        _store_credential(cluster, role, new.kubeconfig, actor)
    record(
        "clusters.cluster.added",
        actor=actor,
        target=cluster,
        server=cluster.server,
        writes=not cluster.is_observe_only,
        tls_skipped=cluster.is_tls_unverified,
    )
    enqueue("clusters.tasks.check_cluster", cluster.pk)
    return cluster


def _require_names(new: NewCluster) -> None:
    for value, what in ((new.slug, "short name"), (new.environment, "environment")):
        try:
            DNS_LABEL(value)
        except ValidationError as error:
            raise InvalidError(f"The {what} is not one.", mend=str(error.message)) from error
    if new.slug in RESERVED or Cluster.objects.filter(slug=new.slug).exists():
        raise InvalidError(f"The short name {new.slug} is taken.", mend="Choose another one.")


def _new_row(new: NewCluster) -> Cluster:
    moment = read_db_now()
    is_unverified = new.kubeconfig.skips_tls_verification
    try:
        with transaction.atomic():
            return Cluster.objects.create(
                slug=new.slug,
                name=new.name,
                environment=new.environment,
                server=new.kubeconfig.server,
                tls_name=new.kubeconfig.tls_name,
                ca_fingerprint=fingerprint(new.kubeconfig.ca_pem),
                is_observe_only=not new.writes or is_unverified,
                is_tls_unverified=is_unverified,
                created_at=moment,
                next_check_at=moment,
            )
    except IntegrityError as error:  # somebody else took it in this very moment
        raise InvalidError(f"The short name {new.slug} is taken.", mend="Choose another one.") from error


@verb("clusters.credential.replaced")
def replace_credential(*, actor: Actor, cluster_id: UUID, role: str, kubeconfig: ParsedKubeconfig) -> Cluster:
    """A new credential of one role; no copy of the old one stays. The address and the CA must be the cluster's own.

    A writer's alone does not allow writes: allow_writes does. Raises MissingError, DeniedError (needs
    cluster.credential), InvalidError.
    """
    cluster = _managed(actor, cluster_id, "cluster.credential")
    known = (cluster.server, cluster.tls_name, cluster.ca_fingerprint, cluster.is_tls_unverified)
    given = (kubeconfig.server, kubeconfig.tls_name, fingerprint(kubeconfig.ca_pem), kubeconfig.skips_tls_verification)
    if given != known:
        raise InvalidError("This kubeconfig is of another server or CA.", mend="Add that one as a cluster of its own.")
    Credential.objects.filter(cluster=cluster, role=role).delete()
    _store_credential(cluster, role, kubeconfig, actor)
    Cluster.objects.filter(pk=cluster.pk).update(next_check_at=db_now(), access_checked_at=None)
    record("clusters.credential.replaced", actor=actor, target=cluster, role=role, kind=kubeconfig.kind)
    enqueue("clusters.tasks.check_cluster", cluster.pk)
    return cluster


@verb("clusters.writes.allowed")
def allow_writes(*, actor: Actor, cluster_id: UUID) -> Cluster:
    """MeshUI may write to the cluster from now on. Raises MissingError, DeniedError, InvalidError (no writer)."""
    cluster = _managed(actor, cluster_id, "cluster.manage")
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
    cluster = _managed(actor, cluster_id, "cluster.manage")
    Cluster.objects.filter(pk=cluster.pk).update(is_observe_only=True)
    record("clusters.writes.forbidden", actor=actor, target=cluster)
    return cluster


@verb("clusters.check.requested")
def request_check(*, actor: Actor, cluster_id: UUID) -> Cluster:
    """Test the connection now. Raises MissingError, DeniedError (needs cluster.manage)."""
    cluster = _managed(actor, cluster_id, "cluster.manage")
    Cluster.objects.filter(pk=cluster.pk).update(next_check_at=db_now(), access_checked_at=None)
    record("clusters.check.requested", actor=actor, target=cluster)
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


def due_checks() -> QuerySet[Cluster]:
    """Clusters whose connection test is due."""
    return Cluster.objects.filter(Q(next_check_at__lte=db_now()))


def ring_due() -> int:
    """Ring for every due connection test; how many."""
    due = list(due_checks().values_list("pk", flat=True)[:200])
    for pk in due:
        enqueue("clusters.tasks.check_cluster", pk)
    return len(due)


def check_cluster(cluster_id: UUID | str) -> None:
    """Test the connection if it is due: the first who moves next_check_at does it."""
    due = Cluster.objects.filter(pk=cluster_id, next_check_at__lte=db_now())
    if not due.update(next_check_at=db_now(plus=CHECK_SECONDS)):
        return
    cluster = Cluster.objects.get(pk=cluster_id)
    keep_check(actor=SYSTEM, cluster_id=cluster.pk, check=_tested(cluster))


@verb("clusters.cluster.checked")
def keep_check(*, actor: Actor, cluster_id: UUID, check: Check) -> None:
    """Keep what a test found; history gets an event when the health moved. The first good test adopts the identity."""
    cluster = Cluster.objects.select_for_update().get(pk=cluster_id)
    about(cluster)
    health, reason = _judged(cluster, check)
    moment = read_db_now()
    values: dict[str, Any] = {"health": health, "health_reason": reason[:2000], "last_checked_at": moment}
    if check.identity is not None:
        values |= {"last_seen_at": moment, "unreachable_since": None, "server_version": check.server_version}
        values |= {"api_latency_ms": check.latency_ms}
        if check.access is not None:
            values |= {"access": list(check.access), "access_checked_at": moment}
        if not cluster.identity_uid:
            values["identity_uid"] = check.identity.uid
        if cluster.next_sync_at is None and health != Health.IDENTITY_CHANGED:
            values["next_sync_at"] = moment
            enqueue("meshes.tasks.sync_cluster", cluster.pk)
    elif cluster.unreachable_since is None:
        values["unreachable_since"] = moment
    Cluster.objects.filter(pk=cluster.pk).update(**values)
    if health != cluster.health:
        action = "clusters.identity.changed" if health == Health.IDENTITY_CHANGED else "clusters.cluster.checked"
        outcome: Outcome = "success" if health in {Health.HEALTHY, Health.DEGRADED} else "failure"
        record(action, actor=actor, target=cluster, reason=reason, outcome=outcome, before=cluster.health, after=health)


def _judged(cluster: Cluster, check: Check) -> tuple[Health, str]:
    """The first answer is adopted; later ones must be of the same cluster under the same CA."""
    found = check.identity
    if found is not None and (found.uid, found.ca_fingerprint) != (
        cluster.identity_uid or found.uid,
        cluster.ca_fingerprint,
    ):
        return Health.IDENTITY_CHANGED, "Another cluster answers at this address; nothing is written to it."
    return check.health, check.reason


def _tested(cluster: Cluster) -> Check:
    try:
        reader = reader_for(cluster)
        began = time.monotonic()
        found = reader.version()
        latency = round((time.monotonic() - began) * 1000)
        identity = reader.identity()
        is_due = cluster.access_checked_at is None or now() - cluster.access_checked_at > ACCESS_STEP
        access = tuple(_access(cluster, reader)) if is_due else None
    except CredentialRejectedError as error:
        return Check(Health.CREDENTIAL_REJECTED, error.message)
    except ClusterError as error:
        return Check(Health.UNREACHABLE, error.message)
    except RefusedError as error:
        return Check(Health.UNREACHABLE, str(error))
    rows = cluster.access if access is None else access
    missing = [f"{row['verb']} {row['resource']}" for row in rows if row["needed"] and not row["allowed"]]
    health = Health.DEGRADED if missing else Health.HEALTHY
    reason = f"The credential may not {', '.join(missing)}." if missing else ""
    return Check(health, reason, identity, found.git_version, latency, access)


def _access(cluster: Cluster, reader: Reader) -> Iterator[dict[str, Any]]:
    """A row per right: what is needed and whether it is given, and what is given without need."""
    for answer in reader.review_access([(v, g, r, "") for v, g, r in READ_NEEDS]):
        yield _row(answer, "reader", needed=True)
    for answer in reader.review_access([(v, g, r, "") for v, g, r in EXCESS]):
        if answer.is_allowed:
            yield _row(answer, "reader", needed=False)
    if not cluster.is_observe_only and cluster.health != Health.IDENTITY_CHANGED:
        writer = writer_for(cluster)
        for answer in writer.review_access([(v, g, r, "") for v, g, r in WRITE_NEEDS]):
            yield _row(answer, "writer", needed=True)


def _row(answer: AccessAnswer, role: str, *, needed: bool) -> dict[str, Any]:
    resource = f"{answer.resource}.{answer.group}" if answer.group else answer.resource
    return {"role": role, "verb": answer.verb, "resource": resource, "needed": needed, "allowed": answer.is_allowed}


def _managed(actor: Actor, cluster_id: UUID, right: str) -> Cluster:
    cluster = Cluster.objects.filter(pk=cluster_id).first()
    if cluster is None or not may(actor, "inventory.read", [cluster.place]):
        raise MissingError("There is no such cluster.")
    about(cluster)
    if not may(actor, right, [cluster.place]):
        raise DeniedError("You may not manage this cluster.", mend="Ask an Access admin for the Cluster admin role.")
    return cluster


def _store_credential(cluster: Cluster, role: str, kubeconfig: ParsedKubeconfig, actor: Actor) -> None:
    keys = settings.CREDENTIAL_KEYS
    opened = Opened(
        kubeconfig.token,
        kubeconfig.certificate_pem,
        kubeconfig.key_pem,
        kubeconfig.ca_pem,
        kubeconfig.skips_tls_verification,
    )
    Credential.objects.create(
        cluster=cluster,
        role=role,
        kind=kubeconfig.kind,
        key_id=key_id(keys[0]),
        ciphertext=seal(opened, cluster_id=str(cluster.pk), role=role, keys=keys),
        fingerprint=opened.fingerprint(),
        expires_at=kubeconfig.expires_at,
        created_at=read_db_now(),
        created_by_name=actor.name,
    )
    forget(cluster.pk)
