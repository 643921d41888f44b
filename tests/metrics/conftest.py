"""A cluster whose proxies can be asked, and the shop in its inventory: checkout, split 90/10 over v1 and v2."""

from __future__ import annotations

import datetime as dt
import time
from typing import TYPE_CHECKING

import pytest
from zeal import zeal_ignore

from clusters.models import Cluster
from meshes.adapters.registry import adapter_for
from meshes.models import Mesh, Route, Service, Workload
from meshes.services import values
from meshes.services.store import store_rows
from meshui.lib import clock
from metrics.models import Collector
from metrics.services import collect_cluster, ring_due
from tests.clusters.makers import register
from tests.meshes.objects import destination, destination_rule, virtual_service
from tests.metrics.front import serving
from tests.metrics.recorded import series

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.metrics.front import Front


@pytest.fixture
def front(tmp_path: Path) -> Iterator[Front]:
    """The API server of the cluster."""
    with serving(tmp_path) as running:
        yield running


@pytest.fixture
def shop(db: None, front: Front) -> Cluster:
    """A cluster behind `front`, as it was read: Istio, the Service checkout, its workloads and its route."""
    cluster = register("shop", text=front.kubeconfig())
    Cluster.objects.filter(pk=cluster.pk).update(last_synced_at=clock.now())
    add_mesh(cluster, "istio")
    add_service(cluster, "checkout")
    for version in ("v1", "v2"):
        add_workload(cluster, f"checkout-{version}", app="checkout", version=version)
    route = [destination("checkout", "v1", 90), destination("checkout", "v2", 10)]
    bodies = [virtual_service("checkout", hosts=["checkout"], http=[{"route": route}])]
    adapter = adapter_for("istio")
    found = adapter.read(
        {"virtualservices": bodies, "destinationrules": [destination_rule("checkout", ["v1", "v2"])]}, []
    ).routes
    store_rows(Route, cluster, {(values.uid_of(r.body),): values.of_route(r, adapter) for r in found}, key=("uid",))
    for version in ("v1", "v2"):
        front.add_pod(f"checkout-{version}-a", workload=f"checkout-{version}", app="checkout", version=version)
    cluster.refresh_from_db()
    return cluster


def add_mesh(cluster: Cluster, kind: str) -> None:
    """As detection would have found it."""
    Mesh.objects.create(cluster=cluster, kind=kind, trust_domain="cluster.local", content_hash="", read_at=clock.now())


def add_service(cluster: Cluster, name: str, namespace: str = "shop") -> None:
    """A Service that selects by its own name."""
    row = {"namespace": namespace, "name": name, "uid": f"s-{namespace}-{name}", "ports": [], "selector": {"app": name}}
    store_rows(Service, cluster, {(row["uid"],): row}, key=("uid",))
    Service.objects.filter(cluster=cluster).update(gone_at=None)


def add_workload(cluster: Cluster, name: str, **labels: str) -> None:
    """A Deployment whose pods bear `labels`."""
    Workload.objects.create(
        cluster=cluster,
        kind="Deployment",
        namespace="shop",
        name=name,
        uid=f"w-{name}",
        labels=labels,
        content_hash="",
        read_at=clock.now(),
    )


def istio_text(version: str, total: float, *, bad: float = 0, service: str = "checkout", source: str = "web") -> str:
    """What a sidecar tells that has served `total` requests, `bad` of them with 503; each took 5 to 10 ms."""
    base = {
        "reporter": "destination",
        "source_workload": source,
        "source_workload_namespace": "shop",
        "destination_workload": f"{service}-{version}",
        "destination_version": version,
        "destination_service_name": service,
        "destination_service_namespace": "shop",
    }
    lines = ["# TYPE istio_requests_total counter", "go_goroutines 12"]
    for code, count in (("200", total - bad), ("503", bad)):
        lines.append(f"{series('istio_requests_total', **base, response_code=code)} {count}")
    for bound, count in (("5", 0.0), ("10", total), ("+Inf", total)):
        name = series("istio_request_duration_milliseconds_bucket", **base, response_code="200", le=bound)
        lines.append(f"{name} {count}")
    return "\n".join([*lines, ""])


def later(seconds: float) -> None:
    """Time goes on."""
    clock.shift_for_tests(clock._offset + dt.timedelta(seconds=seconds))


def is_rate(found: float, growth: float, seconds: float, began: float) -> bool:
    """Whether `growth` within `seconds` is that rate; what the test took since `began` (monotonic) is more time."""
    took = time.monotonic() - began
    return growth / (seconds + took) * 0.999 <= found <= growth / seconds * 1.001


def to_turn(cluster: Cluster) -> None:
    """Time goes on to 5 s after the cluster's own second of the minute: a test that begins there is in one turn."""
    now, own = clock.now().timestamp(), cluster.pk.int % 60
    later((own + 5 - now) % 60)


def round_of(cluster: Cluster, *, minute: bool = False) -> None:
    """One round of its metrics, as if it were due; with `minute`, also of what nobody watches."""
    ring_due()
    moment = clock.read_db_now()
    rows = Collector.objects.filter(pk=cluster.pk)
    rows.update(next_at=moment, minute_at=moment if minute else moment + dt.timedelta(hours=1))
    with zeal_ignore():  # one round after another, not the loop that zeal looks for
        assert collect_cluster(cluster.pk)
