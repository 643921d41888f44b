"""Clusters come and go: added, added again after they were removed, removed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from audit.services import about, record, verb
from audit.types import About
from clusters.certificates import fingerprint
from clusters.clients import NotSentError
from clusters.connect import forget, policy
from clusters.endpoints import parse_endpoint, resolve
from clusters.models import DNS_LABEL, Cluster, Credential, Health
from clusters.removal import objections, say_farewell
from clusters.services.credentials import store_credential
from clusters.services.gate import managed
from meshui.lib.clock import db_now, read_db_now
from meshui.lib.errors import DeniedError, GoneError, InvalidError, RefusedError
from meshui.lib.queue import enqueue
from meshui.lib.rights import Place, has, may

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from audit.types import Actor
    from clusters.kubeconfig import ParsedKubeconfig

MAX_NAMESPACES: Final = 50
RESERVED: Final = frozenset({"add", "rights"})
"""Short names that would stand where a page has its URL."""


@dataclass(frozen=True, slots=True)
class NewCluster:
    """A cluster to add: names, where it belongs, what opens it. `writes`: the same credential also writes.

    `namespaces`: those that the credential may read; empty: all.
    """

    name: str
    slug: str
    environment: str
    kubeconfig: ParsedKubeconfig
    writes: bool = False
    namespaces: tuple[str, ...] = ()


def require_callable(*, actor: Actor, kubeconfig: ParsedKubeconfig, slug: str = "") -> None:
    """The server's address passes the guard, now. Resolves a name: call it before the verb, never inside a transaction.

    For whoever may not bring credentials nothing is resolved: the verb refuses them. A refusal is recorded as denied,
    about the cluster called `slug`. Raises EndpointRefusedError, InvalidError (the name is not known).
    """
    if not (has(actor, "cluster.manage") or has(actor, "cluster.credential")):
        return
    try:
        endpoint = parse_endpoint(kubeconfig.server, tls_name=kubeconfig.tls_name)
        resolve(endpoint, policy(in_cluster=kubeconfig.is_in_cluster))
    except RefusedError as refusal:
        _record_refused_address(actor=actor, slug=slug, refusal=refusal)
    except NotSentError as error:
        raise InvalidError(error.message, mend="Check the server's name, and that MeshUI's DNS knows it.") from error


@verb("clusters.address.refused")
def _record_refused_address(*, actor: Actor, slug: str, refusal: RefusedError) -> None:
    """Raise `refusal`, as every verb that refuses does: so it is recorded as denied."""
    about(About(kind="cluster", id="", name=slug[:63]))
    raise refusal


@verb("clusters.cluster.added")
def add_cluster(*, actor: Actor, new: NewCluster) -> Cluster:
    """A cluster with its reader (and, if ticked, the same as writer); it is checked and read as soon as this commits.

    A short name whose cluster was removed brings that one back, with its history; if another cluster answers now, its
    identity has to be adopted first. Raises DeniedError (needs cluster.manage there), InvalidError (a bad or taken
    short name, bad namespaces), EndpointRefusedError.
    """
    about(About(kind="cluster", id="", name=new.slug[:63]))
    place = Place(environment=new.environment, cluster=new.slug)
    if not may(actor, "cluster.manage", [place]):
        raise DeniedError("You may not add clusters there.", mend="Ask an Access admin for the Cluster admin role.")
    _require_names(new)
    parse_endpoint(new.kubeconfig.server, tls_name=new.kubeconfig.tls_name)
    cluster, is_back = _new_row(actor, new)
    for role in ("reader", "writer") if new.writes else ("reader",):
        store_credential(cluster, role, new.kubeconfig, actor)
    record(
        "clusters.cluster.added",
        actor=actor,
        target=cluster,
        server=cluster.server,
        kind=new.kubeconfig.kind,
        writes=not cluster.is_observe_only,
        tls_skipped=cluster.is_tls_unverified,
        namespaces=list(new.namespaces) or None,
        came_back=is_back or None,
    )
    enqueue("clusters.tasks.check_cluster", cluster.pk)
    return cluster


def _require_names(new: NewCluster) -> None:
    for value, what in ((new.slug, "short name"), (new.environment, "environment")):
        try:
            DNS_LABEL(value)
        except ValidationError as error:
            raise InvalidError(f"The {what} is not one.", mend=str(error.message)) from error
    require_namespaces(new.namespaces)
    if new.slug in RESERVED or Cluster.objects.filter(slug=new.slug).exists():
        raise _taken(new.slug)


def require_namespaces(namespaces: Sequence[str]) -> None:
    """They are names of namespaces, not too many. Raises InvalidError."""
    if len(namespaces) > MAX_NAMESPACES:
        mend = "Give it a credential that reads the whole cluster."
        raise InvalidError(f"More than {MAX_NAMESPACES} namespaces cannot be read one by one.", mend=mend)
    for name in namespaces:
        try:
            DNS_LABEL(name)
        except ValidationError as error:
            raise InvalidError(f"“{name[:63]}” is not the name of a namespace.", mend=str(error.message)) from error


def _taken(slug: str) -> InvalidError:
    return InvalidError(f"The short name {slug} is taken.", mend="Choose another one.")


def _new_row(actor: Actor, new: NewCluster) -> tuple[Cluster, bool]:
    """The row, and whether it is one that had been removed. Raises InvalidError."""
    moment = read_db_now()
    is_unverified = new.kubeconfig.skips_tls_verification
    values: dict[str, Any] = {
        "name": new.name,
        "environment": new.environment,
        "server": new.kubeconfig.server,
        "tls_name": new.kubeconfig.tls_name,
        "is_observe_only": not new.writes or is_unverified,
        "is_tls_unverified": is_unverified,
        "only_namespaces": sorted(set(new.namespaces)),
        "next_check_at": moment,
    }
    removed = Cluster.everything.select_for_update().filter(slug=new.slug, removed_at__isnull=False).first()
    if removed is not None:
        return _brought_back(actor, removed, values), True
    values |= {"slug": new.slug, "ca_fingerprint": fingerprint(new.kubeconfig.ca_pem), "created_at": moment}
    try:
        with transaction.atomic():
            return Cluster.objects.create(**values), False
    except IntegrityError as error:  # somebody else took it in this very moment
        raise _taken(new.slug) from error


def _brought_back(actor: Actor, removed: Cluster, values: dict[str, Any]) -> Cluster:
    """It keeps whose identity it had, so that its open history cannot be continued on another cluster unseen."""
    if not may(actor, "cluster.manage", [removed.place]):
        raise _taken(removed.slug)
    values |= {
        "removed_at": None,
        "health": Health.UNKNOWN,
        "health_reason": "",
        "access": [],
        "access_checked_at": None,
    }
    Cluster.everything.filter(pk=removed.pk).update(**values)
    return Cluster.objects.get(pk=removed.pk)


@verb("clusters.cluster.removed")
def remove_cluster(*, actor: Actor, cluster_id: UUID, reason: str) -> Cluster:
    """MeshUI forgets the cluster: its credentials go at once, nothing reads, tests or lists it; its history stays.

    Nothing is changed in the cluster itself. Raises MissingError, DeniedError (needs cluster.manage), InvalidError (no
    reason), GoneError (an open change targets it).
    """
    cluster = managed(actor, cluster_id, "cluster.manage")
    reason = required_reason(reason)
    if why := objections(cluster):
        mend = "End or cancel what is open there, then remove it."
        raise GoneError(f"{cluster.slug} cannot be removed now: {' '.join(why)}", mend=mend)
    Credential.objects.filter(cluster=cluster).delete()
    say_farewell(cluster)
    silent = {"next_check_at": None, "next_sync_at": None, "next_try_at": None, "failures": 0, "last_failure": ""}
    gone = {"removed_at": db_now(), "is_observe_only": True, "access": [], "access_checked_at": None}
    Cluster.objects.filter(pk=cluster.pk).update(**silent, **gone)
    record("clusters.cluster.removed", actor=actor, target=cluster, reason=reason, server=cluster.server)
    transaction.on_commit(lambda: forget(cluster.pk))
    return cluster


@verb("clusters.namespaces.set")
def set_namespaces(*, actor: Actor, cluster_id: UUID, namespaces: Sequence[str]) -> Cluster:
    """Read only these namespaces from now on; none: the whole cluster. What lies elsewhere is gone when it is read.

    Raises MissingError, DeniedError (needs cluster.manage), InvalidError.
    """
    cluster = managed(actor, cluster_id, "cluster.manage")
    require_namespaces(namespaces)
    chosen = sorted(set(namespaces))
    due = db_now()
    Cluster.objects.filter(pk=cluster.pk).update(
        only_namespaces=chosen, access_checked_at=None, next_check_at=due, next_sync_at=due
    )
    before = list(cluster.read_namespaces)
    record("clusters.namespaces.set", actor=actor, target=cluster, before=before, after=chosen)
    enqueue("clusters.tasks.check_cluster", cluster.pk)
    return cluster


def required_reason(reason: str) -> str:
    """The reason, without space around it. Raises InvalidError where there is none."""
    if not reason.strip():
        raise InvalidError("Say why: the reason stands in the history.", mend="Write one sentence.")
    return reason.strip()[:4000]
