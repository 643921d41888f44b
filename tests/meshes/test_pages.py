"""Pages of the inventory: what they show, to whom, and with how many queries."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from zeal import zeal_ignore

from accounts.rights import Held
from audit.selectors import list_events
from clusters.models import Cluster
from meshes.models import ControlPlane, Mesh, Route, Service, Sync
from meshes.selectors import FleetRow, fleet_clusters, fleet_rows
from meshui.lib import clock
from tests.meshes import rows
from tests.meshes.conftest import read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.test import Client

    from accounts.models import User
    from playground.cluster import EmulatedCluster

pytestmark = pytest.mark.django_db
PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}
LIST = "/services/"


@pytest.fixture(autouse=True)
def _several_requests() -> Iterator[None]:
    """A test makes rows and asks several times: not the N+1 that zeal looks for. Queries are counted below."""
    with zeal_ignore():
        yield


def names(count: int) -> list[str]:
    """Names of services."""
    return [f"web-{number:03}" for number in range(count)]


def queries_of(client: Client, url: str) -> int:
    """How many queries a page sends, once what is kept for the session is warm."""
    client.get(url)
    with CaptureQueriesContext(connection) as captured:
        assert client.get(url).status_code == 200
    return len(captured)


def text_of(response: Any) -> str:
    """The answer as text."""
    return str(response.content.decode())


def test_service_list__two_clusters__one_row_a_service_with_both_ways_it_is_split(client: Client, viewer: User) -> None:
    client.force_login(viewer)
    rows.services(rows.cluster("eu-west"), ["checkout", "cart"])
    rows.services(rows.cluster("us-east"), ["checkout"], split=(75, 25))

    response = client.get(LIST)

    lines = response.context["lines"]
    assert [(line.name, line.clusters, line.route_count) for line in lines] == [
        ("cart", ("eu-west",), 1),
        ("checkout", ("eu-west", "us-east"), 2),
    ]
    assert [(split.shares, split.clusters) for split in lines[1].splits] == [
        ((("v1", 9000), ("v2", 1000)), ("eu-west",)),
        ((("v1", 7500), ("v2", 2500)), ("us-east",)),
    ]
    assert 'href="/services/all/shop/checkout/"' in text_of(response)
    assert 'href="/services/eu-west/shop/cart/"' in text_of(response)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("q=check", ["checkout"]),
        ("namespace=pay", ["ledger"]),
        ("cluster=us-east", ["checkout", "ledger"]),
        ("split=now", ["cart", "checkout", "ledger"]),
        ("q=nothing", []),
        ("cluster=us-east&q=cart", []),
    ],
)
def test_service_list__filters__only_those_that_match(
    client: Client, viewer: User, query: str, expected: list[str]
) -> None:
    client.force_login(viewer)
    east = rows.cluster("us-east")
    rows.services(rows.cluster("eu-west"), ["checkout", "cart"])
    rows.services(east, ["checkout"])
    rows.services(east, ["ledger"], namespace="pay")
    Service.objects.bulk_create(
        [Service(cluster=east, namespace="pay", name="idle", uid="i", content_hash="", read_at=clock.now())]
    )

    response = client.get(f"{LIST}?{query}")

    found = [line.name for line in response.context["lines"]]
    assert [name for name in found if name != "idle"] == expected
    assert "Clear filters" in text_of(response) or found


def test_service_list__partial__the_table_alone_and_its_url(client: Client, viewer: User) -> None:
    client.force_login(viewer)
    rows.services(rows.cluster("eu-west"), names(3))

    response = client.get(f"{LIST}?q=web&namespace=", headers=PARTIAL)

    assert text_of(response).lstrip().startswith('<div id="table"')
    assert response["HX-Push-Url"] == f"{LIST}?q=web"
    assert "HX-Request-Type" in response["Vary"]


def test_service_list__more_than_a_page__the_next_one_goes_on(client: Client, viewer: User) -> None:
    client.force_login(viewer)
    rows.services(rows.cluster("eu-west"), names(70))

    first = client.get(LIST)
    second = client.get(LIST + first.context["rows"].next_query)

    assert [len(page.context["lines"]) for page in (first, second)] == [50, 20]
    assert first.context["rows"].total == 70
    assert second.context["lines"][0].name == "web-050"


def test_service_list__nothing_read__says_why(client: Client, viewer: User) -> None:
    client.force_login(viewer)

    assert "No service yet" in text_of(client.get(LIST))


def test_service_list__ten_or_two_hundred_rows__as_many_queries(client: Client, viewer: User) -> None:
    client.force_login(viewer)
    where = [rows.cluster("eu-west"), rows.cluster("us-east")]
    for cluster in where:
        rows.services(cluster, names(10))
    few = queries_of(client, f"{LIST}?rows=200")

    for cluster in where:
        rows.services(cluster, names(200))
    many = queries_of(client, f"{LIST}?rows=200")

    assert few == many <= 12


@pytest.mark.parametrize(
    "url", ["/services/all/shop/checkout/", "/services/us-east/shop/checkout/", "/clusters/us-east/inventory/"]
)
def test_pages__out_of_scope__as_if_it_were_not_there(client: Client, person: Callable[..., User], url: str) -> None:
    rows.services(rows.cluster("us-east", environment="production"), ["checkout"])
    client.force_login(person("maria", ["viewer"], scope={"environment": ["staging"]}))

    response = client.get(url)

    assert response.status_code == 404
    assert "checkout" not in text_of(client.get(LIST))
    narrowed = text_of(client.get(f"{LIST}?cluster=us-east"))
    assert "us-east" not in re.sub('value="us-east"|cluster%3Dus-east|Cluster “us-east”', "", narrowed)


def test_pages__grant_of_one_namespace__only_that(client: Client, person: Callable[..., User]) -> None:
    where = rows.cluster("eu-west")
    rows.services(where, ["checkout"])
    rows.services(where, ["ledger"], namespace="pay")
    client.force_login(person("maria", ["viewer"], scope={"namespace": ["pay"]}))

    assert [line.name for line in client.get(LIST).context["lines"]] == ["ledger"]
    assert client.get("/services/all/pay/ledger/").status_code == 200
    assert client.get("/services/all/shop/checkout/").status_code == 404


@pytest.mark.parametrize("url", [LIST, "/services/all/shop/checkout/", "/clusters/eu-west/inventory/"])
def test_pages__no_grant__forbidden(client: Client, stranger: User, url: str) -> None:
    rows.services(rows.cluster("eu-west"), ["checkout"])
    client.force_login(stranger)

    response = client.get(url)

    assert response.status_code == 403
    assert "inventory.read" in text_of(response)


def test_service_detail__from_emulated_clusters__rules_shares_and_native_weights(
    client: Client, author: User, eu_west: EmulatedCluster, us_east: EmulatedCluster, added: Callable[..., Cluster]
) -> None:
    added(eu_west)
    added(us_east)
    client.force_login(author)

    response = client.get("/services/all/shop/checkout/")

    service = response.context["service"]
    page = text_of(response)
    assert [here.cluster.slug for here in service.clusters] == ["eu-west", "us-east"]
    assert [here.shares for here in service.clusters] == [(("v1", 9000), ("v2", 1000))] * 2
    assert service.mesh_labels == ["Istio"]
    assert "header x-employee regex ^(yes|true)$" in page
    assert "Propose a split" in page
    assert 'href="/services/all/shop/checkout/split/"' in page


def test_service_detail__viewer__no_way_to_propose(client: Client, viewer: User) -> None:
    rows.services(rows.cluster("eu-west"), ["checkout"])
    client.force_login(viewer)

    assert "Propose a split" not in text_of(client.get("/services/eu-west/shop/checkout/"))


def test_service_detail__native__the_object_as_yaml(client: Client, viewer: User) -> None:
    rows.services(rows.cluster("eu-west"), ["checkout"])
    client.force_login(viewer)

    page = text_of(client.get("/services/eu-west/shop/checkout/?view=native"))

    assert "networking.istio.io" in page
    assert "destination" in page


def test_service_detail__no_route_gone_stale_and_unread__each_is_told(client: Client, viewer: User) -> None:
    where = rows.cluster("eu-west")
    rows.services(where, ["checkout"])
    client.force_login(viewer)
    Route.objects.update(gone_at=clock.now())
    Service.objects.update(gone_at=clock.now())
    Sync.objects.create(cluster=where, resource="services", error="It answered 500.", started_at=clock.now())

    page = text_of(client.get("/services/eu-west/shop/checkout/"))

    assert "No route: every request goes to this service" in page
    assert "The service is gone" in page
    assert "This is how it was when it could last be read" in page


def test_service_detail__names_with_direction_marks__shown_as_symbols(client: Client, viewer: User) -> None:
    where = rows.cluster("eu-west")
    rows.services(where, ["checkout"])
    Route.objects.update(problems=[{"where": "spec\u202e", "message": "<script>alert(1)</script>\u202e"}])
    client.force_login(viewer)

    page = text_of(client.get("/services/eu-west/shop/checkout/"))

    assert "\u202e" not in page
    assert "<script>alert" not in page


@pytest.mark.parametrize("count", [1, 8])
def test_service_detail__more_clusters__as_many_queries(client: Client, viewer: User, count: int) -> None:
    client.force_login(viewer)
    for number in range(count):
        where = rows.cluster(f"c-{number}")
        rows.services(where, ["checkout"])
        mesh = Mesh.objects.create(cluster=where, kind="istio", trust_domain="x", content_hash="", read_at=clock.now())
        ControlPlane.objects.create(
            cluster=where,
            mesh=mesh,
            namespace="istio-system",
            name="istiod",
            revision="default",
            version="1.31.0",
            is_ready=True,
            content_hash="",
            read_at=clock.now(),
        )

    assert queries_of(client, "/services/all/shop/checkout/") <= 20


def test_inventory__emulated_cluster__control_planes_namespaces_routes_and_reading(
    client: Client, viewer: User, us_east: EmulatedCluster, added: Callable[..., Cluster]
) -> None:
    added(us_east)
    client.force_login(viewer)

    page = text_of(client.get("/clusters/us-east/inventory/"))
    fragment = text_of(client.get("/clusters/us-east/inventory/", headers=PARTIAL))

    assert "Istio 1.31.0" in page
    assert "istio-injection=enabled" in page
    assert "virtualservices" in page
    assert "<html" not in fragment
    assert "Istio 1.31.0" in fragment


def test_inventory__something_failed__said_with_the_age_and_the_rest_is_shown(
    client: Client, viewer: User, eu_west: EmulatedCluster, added: Callable[..., Cluster]
) -> None:
    cluster = added(eu_west)
    eu_west.server.faults.answer(403, path=lambda request: request.path.endswith("/virtualservices"), times=9)
    read(cluster)
    client.force_login(viewer)

    page = text_of(client.get("/clusters/eu-west/inventory/"))

    assert "Some of it could not be read" in page
    assert "Istio 1.31.0" in page


@pytest.mark.parametrize(
    ("read_there", "said"), [([], "Looked for in all namespaces"), (["shop"], "in the namespaces that are read alone")]
)
def test_inventory__no_mesh_found__says_where_it_was_looked_for(
    client: Client, viewer: User, read_there: list[str], said: str
) -> None:
    where = rows.cluster("eu-west")
    Cluster.objects.filter(pk=where.pk).update(only_namespaces=read_there)
    client.force_login(viewer)

    assert said in text_of(client.get("/clusters/eu-west/inventory/"))


def test_inventory__ten_or_two_hundred_routes__as_many_queries(client: Client, viewer: User) -> None:
    client.force_login(viewer)
    where = rows.cluster("eu-west")
    rows.services(where, names(10))
    few = queries_of(client, "/clusters/eu-west/inventory/")

    rows.services(where, names(200))
    many = queries_of(client, "/clusters/eu-west/inventory/")

    assert few == many <= 20


def test_cluster_sync__post__rung_recorded_and_back_to_the_cluster(client: Client, viewer: User) -> None:
    where = rows.cluster("eu-west")
    client.force_login(viewer)

    response = client.post(reverse("meshes:cluster-sync", args=["eu-west"]))

    where.refresh_from_db()
    assert (response.status_code, response["Location"]) == (303, "/clusters/eu-west/")
    assert where.next_sync_at is not None
    assert list_events(action="meshes.sync.requested").get().outcome == "success"


def test_cluster_sync__again_at_once__429_in_words(client: Client, viewer: User) -> None:
    where = rows.cluster("eu-west")
    Sync.objects.create(cluster=where, resource="services", started_at=clock.now())
    client.force_login(viewer)

    response = client.post(reverse("meshes:cluster-sync", args=["eu-west"]))

    assert response.status_code == 429
    assert "was read a moment ago" in text_of(response)


def test_cluster_sync__out_of_scope__missing(client: Client, person: Callable[..., User]) -> None:
    rows.cluster("eu-west", environment="production")
    client.force_login(person("maria", ["viewer"], scope={"environment": ["staging"]}))

    assert client.post(reverse("meshes:cluster-sync", args=["eu-west"])).status_code == 404


def rows_of(user: User) -> list[FleetRow]:
    """All clusters that `user` may see."""
    held = Held(user)
    return fleet_rows(held, list(fleet_clusters(held).order_by("slug")))


def test_fleet_rows__clusters_of_all_kinds__worst_first_with_counts(viewer: User) -> None:
    good, bad = rows.cluster("good"), rows.cluster("bad")
    rows.services(good, names(3))
    Cluster.objects.filter(pk=good.pk).update(health="healthy")
    Cluster.objects.filter(pk=bad.pk).update(health="unreachable", last_synced_at=None)
    Sync.objects.create(cluster=bad, resource="services", error="No answer.", started_at=clock.now())

    found = rows_of(viewer)

    assert [(row.cluster.slug, row.sync, row.service_count, row.split_count, row.problem_count) for row in found] == [
        ("bad", "failed", 0, 0, 1),
        ("good", "in_sync", 3, 3, 0),
    ]


def test_fleet_rows__not_read_for_long__stale(viewer: User) -> None:
    rows.cluster("old")
    clock.shift_for_tests(timedelta(hours=1))

    assert [row.sync for row in rows_of(viewer)] == ["stale"]


def test_fleet_rows__one_or_many_clusters__as_many_queries(viewer: User) -> None:
    rows.services(rows.cluster("c-0"), names(2))
    with CaptureQueriesContext(connection) as few:
        rows_of(viewer)
    for number in range(1, 30):
        rows.services(rows.cluster(f"c-{number}"), names(2))

    with CaptureQueriesContext(connection) as many:
        assert len(rows_of(viewer)) == 30

    assert len(few) == len(many) <= 9
