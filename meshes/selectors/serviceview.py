"""One service as its page shows it: cluster by cluster, route by route, rule by rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshes.selectors.alignedrows import rows_of
from meshes.selectors.alignment import aligned
from meshui.lib.errors import MissingError

if TYPE_CHECKING:
    from accounts.models import User
    from clusters.models import Cluster
    from meshes.models import Namespace, Route, Service
    from meshes.selectors.alignedrows import AlignedRow
    from meshes.selectors.alignment import AlignedCluster, AlignedService
    from meshes.selectors.freshness import MeshLine
    from meshes.selectors.members import Member
    from meshes.selectors.splits import Shares
    from meshes.types import Rule, WeightedBackend

MAX_CLUSTERS = 20
"""Shown whole on one page; the others are links."""


@dataclass(frozen=True, slots=True)
class RuleView:
    """One rule: which requests it is for (one of `matches`; empty: all), and how they are shared."""

    name: str
    matches: tuple[str, ...]
    backends: tuple[WeightedBackend, ...]
    timeout_ms: int | None
    extras: tuple[str, ...]

    @property
    def shares(self) -> Shares:
        """For the bar."""
        return tuple((item.backend.name, item.weight_bp) for item in self.backends)

    @property
    def only(self) -> WeightedBackend | None:
        """The backend that gets everything whatever its weight says; None: there are several, or none."""
        return self.backends[0] if len(self.backends) == 1 else None


@dataclass(frozen=True, slots=True)
class RouteView:
    """One native object; `rules` empty where it could not be read, and `problems` say why."""

    row: Route
    rules: tuple[RuleView, ...]


@dataclass(frozen=True, slots=True)
class ServiceInCluster:
    """The service in one cluster, whole. `service` None: there are routes of this name alone."""

    aligned: AlignedCluster
    routes: tuple[RouteView, ...]

    @property
    def shares(self) -> Shares:
        """Of the first rule that splits; empty: none does."""
        rules = (rule for route in self.routes for rule in route.rules)
        return next((rule.shares for rule in rules if len(rule.backends) > 1), ())

    @property
    def cluster(self) -> Cluster:
        """Where it is."""
        return self.aligned.cluster

    @property
    def service(self) -> Service | None:
        """As it was last read."""
        return self.aligned.at.service

    @property
    def namespace(self) -> Namespace | None:
        """Its namespace there."""
        return self.aligned.namespace

    @property
    def meshes(self) -> tuple[MeshLine, ...]:
        """All that are in the cluster."""
        return self.aligned.meshes

    @property
    def sync(self) -> str:
        """The word of the last reading."""
        return self.aligned.sync

    @property
    def is_gone(self) -> bool:
        """Whether the service is no longer there."""
        return self.aligned.at.is_gone


@dataclass(frozen=True, slots=True)
class ServiceView:
    """One service in a scope: a cluster's slug, or `all`. `rows` are of all its clusters, `clusters` of the first 20.

    `elsewhere`: where its details are not shown here.
    """

    scope: str
    aligned: AlignedService
    rows: tuple[AlignedRow, ...]
    clusters: tuple[ServiceInCluster, ...]
    elsewhere: tuple[Member, ...]

    @property
    def namespace(self) -> str:
        """The namespace of the row."""
        return self.aligned.namespace

    @property
    def name(self) -> str:
        """The name of the row."""
        return self.aligned.name

    @property
    def mesh_labels(self) -> list[str]:
        """The products found where it stands."""
        return list(dict.fromkeys(mesh.label for here in self.aligned.clusters for mesh in here.meshes))

    @property
    def route_count(self) -> int:
        """Native objects that decide for it."""
        return sum(len(here.routes) for here in self.aligned.clusters)

    @property
    def can_be_split(self) -> bool:
        """Whether some rule has more than one backend."""
        return any(len(rule.backends) > 1 for here in self.clusters for route in here.routes for rule in route.rules)


def service_view(user: User, scope: str, namespace: str, name: str) -> ServiceView:
    """The service with everything its page shows. Raises MissingError, also where out of scope. Constant queries.

    A service that is gone is still shown, as gone, until its name is taken again.
    """
    found = aligned(user, namespace, name, scope=scope)
    if not found.clusters and not found.away:
        raise MissingError("There is no such service.")
    shown = found.clusters[:MAX_CLUSTERS]
    elsewhere = (*(here.at for here in found.clusters[MAX_CLUSTERS:]), *found.beyond)
    return ServiceView(scope, found, tuple(rows_of(found)), tuple(map(_in_cluster, shown)), elsewhere)


def _in_cluster(here: AlignedCluster) -> ServiceInCluster:
    return ServiceInCluster(here, tuple(route_view(row) for row in here.at.routes))


def route_view(row: Route) -> RouteView:
    """One native object with its rules in words. No query."""
    neutral = row.route
    return RouteView(row, tuple(_rule_view(rule) for rule in neutral.rules) if neutral else ())


def _rule_view(rule: Rule) -> RuleView:
    matches = tuple(match.words for match in rule.matches)
    if not all(matches):  # one match without a condition takes every request
        matches = ()
    return RuleView(rule.name, matches, rule.backends, rule.timeout_ms, rule.extras)
