"""One verb on many rows: one result per item, refusals named, nothing of other scopes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from zeal import zeal_ignore

from clusters.models import Cluster
from meshui.lib.clock import now
from tests.people import make_person
from tests.traffic.factories import in_review, in_state, make_cluster, make_route, many_changes
from traffic.models import Change
from traffic.types import State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test import Client

    from accounts.models import User

pytestmark = pytest.mark.django_db
READ, CANCEL = "/bulk/clusters/read/", "/bulk/changes/cancel/"


@pytest.fixture(autouse=True)
def several_requests() -> Iterator[None]:
    """A verb is called for each item: not the N+1 that zeal looks for."""
    with zeal_ignore():
        yield


def test_read_many__chosen_and_one_that_may_not_be_read__a_line_each(client: Client, viewer: User) -> None:
    for slug in ("eu-1", "eu-2", "eu-3"):
        make_cluster(slug)
    Cluster.objects.filter(slug="eu-2").update(health="identity_changed")
    client.force_login(viewer)

    answer = client.post(READ, {"item": ["eu-1", "eu-2", "nowhere"]})

    text = answer.content.decode()
    assert answer.status_code == 200
    assert "1 done" in text
    assert "2 refused" in text
    assert "Another cluster answers where eu-2 was" in text
    assert "There is nothing of this name." in text
    due = dict(Cluster.objects.values_list("slug", "next_sync_at"))
    assert due["eu-1"] is not None
    assert due["eu-2"] is None
    assert due["eu-3"] is None


def test_read_many__all_that_match__the_filter_decides(client: Client, viewer: User) -> None:
    for slug in ("eu-1", "eu-2", "us-1"):
        make_cluster(slug)
    client.force_login(viewer)

    text = client.post(READ, {"all": "1", "query": "q=eu&after=abc"}).content.decode()

    assert "2 done" in text
    assert 'href="/clusters/?q=eu"' in text
    assert Cluster.objects.get(slug="us-1").next_sync_at is None


def test_read_many__other_scope__answers_as_what_is_not_there(client: Client) -> None:
    make_cluster("eu-1")
    client.force_login(make_person("maria", ["viewer"], scope={"environment": ["production"]}))

    there, nowhere = (client.post(READ, {"item": name}).content.decode() for name in ("eu-1", "xx-1"))
    everything = client.post(READ, {"all": "1"}).content.decode()

    assert there.count("There is nothing of this name.") == 1
    assert nowhere.count("There is nothing of this name.") == 1
    assert "eu-1" not in everything
    assert Cluster.objects.get().next_sync_at is None


def test_cancel_many__stale_and_running__refused_the_others_done(client: Client, author: User) -> None:
    fresh, stale, running = many_changes(author, make_route(make_cluster()), 3)
    in_state(running, State.APPLYING)
    client.force_login(author)
    items = [f"{fresh.number}.{fresh.version}", f"{stale.number}.{stale.version + 7}"]
    running.refresh_from_db()

    answer = client.post(CANCEL, {"item": [*items, f"{running.number}.{running.version}"], "reason": "Not needed."})

    text = answer.content.decode()
    assert "1 done" in text
    assert "2 refused" in text
    states = dict(Change.objects.values_list("number", "state"))
    assert [states[each.number] for each in (fresh, stale, running)] == ["cancelled", "in_review", "applying"]


def test_cancel_many__without_a_version__refused(client: Client, author: User) -> None:
    change = in_review(author, [make_route(make_cluster())])
    client.force_login(author)

    text = client.post(CANCEL, {"item": str(change.number)}).content.decode()

    assert "The list did not say which version" in text
    assert Change.objects.get().state == State.IN_REVIEW


def test_cancel_many__no_right__each_refused_and_no_box_in_the_list(client: Client, author: User, viewer: User) -> None:
    change = in_review(author, [make_route(make_cluster())])
    client.force_login(viewer)

    text = client.post(CANCEL, {"item": f"{change.number}.{change.version}"}).content.decode()

    assert "1 refused" in text
    assert 'name="item"' not in client.get("/changes/").content.decode()
    assert Change.objects.get().state == State.IN_REVIEW


@pytest.mark.parametrize("item", ["\0", "\ud800", "x" * 500, "9" * 90 + ".1", "-1.1", "1.1.1", "²", ""])
@pytest.mark.parametrize("url", [READ, CANCEL])
def test_many__hostile_item__nothing_done(client: Client, author: User, url: str, item: str) -> None:
    in_review(author, [make_route(make_cluster())])
    client.force_login(author)
    body = "item=" + "".join(f"%{byte:02x}" for byte in item.encode("utf-8", "surrogatepass"))

    answer = client.post(url, body, content_type="application/x-www-form-urlencoded")

    assert answer.status_code == 200
    assert " done" in answer.content.decode()
    assert "1 done" not in answer.content.decode()


def test_lists__environment__narrows_all_of_them_and_stays_in_the_side_bar(client: Client, author: User) -> None:
    in_review(author, [make_route(make_cluster("eu-1", environment="staging"))], title="Staging change")
    in_review(author, [make_route(make_cluster("us-1", environment="production"))], title="Production change")
    Cluster.objects.update(last_synced_at=now())
    client.force_login(author)

    clusters, services, changes, none = (
        client.get(url).content.decode()
        for url in (
            "/clusters/?env=production",
            "/services/?env=production",
            "/changes/?env=production",
            "/services/?env=nowhere",
        )
    )

    assert "/clusters/us-1/" in clusters
    assert "/clusters/eu-1/" not in clusters
    assert "checkout" in services
    assert "No service matches" in none
    assert "Production change" in changes
    assert "Staging change" not in changes
    assert 'href="/services/?env=production"' in clusters
    assert 'name="env" value="production"' in clusters


def test_scope_page__environments_in_scope__as_links_back(client: Client, viewer: User) -> None:
    make_cluster("eu-1", environment="staging")
    make_cluster("us-1", environment="production")
    client.force_login(viewer)

    whole = client.get("/scope/?at=/services/%3Fq%3Dshop%26after%3Dx").content.decode()
    client.force_login(make_person("maria", ["viewer"], scope={"environment": ["staging"]}))
    part = client.get("/scope/").content.decode()

    assert 'href="/services/?q=shop&amp;env=production"' in whole
    assert "production" not in part
    assert "staging" in part


def test_columns__cookie_and_url__hidden_from_the_first_frame(client: Client, viewer: User) -> None:
    make_cluster("eu-1")
    client.force_login(viewer)
    client.cookies["columns-clusters"] = "3.5.1.<x>.12"

    assert 'data-hide="3 5"' in client.get("/clusters/").content.decode()
    assert 'data-hide="4"' in client.get("/clusters/?hide=4").content.decode()
