"""How services are split, said by version: clusters may name their backends each in its own way."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from meshes.alignment import versions_of
from meshes.models import BackendVersion, Service
from meshes.selectors.alignment import in_order
from meshes.selectors.members import named

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from uuid import UUID

    from meshes.alignment import VersionFound
    from meshes.models import Route
    from meshes.types import Backend, WeightedBackend
    from meshes.types import Route as NeutralRoute

    Shares = tuple[tuple[str, int], ...]
    Selectors = Mapping[tuple[str, str], Mapping[str, str]]
    At = tuple[UUID, str, str]


def shares_by_version(routes: Iterable[Route]) -> dict[UUID, Shares]:
    """Of those of `routes` that split: version and share of their first rule that does, v1 first. Two queries."""
    split = {route.pk: route for route in routes if route.is_split}
    read = {pk: neutral for pk, route in split.items() if (neutral := route.route) is not None}
    selectors, corrected = _selectors(split, read), _corrected(split.values())
    found: dict[UUID, Shares] = {}
    for pk, neutral in read.items():
        row = split[pk]
        said = corrected.get((row.cluster_id, row.root_namespace, row.root_service), {})
        versions = versions_of(neutral, selectors=selectors.get(row.cluster_id, {}), corrected=said)
        rule = next(rule for rule in neutral.rules if len(rule.backends) > 1)
        found[pk] = _shares(rule.backends, versions)
    return found


def _shares(backends: Iterable[WeightedBackend], versions: Mapping[str, VersionFound]) -> Shares:
    weights: dict[str, int] = defaultdict(int)
    for item in backends:
        weights[_word(item.backend, versions[item.backend.key])] += item.weight_bp
    return tuple((version, weights[version]) for version in in_order(weights))


def _word(backend: Backend, found: VersionFound) -> str:
    """Its version; where that is not told apart from another's, its name."""
    return found.version if found.is_told_apart else backend.name


def _selectors(split: Mapping[UUID, Route], read: Mapping[UUID, NeutralRoute]) -> dict[UUID, Selectors]:
    """By cluster, of the Services that the routes name: which pods stand behind them is part of what may be seen."""
    names = {
        (item.backend.namespace, item.backend.service)
        for neutral in read.values()
        for rule in neutral.rules
        for item in rule.backends
        if not item.backend.subset
    }
    clusters = {route.cluster_id for route in split.values()}
    rows = Service.objects.filter(named(names, "namespace", "name"), cluster__in=clusters, gone_at=None).order_by()
    found: dict[UUID, dict[tuple[str, str], dict[str, str]]] = defaultdict(dict)
    for cluster, namespace, name, selector in rows.values_list("cluster_id", "namespace", "name", "selector"):
        found[cluster][namespace, name] = selector
    return dict(found)


def _corrected(routes: Collection[Route]) -> dict[At, dict[str, str]]:
    """What people said of the backends of these routes' services, by backend key."""
    at = {(route.root_namespace, route.root_service) for route in routes}
    clusters = {route.cluster_id for route in routes}
    rows = BackendVersion.objects.filter(named(at, "namespace", "service"), cluster__in=clusters).order_by()
    found: dict[At, dict[str, str]] = defaultdict(dict)
    for row in rows:
        found[row.cluster_id, row.namespace, row.service][row.backend_key] = row.version
    return found
