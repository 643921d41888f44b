"""Reading clusters: what is found, what is written, and what a failure leaves alone."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from zeal import zeal_ignore

from audit.selectors import list_events
from clusters.models import Cluster
from meshes.errors import TooSoonError
from meshes.models import ControlPlane, Mesh, Namespace, Route, RouteBackend, Service, Sync, Workload
from meshes.services import due_syncs, request_sync, ring_due, sync_cluster
from meshes.services import sync as sync_module
from meshui.lib import clock
from meshui.lib.errors import DeniedError, MissingError
from meshui.lib.ids import new_id
from meshui.lib.leases import claim
from playground import worlds
from tests.meshes.conftest import add, read
from tests.people import as_actor

if TYPE_CHECKING:
    from collections.abc import Callable

    from accounts.models import User
    from playground.cluster import EmulatedCluster

pytestmark = pytest.mark.django_db
MODELS = (Mesh, ControlPlane, Namespace, Service, Workload, Route)
READS = ["get", "list"]


def only(plural: str, group: str = "networking.istio.io") -> Callable[[Any], bool]:
    """Requests for one kind."""
    return lambda request: request.path.startswith(f"/apis/{group}/") and request.path.endswith(f"/{plural}")


def test_sync_cluster__first_reading__everything_that_decides_routing(
    eu_west: EmulatedCluster, added: Callable[..., Cluster]
) -> None:
    cluster = added(eu_west)

    mesh = Mesh.objects.get()
    plane = ControlPlane.objects.get()
    route = Route.objects.get(namespace="shop", name="checkout")
    assert (mesh.kind, mesh.trust_domain) == ("istio", "cluster.local")
    assert (plane.version, plane.revision, plane.is_ready) == ("1.31.0", "default", True)
    assert Namespace.objects.get(name="shop").injection == "injected"
    assert Service.objects.filter(namespace="shop", gone_at=None).count() == 6
    assert (route.root_namespace, route.root_service, route.is_split) == ("shop", "checkout", True)
    assert [(b.name, b.weight_bp) for b in route.backends.all()] == [("v1", 9000), ("v2", 1000)]
    assert "managedFields" not in route.body["metadata"]
    assert route.live is not None
    cluster.refresh_from_db()
    assert cluster.last_synced_at is not None
    assert not Sync.objects.exclude(error="").exists()


def test_sync_cluster__two_hands_wrote_it__the_same_split(
    eu_west: EmulatedCluster, us_east: EmulatedCluster, added: Callable[..., Cluster]
) -> None:
    added(eu_west)
    added(us_east)

    checkouts = Route.objects.filter(root_service="checkout").order_by("cluster__slug")
    splits = [
        [
            (b.weight_bp, b.key.partition(":")[0])
            for b in RouteBackend.objects.filter(route=route)
            if b.weight_bp < 10000
        ]
        for route in checkouts
    ]
    assert [[bp for bp, _ in split] for split in splits] == [[9000, 1000], [9000, 1000]]


def test_sync_cluster__nothing_moved__no_row_of_the_inventory_is_written(
    eu_west: EmulatedCluster, added: Callable[..., Cluster]
) -> None:
    cluster = added(eu_west)

    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert read(cluster)

    tables = [model._meta.db_table for model in (*MODELS, RouteBackend)]
    writes = [q["sql"] for q in captured if q["sql"].startswith(("UPDATE", "INSERT", "DELETE"))]
    assert not [sql for sql in writes if any(f'"{table}"' in sql for table in tables)]


def test_sync_cluster__one_route_moved__that_row_alone_is_written(
    eu_west: EmulatedCluster, added: Callable[..., Cluster]
) -> None:
    cluster = added(eu_west)
    before = {route.pk: route.read_at for route in Route.objects.all()}
    moved = Route.objects.get(namespace="shop", name="checkout")

    def to_half(body: Any) -> None:
        for entry in body["spec"]["http"][0]["route"]:
            entry["weight"] = 50

    eu_west.edit("VirtualService", "checkout", "shop", to_half)
    read(cluster)

    after = {route.pk: route.read_at for route in Route.objects.all()}
    assert {pk for pk in after if after[pk] != before[pk]} == {moved.pk}
    assert [b.weight_bp for b in moved.backends.all()] == [5000, 5000]
    assert Sync.objects.get(resource="virtualservices.networking.istio.io").written == 1


def test_sync_cluster__object_deleted_and_made_anew__gone_row_stays_and_a_new_one_comes(
    eu_west: EmulatedCluster, added: Callable[..., Cluster]
) -> None:
    cluster = added(eu_west)
    body = eu_west.get("VirtualService", "checkout", "shop")

    eu_west.delete("VirtualService", "checkout", "shop")
    read(cluster)
    assert Route.objects.get(namespace="shop", name="checkout").gone_at is not None
    eu_west.load([{**body, "metadata": {"name": "checkout", "namespace": "shop"}}])
    read(cluster)

    rows = Route.objects.filter(namespace="shop", name="checkout")
    assert [row.gone_at is None for row in rows.order_by("gone_at")].count(True) == 1
    assert rows.count() == 2


@pytest.mark.parametrize(
    "name", ["virtualservices.networking.istio.io", "services", "namespaces", "deployments", "statefulsets"]
)
def test_sync_cluster__one_kind_fails__its_rows_stay_and_the_error_is_told(
    eu_west: EmulatedCluster, added: Callable[..., Cluster], name: str
) -> None:
    cluster = added(eu_west)
    counts = [model.objects.filter(gone_at=None).count() for model in MODELS]
    succeeded = Sync.objects.get(resource=name).succeeded_at
    plural = name.partition(".")[0]

    eu_west.server.faults.answer(500, path=lambda request: request.path.endswith(f"/{plural}"), times=9)
    assert read(cluster)

    sync = Sync.objects.get(resource=name)
    assert [model.objects.filter(gone_at=None).count() for model in MODELS] == counts
    assert "500" in sync.error
    assert sync.succeeded_at == succeeded
    assert not Sync.objects.exclude(resource=name).exclude(error="").exists()


def test_sync_cluster__second_page_fails__nothing_is_gone(
    emulate: Callable[..., EmulatedCluster], added: Callable[..., Cluster]
) -> None:
    emulated = emulate("big", worlds.many_services(510))
    cluster = added(emulated)

    emulated.server.faults.answer(500, path=lambda request: "continue" in request.query, times=50)
    read(cluster)

    assert Route.objects.filter(gone_at=None).count() == 510
    assert Sync.objects.get(resource="virtualservices.networking.istio.io").error


def test_sync_cluster__unreachable__nothing_is_gone_and_the_age_is_kept(
    eu_west: EmulatedCluster, added: Callable[..., Cluster]
) -> None:
    cluster = added(eu_west)
    cluster.refresh_from_db()
    synced = cluster.last_synced_at

    eu_west.stop()
    assert read(cluster)

    cluster.refresh_from_db()
    assert cluster.last_synced_at == synced
    assert not Route.objects.exclude(gone_at=None).exists()
    assert Sync.objects.exclude(error="").count() >= 4
    assert cluster.next_sync_at is not None
    assert cluster.lease_until is None


def test_sync_cluster__no_mesh__services_read_and_no_error(
    emulate: Callable[..., EmulatedCluster], admin: User
) -> None:
    emulated = emulate("plain", [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "web"}}])
    for crd in emulated.list("CustomResourceDefinition"):
        emulated.delete("CustomResourceDefinition", crd["metadata"]["name"])
    cluster = add(emulated, admin)

    read(cluster)

    assert Namespace.objects.filter(name="web").exists()
    assert not Mesh.objects.exists()
    assert not Sync.objects.exclude(error="").exists()


def test_sync_cluster__mesh_taken_away__its_routes_are_gone(
    eu_west: EmulatedCluster, added: Callable[..., Cluster]
) -> None:
    cluster = added(eu_west)

    for crd in eu_west.list("CustomResourceDefinition"):
        eu_west.delete("CustomResourceDefinition", crd["metadata"]["name"])
    eu_west.delete("Deployment", "istiod", "istio-system")
    read(cluster)

    assert not Route.objects.filter(gone_at=None).exists()
    assert not Mesh.objects.filter(gone_at=None).exists()


def test_sync_cluster__config_map_forbidden_later__mesh_keeps_its_trust_domain(
    eu_west: EmulatedCluster, admin: User
) -> None:
    rules = [
        {"apiGroups": [""], "resources": ["namespaces", "services"], "verbs": READS},
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": READS},
        {"apiGroups": ["networking.istio.io"], "resources": ["*"], "verbs": READS},
    ]
    eu_west.grant("reader", rules)
    cluster = add(eu_west, admin)
    read(cluster)
    config = eu_west.kubeconfig("reader")
    Cluster.objects.filter(pk=cluster.pk).delete()
    cluster = add(eu_west, admin, config=config)

    read(cluster)

    assert Mesh.objects.get().trust_domain == ""
    assert "forbidden" in Sync.objects.get(resource="meshes").problems[0]["message"]


def test_sync_cluster__objects_no_api_server_would_send__named_and_the_others_read(
    eu_west: EmulatedCluster, added: Callable[..., Cluster]
) -> None:
    def odd(body: Any) -> None:
        body["metadata"]["annotations"] = {"note": "a\x00b"}

    eu_west.edit("VirtualService", "search", "shop", odd)
    added(eu_west)

    assert not Route.objects.filter(name="search").exists()
    assert Route.objects.filter(name="checkout").exists()
    problems = Sync.objects.get(resource="virtualservices.networking.istio.io").problems
    assert [p["where"] for p in problems] == ["VirtualService shop/search"]


def test_sync_cluster__secrets_in_a_route__never_reach_a_row(
    eu_west: EmulatedCluster, added: Callable[..., Cluster]
) -> None:
    def with_secrets(body: Any) -> None:
        rule = body["spec"]["http"][0]
        rule["match"] = [{"headers": {"cookie": {"regex": "canary-cookie-1"}}}]
        rule["route"][0]["headers"] = {"request": {"set": {"authorization": "Bearer canary-token-2"}}}

    eu_west.edit("VirtualService", "checkout", "shop", with_secrets)
    added(eu_west)

    route = Route.objects.get(namespace="shop", name="checkout")
    kept = json.dumps([route.body, route.neutral, route.problems])
    assert "canary-" not in kept
    assert "masked·hmac:" in json.loads(kept)[0]["spec"]["http"][0]["match"][0]["headers"]["cookie"]["regex"]


def test_sync_cluster__not_due_or_held__left_alone(eu_west: EmulatedCluster, admin: User) -> None:
    cluster = add(eu_west, admin)
    rows = Cluster.objects.filter(pk=cluster.pk)

    rows.update(next_sync_at=clock.db_now(plus=60))
    assert not sync_cluster(cluster.pk)
    rows.update(next_sync_at=clock.db_now())
    assert claim(rows, owner="somebody else", seconds=60) is not None
    assert not sync_cluster(cluster.pk)

    assert not Service.objects.exists()


def test_sync_cluster__lease_lost_meanwhile__what_was_read_is_not_stored(
    eu_west: EmulatedCluster, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = add(eu_west, admin)
    monkeypatch.setattr(sync_module, "LEASE_SECONDS", 0.0)

    assert not read(cluster)

    assert not Service.objects.exists()


def test_sync_cluster__no_credential__the_error_stands_on_the_connection(eu_west: EmulatedCluster, admin: User) -> None:
    cluster = add(eu_west, admin)
    cluster.credentials.all().delete()

    assert read(cluster)

    assert "credential" in Sync.objects.get(resource="connection").error


def test_request_sync__viewer__due_at_once_rung_and_recorded(
    eu_west: EmulatedCluster, added: Callable[..., Cluster], viewer: User
) -> None:
    cluster = added(eu_west)
    clock.shift_for_tests(timedelta(seconds=10))

    request_sync(actor=as_actor(viewer), cluster_id=cluster.pk)

    assert due_syncs().filter(pk=cluster.pk).exists()
    event = list_events(action="meshes.sync.requested").get()
    assert (event.outcome, event.object_name) == ("success", "eu-west")


def test_request_sync__just_read__too_soon(
    eu_west: EmulatedCluster, added: Callable[..., Cluster], viewer: User
) -> None:
    cluster = added(eu_west)

    with pytest.raises(TooSoonError, match="a moment ago"):
        request_sync(actor=as_actor(viewer), cluster_id=cluster.pk)

    assert list_events(action="meshes.sync.requested").get().outcome == "denied"


def test_request_sync__out_of_scope_or_missing__refused(
    eu_west: EmulatedCluster, admin: User, person: Callable[..., User]
) -> None:
    cluster = add(eu_west, admin)
    elsewhere = as_actor(person("maria", ["viewer"], scope={"environment": ["production"]}))

    with pytest.raises(DeniedError):
        request_sync(actor=elsewhere, cluster_id=cluster.pk)
    with pytest.raises(MissingError):
        request_sync(actor=elsewhere, cluster_id=new_id())


@pytest.mark.django_db(transaction=True)
def test_ring_due__due_clusters__rung_once_each(
    eu_west: EmulatedCluster, admin: User, run_rung: Callable[[], int]
) -> None:
    cluster = add(eu_west, admin)
    Cluster.objects.filter(pk=cluster.pk).update(next_sync_at=clock.db_now())

    assert ring_due() == 1
    with zeal_ignore():
        run_rung()

    assert Service.objects.exists()
    assert ring_due() == 0
