"""Finds the places of a service: its routes over clusters and meshes, and the clusters where a split could start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from django.utils.translation import gettext

from meshes.alignment import Side, versions_of
from meshes.selectors.corrections import corrections_at, versions_said
from meshes.selectors.members import members_of
from meshes.selectors.spare import Spare
from meshes.types import Root, Route
from meshui.lib import rights
from meshui.lib.errors import MissingError
from meshui.lib.rights import Place
from traffic import around, edits, selectors
from traffic.edits import Refusal
from traffic.workbench import EVERYWHERE, Spot, Workbench

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from accounts.models import User
    from clusters.models import Cluster
    from meshes.models import Route as StoredRoute
    from meshes.models import Service
    from meshes.selectors.members import Member
    from traffic.models import Change, ChangeTarget


MIN_SIDES: Final = 2


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
    """The main place is the first that takes the wish as it is. Raises MissingError without a revision."""
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
    near = _Near(user, members)
    spots = tuple(spot for member in members for spot in _spots(member, near))
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


def _spots(member: Member, near: _Near) -> Iterable[Spot]:
    """Its routes; where there is none, the place where one could start."""
    if member.routes:
        return [_route_spot(row, member, near) for row in member.routes]
    return [] if member.is_gone or member.service is None else [_start_spot(member, member.service, near)]


def _route_spot(row: StoredRoute, member: Member, near: _Near) -> Spot:
    route = row.route
    if route is None:
        root = Root(row.root_service, row.root_namespace)
        return Spot(
            row.cluster, row.mesh_kind, root, row, None, gettext("MeshUI has no words for a part of this route.")
        )
    corrected = near.corrected(member)
    found = versions_of(route, selectors=near.spare.selectors(member.cluster), corrected=corrected)
    versions = {key: version.version for key, version in found.items()}
    extras = near.spare.beside(member, row, versions.values())
    return Spot(row.cluster, row.mesh_kind, route.root, row, Side(route, versions, extras))


def _start_spot(member: Member, service: Service, near: _Near) -> Spot:
    cluster: Cluster = member.cluster
    kind, problem = near.mesh_of(member)
    extras = near.spare.to_start(member, kind) if kind else {}
    ports = [backend.port for backend in extras.values() if backend.kind == "service"]
    root = Root(member.name, member.namespace, port=next(iter(ports), None))
    if kind and len(extras) < MIN_SIDES:
        problem = gettext("Only one version of it was found there: a split needs two.")
    is_grpc = any(str(each.get("name") or "").startswith("grpc") for each in service.ports[:1])
    route = Route(root, (), protocol="grpc" if is_grpc else "http")
    return Spot(cluster, kind, root, None, Side(route, {}, extras), problem)


class _Near:
    """What stands near the members. Five queries when made; two more where a split could start."""

    def __init__(self, user: User, members: Sequence[Member]) -> None:
        self.spare = Spare(user, members)
        self._said = corrections_at({(m.cluster.pk, m.namespace, m.name) for m in members})
        self._meshes = around.meshes_in({m.cluster.pk for m in members if not m.routes})

    def corrected(self, member: Member) -> dict[str, str]:
        """The versions that people said, by key of the backend."""
        return versions_said(self._said.get((member.cluster.pk, member.namespace, member.name), {}))

    def mesh_of(self, member: Member) -> tuple[str, str]:
        """The mesh that would hold a split of this service, or why that cannot be said."""
        kinds = self._meshes.kinds.get(member.cluster.pk, ())
        injected_by = self._meshes.injected.get((member.cluster.pk, member.namespace), "")
        if injected_by or len(set(kinds)) == 1:
            return injected_by or kinds[0], ""
        if kinds:
            return "", gettext("Several meshes are there, and none gives a proxy to this namespace.")
        return "", gettext("No mesh was found there.")


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
