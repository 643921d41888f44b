"""An inventory without a cluster behind it: rows as a reading would have left them. Needs Django to be set up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bench.objects import name_of, namespace_of
from clusters.models import Cluster, Health
from meshes.models import ControlPlane, ManagedRoute, Mesh, Route, Service, Sync
from meshui.lib.clock import read_db_now

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

BATCH: Final = 2_000
MESHES: Final = ("istio", "linkerd", "istio")
"""Of three clusters two have one product, one has another: no third is there to be read yet."""
UNHEALTHY: Final = 33
"""One cluster in so many is unreachable, one route in so many could not be read or has drifted."""
ENVIRONMENTS: Final = ("production", "staging", "development")


def cluster(slug: str, number: int, now: dt.datetime) -> Cluster:
    """A cluster that was read a moment ago."""
    is_well = number % UNHEALTHY != UNHEALTHY - 1
    return Cluster.objects.create(
        slug=slug, name=slug.title(), environment=ENVIRONMENTS[number % 3], server="https://cluster.example:6443",
        health=Health.HEALTHY if is_well else Health.UNREACHABLE, unreachable_since=None if is_well else now,
        created_at=now, last_synced_at=now, last_seen_at=now, server_version="v1.33.1",
    )  # fmt: skip


def services(there: Cluster, count: int) -> None:
    """So many services."""
    now = read_db_now()
    for start in range(0, count, BATCH):
        numbers = range(start, min(start + BATCH, count))
        Service.objects.bulk_create([_service(there, number, now) for number in numbers])


def fleet(clusters: int, each: int) -> None:
    """So many clusters with a mesh, and so many services with a route in each; some are not well."""
    now = read_db_now()
    for number in range(clusters):
        there = cluster(f"cluster-{number:03d}", number, now)
        services(there, each)
        kind = MESHES[number % 3]
        mesh = Mesh.objects.create(cluster=there, kind=kind, trust_domain="cluster.local", read_at=now)
        ControlPlane.objects.create(
            cluster=there, mesh=mesh, namespace="mesh", name="control", revision="default", version="1.27.0",
            is_ready=True, read_at=now,
        )  # fmt: skip
        error = "" if number % UNHEALTHY else "It may not be listed."
        Sync.objects.create(cluster=there, resource="services", error=error, started_at=now, finished_at=now)
        routes = [_route(there, kind, place, now) for place in range(each)]
        Route.objects.bulk_create(routes, batch_size=BATCH)
        ManagedRoute.objects.bulk_create(_managed(routes, now), batch_size=BATCH)


def _service(there: Cluster, number: int, now: dt.datetime) -> Service:
    return Service(
        cluster=there, namespace=namespace_of(number), name=name_of(number), uid=f"uid-{number}", read_at=now,
        ports=[{"name": "http", "port": 8080}], selector={"app": name_of(number)},
    )  # fmt: skip


def _route(there: Cluster, kind: str, number: int, now: dt.datetime) -> Route:
    name, namespace = name_of(number), namespace_of(number)
    native: dict[str, Any] = {"metadata": {"name": name, "namespace": namespace}, "spec": {"hosts": [name]}}
    return Route(
        cluster=there, mesh_kind=kind, group="networking.istio.io", version="v1", plural="virtualservices",
        kind="VirtualService", namespace=namespace, name=name, uid=f"uid-{number}", root_service=name,
        root_namespace=namespace, neutral=None, body=native, resource_version="1", read_at=now,
        projection_hash="" if number % UNHEALTHY == 1 else "5f", is_split=number % 3 == 0,
    )  # fmt: skip


def _managed(routes: list[Route], now: dt.datetime) -> Iterator[ManagedRoute]:
    for place, route in enumerate(routes[::4]):
        is_drifted = place % UNHEALTHY == 2
        yield ManagedRoute(
            cluster=route.cluster, mesh_kind=route.mesh_kind, group=route.group, version=route.version,
            plural=route.plural, kind=route.kind, namespace=route.namespace, name=route.name, uid=route.uid,
            root_service=route.root_service, root_namespace=route.root_namespace, body=route.body, left_hash="5f",
            change_number=1, written_at=now, route=route, drift="changed" if is_drifted else "",
            drifted_at=now if is_drifted else None,
        )  # fmt: skip
