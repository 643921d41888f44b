"""The connection test: when it is due, what it asks, what it keeps. Network first, then one short transaction."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from audit.services import about, record, verb
from audit.types import SYSTEM
from clusters.access import access_rows, missing_words, rejected_rows
from clusters.breaker import THRESHOLD, closed, note_failure
from clusters.clients import ClusterError, CredentialRejectedError, Identity
from clusters.connect import inspector_for
from clusters.models import Cluster, Credential, Health
from clusters.services.gate import managed
from meshui.lib.bus import publish
from meshui.lib.clock import db_now, now, read_db_now
from meshui.lib.errors import RefusedError
from meshui.lib.queue import enqueue

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from django.db.models import QuerySet

    from audit.types import Actor, Outcome
    from clusters.access import Inspector, Row, Served

CHECK_SECONDS: Final = 30
ACCESS_STEP: Final = timedelta(minutes=10)
MAX_RUNG: Final = 200
ANOTHER: Final = "Another cluster answers at this address; nothing is written to it."
ANOTHER_CA: Final = "It answers under another CA than before; nothing is written to it."


@dataclass(frozen=True, slots=True)
class Check:
    """What one connection test found. `health` and why; the rest where it got that far."""

    health: Health
    reason: str = ""
    identity: Identity | None = None
    server_version: str = ""
    latency_ms: int | None = None
    access: tuple[Row, ...] | None = None


@verb("clusters.check.requested")
def request_check(*, actor: Actor, cluster_id: UUID) -> Cluster:
    """Test the connection now. Raises MissingError, DeniedError (needs cluster.manage)."""
    cluster = managed(actor, cluster_id, "cluster.manage")
    Cluster.objects.filter(pk=cluster.pk).update(next_check_at=db_now(), access_checked_at=None, next_try_at=None)
    record("clusters.check.requested", actor=actor, target=cluster)
    enqueue("clusters.tasks.check_cluster", cluster.pk)
    return cluster


def due_checks() -> QuerySet[Cluster]:
    """Clusters whose connection test is due and whose breaker is closed."""
    return Cluster.objects.filter(closed(), next_check_at__lte=db_now())


def ring_due() -> int:
    """Ring for every due connection test; how many."""
    due = list(due_checks().values_list("pk", flat=True)[:MAX_RUNG])
    for pk in due:
        enqueue("clusters.tasks.check_cluster", pk)
    return len(due)


def check_cluster(cluster_id: UUID | str) -> None:
    """Test the connection if it is due: the first who moves next_check_at does it."""
    due = due_checks().filter(pk=cluster_id)
    if not due.update(next_check_at=db_now(plus=CHECK_SECONDS)):
        return
    cluster = Cluster.objects.get(pk=cluster_id)
    keep_check(actor=SYSTEM, cluster_id=cluster.pk, check=_tested(cluster))


@verb("clusters.cluster.checked")
def keep_check(*, actor: Actor, cluster_id: UUID, check: Check) -> None:
    """Keep what a test found; history gets an event when the health moved. The first good test adopts the identity."""
    cluster = Cluster.objects.select_for_update().filter(pk=cluster_id).first()
    if cluster is None:  # it was removed meanwhile
        return
    about(cluster)
    health, reason = _judged(cluster, check)
    moment = read_db_now()
    values: dict[str, Any] = {"health": health, "health_reason": reason[:2000], "last_checked_at": moment}
    if check.identity is not None:
        values |= _answered(cluster, check, check.identity, health) | {"last_seen_at": moment}
        if check.access is not None:
            values |= {"access": list(check.access), "access_checked_at": moment}
        if cluster.next_sync_at is None and health != Health.IDENTITY_CHANGED:
            values["next_sync_at"] = moment
            enqueue("meshes.tasks.sync_cluster", cluster.pk)
    elif cluster.unreachable_since is None and check.health == Health.UNREACHABLE:
        values["unreachable_since"] = moment
    Cluster.objects.filter(pk=cluster.pk).update(**values)
    publish("cluster", cluster.pk, is_progress=(health, reason) == (cluster.health, cluster.health_reason))
    if health != cluster.health:
        action = "clusters.identity.changed" if health == Health.IDENTITY_CHANGED else "clusters.cluster.checked"
        outcome: Outcome = "success" if health in {Health.HEALTHY, Health.DEGRADED} else "failure"
        record(action, actor=actor, target=cluster, reason=reason, outcome=outcome, before=cluster.health, after=health)


def _answered(cluster: Cluster, check: Check, found: Identity, health: Health) -> dict[str, Any]:
    """Who answered. Another one than before is kept beside it, and is not read until it is adopted."""
    values: dict[str, Any] = {"unreachable_since": None, "server_version": check.server_version}
    values |= {"api_latency_ms": check.latency_ms, "found_uid": "", "found_ca_fingerprint": ""}
    if not cluster.identity_uid:
        values["identity_uid"] = found.uid
    if health == Health.IDENTITY_CHANGED:
        values |= {"found_uid": found.uid, "found_ca_fingerprint": found.ca_fingerprint, "next_sync_at": None}
    return values


def _judged(cluster: Cluster, check: Check) -> tuple[Health, str]:
    """The first answer is adopted; later ones must be of the same cluster under the same CA.

    Another cluster that fell silent is still another one: only an adoption, or the one from before, ends that.
    """
    found = check.identity
    if found is None:
        if cluster.found_uid:
            return Health.IDENTITY_CHANGED, f"{ANOTHER} By now it cannot be tested: {check.reason}"
        return check.health, check.reason
    if found.uid != (cluster.identity_uid or found.uid):
        return Health.IDENTITY_CHANGED, ANOTHER
    if found.ca_fingerprint != cluster.ca_fingerprint:
        return Health.IDENTITY_CHANGED, ANOTHER_CA
    if cluster.failures >= THRESHOLD:
        reason = f"It answers, but reading it failed {cluster.failures} times in a row: {cluster.last_failure}"
        return Health.DEGRADED, f"{reason} {check.reason}".strip()
    return check.health, check.reason


def _tested(cluster: Cluster) -> Check:
    """What the cluster says; a failure counts for its breaker."""
    try:
        inspector = inspector_for(cluster, "reader")
        began = time.monotonic()
        found = inspector.version()
        latency = round((time.monotonic() - began) * 1000)
        identity = inspector.identity()
        access = _access(cluster, inspector)
    except CredentialRejectedError as error:
        return Check(Health.CREDENTIAL_REJECTED, error.message)
    except ClusterError as error:
        note_failure(cluster.pk, error)
        return Check(Health.UNREACHABLE, error.message)
    except RefusedError as error:
        note_failure(cluster.pk, error)
        return Check(Health.UNREACHABLE, str(error))
    reason = missing_words(cluster.access if access is None else access)
    health = Health.DEGRADED if reason else Health.HEALTHY
    return Check(health, reason, identity, found.git_version, latency, access)


def _access(cluster: Cluster, inspector: Inspector) -> tuple[Row, ...] | None:
    """What the credentials may do, every ten minutes; None in between."""
    if cluster.access_checked_at is not None and now() - cluster.access_checked_at <= ACCESS_STEP:
        return None
    served, namespaces = inspector.served(), cluster.read_namespaces
    return (*access_rows(inspector, "reader", served, namespaces), *_writer_access(cluster, served, namespaces))


def _writer_access(cluster: Cluster, served: Served, namespaces: tuple[str, ...]) -> Iterator[Row]:
    """Of the writer, where there is one; while MeshUI only observes, what it lacks is no fault."""
    if not Credential.objects.filter(cluster=cluster, role="writer").exists():
        return
    try:
        rows = access_rows(inspector_for(cluster, "writer"), "writer", served, namespaces)
    except (CredentialRejectedError, RefusedError) as error:  # reading goes on: it has a credential of its own
        rows = rejected_rows("writer", str(error))
    for row in rows:
        is_idle = cluster.is_observe_only and row["state"] in {"denied", "rejected"}
        yield row | ({"state": "idle", "why": ""} if is_idle else {})
