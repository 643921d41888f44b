"""/api/v1/me/"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from zeal import zeal_ignore

from accounts.models import Grant, User
from accounts.tokens import NewToken, make_token
from tests.api_client import Api
from tests.people import as_actor, make_person

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test import Client

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def several_requests() -> Iterator[None]:
    """To sign in and to ask are two requests: not the N+1 that zeal looks for."""
    with zeal_ignore():
        yield


def test_me__approver__name_time_zone_and_verbs(client: Client, approver: User) -> None:
    assert Api(client, approver).get("me/") == {
        "username": "approver",
        "display_name": "Approver",
        "time_zone": "UTC",
        "verbs": ["change.vote", "inventory.read"],
        "token": None,
    }


def test_me__nobody_gave_anything__no_verbs(client: Client, stranger: User) -> None:
    assert Api(client, stranger).get("me/")["verbs"] == []


def test_people__access_admin__everybody_with_their_grants(client: Client, admin: User, author: User) -> None:
    api = Api(client, admin)

    people = {each["username"]: each for each in api.walk("people/?limit=1")}

    assert [each["role"] for each in people["author"]["grants"]] == ["author", "executor"]
    assert api.get(f"people/{author.pk}/") == people["author"]
    assert Api(client, author).get("people/", 403)["status"] == 403


def test_grant__given_and_taken__as_on_the_page(client: Client, admin: User, stranger: User) -> None:
    api = Api(client, admin)

    made = api.post(f"people/{stranger.pk}/grants/", {"role": "author", "scope": {"environment": ["staging"]}})

    assert made.status_code == 201
    grant = Grant.objects.get(user=stranger)
    assert (made.json()["id"], grant.scope) == (str(grant.pk), {"environment": ["staging"]})
    taken = api.post(f"people/{stranger.pk}/grants/{grant.pk}/revoke/")
    assert (taken.status_code, taken.json()["grants"]) == (200, [])
    assert api.post(f"people/{admin.pk}/grants/", {"role": "approver"}).status_code == 403


@pytest.mark.parametrize(
    "more",
    [{"id": "1"}, {"user": "1"}, {"created_by_name": "me"}, {"user__is_superuser": True}, {"is_superuser": True}],
)
def test_s07_grant__foreign_field__refused(
    client: Client, admin: User, stranger: User, more: dict[str, object]
) -> None:
    answer = Api(client, admin).post(f"people/{stranger.pk}/grants/", {"role": "viewer", **more})

    assert (answer.status_code, list(answer.json()["errors"])) == (422, list(more))
    assert not Grant.objects.filter(user=stranger).exists()


def test_person__closed_and_opened(client: Client, admin: User, viewer: User) -> None:
    api = Api(client, admin)

    assert api.post(f"people/{viewer.pk}/close/", {"reason": "Left."}).json()["is_active"] is False
    assert api.post(f"people/{viewer.pk}/open/").json()["is_active"] is True
    assert api.post(f"people/{admin.pk}/close/", {"reason": "Left."}).status_code == 422


def test_s12_people__token_of_an_access_admin__may_not(client: Client, stranger: User) -> None:
    owner = make_person("root", ["access_admin", "viewer"])
    text = make_token(actor=as_actor(owner), new=NewToken("pipeline", [], timedelta(days=1))).text
    words = {"Authorization": f"Bearer {text}"}

    for at, body in ((f"people/{stranger.pk}/grants/", '{"role": "viewer"}'), (f"people/{stranger.pk}/close/", "{}")):
        answer = client.post(f"/api/v1/{at}", body, content_type="application/json", headers=words)
        assert answer.status_code == 403
    assert client.get("/api/v1/people/", headers=words).status_code == 403
    assert not Grant.objects.filter(user=stranger).exists()


def test_tokens__mine__listed_without_a_secret_and_revoked(client: Client, author: User, viewer: User) -> None:
    made = make_token(actor=as_actor(author), new=NewToken("pipeline", ["change.propose"], timedelta(days=1)))
    api = Api(client, author)

    (shown,) = api.walk("tokens/")

    assert shown["verbs"] == ["change.propose", "inventory.read"]
    assert made.text.rpartition(".")[2] not in str(shown)
    assert Api(client, viewer).post(f"tokens/{made.token.pk}/revoke/").status_code == 404
    assert Api(client, author).post(f"tokens/{made.token.pk}/revoke/").json()["revoked_at"]
