"""How services are split, said by version: clusters may name their backends each in its own way."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from meshes.alignment import versions_of
from meshes.models import Service
from meshes.selectors.alignment import in_order
from meshes.selectors.corrections import corrections_at, versions_said
from meshes.selectors.members import named

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from uuid import UUID

    from meshes.alignment import VersionFound
    from meshes.models import Route
    from meshes.selectors.corrections import At
    from meshes.types import Backend, WeightedBackend
    from meshes.types import Route as NeutralRoute

    Shares = tuple[tuple[str, int], ...]
    Selectors = Mapping[tuple[str, str], Mapping[str, str]]


def shares_by_version(routes: Iterable[Route]) -> dict[UUID, Shares]:
    """Of those of `routes` that split: version and share of their first rule that does, v1 first. Two queries."""
    split = {route.pk: route for route in routes if route.is_split}
    read = {pk: neutral for pk, route in split.items() if (neutral := route.route) is not None}
    selectors = _selectors(split, read)
    corrected = corrections_at({_at(row) for row in split.values()})
    found: dict[UUID, Shares] = {}
    for pk, neutral in read.items():
        row = split[pk]
        said = versions_said(corrected.get(_at(row), {}))
        versions = versions_of(neutral, selectors=selectors.get(row.cluster_id, {}), corrected=said)
        rule = next(rule for rule in neutral.rules if len(rule.backends) > 1)
        found[pk] = _shares(rule.backends, versions)
    return found


def _at(row: Route) -> At:
    """The service whose requests it shares."""
    return row.cluster_id, row.root_namespace, row.root_service


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
