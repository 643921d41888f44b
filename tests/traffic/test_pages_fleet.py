"""The fleet: what is broken, what waits for me, what moves."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from zeal import zeal_ignore

from clusters.models import Cluster
from meshui.lib.clock import now
from meshui.ui.templatetags.drawn import DrawnOnceNode
from tests.people import as_actor
from tests.traffic.factories import DIGEST, in_review, in_state, make_cluster, make_route, many_changes
from traffic.services.approve import approve_change
from traffic.types import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.test import Client

    from accounts.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def several_requests() -> Iterator[None]:
    """A test makes rows and asks several times: not the N+1 that zeal looks for. Queries are counted below."""
    with zeal_ignore():
        yield


def fleet(client: Client, user: User) -> str:
    """The page as `user` sees it."""
    client.force_login(user)
    page = client.get("/")
    assert page.status_code == 200
    return page.content.decode()


def test_fleet__nothing__admin_is_asked_to_register_others_are_told(client: Client, admin: User, viewer: User) -> None:
    for_admin, for_viewer = fleet(client, admin), fleet(client, viewer)

    assert "Register a cluster" in for_admin
    assert "/clusters/add/" not in for_viewer
    assert "Register a cluster" in for_viewer
    assert "A person with the role Cluster admin can do that." in for_viewer


def test_fleet__cluster_silent__named_with_reason_others_stay(client: Client, viewer: User) -> None:
    make_route(make_cluster())
    since = now()
    make_cluster("us-east", health="unreachable", health_reason="connect timed out", unreachable_since=since)

    text = fleet(client, viewer)

    assert "connect timed out" in text
    assert "Unreachable" in text
    assert "eu-west" in text


def test_fleet__change_in_review__waits_for_the_approver_not_for_the_author(
    client: Client, author: User, approver: User
) -> None:
    in_review(author, [make_route(make_cluster())])

    for_approver, for_author = fleet(client, approver), fleet(client, author)

    assert "0 of 1 approvals" in for_approver
    assert "Nothing waits for you" in for_author


def test_fleet__voted__waits_no_more(client: Client, author: User, approver: User) -> None:
    change = in_review(author, [make_route(make_cluster())], needed=2)
    approve_change(actor=as_actor(approver), change_id=change.pk, version=change.version, digest=DIGEST)

    assert "Nothing waits for you" in fleet(client, approver)


def test_fleet__paused__needs_attention_with_its_cause(client: Client, author: User, viewer: User) -> None:
    change = in_review(author, [make_route(make_cluster())])
    in_state(change, State.PAUSED, state_cause="eu-west was not reached")

    text = fleet(client, viewer)

    assert f"Change #{change.number} is paused" in text
    assert "eu-west was not reached" in text


def test_fleet__activity__in_words_with_the_name_of_the_person(client: Client, author: User, viewer: User) -> None:
    in_review(author, [make_route(make_cluster())])

    text = fleet(client, viewer)

    assert "<b>Author</b> proposed it" in text


def test_fleet__other_scope__nothing_of_it(client: Client, author: User, person: Callable[..., Any]) -> None:
    in_review(author, [make_route(make_cluster())])

    text = fleet(client, person("maria", ["viewer", "approver"], scope={"environment": ["production"]}))

    assert "eu-west" not in text
    assert "Shift checkout" not in text


def test_fleet__two_and_fifty_rows__same_queries(client: Client, author: User, approver: User) -> None:
    route = make_route(make_cluster())
    make_cluster("c-0")
    many_changes(author, route, 2)
    fleet(client, approver)
    with CaptureQueriesContext(connection) as few:
        client.get("/")
    for number in range(1, 49):
        make_cluster(f"c-{number}")
    many_changes(author, route, 20)

    with CaptureQueriesContext(connection) as many:
        client.get("/")

    assert len(few) == len(many) <= 20


SLUG = re.compile(r'href="/clusters/([^/"]+)/"')


def slugs(page: str) -> list[str]:
    """The clusters of the table, in its order."""
    table = page.partition('<table class="t"')[2].partition("</table>")[0]
    return SLUG.findall(table)


def test_fleet__more_clusters_than_a_page__each_once_by_its_pages(client: Client, viewer: User) -> None:
    for number in range(60):
        make_cluster(f"c-{number:02}")
    client.force_login(viewer)

    first = client.get("/?rows=25&sort=name").content.decode()
    seen, page = slugs(first), first
    while onward := re.search(r'href="(\?[^"]+)"[^>]*rel="next"', page, re.DOTALL):
        page = client.get("/" + html.unescape(onward[1])).content.decode()
        seen += slugs(page)

    assert "25 of 60" in first
    assert seen == [f"c-{number:02}" for number in range(60)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["dead", "fine"]),
        ("?sort=-health", ["fine", "dead"]),
        ("?sort=-name", ["fine", "dead"]),
        ("?group=environment", ["fine", "dead"]),
        ("?sort=splendid", ["dead", "fine"]),
    ],
)
def test_fleet__sorted__by_stored_columns(client: Client, viewer: User, query: str, expected: list[str]) -> None:
    make_cluster("dead", environment="production", health="unreachable")
    make_cluster("fine", environment="an-earlier-one", health="healthy")
    client.force_login(viewer)

    assert slugs(client.get(f"/{query}").content.decode()) == expected


def test_fleet__filtered_to_nothing__names_the_filters_and_what_is_without_them(client: Client, viewer: User) -> None:
    make_cluster("eu-west")
    make_cluster("us-east")
    client.force_login(viewer)

    page = client.get("/?q=bank&health=unreachable&sort=name").content.decode()

    assert "Looked for: Name, mesh or trust domain “bank”, Health “Unreachable”. Without them: 2." in page
    assert 'href="?sort=name">Clear filters' in page


def test_fleet__kept_as_a_view__opens_with_it(client: Client, viewer: User) -> None:
    make_cluster("eu-west")
    client.force_login(viewer)

    kept = client.post("/views/", {"name": "By name", "at": "/?sort=name", "is_default": "on"})

    assert kept["Location"] == "/?sort=name"
    assert client.get("/")["Location"] == "/?sort=name"
    assert client.get("/?view=all").status_code == 200


def test_fleet__opened_again_while_nothing_moved__no_row_is_drawn_again(client: Client, viewer: User) -> None:
    for number in range(3):
        make_cluster(f"c{number}")
    client.force_login(viewer)
    client.get("/")

    with patch.object(DrawnOnceNode, "_draw", autospec=True, side_effect=DrawnOnceNode._draw) as draw:
        before = client.get("/").content.decode()
        Cluster.objects.filter(slug="c1").update(health="unreachable")
        after = client.get("/").content.decode()

    assert draw.call_count == 1
    assert before.count("Unreachable") == 1  # a choice of the filter
    assert after.count("Unreachable") > 1
