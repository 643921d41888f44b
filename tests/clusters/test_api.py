"""/api/v1/clusters/"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from zeal import zeal_ignore

from tests.api_client import Api
from tests.clusters.makers import TOKEN, register

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from django.test import Client

    from accounts.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def several_requests() -> Iterator[None]:
    """A test makes rows and asks several times: not the N+1 that zeal looks for."""
    with zeal_ignore():
        yield


def test_list__pages_by_cursor__each_cluster_once(client: Client, viewer: User) -> None:
    for number in range(5):
        register(f"eu-{number}")

    found = Api(client, viewer).walk("clusters/?limit=2")

    assert [item["slug"] for item in found] == [f"eu-{number}" for number in range(5)]


def test_list__filtered__keeps_the_filter_in_next(client: Client, viewer: User) -> None:
    for slug in ("eu-west", "us-east", "us-west"):
        register(slug)

    found = Api(client, viewer).walk("clusters/?q=west&limit=1")

    assert [item["slug"] for item in found] == ["eu-west", "us-west"]


def test_list__filter_that_is_none__400(client: Client, viewer: User) -> None:
    found = Api(client, viewer).get("clusters/?health=splendid", 400)

    assert list(found["errors"]) == ["health"]


def test_clusters__other_scope__as_if_they_were_not_there(client: Client, person: Callable[..., User]) -> None:
    register("eu-west", environment="staging")
    register("us-east", environment="production")
    api = Api(client, person("maria", ["viewer"], scope={"environment": ["staging"]}))

    listed = api.get("clusters/")["items"]
    hidden, missing = api.get("clusters/us-east/", 404), api.get("clusters/nowhere/", 404)

    assert [item["slug"] for item in listed] == ["eu-west"]
    assert hidden | {"instance": ""} == missing | {"instance": ""}


def test_detail__explicit_fields__no_credential_and_no_address(client: Client, viewer: User) -> None:
    register("eu-west")
    api = Api(client, viewer)

    found = api.get("clusters/eu-west/")

    assert found["slug"] == "eu-west"
    assert found["environment"] == "staging"
    assert {row["kind"]: row["read"] for row in found["access"]}["services"]
    text = json.dumps([found, api.get("clusters/")])
    assert TOKEN not in text
    assert "127.0.0.1" not in json.dumps({name: value for name, value in found.items() if name != "health_reason"})
    assert not [name for name in found if "credential" in name or "fingerprint" in name or "key" in name]


@pytest.mark.parametrize("count", [1, 9])
def test_list__any_number_of_clusters__same_queries(
    client: Client, viewer: User, count: int, count_queries: Callable[[str], AbstractContextManager[None]]
) -> None:
    for number in range(count):
        register(f"eu-{number}")
    api = Api(client, viewer)
    api.get("clusters/")

    with count_queries("api-clusters"):
        assert len(api.get("clusters/")["items"]) == count
