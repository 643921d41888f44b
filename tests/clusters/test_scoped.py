"""A credential of some namespaces: they are read one by one, and what cannot be seen is said, not shown as empty."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml
from zeal import zeal_ignore

from clusters import services
from clusters.clients import ForbiddenError, Resource
from clusters.connect import reader_for
from clusters.manifests import HOME, READER, Wish, rbac_manifest
from clusters.models import Cluster, Health
from clusters.scoped import ScopedReader
from meshes.models import Namespace, Route, Service
from meshes.services import sync_cluster
from meshui.lib import clock
from tests.clusters.makers import checked, register
from tests.people import as_actor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test import Client

    from accounts.models import User
    from playground.cluster import EmulatedCluster

pytestmark = pytest.mark.django_db
SERVICES = Resource("", "v1", "services", "Service")
NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
WEBHOOKS = Resource(
    "admissionregistration.k8s.io",
    "v1",
    "mutatingwebhookconfigurations",
    "MutatingWebhookConfiguration",
    namespaced=False,
)


@pytest.fixture(autouse=True)
def several_acts() -> Iterator[None]:
    """A test calls verbs one after another, as many requests would: not the N+1 that zeal looks for."""
    with zeal_ignore():
        yield


def narrow(server: EmulatedCluster, granted: tuple[str, ...], read: tuple[str, ...]) -> Cluster:
    """Registered to read `read`, by a token that the printed manifest gives rights in `granted`; tested."""
    server.load(yaml.safe_load_all(rbac_manifest(Wish(namespaces=granted, meshes=("istio",)))))
    return checked(register(server.name, text=server.service_account_kubeconfig(HOME, READER), namespaces=read))


def read_now(cluster: Cluster) -> None:
    """As if its reading were due."""
    Cluster.objects.filter(pk=cluster.pk).update(next_sync_at=clock.db_now())
    assert sync_cluster(cluster.pk)


def names(listed: Any) -> set[str]:
    """namespace/name of a list."""
    return {f"{item['metadata'].get('namespace', '')}/{item['metadata']['name']}" for item in listed.items}


def test_read__rights_of_two_namespaces__healthy_and_just_those_are_stored(eu_west: EmulatedCluster) -> None:
    cluster = narrow(eu_west, ("payments", "shop"), ("payments", "shop"))

    read_now(cluster)

    services_there = set(Service.objects.values_list("namespace", flat=True))
    assert (cluster.health, cluster.health_reason) == (Health.HEALTHY, "")
    assert set(Namespace.objects.values_list("name", flat=True)) == {"payments", "shop"}
    assert services_there == {"payments", "shop"}
    assert Route.objects.filter(namespace="shop", root_service="checkout").exists()
    assert not any(
        request.path == "/api/v1/services" and request.method == "GET" for request in eu_west.server.requests
    )


def test_page__one_namespace_without_rights__degraded_named_and_what_is_not_shown(
    client: Client, eu_west: EmulatedCluster, viewer: User
) -> None:
    cluster = narrow(eu_west, ("shop",), ("payments", "shop"))
    client.force_login(viewer)

    page = client.get("/clusters/eu-west/").content.decode()

    assert cluster.health == Health.DEGRADED
    assert "services in payments (reader)" in cluster.health_reason
    assert "No services; routes are shown without them." in page
    assert "get, list, watch in payments" in page
    assert "not by namespace" in page
    assert "2 namespaces only" in page


def test_read__rights_taken_away_later__nothing_that_was_read_is_lost(eu_west: EmulatedCluster) -> None:
    cluster = narrow(eu_west, ("payments", "shop"), ("payments", "shop"))
    read_now(cluster)
    before = Service.objects.filter(gone_at=None).count()

    eu_west.delete("RoleBinding", "meshui-read", "payments")
    read_now(cluster)

    assert Service.objects.filter(gone_at=None).count() == before > 0
    assert checked(cluster).health == Health.DEGRADED


def test_set_namespaces__narrower__the_rest_is_gone_when_it_is_read(eu_west: EmulatedCluster, admin: User) -> None:
    cluster = narrow(eu_west, ("payments", "shop"), ("payments", "shop"))
    read_now(cluster)

    services.set_namespaces(actor=as_actor(admin), cluster_id=cluster.pk, namespaces=["shop"])
    read_now(cluster)

    left = set(Service.objects.filter(gone_at=None).values_list("namespace", flat=True))
    assert left == {"shop"}
    assert Service.objects.filter(namespace="payments").exclude(gone_at=None).exists()


def test_reader__given_namespaces__lists_them_one_by_one(eu_west: EmulatedCluster) -> None:
    cluster = narrow(eu_west, ("payments", "shop"), ("payments", "shop"))

    reader = reader_for(cluster)

    assert isinstance(reader, ScopedReader)
    assert {name.partition("/")[0] for name in names(reader.list_objects(SERVICES))} == {"payments", "shop"}
    assert names(reader.list_objects(SERVICES, namespace="shop")) <= names(reader.list_objects(SERVICES))
    assert names(reader.list_objects(NAMESPACES)) == {"/payments", "/shop"}
    assert reader.list_objects(WEBHOOKS).items == ()
    assert len(reader.list_metadata(SERVICES).items) == len(reader.list_objects(SERVICES).items)


def test_reader__a_namespace_that_is_gone__the_others_are_listed(eu_west: EmulatedCluster, admin: User) -> None:
    cluster = register("eu-west", text=eu_west.admin_kubeconfig(), namespaces=("no-such", "shop"))

    reader = reader_for(cluster)

    assert names(reader.list_objects(NAMESPACES)) == {"/shop"}
    assert {name.partition("/")[0] for name in names(reader.list_objects(SERVICES))} == {"shop"}


def test_reader__one_of_its_namespaces_forbidden__the_list_fails_whole(eu_west: EmulatedCluster) -> None:
    cluster = narrow(eu_west, ("shop",), ("payments", "shop"))

    with pytest.raises(ForbiddenError, match="payments"):
        reader_for(cluster).list_objects(SERVICES)


def test_reader__whole_cluster_kind_with_the_right__listed(eu_west: EmulatedCluster) -> None:
    cluster = register("eu-west", text=eu_west.admin_kubeconfig(), namespaces=("shop",))

    assert len(reader_for(cluster).list_objects(WEBHOOKS).items) > 0


def test_reader__watch__refused_with_the_reason(eu_west: EmulatedCluster) -> None:
    stream = reader_for(narrow(eu_west, ("shop",), ("shop",))).watch(SERVICES, "1")

    with pytest.raises(ForbiddenError, match="services are read namespace by namespace"):
        next(iter(stream))
    stream.stop()
