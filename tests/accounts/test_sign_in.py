"""Sign-in and out: the same for every wrong try, counted in rows, recorded."""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.hashers import MD5PasswordHasher
from django.db import connections
from django.test import Client
from django.urls import reverse
from zeal import zeal_ignore

from accounts import adapter
from accounts.models import SignInTries, User
from accounts.selectors import hash_of
from accounts.services import TRIES_PER_ACCOUNT, TRIES_PER_ADDRESS, give_back_try, reserve_try
from audit import services as audit_services
from audit.selectors import get_event, list_events
from audit.services import LedgerUnavailableError
from meshui.lib import clock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django import Settings

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"  # noqa: S105 - for tests
URL = "/sign-in/"


@pytest.fixture(autouse=True)
def _several_requests() -> Iterator[None]:
    """Each request reads its session and its user: several requests in one test are no repeated query."""
    with zeal_ignore([{"model": "sessions.Session", "field": "get()"}, {"model": "accounts.User", "field": "get()"}]):
        yield


@pytest.fixture
def ann(settings: Settings) -> User:
    """Somebody with a password, hashed cheaply: these tests sign in often."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    return User.objects.create_user("ann", password=PASSWORD, display_name="Ann")


def sign_in(client: Client, name: str = "ann", password: str = PASSWORD, **extra: Any) -> int:
    return client.post(URL, {"login": name, "password": password}, **extra).status_code


def test_sign_in__page__works_without_script_and_has_a_token(ann: User) -> None:
    client = Client(enforce_csrf_checks=True)
    page = client.get(URL).content.decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert token is not None

    refused = client.post(URL, {"login": "ann", "password": PASSWORD})
    done = client.post(URL, {"login": "ann", "password": PASSWORD, "csrfmiddlewaretoken": token[1]})

    assert refused.status_code == 403
    assert (done.status_code, done["Location"]) == (302, "/")
    assert "Remember" not in page


def test_sign_in__right__recorded_with_hashed_session(ann: User, client: Client) -> None:
    assert sign_in(client, HTTP_USER_AGENT="Browser 1") == 302

    event = list_events(action="accounts.session.started").get()
    body = get_event(event.seq).body
    assert (event.outcome, event.actor_name, event.object_id) == ("success", "ann", str(ann.pk))
    assert body["auth"] == {"methods": ["password"], "session_hash": hash_of(str(client.session.session_key))}
    assert body["source"] == {"ip": "127.0.0.1", "ua": "Browser 1", "proxy_chain_ok": True}
    assert body["details"] == {"device": "new"}
    assert str(client.session.session_key) not in get_event(event.seq).text
    left = client.session.get_expiry_date() - clock.now()
    assert timedelta(hours=11) < left <= timedelta(hours=12)


def test_sign_in__session_key__changes(ann: User, client: Client) -> None:
    client.get(URL)
    session = client.session
    session["before"] = "1"
    session.save()
    client.cookies[django_settings.SESSION_COOKIE_NAME] = str(session.session_key)

    sign_in(client)

    assert client.session.session_key != session.session_key


@pytest.mark.parametrize(("name", "password"), [("ann", "wrong"), ("nobody", PASSWORD), ("closed", PASSWORD)])
def test_sign_in__wrong_unknown_or_closed__the_same_answer(ann: User, client: Client, name: str, password: str) -> None:
    User.objects.create_user("closed", password=PASSWORD, display_name="Closed", is_active=False)

    response = client.post(URL, {"login": name, "password": password})

    assert response.status_code == 422
    assert "_auth_user_id" not in client.session
    text = re.sub(r'value="\w*"|<code>\w+</code>', "", response.content.decode())
    other = client.post(URL, {"login": "nobody-else", "password": "x"}).content.decode()
    assert text == re.sub(r'value="[\w-]*"|<code>\w+</code>', "", other)
    event = list_events(action="accounts.session.started", actor=name).get()
    assert (event.outcome, event.object_id, event.reason) == ("failure", "", "Wrong name or password.")


def test_sign_in__unknown_name__hashes_once_as_a_known_one(ann: User, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    original = MD5PasswordHasher.encode

    def counted(self: MD5PasswordHasher, password: str, salt: str) -> str:
        calls.append(password)
        return original(self, password, salt)

    monkeypatch.setattr(MD5PasswordHasher, "encode", counted)
    counts = []
    for name in ("ann", "nobody"):
        calls.clear()
        sign_in(Client(), name, "wrong")
        counts.append(len(calls))

    assert counts == [1, 1]


def test_s14_sign_in__flood__bounded_and_nobody_locked_out_by_name(ann: User, client: Client) -> None:
    assert sign_in(client) == 302
    known = client.cookies[adapter.DEVICE_COOKIE].value
    stranger = Client()

    answers = [sign_in(stranger, password="wrong", REMOTE_ADDR=f"10.0.0.{n}") for n in range(12)]  # noqa: S106 - wrong

    assert answers == [422] * TRIES_PER_ACCOUNT + [429] * 2
    assert sign_in(stranger, REMOTE_ADDR="10.0.1.1") == 429
    page = stranger.post(URL, {"login": "ann", "password": PASSWORD}, REMOTE_ADDR="10.0.1.2")
    assert (page.status_code, page["Retry-After"]) == (429, "900")
    assert "Too many tries" in page.content.decode()
    assert list_events(outcome="failure").count() == TRIES_PER_ACCOUNT
    assert "15 minutes" in list_events(outcome="failure")[0].reason
    owner = Client()
    owner.cookies[adapter.DEVICE_COOKIE] = known
    assert sign_in(owner) == 302


def test_s14_sign_in__many_names_from_one_address__bounded(ann: User) -> None:
    answers = [sign_in(Client(), f"name{n}", REMOTE_ADDR=f"2001:db8::{n:x}") for n in range(TRIES_PER_ADDRESS + 2)]

    assert answers == [422] * TRIES_PER_ADDRESS + [429] * 2
    assert sign_in(Client(), "ann", REMOTE_ADDR="2001:db8:0:1::1") == 302


def test_sign_in__device_cookie_of_somebody_else_or_forged__counts_as_unknown(ann: User, client: Client) -> None:
    User.objects.create_user("bob", password=PASSWORD, display_name="Bob")
    sign_in(client, "bob")
    client.post("/sign-out/")

    requests = [client.get(URL).wsgi_request]
    client.cookies[adapter.DEVICE_COOKIE] = "forged:value"
    requests.append(client.get(URL).wsgi_request)

    assert [adapter.device_of(request, "ann") for request in requests] == [adapter.UNKNOWN_DEVICE] * 2
    assert adapter.device_of(requests[0], "BOB") != adapter.UNKNOWN_DEVICE


def test_reserve_try__window_over__free_again() -> None:
    wanted = {"username": "ann", "device": "unknown", "address": "10.0.0.1"}
    for _ in range(TRIES_PER_ACCOUNT):
        assert reserve_try(**wanted).is_allowed
    assert not reserve_try(**wanted).is_allowed

    clock.shift_for_tests(timedelta(minutes=16))

    assert reserve_try(**wanted).is_allowed
    assert SignInTries.objects.count() == 2
    assert not SignInTries.objects.filter(bucket__contains="ann").exists()


@pytest.mark.django_db(transaction=True)
def test_s14_reserve_try__many_at_once__exactly_the_limit_gets_through() -> None:
    barrier = threading.Barrier(4, timeout=30)

    def flood(worker: int) -> int:
        barrier.wait()
        try:
            tries = [reserve_try(username="ann", device="unknown", address=f"10.0.{worker}.{n}") for n in range(8)]
        finally:
            connections.close_all()
        return sum(tried.is_allowed for tried in tries)

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(flood, range(4))) == TRIES_PER_ACCOUNT


def test_give_back_try__success__earlier_failures_stay_counted() -> None:
    wanted = {"username": "ann", "device": "unknown", "address": "10.0.0.1"}
    for _ in range(TRIES_PER_ACCOUNT - 1):
        reserve_try(**wanted)
    for _ in range(3):
        assert reserve_try(**wanted).is_allowed
        give_back_try(**wanted)

    assert reserve_try(**wanted) == (True, True)
    assert reserve_try(**wanted).is_allowed is False


@pytest.mark.parametrize(
    ("proxies", "forwarded", "seen"),
    [
        (0, "6.6.6.6", ("10.9.9.9", True)),
        (1, "6.6.6.6, 10.1.1.1", ("10.1.1.1", True)),
        (2, "6.6.6.6, 10.1.1.1, 10.2.2.2", ("10.1.1.1", True)),
        (2, "10.2.2.2", ("10.9.9.9", False)),
        (1, "", ("10.9.9.9", False)),
        (1, "not an address", ("10.9.9.9", False)),
    ],
)
@pytest.mark.usefixtures("ann")
def test_sign_in__forwarded_address__only_of_trusted_proxies(
    client: Client, settings: Settings, proxies: int, forwarded: str, seen: tuple[str, bool]
) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = proxies
    settings.PROXY_CIDRS = ["10.9.9.0/24"]

    sign_in(client, REMOTE_ADDR="10.9.9.9", HTTP_X_FORWARDED_FOR=forwarded)

    source = get_event(list_events(action="accounts.session.started")[0].seq).body["source"]
    assert source == {"ip": seen[0], "proxy_chain_ok": seen[1]}


@pytest.mark.parametrize(
    ("asked", "lands"),
    [("/audit/", "/audit/"), ("https://evil.example/", "/"), ("//evil.example/", "/"), ("javascript:1", "/")],
)
def test_sign_in__next__local_paths_only(ann: User, client: Client, asked: str, lands: str) -> None:
    response = client.post(URL, {"login": "ann", "password": PASSWORD, "next": asked})

    assert response["Location"] == lands


def test_sign_in__cannot_be_recorded__no_session(ann: User, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_drafts: object) -> None:
        raise LedgerUnavailableError("down")

    monkeypatch.setattr(audit_services, "_append", broken)

    assert sign_in(client) == 503
    assert "_auth_user_id" not in client.session


def test_sign_out__post_only__recorded(ann: User, client: Client) -> None:
    sign_in(client)
    assert client.get("/sign-out/").status_code == 405

    response = client.post("/sign-out/")

    assert (response.status_code, response["Location"]) == (302, URL)
    assert "_auth_user_id" not in client.session
    assert list_events(action="accounts.session.ended").get().actor_name == "ann"


def test_sign_up__nowhere(ann: User, client: Client) -> None:
    for path in ("/signup/", "/sign-up/", "/accounts/signup/"):
        assert client.get(path).status_code in {302, 404}
    assert not adapter.AccountAdapter().is_open_for_signup(client.get(URL).wsgi_request)


def test_every_page__anonymous__asked_to_sign_in(client: Client) -> None:
    for name in ("audit:event-list", "accounts:access"):
        response = client.get(reverse(name))
        assert (response.status_code, response["Location"]) == (302, f"{URL}?next={reverse(name)}")
