"""/api/v1/drift/: what others changed of what MeshUI wrote, scoped and page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from zeal import zeal_ignore

from meshes.models import Drift, ManagedRoute
from tests.api_client import Api
from tests.people import make_person
from tests.traffic.factories import checkout_route, in_review, make_cluster, make_managed, make_route

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test import Client

    from accounts.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def several_requests() -> Iterator[None]:
    """A test makes rows and asks several times: not the N+1 that zeal looks for."""
    with zeal_ignore():
        yield


def test_drift__list__what_moved_and_the_change_that_left_it(client: Client, viewer: User, author: User) -> None:
    route = make_route(make_cluster(), checkout_route(6000, 4000))
    change = in_review(author, [route])
    row = make_managed(route, change_number=change.number)
    make_managed(make_route(make_cluster("us-east")), drift=Drift.NONE)

    (found,) = Api(client, viewer).walk("drift/")

    assert (found["id"], found["cluster"], found["service"], found["drift"]) == (
        str(row.pk),
        "eu-west",
        "checkout",
        "changed",
    )
    moved = [(each["what"], each["backend"], each["before_bp"], each["after_bp"]) for each in found["moved"]]
    assert moved == [("share", "v1", 9000, 6000), ("share", "v2", 1000, 4000)]
    assert (found["change"], found["change_title"]) == (change.number, change.title)


def test_drift__change_out_of_scope__number_without_its_title(client: Client, author: User) -> None:
    route = make_route(make_cluster(), checkout_route(6000, 4000))
    elsewhere = in_review(author, [make_route(make_cluster("us-east"))])
    make_managed(route, change_number=elsewhere.number)
    reader = make_person("reader", ["viewer"], scope={"cluster": ["eu-west"]})

    (found,) = Api(client, reader).walk("drift/")

    assert (found["change"], found["change_title"]) == (elsewhere.number, "")


def test_drift__one__both_bodies_and_rules(client: Client, viewer: User) -> None:
    row = make_managed(make_route(make_cluster(), checkout_route(6000, 4000)))

    found = Api(client, viewer).get(f"drift/{row.pk}/")

    assert [(share["before_bp"], share["after_bp"]) for share in found["rules"][0]["shares"]] == [
        (9000, 6000),
        (1000, 4000),
    ]
    assert "weight: 90" in found["left"]
    assert "weight: 60" in found["live"]


def test_drift__deleted__live_is_empty(client: Client, viewer: User) -> None:
    row = make_managed(make_route(make_cluster()), drift=Drift.GONE)
    ManagedRoute.objects.update(route=None)

    found = Api(client, viewer).get(f"drift/{row.pk}/")

    assert (found["line"]["drift"], found["live"]) == ("gone", "")
    assert found["left"]


def test_drift__filters__as_on_the_page(client: Client, viewer: User) -> None:
    make_managed(make_route(make_cluster(), checkout_route(6000, 4000)))
    make_managed(make_route(make_cluster("us-east"), checkout_route(6000, 4000)))
    api = Api(client, viewer)

    assert [row["cluster"] for row in api.walk("drift/?cluster=us-east")] == ["us-east"]
    assert len(api.walk("drift/?limit=1")) == 2
    assert api.get("drift/?drift=gone")["items"] == []
    assert "colour" in str(api.get("drift/?colour=red", 400))


def test_drift__other_scope__as_if_it_were_not_there(client: Client) -> None:
    row = make_managed(make_route(make_cluster(), checkout_route(6000, 4000)))
    outside = Api(client, make_person("outside", ["viewer"], scope={"cluster": ["us-east"]}))

    assert outside.get("drift/")["items"] == []
    outside.get(f"drift/{row.pk}/", 404)


def test_drift__ten_and_fifty_rows__same_queries(client: Client, viewer: User) -> None:
    cluster, counts = make_cluster(), []
    client.force_login(viewer)
    for size in (10, 50):
        for number in range(ManagedRoute.objects.count(), size):
            make_managed(make_route(cluster, checkout_route(6000, 4000), name=f"c-{number}"), change_number=number)
        client.get("/api/v1/drift/")
        with CaptureQueriesContext(connection) as captured:
            assert len(client.get("/api/v1/drift/").json()["items"]) == size
        counts.append(len(captured))

    assert counts[0] == counts[1] <= 12
