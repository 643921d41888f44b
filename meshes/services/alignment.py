"""Verbs of people who know better: which version a backend is, and which services of clusters are one service.

Everything is said of one service of one cluster, by its own name there, with a reason, and stands until taken back.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef

from audit.services import about, record, verb
from audit.types import About, Evidence, FieldDiff, TargetRef
from clusters.models import Cluster
from meshes.alignment import versions_of
from meshes.models import BackendVersion, Route, Service, ServiceLink
from meshui.lib.clock import read_db_now
from meshui.lib.errors import DeniedError, InvalidError, MissingError
from meshui.lib.rights import Place, may

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from django.db.models import QuerySet

    from audit.types import Actor
    from meshes.types import Backend
    from meshes.types import Route as NeutralRoute

CORRECT: Final = "service.correct"
MAX_REASON: Final = 500
VERSION: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class ServiceAt:
    """A service of one cluster by its own name there, whether or not a Service object stands behind it."""

    cluster_id: UUID
    namespace: str
    name: str


@verb("meshes.version.corrected")
def correct_version(*, actor: Actor, at: ServiceAt, backend_key: str, version: str, reason: str) -> BackendVersion:
    """The backend is `version` from now on, whatever labels, selectors and names say.

    Raises MissingError, DeniedError (needs service.correct there), InvalidError (no version, no reason, no route there
    has the backend, or another backend of its rule is that version).
    """
    cluster = _allowed(actor, at)
    why = _reason(reason)
    if not VERSION.fullmatch(version):
        text = "A version is at most 63 letters, digits, dots, hyphens and underscores."
        raise InvalidError(text, mend="Write it as the label `version` would have it, for example v2.")
    _require_apart(cluster, at, backend_key, version)
    rows = BackendVersion.objects.filter(cluster=cluster, namespace=at.namespace, service=at.name)
    before = rows.filter(backend_key=backend_key).first()
    row, _ = BackendVersion.objects.update_or_create(
        cluster=cluster,
        namespace=at.namespace,
        service=at.name,
        backend_key=backend_key,
        defaults={
            "version": version,
            "reason": why,
            "corrected_at": read_db_now(),
            "corrected_by_name": actor.name,
        },
    )
    diff = FieldDiff(f"version of {backend_key}", before.version if before else "", version)
    record("meshes.version.corrected", actor=actor, reason=why, evidence=Evidence(diff=(diff,)))
    return row


@verb("meshes.version.cleared")
def clear_correction(*, actor: Actor, at: ServiceAt, backend_key: str) -> None:
    """The backend is again the version that its labels, selector or name say. Raises MissingError, DeniedError."""
    cluster = _allowed(actor, at)
    rows = BackendVersion.objects.filter(
        cluster=cluster, namespace=at.namespace, service=at.name, backend_key=backend_key
    )
    found = rows.first()
    if found is None:
        raise MissingError("The version of this backend is not corrected.", mend="Open the service again.")
    rows.delete()
    diff = FieldDiff(f"version of {backend_key}", found.version, "")
    record("meshes.version.cleared", actor=actor, evidence=Evidence(diff=(diff,)))


@verb("meshes.service.linked")
def link_service(*, actor: Actor, at: ServiceAt, to_namespace: str, to_name: str, reason: str) -> ServiceLink:
    """Show the service in the row of another name, as the same service in another cluster.

    Raises MissingError, DeniedError (needs service.correct under both names), InvalidError (nothing of that name
    anywhere, the same name, or that row has a service of this cluster already).
    """
    to = ServiceAt(at.cluster_id, to_namespace, to_name)
    cluster = _allowed(actor, at, to)
    why = _reason(reason)
    _require_target(cluster, at, to)
    row = _keep_link(cluster, at, to, actor, why)
    diff = FieldDiff("shown as", f"{at.namespace}/{at.name}", f"{to_namespace}/{to_name}")
    record("meshes.service.linked", actor=actor, reason=why, evidence=Evidence(diff=(diff,)))
    return row


@verb("meshes.service.unlinked")
def unlink_service(*, actor: Actor, at: ServiceAt) -> None:
    """Show it under its own name again. Raises MissingError, DeniedError."""
    link = _taken_back(_allowed(actor, at), at, is_apart=False)
    diff = FieldDiff("shown as", f"{link.to_namespace}/{link.to_name}", f"{at.namespace}/{at.name}")
    record("meshes.service.unlinked", actor=actor, evidence=Evidence(diff=(diff,)))


@verb("meshes.service.excluded")
def exclude_cluster(*, actor: Actor, at: ServiceAt, reason: str) -> ServiceLink:
    """It is not the same service as those of its name in other clusters: it has a row of its own.

    Raises MissingError, DeniedError (needs service.correct there), InvalidError (no reason).
    """
    cluster = _allowed(actor, at)
    why = _reason(reason)
    row = _keep_link(cluster, at, None, actor, why)
    record("meshes.service.excluded", actor=actor, reason=why)
    return row


@verb("meshes.service.included")
def include_cluster(*, actor: Actor, at: ServiceAt) -> None:
    """It is the same service as those of its name again. Raises MissingError, DeniedError."""
    _taken_back(_allowed(actor, at), at, is_apart=True)
    record("meshes.service.included", actor=actor)


def _allowed(actor: Actor, at: ServiceAt, *more: ServiceAt) -> Cluster:
    """The cluster, if the actor may correct there; says what the verb is about. Unknown and unseen are the same."""
    cluster = Cluster.objects.filter(pk=at.cluster_id).first()
    if cluster is None or not _is_known(cluster, at):
        raise MissingError("There is no such service.", mend="Open the list of services.")
    name = f"{at.namespace}/{at.name}"
    where = TargetRef(cluster_id=str(cluster.pk), cluster=cluster.slug, env=cluster.environment)
    about(About(kind="service", id=f"{cluster.slug}/{name}", name=name, targets=(where,)))
    if not may(actor, "inventory.read", [_place(cluster, at)]):
        raise MissingError("There is no such service.", mend="Open the list of services.")
    if not may(actor, CORRECT, [_place(cluster, one) for one in (at, *more)]):
        text = f"You may not correct {name} in {cluster.slug}."
        raise DeniedError(text, mend="Ask an Access admin for the Author role there.")
    return cluster


def _place(cluster: Cluster, at: ServiceAt) -> Place:
    return Place(environment=cluster.environment, cluster=cluster.slug, namespace=at.namespace, service=at.name)


def _is_known(cluster: Cluster, at: ServiceAt) -> bool:
    """Whether there is a Service of that name, or a route for it, or was when something was said of it."""
    return (
        Service.objects.filter(cluster=cluster, namespace=at.namespace, name=at.name).exists()
        or _routes(at).exists()
        or ServiceLink.objects.filter(cluster=cluster, namespace=at.namespace, name=at.name).exists()
    )


def _routes(at: ServiceAt) -> QuerySet[Route]:
    return Route.objects.filter(
        cluster_id=at.cluster_id, root_namespace=at.namespace, root_service=at.name, gone_at__isnull=True
    )


def _reason(reason: str) -> str:
    why = reason.strip()
    if not why:
        raise InvalidError("Say why.", mend="Others read it beside what you corrected, and history keeps it.")
    if len(why) > MAX_REASON:
        raise InvalidError(f"The reason has more than {MAX_REASON} characters.", mend="Shorten it.")
    return why


def _require_apart(cluster: Cluster, at: ServiceAt, backend_key: str, version: str) -> None:
    """The backend is one of a route there, and stays told apart from the others of its rules."""
    routes = [route for row in _routes(at) if (route := row.route) is not None and _has(route, backend_key)]
    if not routes:
        text = f"No route of {at.namespace}/{at.name} in {cluster.slug} has the backend {backend_key}."
        raise InvalidError(text, mend="Open the service again: its route may have changed.")
    said = BackendVersion.objects.filter(cluster=cluster, namespace=at.namespace, service=at.name)
    corrected = dict(said.values_list("backend_key", "version")) | {backend_key: version}
    selectors = {
        (namespace, name): dict(selector or {})
        for namespace, name, selector in Service.objects.filter(
            cluster=cluster, gone_at__isnull=True, name__in={b.service for route in routes for b in _backends(route)}
        ).values_list("namespace", "name", "selector")
    }
    for route in routes:
        if versions_of(route, selectors=selectors, corrected=corrected)[backend_key].source == "key":
            text = f"Another backend of the same rule in {cluster.slug} is version {version}."
            raise InvalidError(text, mend="Correct that one first, or choose another version.")


def _has(route: NeutralRoute, key: str) -> bool:
    return any(backend.key == key for backend in _backends(route))


def _backends(route: NeutralRoute) -> Iterator[Backend]:
    return (item.backend for rule in route.rules for item in rule.backends)


def _require_target(cluster: Cluster, at: ServiceAt, to: ServiceAt) -> None:
    """There is a row to be shown in, and no service of this cluster stands in it."""
    name = f"{to.namespace}/{to.name}"
    if (at.namespace, at.name) == (to.namespace, to.name):
        raise InvalidError("That is its own name.", mend="Give the name of the service that it is one with.")
    said = ServiceLink.objects.filter(
        cluster=OuterRef("cluster"), namespace=OuterRef("namespace"), name=OuterRef("name")
    )
    live = Service.objects.filter(~Exists(said), namespace=to.namespace, name=to.name, gone_at__isnull=True)
    if not live.exclude(cluster=cluster).exists():
        raise InvalidError(f"No other cluster has a service {name}.", mend="Check the namespace and the name.")
    if live.filter(cluster=cluster).exists():
        text = f"{cluster.slug} has a service {name} of its own, which stands in that row."
        raise InvalidError(text, mend=f"If that is another service, say first that {name} of {cluster.slug} is not it.")
    if ServiceLink.objects.filter(cluster=cluster, namespace=at.namespace, name=at.name).exists():
        raise InvalidError("Something was already said of this service.", mend="Take that back first.")


def _keep_link(cluster: Cluster, at: ServiceAt, to: ServiceAt | None, actor: Actor, why: str) -> ServiceLink:
    """The row. Raises InvalidError where something was said already, of it or of another one for that name."""
    try:
        with transaction.atomic():
            return ServiceLink.objects.create(
                cluster=cluster,
                namespace=at.namespace,
                name=at.name,
                to_namespace=to.namespace if to else "",
                to_name=to.name if to else "",
                reason=why,
                linked_at=read_db_now(),
                linked_by_name=actor.name,
            )
    except IntegrityError as error:
        text = f"Something was already said of {at.namespace}/{at.name} in {cluster.slug}, or of that row there."
        raise InvalidError(text, mend="Open the service again and take that back first.") from error


def _taken_back(cluster: Cluster, at: ServiceAt, *, is_apart: bool) -> ServiceLink:
    """What was said of the service, which is no longer so."""
    rows = ServiceLink.objects.filter(cluster=cluster, namespace=at.namespace, name=at.name)
    found = rows.first()
    if found is None or found.is_apart != is_apart:
        raise MissingError("Nothing like that was said of this service.", mend="Open the service again.")
    rows.delete()
    return found
