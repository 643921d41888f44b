"""What the split form stands on: the places of the service, what a change of one means in another, the preview."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from django.utils.translation import gettext

from meshes.adapters.registry import adapter_for
from meshes.alignment import Misfit, Side, misfits, translate
from meshes.types import Around, Route
from meshui.ui.wording import percent
from traffic.types import Wanted

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from clusters.models import Cluster
    from meshes.models import Route as StoredRoute
    from meshes.types import Backend, Rendered, Root
    from traffic.types import Action

EVERYWHERE = "all"


@dataclass(frozen=True, slots=True)
class Spot:
    """A place that may be chosen: a route of the service, or (`row` None) a cluster where it has none yet.

    `side`: its route with the versions of its backends; of a start the route is empty. `problem`: why it can never be
    chosen.
    """

    cluster: Cluster
    mesh_kind: str
    root: Root
    row: StoredRoute | None
    side: Side | None
    problem: str = ""

    @property
    def value(self) -> str:
        """What its checkbox posts."""
        return str(self.row.pk) if self.row else f"start.{self.cluster.slug}"

    @property
    def live(self) -> Route | None:
        """Its route as it was last read."""
        return self.side.route if self.side and self.row else None

    @property
    def label(self) -> str:
        """What people call its mesh."""
        return adapter_for(self.mesh_kind).label if self.mesh_kind else gettext("No mesh")

    @property
    def words(self) -> str:
        """How it is shared now, in one line."""
        if self.row is None:
            return gettext("no split yet: one would start")
        rules = [rule for rule in self.live.rules if len(rule.backends) > 1] if self.live else []
        shares = [f"{item.backend.name} {percent(item.weight_bp)}" for rule in rules[:1] for item in rule.backends]
        return " · ".join(shares) or gettext("not split")

    @property
    def shares(self) -> tuple[int, ...]:
        """The weights of its only rule, in basis points; empty where there are several rules or none."""
        rules = self.live.rules if self.live else ()
        return tuple(item.weight_bp for item in rules[0].backends) if len(rules) == 1 else ()

    @property
    def extras(self) -> Mapping[str, Backend]:
        """The backends it could have besides, by version."""
        return self.side.extras if self.side else {}


@dataclass(frozen=True, slots=True)
class Chip:
    """A place in the form; `why_not` says why it cannot be chosen. `is_alike`: it shares now as the main place does."""

    spot: Spot
    is_checked: bool
    why_not: str = ""
    is_alike: bool = False

    @property
    def value(self) -> str:
        """What the checkbox posts."""
        return self.spot.value


@dataclass(frozen=True)  # no slots: a cached property needs a place
class Workbench:
    """The places of one service; the form speaks of the route of `main`, the others follow version by version.

    `base`: the route of `main` as it is, or with which a split starts there; None: its versions are still to be chosen.
    """

    namespace: str
    service: str
    main: Spot
    base: Route | None
    spots: tuple[Spot, ...]
    siblings: tuple[Spot, ...]
    allowed: frozenset[str]

    @property
    def is_allowed(self) -> bool:
        """Whether the reader may propose a change of the main place."""
        return self.main.value in self.allowed

    @property
    def live(self) -> Route | None:
        """The route of `main` as it is now; None: there is none."""
        return self.main.live

    @property
    def first_versions(self) -> list[str]:
        """The versions that a new split begins with: not the service itself where two others are there."""
        itself = (self.main.root.service, self.main.root.namespace)
        own = [
            version
            for version, backend in self.main.extras.items()
            if backend.kind == "subset" or (backend.service, backend.namespace) != itself
        ]
        return own if len(own) > 1 else list(self.main.extras)

    def choices(self) -> list[tuple[str, str]]:
        """What the form takes: every place."""
        return [(spot.value, spot.cluster.slug) for spot in self.spots]

    def chips(self, checked: Collection[str], desired: Route | None, action: Action = "set") -> list[Chip]:
        """Every place, the chosen ones ticked, each with what stands against `desired` there."""
        own = self.main.shares
        return [
            Chip(spot, spot.value in checked, self.why_not(spot, desired, action), bool(own) and spot.shares == own)
            for spot in self.spots
        ]

    def why_not(self, spot: Spot, desired: Route | None, action: Action = "set") -> str:
        """Why `spot` cannot be chosen for `desired`; empty: it can."""
        if spot.cluster.is_observe_only:
            return gettext("MeshUI only observes this cluster. A Cluster admin can allow writes on its page.")
        if spot.value not in self.allowed:
            return gettext("No grant of yours lets you propose changes there.")
        if spot.problem:
            return spot.problem
        if action == "end":
            return self._why_not_end(spot)
        if desired is None or desired == self.base:
            return self._why_never(spot)
        found = self.aligned(spot, desired)
        return self._apart(spot, found) if isinstance(found, Misfit) else ""

    def _apart(self, spot: Spot, misfit: Misfit) -> str:
        """Why the route of `spot` cannot become what `main` becomes, and what to do about it."""
        if spot.row is None or spot.value == self.main.value:
            return str(misfit)
        return gettext("%(why)s Leave it out here and change it in its own tab.") % {"why": misfit}

    def aligned(self, spot: Spot, desired: Route | None) -> Route | Misfit:
        """What the route of `spot` becomes when that of `main` becomes `desired`."""
        if desired is None or spot.side is None:
            return Misfit(gettext("MeshUI has no words for a part of this route."), "route")
        if spot.value == self.main.value:
            return desired
        if spot.row is None:
            return translate(desired, replace(self._base_side, route=replace(desired, rules=())), spot.side)
        return translate(desired, self._base_side, spot.side)

    def wanted(self, value: str, desired: Route) -> Wanted | str:
        """What shall become of the place `value`, or why that cannot be said."""
        spot = self.spot(value)
        if why_not := self.why_not(spot, desired):
            return why_not
        route = self.aligned(spot, desired)
        if isinstance(route, Misfit):
            return str(route)
        if spot.row is None:
            return Wanted(spot.cluster.pk, spot.mesh_kind, None, route, "start")
        own = None if route == desired else route
        return Wanted(spot.cluster.pk, spot.mesh_kind, spot.row.pk, own)

    def ended(self, value: str, _desired: Route) -> Wanted | str:
        """The end of the split at the place `value`, or why it cannot end there."""
        spot = self.spot(value)
        why_not = self.why_not(spot, None, "end")
        if why_not or spot.row is None:
            return why_not
        return Wanted(spot.cluster.pk, spot.mesh_kind, spot.row.pk, None, "end")

    def spot(self, value: str) -> Spot:
        """The place that posts `value`; the form took no other."""
        return next(spot for spot in self.spots if spot.value == value)

    def version_of(self, key: str) -> str:
        """What the version of a backend of the main route is called; else its key."""
        return self._base_side.versions.get(key) or key

    def also(self, key: str) -> str:
        """What other places call the backend `key` of the main route, where they call it otherwise."""
        version = self._base_side.versions.get(key)
        names: dict[str, list[str]] = {}
        for spot in self.spots:
            for other, found in spot.side.versions.items() if spot.side and version else ():
                if found == version and other != key:
                    names.setdefault(other, []).append(spot.cluster.slug)
        said = [f"{other} ({', '.join(slugs)})" for other, slugs in names.items()]
        return gettext("also %(names)s") % {"names": ", ".join(said)} if said else ""

    @cached_property
    def _base_side(self) -> Side:
        side = self.main.side
        if side is None or self.base is None:
            return Side(self.base or Route(self.main.root, ()), {})
        if self.main.row is not None:
            return side
        versions = {backend.key: version for version, backend in side.extras.items()}
        return replace(side, route=self.base, versions=versions)

    def _why_never(self, spot: Spot) -> str:
        """What keeps every change of the main route from the place, whatever it is."""
        if spot.row is None or self.base is None or spot.value == self.main.value:
            return ""
        if spot.side is None:
            return gettext("MeshUI has no words for a part of this route.")
        return next((misfit.reason for misfit in misfits(self._base_side, spot.side) if misfit.where == "rules"), "")

    def _why_not_end(self, spot: Spot) -> str:
        if spot.row is None:
            return gettext("There is no split to end.")
        rendered = rendering_of(spot, None, Around())
        return " ".join(loss.reason for loss in rendered.losses if loss.moves_requests)


def rendering_of(spot: Spot, desired: Route | None, around: Around) -> Rendered:
    """What would be written there for `desired`, from what was last read; None: the split ends."""
    live = spot.row.live if spot.row else None
    return adapter_for(spot.mesh_kind).render(desired, live, around)
