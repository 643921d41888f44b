"""Finds the places of a service: its routes over clusters and meshes, and the clusters where a split could start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from django.utils.translation import gettext

from meshes.alignment import Side, versions_of
from meshes.selectors.members import members_of
from meshes.types import Root, Route
from meshui.lib import rights
from meshui.lib.errors import MissingError
from meshui.lib.rights import Place
from traffic import edits, selectors
from traffic.edits import Refusal
from traffic.views.versions import WITH_SUBSETS, backends_found, port_for
from traffic.views.workbench import EVERYWHERE, Spot, Workbench

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from uuid import UUID

    from accounts.models import User
    from clusters.models import Cluster
    from meshes.models import Route as StoredRoute
    from meshes.models import Service
    from meshes.selectors.members import Member
    from meshui.lib.jsontypes import JsonObject
    from traffic.models import Change, ChangeTarget
    from traffic.selectors import Beside


@dataclass(frozen=True, slots=True)
class Asked:
    """What of a service the form is about: a place by its value (empty: the first), and versions to begin with."""

    namespace: str
    service: str
    scope: str = EVERYWHERE
    value: str = ""
    begin: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AskedOfChange:
    """What the edit of a change is about: its main place, its wish, and the values of all its places."""

    at: Asked
    desired: Route
    values: tuple[str, ...]
    is_end: bool


def asked_of_change(change: Change) -> AskedOfChange:
    """The main place is the first that takes the wish as it is. Raises MissingError where the change has no revision."""
    targets, revision = list(change.targets.all()), change.current_revision
    if revision is None or not targets:
        raise MissingError(gettext("This change wants nothing yet."), mend=gettext("Propose a new one."))
    wish = (None, revision.desired)
    own = {entry["cluster"] for entry in revision.targets if entry.get("desired") not in wish}
    main = next((target for target in targets if str(target.cluster_id) not in own), targets[0])
    desired = revision.route
    return AskedOfChange(
        at=Asked(desired.root.namespace, desired.root.service, main.cluster.slug, _value_of(main)),
        desired=desired,
        values=tuple(_value_of(target) for target in targets),
        is_end=all(target.action == "end" for target in targets),
    )


def _value_of(target: ChangeTarget) -> str:
    return str(target.route_id) if target.route_id else f"start.{target.cluster.slug}"


def workbench_of(user: User, asked: Asked, *, base: Route | None = None) -> Workbench:
    """The bench of a service. Raises MissingError if `user` sees no such service, or no such place of it.

    `base`: what the form begins with instead of the route as it is (the wish of a change that is edited).
    """
    found = members_of(user, asked.namespace, asked.service, scope=asked.scope)
    members = [*found.here, *found.beyond]
    if not any(member.routes or not member.is_gone for member in found.here):
        raise MissingError(gettext("There is no such service."))
    beside = selectors.beside(
        user,
        [(member.cluster.pk, member.namespace, member.name) for member in members],
        starts={member.cluster.pk for member in members if not member.routes},
    )
    spots = tuple(spot for member in members for spot in _spots(member, beside))
    here = {member.cluster.pk for member in found.here}
    siblings = tuple(spot for spot in spots if spot.cluster.pk in here)
    main = _main(siblings, asked.value)
    return Workbench(
        namespace=main.root.namespace,
        service=main.root.service,
        main=main,
        base=base or _base(main, asked.begin),
        spots=tuple(spot for spot in spots if spot == main or spot.cluster.pk != main.cluster.pk),
        siblings=siblings,
        allowed=_allowed(user, spots),
    )


def _main(siblings: Sequence[Spot], value: str) -> Spot:
    """The place that was asked for, else the first that has a readable route, else the first."""
    if value:
        wanted = next((spot for spot in siblings if spot.value == value), None)
    else:
        wanted = next((spot for spot in siblings if spot.live), next(iter(siblings), None))
    if wanted is None:
        raise MissingError(gettext("This route is no longer there."), mend=gettext("Open the service again."))
    return wanted


def _base(main: Spot, begin: Sequence[str]) -> Route | None:
    """The route as it is; where there is none, the one that the chosen versions begin with."""
    if main.row is not None or main.side is None:
        return main.live
    chosen = [main.side.extras[version] for version in begin if version in main.side.extras]
    started = edits.start(main.root, chosen, protocol=_http(main.side.route))
    return None if isinstance(started, Refusal) else started


def _http(route: Route) -> Literal["http", "grpc"]:
    return "grpc" if route.protocol == "grpc" else "http"


def _spots(member: Member, beside: Beside) -> Iterable[Spot]:
    """Its routes; where there is none, the place where one could start."""
    services = beside.services_in(member.cluster.pk, member.namespace)
    if member.routes:
        return [_route_spot(route, member, services, beside) for route in member.routes]
    return [] if member.is_gone or member.service is None else [_start_spot(member, member.service, services, beside)]


def _route_spot(row: StoredRoute, member: Member, services: Sequence[Service], beside: Beside) -> Spot:
    route = row.route
    selectors_of = {(service.namespace, service.name): service.selector for service in services}
    side = None
    if route is not None:
        found = versions_of(route, selectors=selectors_of, corrected=beside.corrected(member.cluster.pk))
        by_service = any(item.backend.kind == "service" for rule in route.rules for item in rule.backends)
        workloads = beside.workloads_in(member.cluster.pk, member.namespace)
        extras = backends_found(route.root, row.mesh_kind, services, workloads, by_service=by_service)
        side = Side(route, {key: version.version for key, version in found.items()}, extras)
    problem = "" if route is not None else gettext("MeshUI has no words for a part of this route.")
    root = route.root if route else Root(row.root_service, row.root_namespace)
    return Spot(
        cluster=row.cluster,
        mesh_kind=row.mesh_kind,
        root=root,
        row=row,
        side=side,
        services=_bodies(services),
        served=beside.served.get(member.cluster.pk, frozenset()),
        problem=problem,
    )


def _start_spot(member: Member, service: Service, services: Sequence[Service], beside: Beside) -> Spot:
    cluster: Cluster = member.cluster
    kind, problem = _mesh_of(beside.meshes.get(cluster.pk, ()), beside.injected.get((cluster.pk, member.namespace), ""))
    port = None if kind in WITH_SUBSETS else port_for(service.ports, None)
    root = Root(member.name, member.namespace, port=port)
    workloads = beside.workloads_in(cluster.pk, member.namespace)
    extras = backends_found(root, kind, services, workloads) if kind else {}
    is_grpc = any(str(each.get("name") or "").startswith("grpc") for each in service.ports[:1])
    if kind and len(extras) < 2:
        problem = gettext("Only one version of it was found there: a split needs two.")
    return Spot(
        cluster=cluster,
        mesh_kind=kind,
        root=root,
        row=None,
        side=Side(Route(root, (), protocol="grpc" if is_grpc else "http"), {}, extras),
        services=_bodies(services),
        served=beside.served.get(cluster.pk, frozenset()),
        problem=problem,
    )


def _mesh_of(kinds: Sequence[str], injected_by: str) -> tuple[str, str]:
    """The mesh that would hold a split of this namespace, or why that cannot be said."""
    if injected_by:
        return injected_by, ""
    if len(set(kinds)) == 1:
        return kinds[0], ""
    if kinds:
        return "", gettext("Several meshes are there, and none gives a proxy to this namespace.")
    return "", gettext("No mesh was found there.")


def _bodies(services: Iterable[Service]) -> Mapping[tuple[str, str], JsonObject]:
    """The Services as far as they are stored, in the shape that adapters read."""
    return {
        (row.namespace, row.name): {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"namespace": row.namespace, "name": row.name},
            "spec": {"ports": row.ports, "selector": row.selector},
        }
        for row in services
    }


def _allowed(user: User, spots: Sequence[Spot]) -> frozenset[str]:
    """The places where `user` may propose changes: asked for all at once, and one by one only if that is not so."""
    if rights.may(user, "change.propose", [_place(spot) for spot in spots]):
        return frozenset(spot.value for spot in spots)
    rows: list[UUID] = [spot.row.pk for spot in spots if spot.row]
    routes = {str(pk) for pk in selectors.proposable(user, rows)}
    starts = {spot.value for spot in spots if spot.row is None and rights.may(user, "change.propose", [_place(spot)])}
    return frozenset(routes | starts)


def _place(spot: Spot) -> Place:
    return Place(
        environment=spot.cluster.environment,
        mesh=spot.mesh_kind,
        cluster=spot.cluster.slug,
        namespace=spot.row.namespace if spot.row else spot.root.namespace,
        service=spot.root.service,
    )
