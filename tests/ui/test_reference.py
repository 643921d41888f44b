"""/api/docs/: every operation of the API for people, from the document that programs read."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

import pytest
from django.urls import reverse
from zeal import zeal_ignore

from meshui.rest.reference import operations_of, shapes_of
from meshui.rest.schema import openapi

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test import Client

    from accounts.models import User

pytestmark = pytest.mark.django_db
LIST = "/api/docs/"


@pytest.fixture(autouse=True)
def several_requests() -> Iterator[None]:
    """A test asks several times: not the N+1 that zeal looks for."""
    with zeal_ignore():
        yield


def page(client: Client, user: User, url: str, status: int = 200) -> str:
    """What `user` sees there."""
    client.force_login(user)
    response = client.get(url)
    assert response.status_code == status
    return str(response.content.decode())


def test_list__every_operation__is_led_to(client: Client, viewer: User) -> None:
    text = page(client, viewer, LIST)

    names = [each["operationId"] for methods in openapi()["paths"].values() for each in methods.values()]
    assert [name for name in names if reverse("docs:operation-detail", args=[name]) not in text] == []
    assert len(names) > 60


def test_list__filtered__those_whose_words_hold_it(client: Client, viewer: User) -> None:
    text = page(client, viewer, f"{LIST}?q=ROLL-BACK")

    assert "/api/v1/changes/{number}/roll-back/" in text
    assert "/api/v1/meshes/" not in text


def test_list__filtered_to_nothing__says_how_many_there_are(client: Client, viewer: User) -> None:
    text = page(client, viewer, f"{LIST}?q=no-such-thing")

    assert f"None of {len(operations_of(openapi()))} operations" in text
    assert "Clear the filter" in text


def test_list__as_a_part__is_the_table_alone(client: Client, viewer: User) -> None:
    client.force_login(viewer)

    response = client.get(f"{LIST}?q=vote", headers={"HX-Request": "true", "HX-Request-Type": "partial"})

    assert response.content.strip().startswith(b'<div id="table">')
    assert response["HX-Push-Url"] == f"{LIST}?q=vote"


def test_operation__every_one__has_a_page_without_unknown_shapes(client: Client, viewer: User) -> None:
    document = openapi()
    for operation in operations_of(document):
        shapes = shapes_of(document, operation)
        known = {shape.name for shape in shapes}
        named = {operation.body, *(answer.shape for answer in operation.answers)} - {""}
        inside = {field.shape for shape in shapes for field in shape.fields} - {""}
        assert named | inside <= known, operation.name
        assert all(field.kind or field.shape for shape in shapes for field in shape.fields), operation.name

    text = page(client, viewer, reverse("docs:operation-detail", args=["change_approve"]))
    for part in ("If-Match", "CommentBody", "Needs `change.vote`.", "/api/v1/changes/{number}/approve/", "412"):
        assert part in text


def test_operation__unknown__missing_as_a_page(client: Client, viewer: User) -> None:
    text = page(client, viewer, f"{LIST}no-such/", 404)

    assert "There is no such operation." in text
    assert "<html" in text


def test_docs__not_signed_in__sent_to_sign_in(client: Client) -> None:
    response = client.get(LIST)

    assert (response.status_code, response["Location"]) == (302, f"/sign-in/?next={LIST}")


def test_curl__of_each__is_one_command_with_its_body() -> None:
    for operation in operations_of(openapi()):
        words = shlex.split(operation.curl.replace("\\\n", " "))

        assert (words[0], f"$SITE{operation.path}" in words) == ("curl", True), operation.name
        assert operation.method == "GET" or words[words.index("-X") + 1] == operation.method
        assert bool(operation.example) == ("--data" in words), operation.name
        if operation.example:
            json.loads(words[words.index("--data") + 1])
