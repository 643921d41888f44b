"""Rows of the inventory, made directly: for pages that need many."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clusters.models import Cluster
from meshes.adapters.istio import IstioAdapter
from meshes.adapters.registry import adapter_for
from meshes.models import Route, Service
from meshes.services import values
from meshes.services.store import store_rows
from meshui.lib.clock import now
from tests.meshes.objects import destination, virtual_service

if TYPE_CHECKING:
    from collections.abc import Sequence

ADAPTER = IstioAdapter()


def cluster(slug: str, *, environment: str = "staging") -> Cluster:
    """A cluster that was just read."""
    return Cluster.objects.create(
        slug=slug,
        name=slug,
        environment=environment,
        server="https://127.0.0.1:6443",
        created_at=now(),
        last_synced_at=now(),
    )


def services(
    where: Cluster, names: Sequence[str], *, namespace: str = "shop", split: tuple[int, int] = (90, 10)
) -> None:
    """Services with a VirtualService each, beside what is there."""
    wanted = {
        (f"s-{namespace}-{name}",): {
            "namespace": namespace,
            "name": name,
            "uid": f"s-{namespace}-{name}",
            "ports": [{"name": "http", "port": 8080}],
            "selector": {"app": name},
        }
        for name in names
    }
    store_rows(Service, where, wanted, key=("uid",))
    bodies = [
        virtual_service(
            name,
            namespace,
            hosts=[name],
            http=[{"route": [destination(name, "v1", split[0]), destination(name, "v2", split[1])]}],
        )
        for name in names
    ]
    found = ADAPTER.read({"virtualservices": bodies}, []).routes
    routes = {(values.uid_of(r.body),): values.of_route(r, adapter_for("istio")) for r in found}
    store_rows(Route, where, routes, key=("uid",))
    for model in (Service, Route):
        model.objects.filter(cluster=where).update(gone_at=None)
