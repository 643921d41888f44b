"""Reading the API: ETags, cursors, OPTIONS and HEAD, what caches may keep, addresses without a last slash."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from zeal import zeal_ignore

from audit.selectors import list_events
from audit.services import check_log
from tests.api_client import Api
from tests.people import as_actor
from tests.traffic.factories import in_review, make_cluster, make_route

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.test import Client

    from accounts.models import User

pytestmark = pytest.mark.django_db
SINGLE = (
    "me/",
    "clusters/eu-west/",
    "services/all/shop/checkout/",
    "changes/{}/",
    "services/eu-west/shop/checkout/alignment/",
)


@pytest.fixture(autouse=True)
def several_requests() -> Iterator[None]:
    """A test makes rows and asks several times: not the N+1 that zeal looks for."""
    with zeal_ignore():
        yield


@pytest.fixture
def number(author: User) -> int:
    """A change in review of shop/checkout in eu-west."""
    return in_review(author, [make_route(make_cluster())]).number


@pytest.mark.parametrize("at", SINGLE)
def test_single__same_etag__304_empty_until_it_moves(client: Client, viewer: User, number: int, at: str) -> None:
    client.force_login(viewer)
    url = f"/api/v1/{at.format(number)}"

    first = client.get(url)
    again = client.get(url, headers={"If-None-Match": first["ETag"]})
    weak = client.get(url, headers={"If-None-Match": f'"x", W/{first["ETag"]}'})
    other = client.get(url, headers={"If-None-Match": '"x"'})

    assert (first.status_code, again.status_code, weak.status_code, other.status_code) == (200, 304, 304, 200)
    assert again.content == weak.content == b""
    assert again["ETag"] == first["ETag"]
    assert again["Cache-Control"] == first["Cache-Control"] == "private, no-cache"
    assert {"Cookie", "Authorization"} <= {name.strip() for name in first["Vary"].split(",")}


def test_single__moved__another_etag(client: Client, viewer: User, number: int) -> None:
    client.force_login(viewer)
    before = client.get("/api/v1/clusters/eu-west/")["ETag"]
    cluster = make_cluster("us-east")
    type(cluster).objects.filter(slug="eu-west").update(name="Other")

    answer = client.get("/api/v1/clusters/eu-west/", headers={"If-None-Match": before})

    assert (answer.status_code, answer["ETag"] == before) == (200, False)


def test_list__any_answer__is_not_kept(client: Client, viewer: User, number: int) -> None:
    client.force_login(viewer)

    for at in ("/api/v1/changes/", "/api/v1/clusters/nowhere/"):
        assert client.get(at)["Cache-Control"] == "no-store"


def test_list__more_rows__link_says_what_next_says(client: Client, viewer: User) -> None:
    for slug in ("eu-west", "us-east"):
        make_cluster(slug)
    client.force_login(viewer)

    first = client.get("/api/v1/clusters/?limit=1")
    following = json.loads(first.content)["next"]
    last = client.get(following.removeprefix("http://testserver"))

    assert first["Link"] == f'<{following}>; rel="next"'
    assert "Link" not in last


def test_cursor__of_another_list_or_altered__400(client: Client, viewer: User, author: User) -> None:
    routes = [make_route(make_cluster(slug)) for slug in ("eu-west", "us-east")]
    for route in routes:
        in_review(author, [route])
    api = Api(client, viewer)
    given = api.get("clusters/?limit=1")["next"].partition("cursor=")[2]

    elsewhere = api.get(f"changes/?cursor={given}", 400)
    altered = api.get(f"clusters/?limit=1&cursor=X{given}", 400)
    bare = api.get(f"clusters/?limit=1&cursor={given.partition('.')[0]}", 400)

    assert [list(each["errors"]) for each in (elsewhere, altered, bare)] == [["cursor"]] * 3
    assert api.get(f"clusters/?limit=1&cursor={given}")["items"][0]["slug"] == "us-east"


def test_options__object_there_or_not__the_same_and_nothing_but_allow(
    client: Client, viewer: User, number: int
) -> None:
    client.force_login(viewer)

    there, missing = client.options(f"/api/v1/changes/{number}/"), client.options("/api/v1/changes/99999/")

    assert (there.status_code, there.content, there["Allow"]) == (204, b"", "GET, HEAD, PUT, PATCH, OPTIONS")
    assert (missing.status_code, missing["Allow"]) == (204, there["Allow"])


def test_head__single__headers_of_get_and_no_body(client: Client, viewer: User, number: int) -> None:
    client.force_login(viewer)

    got, head = client.get("/api/v1/clusters/eu-west/"), client.head("/api/v1/clusters/eu-west/")

    assert (head.status_code, head.content, head["ETag"]) == (200, b"", got["ETag"])


def test_address__without_last_slash__404_tells_the_rule(client: Client, viewer: User, number: int) -> None:
    found = Api(client, viewer).get("clusters", 404)

    assert "ends with a slash" in found["mend"]


def test_audit__verification__404_until_the_chain_was_checked(client: Client, admin: User) -> None:
    api = Api(client, admin)

    before = api.get("audit/verification/", 404)
    check_log(actor=as_actor(admin))
    after = api.get("audit/verification/")

    assert "not checked yet" in before["detail"]
    assert (after["is_intact"], after["by"], after["first_bad_seq"]) == (True, "admin", 0)
    assert after["checked"] > 0


def test_audit__reads__shown_only_where_asked_for(client: Client, admin: User, person: Callable[..., User]) -> None:
    api = Api(client, admin)
    api.get("audit/events/")

    quiet = {item["action"] for item in api.walk("audit/events/")}
    loud = {item["action"] for item in api.walk("audit/events/?reads=1")}

    assert "audit.log.read" not in quiet
    assert "audit.log.read" in loud
    assert list_events(action="audit.log.read").exists()
