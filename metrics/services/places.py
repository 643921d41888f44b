"""Services of the inventory as they are measured: which workloads stand behind them and their routes' backends."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from meshes.models import Route, Service, Workload
from meshui.lib.clock import db_now
from metrics.models import Watched
from metrics.promql import NAME
from metrics.types import BackendPlace, Place

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from clusters.models import Cluster
    from meshes.types import Backend

    Named = tuple[str, str]
    Labels = Mapping[str, str]

MOST_ROUTED: Final = 1_000
MOST_WATCHED: Final = 200


def watched_names(cluster: Cluster) -> set[Named]:
    """(namespace, service) of what is watched now, at most 200. One query."""
    rows = Watched.objects.filter(cluster=cluster, until__gt=db_now()).order_by("-until", "pk")
    return set(rows.values_list("namespace", "service")[:MOST_WATCHED])


def routed_names(cluster: Cluster) -> set[Named]:
    """(namespace, service) of those whose requests a route shares out, at most 1,000. One query."""
    rows = Route.objects.filter(cluster=cluster, gone_at=None).order_by("root_namespace", "root_service")
    return set(rows.values_list("root_namespace", "root_service").distinct()[:MOST_ROUTED])


def places_of(cluster: Cluster, names: Collection[Named]) -> list[Place]:
    """What the inventory knows of `names`, by name. Three queries.

    A name that no Kubernetes would allow is left out: it would have to stand in a query.
    """
    safe = {(space, name) for space, name in names if NAME.match(space) and NAME.match(name)}
    if not safe:
        return []
    backends = _backends(cluster, safe)
    around = {space for space, _ in safe} | {one.namespace for each in backends.values() for one in each}
    selectors = _selectors(cluster, around)
    workloads = _workloads(cluster, around)
    return [
        Place(
            space,
            name,
            _behind(workloads[space], selectors.get((space, name), {})),
            tuple(sorted(selectors.get((space, name), {}).items())),
            tuple(_place_of(backend, selectors, workloads) for backend in backends[space, name]),
        )
        for space, name in sorted(safe)
    ]


def _backends(cluster: Cluster, names: Collection[Named]) -> dict[Named, list[Backend]]:
    """The backends of the routes of each, each once."""
    spaces, services = {space for space, _ in names}, {name for _, name in names}
    rows = Route.objects.filter(cluster=cluster, gone_at=None, root_namespace__in=spaces, root_service__in=services)
    found: dict[Named, dict[str, Backend]] = defaultdict(dict)
    for row in rows.exclude(neutral=None).only("root_namespace", "root_service", "neutral").order_by("pk"):
        route = row.route
        for rule in route.rules if route else ():
            for weighted in rule.backends:
                backend = weighted.backend
                if NAME.match(backend.namespace) and NAME.match(backend.service):
                    found[row.root_namespace, row.root_service].setdefault(backend.key, backend)
    return defaultdict(list, {name: list(backends.values()) for name, backends in found.items()})


def _selectors(cluster: Cluster, namespaces: Collection[str]) -> dict[Named, Labels]:
    rows = Service.objects.filter(cluster=cluster, gone_at=None, namespace__in=namespaces)
    return {(space, name): selector for space, name, selector in rows.values_list("namespace", "name", "selector")}


def _workloads(cluster: Cluster, namespaces: Collection[str]) -> dict[str, list[tuple[str, Labels]]]:
    rows = Workload.objects.filter(cluster=cluster, gone_at=None, namespace__in=namespaces)
    found: dict[str, list[tuple[str, Labels]]] = defaultdict(list)
    for space, name, labels in rows.values_list("namespace", "name", "labels"):
        if NAME.match(name):
            found[space].append((name, labels))
    return found


def _behind(workloads: Iterable[tuple[str, Labels]], selector: Labels) -> frozenset[str]:
    """The workloads whose pods bear all of `selector`; an empty one selects nothing."""
    return frozenset(name for name, labels in workloads if selector and selector.items() <= labels.items())


def _place_of(
    backend: Backend, selectors: Mapping[Named, Labels], workloads: Mapping[str, list[tuple[str, Labels]]]
) -> BackendPlace:
    labels = dict(backend.labels)
    selector = {**selectors.get((backend.namespace, backend.service), {}), **labels}
    version = labels.get("version", "") if labels.keys() == {"version"} else ""
    is_subset = backend.kind == "subset"
    is_known = bool(labels) or not is_subset  # of a subset whose labels nobody knows, nothing tells its requests apart
    behind = _behind(workloads.get(backend.namespace, ()), selector) if is_known else frozenset[str]()
    chosen = tuple(sorted(selector.items())) if is_known else ()
    return BackendPlace(backend.key, backend.namespace, backend.service, is_subset, version, behind, chosen)
