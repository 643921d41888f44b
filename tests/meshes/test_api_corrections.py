"""Correcting services and reading inventories through the API: the verbs and lists of the pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from zeal import zeal_ignore

from audit.selectors import list_events
from meshes.models import BackendVersion, ServiceLink
from tests.api_client import Api
from tests.meshes import rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.test import Client

    from accounts.models import User

pytestmark = pytest.mark.django_db
V2 = "shop/checkout#v2"
AT = "services/us-east/shop/checkout/alignment/"
VERBS = {
    "version/": {"backend_key": V2, "version": "v9", "reason": "New."},
    "version/clear/": {"backend_key": V2},
    "link/": {"to_namespace": "shop", "to_name": "cart", "reason": "Renamed."},
    "unlink/": {},
    "exclude/": {"reason": "Another one."},
    "include/": {},
}


@pytest.fixture(autouse=True)
def several_requests() -> Iterator[None]:
    """A test makes rows and asks several times: not the N+1 that zeal looks for."""
    with zeal_ignore():
        yield


@pytest.fixture
def two(db: None) -> None:
    """checkout in eu-west and us-east."""
    rows.services(rows.cluster("eu-west"), ["checkout"])
    rows.services(rows.cluster("us-east"), ["checkout"], split=(75, 25))


def test_version__corrected_and_taken_back__shown_each_time(client: Client, author: User, two: None) -> None:
    api = Api(client, author)

    said = api.post(f"{AT}version/", VERBS["version/"]).json()
    shown = api.get(AT)
    back = api.post(f"{AT}version/clear/", {"backend_key": V2}).json()

    (line,) = [each for each in said["backends"] if each["backend_key"] == V2]
    assert (line["version"], line["correction"]["reason"], line["correction"]["said_by"]) == ("v9", "New.", "author")
    assert shown == said
    assert [each["correction"] for each in back["backends"]] == [None, None]
    assert not BackendVersion.objects.exists()
    assert list_events(action="meshes.version.corrected").get().origin == "api"


def test_cluster__excluded_and_included__a_row_of_its_own_meanwhile(client: Client, author: User, two: None) -> None:
    api = Api(client, author)

    apart = api.post(f"{AT}exclude/", {"reason": "Another team's."}).json()
    meanwhile = [item["clusters"] for item in api.get("services/")["items"]]
    again = api.post(f"{AT}include/").json()

    assert apart["link"]["is_apart"] is True
    assert sorted(meanwhile) == [["eu-west"], ["us-east"]]
    assert again["link"] is None
    assert [item["clusters"] for item in api.get("services/")["items"]] == [["eu-west", "us-east"]]


def test_service__linked_and_unlinked__shown_where_it_was_said(client: Client, author: User) -> None:
    rows.services(rows.cluster("eu-west"), ["checkout"])
    rows.services(rows.cluster("us-east"), ["pay"])
    api, at = Api(client, author), "services/us-east/shop/pay/alignment/"

    said = api.post(f"{at}link/", {"to_namespace": "shop", "to_name": "checkout", "reason": "Same."})
    back = api.post(f"{at}unlink/")

    assert said.status_code == 200, said.content
    assert (said.json()["link"]["to_name"], back.json()["link"]) == ("checkout", None)
    assert not ServiceLink.objects.exists()


@pytest.mark.parametrize("verb", VERBS)
def test_verb__other_scope_404_as_if_missing__reader_403(
    client: Client, viewer: User, two: None, person: Callable[..., User], verb: str
) -> None:
    api = Api(client, person("maria", ["author"], scope={"cluster": ["eu-west"]}))

    hidden = api.post(f"{AT}{verb}", VERBS[verb])
    missing = api.post(f"services/us-east/shop/nothing/alignment/{verb}", VERBS[verb])
    everywhere = api.post(f"services/all/shop/checkout/alignment/{verb}", VERBS[verb])
    reader = Api(client, viewer).post(f"{AT}{verb}", VERBS[verb])

    assert [each.status_code for each in (hidden, missing, everywhere, reader)] == [404, 404, 404, 403]
    assert hidden.json() | {"instance": ""} == missing.json() | {"instance": ""}


def test_version__of_another_backend__422(client: Client, author: User, two: None) -> None:
    answer = Api(client, author).post(f"{AT}version/", {"backend_key": V2, "version": "v1", "reason": "Same pods."})

    assert answer.status_code == 422
    assert "is version v1" in answer.json()["detail"]
    assert list_events(action="meshes.version.corrected").get().outcome == "denied"


def test_inventory__of_a_cluster__page_by_page_and_scoped(
    client: Client, viewer: User, person: Callable[..., User]
) -> None:
    rows.services(rows.cluster("eu-west"), ["checkout", "cart", "pay"])
    api, at = Api(client, viewer), "clusters/eu-west/inventory"

    assert [each["name"] for each in api.walk(f"{at}/services/?limit=2")] == ["cart", "checkout", "pay"]
    assert {each["root_service"] for each in api.walk(f"{at}/routes/?limit=1")} >= {"checkout"}
    api.walk(f"{at}/workloads/")
    api.walk(f"{at}/namespaces/")
    outside = Api(client, person("maria", ["viewer"], scope={"cluster": ["us-east"]}))
    for part in ("services", "routes", "workloads", "namespaces"):
        hidden, missing = outside.get(f"{at}/{part}/", 404), outside.get(f"clusters/no/inventory/{part}/", 404)
        assert hidden | {"instance": ""} == missing | {"instance": ""}
