"""The pages of drift: what they show, to whom, in which states, and with how many queries."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from zeal import zeal_ignore

from meshes.models import Drift, ManagedRoute, Route
from meshui.lib.clock import now
from tests.traffic.factories import checkout_route, in_review, make_cluster, make_managed, make_route

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.test import Client

    from accounts.models import User
    from clusters.models import Cluster

pytestmark = pytest.mark.django_db
LIST = "/drift/"


@pytest.fixture(autouse=True)
def several_requests() -> Iterator[None]:
    """A test makes rows and asks several times: not the N+1 that zeal looks for. Queries are counted below."""
    with zeal_ignore():
        yield


def fresh(slug: str = "eu-west", **columns: Any) -> Cluster:
    """A cluster that was read just now."""
    return make_cluster(slug, last_synced_at=now(), **columns)


def page(client: Client, user: User, url: str = LIST) -> str:
    """What `user` sees there."""
    client.force_login(user)
    response = client.get(url)
    assert response.status_code == 200
    return response.content.decode()


def test_drift_list__share_moved__in_neutral_words_with_age_and_place(client: Client, viewer: User) -> None:
    row = make_managed(make_route(fresh(), checkout_route(6000, 4000)))

    text = page(client, viewer)

    assert "10 % → 40 %" in text.replace("\u202f", " ")
    assert "Changed outside of MeshUI" in text
    assert f'href="/drift/{row.pk}/diff/"' in text
    assert 'href="/services/eu-west/shop/checkout/"' in text
    assert "checked" in text
    assert "not recorded" in text


def test_drift_list__change_in_scope__its_title_and_a_link(client: Client, author: User, viewer: User) -> None:
    route = make_route(fresh(), checkout_route(6000, 4000))
    change = in_review(author, [route])
    make_managed(route, change_number=change.number)

    text = page(client, viewer)

    assert f'href="/changes/{change.number}/"' in text
    assert "Shift checkout" in text


def test_drift_list__nothing_written__says_what_drift_is(client: Client, viewer: User) -> None:
    fresh()

    assert "MeshUI has written no route yet" in page(client, viewer)


def test_drift_list__all_as_left__in_sync_with_its_age(client: Client, viewer: User) -> None:
    make_managed(make_route(fresh()), Drift.NONE)

    text = page(client, viewer)

    assert "In sync" in text
    assert "1 route is as MeshUI left it" in text


def test_drift_list__cluster_not_read__blind_since(client: Client, viewer: User) -> None:
    old = now() - timedelta(hours=3)
    make_managed(make_route(make_cluster("us-east", last_synced_at=old)), Drift.NONE)

    text = page(client, viewer)

    assert "blind since" in text
    assert "us-east" in text
    assert "In sync" not in text


def test_drift_list__filtered_to_nothing__names_the_way_out(client: Client, viewer: User) -> None:
    make_managed(make_route(fresh()))

    assert "No drift matches these filters" in page(client, viewer, f"{LIST}?q=nothing")


@pytest.mark.parametrize(
    ("query", "is_found"),
    [
        ("q=check", True),
        ("cluster=eu-west", True),
        ("cluster=us-east", False),
        ("environment=staging", True),
        ("mesh=linkerd", False),
        ("drift=gone", False),
        ("namespace=shop", True),
    ],
)
def test_drift_list__filters__only_those_that_match(
    client: Client, viewer: User, query: str, *, is_found: bool
) -> None:
    make_managed(make_route(fresh(), checkout_route(6000, 4000)))

    assert ("/diff/" in page(client, viewer, f"{LIST}?{query}")) is is_found


def test_drift__other_scope__nothing_shown_nothing_counted(client: Client, person: Callable[..., Any]) -> None:
    row = make_managed(make_route(fresh(), checkout_route(6000, 4000)))
    other = person("maria", ["viewer"], scope={"environment": ["production"]})
    narrow = person("nina", ["viewer"], scope={"cluster": ["eu-west"], "namespace": ["pay"]})

    for user in (other, narrow):
        text = page(client, user)
        assert "/diff/" not in text
        assert "checkout" not in text
        assert client.get(f"/drift/{row.pk}/diff/").status_code == 404
    client.force_login(other)
    assert client.get("/clusters/eu-west/drift/").status_code == 404


def test_drift__scope_of_one_namespace__its_own_drift_with_its_age(client: Client, person: Callable[..., Any]) -> None:
    row = make_managed(make_route(fresh(), checkout_route(6000, 4000)))
    nina = person("nina", ["viewer"], scope={"namespace": ["shop"]})

    assert f"/drift/{row.pk}/diff/" in page(client, nina)
    assert "checked" in page(client, nina, f"/drift/{row.pk}/diff/")
    ManagedRoute.objects.update(drift="")
    assert "1 route is as MeshUI left it" in page(client, nina)


def test_drift_diff__changed__both_states_and_the_way_on(client: Client, author: User) -> None:
    row = make_managed(make_route(fresh(), checkout_route(6000, 4000)))

    text = page(client, author, f"/drift/{row.pk}/diff/")

    assert "weight" in text
    assert "As MeshUI left it, and as it was read last" in text
    assert 'href="/services/eu-west/shop/checkout/split/"' in text
    assert "MeshUI does not undo what others did" in text


def test_drift_diff__share_moved__bars_say_which_is_as_left_and_which_is_live(client: Client, viewer: User) -> None:
    row = make_managed(make_route(fresh(), checkout_route(6000, 4000)))

    text = page(client, viewer, f"/drift/{row.pk}/diff/")

    bars = re.findall(r'<span>([^<]+)</span><svg class="sbar (?:thin|full)".*?width="([0-9.]+)%"', text)
    assert bars == [("As MeshUI left it", "90.00"), ("Live now", "60.00")]


def test_drift_diff__viewer__no_button_that_would_be_refused(client: Client, viewer: User) -> None:
    row = make_managed(make_route(fresh(), checkout_route(6000, 4000)))

    assert "/split/" not in page(client, viewer, f"/drift/{row.pk}/diff/")


def test_drift_diff__gone__says_so(client: Client, viewer: User) -> None:
    route = make_route(fresh())
    Route.objects.filter(pk=route.pk).update(gone_at=now())
    row = make_managed(route, Drift.GONE)

    text = page(client, viewer, f"/drift/{row.pk}/diff/")

    assert "It is not there any more" in text
    assert "start it anew" in text


def test_drift_diff__put_back__in_sync_again(client: Client, viewer: User) -> None:
    row = make_managed(make_route(fresh()), Drift.NONE)

    assert "As MeshUI left it, or left so again" in page(client, viewer, f"/drift/{row.pk}/diff/")


def test_drift__cluster_and_fleet_and_list__count_it(client: Client, viewer: User) -> None:
    make_managed(make_route(fresh(), checkout_route(6000, 4000)))
    fresh("us-east")

    for url in ("/", "/clusters/"):
        text = page(client, viewer, url)
        assert "1 drifted" in text
        assert "Not managed" in text
    assert "/diff/" in page(client, viewer, "/clusters/eu-west/drift/")
    assert "/diff/" not in page(client, viewer, "/clusters/us-east/drift/")


def test_drift_pages__ten_and_two_hundred_rows__same_queries(client: Client, viewer: User) -> None:
    cluster = fresh()
    client.force_login(viewer)
    urls = [f"{LIST}?rows=200", "/clusters/eu-west/drift/?rows=200"]
    counts: list[list[int]] = [[], []]
    for size in (10, 200):
        for number in range(ManagedRoute.objects.count(), size):
            make_managed(make_route(cluster, checkout_route(6000, 4000), name=f"c-{number}"), change_number=number)
        for url, found in zip(urls, counts, strict=True):
            client.get(url)
            with CaptureQueriesContext(connection) as captured:
                assert len(client.get(url).context["lines"]) == size
            found.append(len(captured))

    assert [few == many for few, many in counts] == [True, True], counts
    assert max(max(found) for found in counts) <= 12, counts


def test_drift_diff__queries__within_the_budget_of_a_page(client: Client, viewer: User) -> None:
    row = make_managed(make_route(fresh(), checkout_route(6000, 4000)))
    client.force_login(viewer)
    url = reverse("traffic:drift-diff", args=[row.pk])
    client.get(url)

    with CaptureQueriesContext(connection) as captured:
        client.get(url)

    assert len(captured) <= 20
