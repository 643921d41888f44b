"""S10: no page of another site makes a browser change anything here, and nothing changes by being looked at."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test import Client
from zeal import zeal_ignore

from accounts.types import ROLES
from tests.people import make_person
from tests.test_routes import ROUTES, place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from accounts.models import User
    from tests.test_routes import Place

pytestmark = [pytest.mark.django_db, pytest.mark.walks]
UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
WITHOUT_TOKEN = {"ui:csp-report"}
"""Browsers send it by themselves, without a token; it changes nothing (tests/ui/test_outside.py)."""
WRITES = re.compile(r'^\s*(?:INSERT INTO|UPDATE|DELETE FROM|REPLACE INTO)\s+"?(\w+)"?', re.IGNORECASE)
IS_OF_HISTORY = re.compile("event|audit-verification")
OF_READING = re.compile(r"^(?:django_session|audit_\w+|accounts_usersession)$")
"""What a GET may write: the session, when it was last used, and that history was read."""
EVIL = "https://evil.example"
FORGED: dict[str, dict[str, str]] = {
    "no token": {},
    "wrong token": {"X-CSRFToken": "a" * 64},
    "token too short": {"X-CSRFToken": "x"},
    "token of nobody": {"X-CSRFToken": "\0" * 64},
    "other origin": {"Origin": EVIL},
    "no origin at all": {"Origin": "null"},
    "other port": {"Origin": "http://testserver:8081"},
    "other referer": {"Referer": f"{EVIL}/"},
    "other site": {"Sec-Fetch-Site": "cross-site"},
    "other site with a method of ours": {"Sec-Fetch-Site": "cross-site", "X-HTTP-Method-Override": "GET"},
}
RIGHT_TOKEN = {"other origin", "no origin at all", "other port", "other site", "other site with a method of ours"}


@pytest.fixture(autouse=True)
def several_requests() -> Iterator[None]:
    """A test walks all URLs: not the N+1 that zeal looks for."""
    with zeal_ignore():
        yield


@pytest.fixture
def ours(author: User) -> Place:
    """A cluster with a mesh, a route and a change."""
    return place("eu-west", author)


@pytest.fixture
def everything() -> User:
    """Somebody with every role."""
    return make_person("maria", sorted(ROLES))


@contextmanager
def written() -> Iterator[list[str]]:
    """The tables that statements of the block write to."""
    tables: list[str] = []

    def note(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001 - Django's
        if found := WRITES.match(sql):
            tables.append(found[1])
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield tables


def strict(person: User | None = None) -> tuple[Client, str]:
    """A browser whose tokens are checked, and the token that it was given."""
    client = Client(enforce_csrf_checks=True)
    if person is not None:
        client.force_login(person)
    page = client.get("/sign-in/" if person is None else "/clusters/").content.decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"|"X-CSRFToken": ?"(\w+)"', page)
    assert token is not None
    return client, token[1] or token[2]


def test_strict__right_token__is_taken(everything: User) -> None:
    client, token = strict(everything)

    assert client.post("/sign-out/", headers={"X-CSRFToken": token}).status_code == 302


@pytest.mark.parametrize("case", FORGED)
def test_s10_unsafe_method__no_token__refused(everything: User, ours: Place, case: str) -> None:
    client, token = strict(everything)
    headers = FORGED[case] | ({"X-CSRFToken": token} if case in RIGHT_TOKEN else {})
    missed = []

    with written() as tables:
        for name in ROUTES.keys() - WITHOUT_TOKEN:
            for method in UNSAFE if case == "no token" else ("POST",):
                is_api = name.startswith("api:")
                kind = "application/json" if is_api else "application/x-www-form-urlencoded"
                answer: Any = client.generic(method, ours.url(name), b"{}", content_type=kind, headers=headers)
                told = answer["Content-Type"] == "application/problem+json" and json.loads(answer.content)
                if answer.status_code != 403 or (is_api and not (told and told["status"] == 403 and told["detail"])):
                    missed.append((name, method, answer.status_code, answer["Content-Type"]))

    assert missed == []
    assert tables == []


def test_s10_token__in_the_query__refused(everything: User, ours: Place) -> None:
    client, token = strict(everything)

    named = sorted(ROUTES.keys() - WITHOUT_TOKEN)
    statuses = {name: client.post(f"{ours.url(name)}?csrfmiddlewaretoken={token}").status_code for name in named}

    # The API looks for the token in a body that it does not read: 415.
    assert {name: status for name, status in statuses.items() if status != 403 and not name.startswith("api:")} == {}
    assert set(statuses.values()) == {403, 415}


def test_s10_sign_in__forged__refused() -> None:
    person = make_person("viewer")
    client, token = strict()
    words = {"login": person.username, "password": "correct-horse-battery-staple"}

    statuses = [
        client.post("/sign-in/", words, headers=headers).status_code
        for headers in (
            {},
            {"X-CSRFToken": token, "Origin": EVIL},
            {"X-CSRFToken": token, "Sec-Fetch-Site": "cross-site"},
        )
    ]
    elsewhere = Client(enforce_csrf_checks=True).post("/sign-in/", words | {"csrfmiddlewaretoken": token})

    assert [*statuses, elsewhere.status_code] == [403] * 4
    assert "_auth_user_id" not in client.session


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/json",
        "",
        "text/plain;json",
    ],
)
def test_s10_api__json_as_what_a_form_may_send__415(everything: User, ours: Place, kind: str) -> None:
    client, token = strict(everything)
    missed = []

    with written() as tables:
        for name, pattern in ROUTES.items():
            if name.startswith("api:") and hasattr(pattern.callback.view_class, "post"):  # type: ignore[attr-defined]  # of a View
                body = b'{"comment": "=", "reason": "="}'
                headers = {"X-CSRFToken": token, "If-Match": '"1-"'}
                answer = client.generic("POST", ours.url(name), body, content_type=kind, headers=headers)
                if answer.status_code != 415:
                    missed.append((name, answer.status_code))

    assert missed == []
    assert [table for table in tables if not OF_READING.match(table)] == []


def test_s10_cors__preflight_and_credentials__no_word_of_it(everything: User, ours: Place) -> None:
    client, _ = strict(everything)
    asked = {"Origin": EVIL, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    found = []

    for name in ROUTES:
        for method in ("OPTIONS", "GET"):
            answer = client.generic(method, ours.url(name), headers=asked)
            found += [(name, header) for header in answer.headers if header.lower().startswith("access-control-")]

    assert found == []


@pytest.mark.parametrize("partial", [False, True])
def test_s10_get__every_url__changes_no_row(
    everything: User,
    ours: Place,
    partial: bool,  # noqa: FBT001 - a case of the table
) -> None:
    client, _ = strict(everything)
    headers = {"HX-Request": "true", "HX-Request-Type": "partial"} if partial else {}
    changed, failed = [], []

    for name in sorted(ROUTES.keys() - {"account_logout"}):
        for method in ("GET",) if partial else ("GET", "HEAD", "OPTIONS", "TRACE"):
            with written() as tables:
                answer: Any = client.generic(method, ours.url(name), headers=headers)
            changed += [(name, method, table) for table in tables if not OF_READING.match(table)]
            changed += [
                (name, method, table)
                for table in tables
                if table.startswith("audit_") and not IS_OF_HISTORY.search(name)
            ]
            failed += [(name, method)] if answer.status_code >= 500 else []

    assert (changed, failed) == ([], [])


def test_s10_get__sign_out__signs_nobody_out(everything: User) -> None:
    client, _ = strict(everything)

    assert client.get("/sign-out/").status_code == 405
    assert client.head("/sign-out/").status_code == 405
    assert "_auth_user_id" in client.session
