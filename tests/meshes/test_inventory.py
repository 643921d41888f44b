"""Pages of what was read of one cluster, list by list: what they show, to whom, with how many queries."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from zeal import zeal_ignore

from meshes.models import WATCHING, Namespace, Route, Service, Sync, Workload
from meshui.lib import clock
from tests.meshes import rows
from tests.meshes.conftest import read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from django.test import Client

    from accounts.models import User
    from clusters.models import Cluster
    from playground.cluster import EmulatedCluster

    CountQueries = Callable[[str], AbstractContextManager[None]]

pytestmark = pytest.mark.django_db
PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}
BASE = "/clusters/eu-west/inventory/"
LISTS = ("namespaces", "services", "workloads", "routes")
URLS = [f"{BASE}{name}/" for name in LISTS]


@pytest.fixture(autouse=True)
def _several_requests() -> Iterator[None]:
    """A test makes rows and asks several times: not the N+1 that zeal looks for. Queries are counted below."""
    with zeal_ignore():
        yield


def text_of(response: Any) -> str:
    """The answer as text, in one line."""
    return " ".join(response.content.decode().split())


def fill(where: Cluster, count: int) -> None:
    """So many rows for each list, beside what is there."""
    rows.services(where, [f"web-{number:03}" for number in range(count)])
    made: dict[str, Any] = {"cluster": where, "content_hash": "", "read_at": clock.now()}
    for number in range(count):
        uid = f"{number:03}"
        Namespace.objects.get_or_create(cluster=where, uid=f"n-{uid}", defaults={**made, "name": f"space-{uid}"})
        named = {**made, "name": f"work-{uid}", "namespace": "shop", "kind": "Deployment"}
        Workload.objects.get_or_create(cluster=where, uid=f"w-{uid}", defaults=named)


def test_namespaces__emulated_cluster__injected_or_not_why_and_by_whom(
    client: Client, viewer: User, eu_west: EmulatedCluster, added: Callable[..., Cluster]
) -> None:
    eu_west.load([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "plain"}}])
    added(eu_west)
    client.force_login(viewer)

    page = text_of(client.get(URLS[0]))
    none = client.get(f"{URLS[0]}?injection=none").context["rows"]

    assert "istio-injection=enabled" in page
    assert "revision default" in page
    assert "no injection label" in page
    assert "plain" in [row.name for row in none]
    assert "shop" not in [row.name for row in none]


def test_workloads__emulated_cluster__versions_and_ready_pods(
    client: Client, viewer: User, eu_west: EmulatedCluster, added: Callable[..., Cluster]
) -> None:
    added(eu_west)
    client.force_login(viewer)

    found = client.get(f"{URLS[2]}?q=checkout-v2").context["rows"].items

    assert [(row.kind, row.version) for row in found] == [("Deployment", "v2")]
    assert found[0].ready == found[0].replicas > 0


def test_workloads__fewer_ready_than_wanted__marked(client: Client, viewer: User) -> None:
    fill(rows.cluster("eu-west"), 1)
    Workload.objects.update(replicas=3, ready=1)
    client.force_login(viewer)

    assert '<span class="st warn">' in text_of(client.get(URLS[2]))


def test_routes__emulated_cluster__split_rules_and_a_page_for_each(
    client: Client, viewer: User, us_east: EmulatedCluster, added: Callable[..., Cluster]
) -> None:
    added(us_east)
    client.force_login(viewer)

    lines = client.get("/clusters/us-east/inventory/routes/?show=split").context["lines"]
    line = next(line for line in lines if line.row.root_service == "checkout")
    page = text_of(client.get(f"/clusters/us-east/inventory/routes/{line.row.pk}/"))

    assert [share for _, share in line.shares] == [9000, 1000]
    assert line.rule_count == len(line.row.route.rules) > 1
    assert '<td class="r num">9</td> <td class="r num">9000</td> <td class="r num">90' in page
    assert '<td class="r num">1</td> <td class="r num">1000</td> <td class="r num">10' in page
    assert "networking.istio.io" in page


def test_route_detail__inexact_fields__listed_one_by_one(client: Client, viewer: User) -> None:
    rows.services(rows.cluster("eu-west"), ["checkout"])
    problems = [{"where": f"spec.http[{n}].mirror", "message": f"Not said: {n}."} for n in range(3)]
    Route.objects.update(problems=problems)
    client.force_login(viewer)

    page = text_of(client.get(f"{URLS[3]}{Route.objects.get().pk}/"))

    assert all(f"<code>{each['where']}</code>" in page and each["message"] in page for each in problems)


def test_route_detail__cannot_be_read__says_so_and_shows_the_object(client: Client, viewer: User) -> None:
    rows.services(rows.cluster("eu-west"), ["checkout"])
    Route.objects.update(neutral=None, projection_hash="", problems=[{"where": "spec.http", "message": "No rule."}])
    client.force_login(viewer)

    page = text_of(client.get(f"{URLS[3]}{Route.objects.get().pk}/"))
    unread = client.get(f"{URLS[3]}?show=unread").context["lines"]

    assert "It cannot be said as rules" in page
    assert "No rule." in page
    assert len(unread) == 1


@pytest.mark.parametrize("url", URLS)
def test_lists__something_is_gone__shown_when_asked_for_with_the_time(client: Client, viewer: User, url: str) -> None:
    fill(rows.cluster("eu-west"), 2)
    for model in (Namespace, Service, Workload, Route):
        first = model._default_manager.order_by("name").values("pk")[:1]
        model._default_manager.filter(pk__in=list(first.values_list("pk", flat=True))).update(gone_at=clock.now())
    client.force_login(viewer)

    there, gone, every = (client.get(f"{url}{query}") for query in ("", "?state=gone", "?state=all"))

    assert [len(page.context["rows"].items) for page in (there, gone, every)] == [1, 1, 2]
    assert "gone since" in text_of(gone)
    assert "gone since" not in text_of(there)


def test_route_detail__gone__as_it_was_last_read(client: Client, viewer: User) -> None:
    rows.services(rows.cluster("eu-west"), ["checkout"])
    Route.objects.update(gone_at=clock.now())
    client.force_login(viewer)

    assert "It is gone since" in text_of(client.get(f"{URLS[3]}{Route.objects.get().pk}/"))


@pytest.mark.parametrize("url", URLS)
def test_lists__nothing_read__says_so_and_nothing_there__says_that(client: Client, viewer: User, url: str) -> None:
    where = rows.cluster("eu-west")
    client.force_login(viewer)

    empty = text_of(client.get(url))
    where.last_synced_at = None
    where.save()
    unread = text_of(client.get(url))
    filtered = text_of(client.get(f"{url}?q=nothing"))

    assert "Nothing of this kind is there" in empty
    assert "Not read yet" in unread
    assert "Nothing matches these filters" in filtered


@pytest.mark.parametrize("url", URLS)
def test_lists__stale__as_of_then(client: Client, viewer: User, url: str) -> None:
    fill(rows.cluster("eu-west"), 1)
    client.force_login(viewer)
    clock.shift_for_tests(timedelta(minutes=30))

    page = text_of(client.get(url))

    assert "This is how it was when it could last be read" in page
    assert 'id="table"' in page


def test_lists__kind_failed__said_there_and_the_rows_stay(
    client: Client, viewer: User, eu_west: EmulatedCluster, added: Callable[..., Cluster]
) -> None:
    cluster = added(eu_west)
    eu_west.server.faults.answer(403, path=lambda request: request.path.endswith("/virtualservices"), times=9)
    read(cluster)
    client.force_login(viewer)

    response = client.get(URLS[3])

    assert "could not be read:" in text_of(response)
    assert len(response.context["lines"]) > 0


def test_kinds__watched_refused_and_switched_off__each_says_how_it_is_kept(
    client: Client, viewer: User, settings: Any
) -> None:
    where = rows.cluster("eu-west")
    where.lease_owner, where.lease_until = f"a{WATCHING}b", clock.now() + timedelta(seconds=60)
    where.save()
    moment = clock.now()
    names = ("services", "virtualservices.networking.istio.io")
    watched, refused = (Sync.objects.create(cluster=where, resource=name, started_at=moment) for name in names)
    Sync.objects.filter(pk=watched.pk).update(watched_since=moment)
    Sync.objects.filter(pk=refused.pk).update(watch_error="The credential may not watch virtualservices.")
    client.force_login(viewer)

    services, routes = text_of(client.get(URLS[1])), text_of(client.get(URLS[3]))
    where.lease_until = clock.now() - timedelta(seconds=1)
    where.save()
    orphaned = text_of(client.get(URLS[1]))
    settings.WATCH = False
    unwatched = text_of(client.get(BASE))

    assert "watched since" in services
    assert "read every 60 s" in routes
    assert "because The credential may not watch virtualservices." in routes
    assert "because nothing watches the cluster now" in orphaned
    assert "watched since" not in orphaned
    assert "because watching is switched off here (MESHUI_WATCH)" in unwatched


@pytest.mark.parametrize("url", [BASE, *URLS])
def test_lists__out_of_scope__as_if_it_were_not_there(client: Client, person: Callable[..., User], url: str) -> None:
    fill(rows.cluster("eu-west", environment="production"), 1)
    client.force_login(person("maria", ["viewer"], scope={"environment": ["staging"]}))

    there, nowhere = client.get(url), client.get(url.replace("eu-west", "nowhere"))

    assert (there.status_code, nowhere.status_code) == (404, 404)


def test_lists__grant_of_one_namespace__pages_of_the_cluster_are_not_there(
    client: Client, person: Callable[..., User]
) -> None:
    rows.services(rows.cluster("eu-west"), ["checkout"])
    client.force_login(person("maria", ["viewer"], scope={"namespace": ["shop"]}))

    statuses = {client.get(url).status_code for url in (*URLS, f"{URLS[3]}{Route.objects.get().pk}/")}

    assert statuses == {404}
    assert client.get("/services/all/shop/checkout/").status_code == 200


def test_route_detail__of_another_cluster__not_under_this_one(client: Client, viewer: User) -> None:
    rows.cluster("eu-west")
    rows.services(rows.cluster("us-east"), ["checkout"])
    client.force_login(viewer)

    assert client.get(f"{URLS[3]}{Route.objects.get().pk}/").status_code == 404


@pytest.mark.parametrize("url", URLS)
def test_lists__no_grant__forbidden(client: Client, stranger: User, url: str) -> None:
    rows.cluster("eu-west")
    client.force_login(stranger)

    assert client.get(url).status_code == 403


@pytest.mark.parametrize("name", LISTS)
def test_lists__ten_or_two_hundred_rows__as_many_queries(
    client: Client, viewer: User, count_queries: CountQueries, name: str
) -> None:
    client.force_login(viewer)
    where = rows.cluster("eu-west")
    url = f"{BASE}{name}/?rows=200"
    for count in (10, 120):
        fill(where, count)
        client.get(url)
        with count_queries(f"inventory-{name}"):
            response = client.get(url)
        assert len(response.context["rows"].items) == count


@pytest.mark.parametrize("url", URLS)
def test_lists__more_than_a_page__the_next_one_goes_on(client: Client, viewer: User, url: str) -> None:
    client.force_login(viewer)
    fill(rows.cluster("eu-west"), 30)

    first = client.get(f"{url}?rows=25")
    second = client.get(url + first.context["rows"].next_query, headers=PARTIAL)

    assert [len(page.context["rows"].items) for page in (first, second)] == [25, 5]
    assert text_of(second).startswith('<div id="table"')


def test_lists__foreign_names__shown_as_symbols(client: Client, viewer: User) -> None:
    fill(rows.cluster("eu-west"), 1)
    for model in (Namespace, Service, Workload, Route):
        model._default_manager.update(name="a\u202e<script>alert(1)</script>")
    client.force_login(viewer)

    pages = [text_of(client.get(url)) for url in URLS]

    assert not [page for page in pages if "\u202e" in page or "<script>alert" in page]
