"""Pages of accounts: the first administrator, invitations, people and their grants."""

from __future__ import annotations

import re
from io import StringIO
from typing import TYPE_CHECKING

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import URLPattern, path, reverse
from django.views.generic import View
from zeal import zeal_ignore

from accounts import rights
from accounts.apps import check_declared, is_declared
from accounts.models import Grant, User
from audit.selectors import get_event, list_events
from tests.people import make_person

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django import Settings

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"  # noqa: S105 - for tests


@pytest.fixture(autouse=True)
def _cheap_and_many(settings: Settings) -> Iterator[None]:
    """Cheap hashes; several requests in one test are no repeated query."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    with zeal_ignore([{"model": "sessions.Session", "field": "get()"}, {"model": "accounts.User", "field": "get()"}]):
        yield


def first_link() -> str:
    """The path of the link that the command prints."""
    out = StringIO()
    call_command("first_administrator_link", stdout=out)
    found = re.fullmatch(r"http://127\.0\.0\.1:8080(/first-administrator/[\w-]{43}/)\n", out.getvalue())
    assert found is not None
    return found[1]


@pytest.fixture
def admin_client(client: Client) -> Client:
    """Signed in as somebody who may change who may do what."""
    client.force_login(make_person("admin"))
    return client


def test_first_administrator__whole_way__to_an_invited_approver_who_signs_in(client: Client) -> None:
    link = first_link()
    assert client.get(link).status_code == 200
    weak = client.post(link, {"username": "ada", "display_name": "Ada", "password": "short"})
    assert (weak.status_code, "too short" in weak.content.decode()) == (422, True)

    made = client.post(link, {"username": "ada", "display_name": "Ada", "password": PASSWORD})
    assert (made.status_code, made["Location"]) == (303, "/access/")
    assert "Invite somebody" in client.get("/access/").content.decode()
    invited = client.post("/access/", {"username": "bob", "display_name": "Bob", "roles": ["approver", "viewer"]})
    assert invited.status_code == 201
    found = re.search(r"http://testserver(/set-password/[\w-]{43}/)", invited.content.decode())
    assert found is not None
    assert found[1] not in client.get("/access/").content.decode()

    stranger = Client()
    assert "sign in as <b>bob</b>" in stranger.get(found[1]).content.decode()
    assert stranger.post(found[1], {"password": PASSWORD})["Location"] == "/sign-in/"
    assert stranger.post("/sign-in/", {"login": "bob", "password": PASSWORD}).status_code == 302
    assert rights.verbs(User.objects.get(username="bob")) == {"inventory.read", "change.vote"}
    assert stranger.get(found[1]).status_code == 409
    assert client.get(link).status_code == 409
    for secret in (link.split("/")[-2], found[1].split("/")[-2], PASSWORD):
        assert not any(secret in get_event(event.seq).text for event in list_events())


def test_first_administrator__link_unknown_or_late__refused(client: Client) -> None:
    link = first_link()
    url = reverse("accounts:first-administrator", args=["x" * 43])
    assert client.get(url).status_code == 409

    make_person("viewer")

    wanted = {"username": "eve", "display_name": "Eve", "password": PASSWORD}
    assert client.post(link, wanted).status_code == 409
    assert not User.objects.filter(username="eve").exists()
    with pytest.raises(CommandError, match="users already"):
        call_command("first_administrator_link")


def test_set_password__link_of_the_first_administrator__refused(client: Client) -> None:
    token = first_link().split("/")[-2]

    response = client.post(reverse("accounts:set-password", args=[token]), {"password": PASSWORD})

    assert response.status_code == 409


@pytest.mark.parametrize("name", ["accounts:access", "accounts:person"])
def test_access__without_the_right__forbidden_and_nobody_named(client: Client, name: str) -> None:
    secret = make_person("secretive")
    client.force_login(make_person("viewer"))
    url = reverse(name, args=[secret.pk] if name == "accounts:person" else [])

    answers = [
        client.get(url),
        client.post(url, {"username": "x", "display_name": "X", "role": "viewer"}),
        client.post(url),
    ]

    assert [answer.status_code for answer in answers] == [403] * 3
    assert not any("ecretive" in answer.content.decode() for answer in answers)
    assert list_events(outcome="denied").count() == 1


def test_access__invalid_or_taken__form_again(admin_client: Client) -> None:
    make_person("bob", [])

    empty = admin_client.post("/access/", {"username": "", "display_name": "Bob"})
    taken = admin_client.post("/access/", {"username": "Bob", "display_name": "Bob"})

    assert (empty.status_code, taken.status_code) == (422, 422)
    assert "is taken" in taken.content.decode()
    assert User.objects.count() == 2


def test_person__grant_and_revoke__on_the_page(admin_client: Client) -> None:
    bob = make_person("bob", [])
    url = reverse("accounts:person", args=[bob.pk])

    granted = admin_client.post(
        url, {"role": "executor", "environment": "staging, production", "expires_at": "2090-01-01T10:00"}
    )
    assert granted.status_code == 303
    page = admin_client.get(url).content.decode()
    assert "environment production, staging" in page
    assert "2090-01-01 10:00:00 UTC" in page
    grant = Grant.objects.get(user=bob)
    revoked = admin_client.post(reverse("accounts:grant-revoke", args=[bob.pk, grant.pk]))

    assert revoked.status_code == 303
    assert "sees nothing" in admin_client.get(url).content.decode()


def test_person__pattern_in_scope__refused(admin_client: Client) -> None:
    bob = make_person("bob", [])

    response = admin_client.post(reverse("accounts:person", args=[bob.pk]), {"role": "viewer", "namespace": "shop-*"})

    assert response.status_code == 422
    assert "patterns are not allowed" in response.content.decode()


def test_person__vote_to_oneself__denied_on_the_page(admin_client: Client) -> None:
    me = User.objects.get(username="admin")

    response = admin_client.post(reverse("accounts:person", args=[me.pk]), {"role": "approver"})

    assert response.status_code == 403
    assert "Nobody makes himself Approver" in response.content.decode()
    assert not rights.has(me, "change.vote")


def test_access__many_people__constant_queries(
    admin_client: Client, django_assert_num_queries: object, django_assert_max_num_queries: object
) -> None:
    for number in range(12):
        make_person(f"person{number}", ["viewer", "author"])

    with django_assert_max_num_queries(10):  # type: ignore[operator]  # pytest-django's fixture
        response = admin_client.get("/access/")

    assert response.content.decode().count("Viewer") >= 12


def test_check_declared__our_urls__all_declare() -> None:
    assert check_declared(None) == []


def test_check_declared__view_without_a_right__named() -> None:
    class Bare(View):
        """Forgot it."""

    pattern = path("bare/", Bare.as_view(), name="bare")

    assert isinstance(pattern, URLPattern)
    assert not is_declared(pattern)
