"""What the split form stands on: the route as it is, where else it is the same, and what a proposal would write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext

from meshes.adapters.registry import adapter_for
from meshui.lib.errors import MissingError
from traffic import selectors
from traffic.checks.route import check_same_shape, check_something_moves, check_zero_backend_gets_requests
from traffic.diff import neutral_diff
from traffic.views.targets import shown_yaml

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from uuid import UUID

    from accounts.models import User
    from meshes.models import Route as StoredRoute
    from meshes.types import Finding, Route
    from traffic.diff import RuleDiff


EVERYWHERE = "all"


@dataclass(frozen=True, slots=True)
class Chip:
    """A cluster that may be chosen; `why_not` says why it cannot."""

    route: StoredRoute
    is_checked: bool
    why_not: str = ""

    @property
    def value(self) -> str:
        """What the checkbox posts."""
        return str(self.route.pk)


@dataclass(frozen=True, slots=True)
class TargetPreview:
    """What would be written to one cluster, from what was last read of it."""

    cluster: str
    mesh_kind: str
    ref: str
    rules: tuple[RuleDiff, ...]
    findings: tuple[Finding, ...]
    before: str
    after: str
    losses: tuple[str, ...]
    quantisation_error_bp: int


@dataclass(frozen=True, slots=True)
class Workbench:
    """One route to be split, and its likes."""

    main: StoredRoute
    base: Route
    routes: tuple[StoredRoute, ...]
    siblings: tuple[StoredRoute, ...]
    allowed: frozenset[UUID]

    def chips(self, checked: Collection[str]) -> list[Chip]:
        """Every cluster that has the service, the chosen ones ticked."""
        return [Chip(route, str(route.pk) in checked, self._why_not(route)) for route in self.routes]

    def choices(self) -> list[tuple[str, str]]:
        """What the form takes."""
        return [(chip.value, chip.route.cluster.slug) for chip in self.chips(()) if not chip.why_not]

    @property
    def is_allowed(self) -> bool:
        """Whether the reader may propose a change of the main route."""
        return self.main.pk in self.allowed

    def preview(self, desired: Route, chosen: Collection[str]) -> list[TargetPreview]:
        """What each chosen cluster would get."""
        return [_preview(route, desired) for route in self.routes if str(route.pk) in chosen]

    def _why_not(self, route: StoredRoute) -> str:
        if route.cluster.is_observe_only:
            return gettext("MeshUI only observes this cluster.")
        if route.pk not in self.allowed:
            return gettext("No grant of yours lets you propose changes there.")
        live = route.route
        if live is None:
            return gettext("MeshUI has no words for a part of this route.")
        return next((f.message for f in check_same_shape(self.base, live, target=route.cluster.slug)), "")


def workbench_of(user: User, namespace: str, service: str, *, scope: str, route: str = "") -> Workbench | None:
    """The bench of the route of `service` in the cluster `scope` (`all`: anywhere); None where there is none to split.

    `route` picks one of several. Raises MissingError if `user` sees no such service or route there.
    """
    routes = tuple(selectors.list_routes_of(user, namespace, service))
    siblings = tuple(r for r in routes if scope in {r.cluster.slug, EVERYWHERE} and r.route is not None)
    if not siblings:
        if not selectors.has_service(user, "" if scope == EVERYWHERE else scope, namespace, service):
            raise MissingError(gettext("There is no such service."))
        return None
    main = next((r for r in siblings if not route or str(r.pk) == route), None)
    if main is None:
        raise MissingError(gettext("This route is no longer there."), mend=gettext("Open the service again."))
    return _bench(user, main, routes, siblings)


def workbench_for(user: User, main: StoredRoute) -> Workbench:
    """The bench of this very route. Raises MissingError if the model has no words for it any more."""
    routes = tuple(selectors.list_routes_of(user, main.root_namespace, main.root_service))
    return _bench(user, main, routes, (main,))


def _bench(
    user: User, main: StoredRoute, routes: Sequence[StoredRoute], siblings: tuple[StoredRoute, ...]
) -> Workbench:
    base = main.route
    if base is None:
        raise MissingError(gettext("This route can no longer be read."))
    likes = tuple(r for r in routes if r.pk == main.pk or r.cluster_id != main.cluster_id)
    allowed = selectors.proposable(user, [r.pk for r in likes])
    return Workbench(main, base, likes, siblings, allowed)


def _preview(route: StoredRoute, desired: Route) -> TargetPreview:
    live, where = route.live, route.cluster.slug
    if live is None:
        raise MissingError(gettext("This route can no longer be read."))
    adapter = adapter_for(route.mesh_kind)
    rendered = adapter.render(desired, live)
    after = rendered.objects[0].body if rendered.objects else live.body
    return TargetPreview(
        cluster=where,
        mesh_kind=route.mesh_kind,
        ref=str(route),
        rules=neutral_diff(live.route, desired),
        findings=tuple(_findings(desired, live.route, where)),
        before=shown_yaml(live.body),
        after=shown_yaml(after),
        losses=tuple(f"{loss.path}: {loss.reason}" for loss in rendered.losses),
        quantisation_error_bp=rendered.quantisation_error_bp,
    )


def _findings(desired: Route, live: Route, where: str) -> Iterator[Finding]:
    yield from check_same_shape(desired, live, target=where)
    yield from check_something_moves(desired, live, target=where)
    yield from check_zero_backend_gets_requests(desired, live, target=where)
