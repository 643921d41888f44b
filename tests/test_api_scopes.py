"""What lies outside of a reader's scope is, to every operation of the API, what does not exist (S6)."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from zeal import zeal_ignore

from tests.api_client import Api
from tests.api_world import NOTHING, ROLES, Place, make_place, undone
from tests.openapi import Operation, example_of, operations
from tests.people import make_person

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test import Client

    from accounts.models import User

pytestmark = [pytest.mark.django_db, pytest.mark.walks]
SHOWS_ALL = {"event_list"}
"""Auditors read all of history."""
NAMED = {"slug", "scope", "number", "id", "seq", "drift_id"}
"""Parameters of a path that name something with a place."""
BODIES: dict[str, dict[str, Any]] = {
    "cluster_adopt": {"uid": "x", "reason": "Because."},
    "cluster_namespaces": {"namespaces": ["shop"]},
    "cluster_remove": {"reason": "Because."},
    "change_revise": {"title": "T", "reason": "R", "clusters": ["all"], "shares": {"v1": 7500, "v2": 2500}},
}
WISH = {"namespace": "shop", "name": "checkout", "shares": {"v1": 7500, "v2": 2500}}
WORDS = {"title": "Shift", "reason": "Because."}


@pytest.fixture(autouse=True)
def several_requests() -> Iterator[None]:
    """A test asks again and again: not the N+1 that zeal looks for."""
    with zeal_ignore():
        yield


@pytest.fixture
def ours(author: User) -> Place:
    """Of the reader's team."""
    return make_place("eu-west", author)


@pytest.fixture
def theirs(author: User) -> Place:
    """Of another one."""
    return make_place("us-east", author)


def body_for(operation: Operation) -> dict[str, Any]:
    """What the verb would take: its own, else the example of the document."""
    return BODIES.get(operation.name, example_of(operation))


def answer_of(client: Client, operation: Operation, place: Place) -> tuple[int, str, list[str]]:
    """Status, text and names of headers, without what the request itself said."""
    headers = {"If-Match": place.etag} if operation.parameters("header") else {}
    text = json.dumps(body_for(operation))
    kind = "application/json" if operation.body is not None else ""
    with undone():
        url, method = operation.url(place.path()), operation.method.upper()
        answer = client.generic(method, url, text if kind else "", content_type=kind, headers=headers)
    shown = answer.content.decode()
    for name in place.names():
        shown = shown.replace(name, "…")
    shown = re.sub(r'(?<="instance":")[^"]+', "…", shown)
    return answer.status_code, shown, sorted(name for name in answer.headers if name != "Content-Length")


@pytest.mark.parametrize("role", ROLES)
def test_s06_operation__other_scope__answers_as_what_is_not_there(
    client: Client, ours: Place, theirs: Place, role: str
) -> None:
    client.force_login(make_person("reader", [role], scope={"cluster": [ours.slug]}))
    asked = [each for each in operations() if {one["name"] for one in each.parameters("path")} & NAMED]

    differs = {}
    for operation in asked:
        there, nowhere = (answer_of(client, operation, place) for place in (theirs, NOTHING))
        if there != nowhere or there[0] < 400:
            differs[operation.name] = (there, nowhere)

    assert differs == {}
    assert len(asked) > 40


@pytest.mark.parametrize("at", ["changes/", "changes/preview/"])
@pytest.mark.parametrize("clusters", [["us-east"], ["eu-west", "us-east"]])
def test_s06_body__names_what_is_elsewhere__as_if_it_named_nothing(
    client: Client, ours: Place, theirs: Place, at: str, clusters: list[str]
) -> None:
    api = Api(client, make_person("reader", ["author"], scope={"cluster": [ours.slug]}))
    words = WORDS if at == "changes/" else {}
    nothing = [slug.replace("us-east", "no-there") for slug in clusters]

    there = api.post(at, {**WISH, **words, "clusters": clusters})
    nowhere = api.post(at, {**WISH, **words, "clusters": nothing})

    assert there.status_code == nowhere.status_code >= 400
    texts = [answer.json() | {"instance": ""} for answer in (there, nowhere)]
    assert texts[0] == json.loads(json.dumps(texts[1]).replace("no-there", "us-east"))


def test_s06_preview__of_a_change_elsewhere__as_if_there_were_none(client: Client, ours: Place, theirs: Place) -> None:
    api = Api(client, make_person("reader", ["author"], scope={"cluster": [ours.slug]}))
    body = {**WISH, "clusters": [ours.slug]}

    there = api.post("changes/preview/", {**body, "change": theirs.number})
    nowhere = api.post("changes/preview/", {**body, "change": NOTHING.number})

    assert there.status_code == nowhere.status_code == 404
    assert there.json() | {"instance": ""} == nowhere.json() | {"instance": ""}


@pytest.mark.parametrize("role", ROLES)
def test_s06_lists__every_filter__neither_rows_nor_next_of_elsewhere(
    client: Client, ours: Place, theirs: Place, role: str
) -> None:
    client.force_login(make_person("reader", [role], scope={"cluster": [ours.slug]}))
    lists = [each for each in operations() if any(one["name"] == "cursor" for one in each.parameters("query"))]
    leaks = []

    for operation in lists:
        if operation.name in SHOWS_ALL:
            continue
        for query in queries_of(operation, theirs):
            answer = client.get(operation.url(ours.path()) + query)
            text = answer.content.decode()
            asked_for = json.dumps(query)
            if answer.status_code == 200 and theirs.slug in text and theirs.slug not in asked_for:
                leaks.append((operation.name, query))
            if answer.status_code == 200 and query != "?limit=1" and theirs.slug in query:
                leaks += [(operation.name, query)] if json.loads(text)["items"] else []
            if query == "?limit=1" and answer.status_code == 200 and operation.name in {"cluster_list", "mesh_list"}:
                assert json.loads(text)["next"] is None, operation.name

    assert leaks == []
    assert len(lists) > 10


def queries_of(operation: Operation, place: Place) -> list[str]:
    """Each parameter of its list with names of `place`."""
    plain = {each["name"] for each in operation.parameters("query") if "enum" not in each["schema"]}
    return ["", "?limit=1", *(f"?{urlencode({name: place.slug})}" for name in sorted(plain - {"cursor", "limit"}))]


def test_s06_cursor__of_somebody_who_sees_more__leads_to_nothing_more(
    client: Client, viewer: User, ours: Place, theirs: Place
) -> None:
    make_place("zz-last", make_person("writer", ["author"]))
    wide = Api(client, viewer).get("clusters/?limit=1")["next"].partition("/api/v1/")[2]
    narrow = Api(client, make_person("reader", ["viewer"], scope={"cluster": [ours.slug]}))

    assert narrow.get(wide)["items"] == []
    assert narrow.get(wide)["next"] is None
