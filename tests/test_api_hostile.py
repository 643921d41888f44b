"""Nothing that can be sent to the API makes it fail, on either database: it is refused, or it is done."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from zeal import zeal_ignore

from tests.api_client import Api
from tests.test_api import routes
from tests.traffic.factories import in_review, make_cluster, make_route
from traffic.api import VERBS
from traffic.models import Change

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from django.test import Client

    from accounts.models import User

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.walks]
HUGE = 10**30
BODIES = {
    "nothing": b"",
    "no JSON": b"{",
    "no UTF-8": b'{"title": "\xff\xfe"}',
    "raw NUL": b'{"title": "\0"}',
    "NUL": b'{"title": "a\\u0000b", "reason": "\\u0000", "comment": "\\u0000"}',
    "lone surrogate": b'{"title": "\\ud800", "reason": "\\udfff", "comment": "\\ud800", "\\ud800": 1}',
    "raw surrogate": b'{"title": "\xed\xa0\x80"}',
    "too deep": b"[" * 100_000,
    "list": b"[]",
    "null": b"null",
    "number": b"1e999",
    "not a number": b'{"shares": {"v1": NaN}}',
    "endless": b'{"shares": {"v1": 1e999, "v2": -1e999}}',
    "huge": b'{"shares": {"v1": ' + b"9" * 5000 + b"}}",
    "big": b'{"shares": {"v1": ' + b"9" * 40 + b'}, "title": ' + b"9" * 40 + b"}",
    "wrong types": b'{"namespace": [], "name": {}, "clusters": "all", "shares": [1], "title": true, "reason": null}',
    "nested": b'{"clusters": [[["eu-west"]], {}, null, 1], "shares": {"v1": {"v2": []}}, "comment": {}, "reason": []}',
    "long": b'{"title": "' + b"x" * 100_000 + b'"}',
    "many": json.dumps({"clusters": ["eu-west"] * 5000, "shares": {f"v{n}": 1 for n in range(5000)}}).encode(),
}
TEXTS = (
    "%00",
    "%ED%A0%80",
    "%FF",
    "%F0%9F%92%A5",
    "9" * 40,
    "-1",
    "1e400",
    "NaN",
    "%25",
    "'%22%3B--",
    "%2F",
    "x" * 3000,
)
CURSORS: tuple[Any, ...] = (
    ["\0", "\0"], ["\ud800", 1], [HUGE], [HUGE, HUGE], [1e308, "x"], [True], [None], [[1]], {"a": 1}, "x",
    ["a", "b", "c"], [float("inf")], [float("nan"), 1], [-HUGE, "00000000-0000-0000-0000-000000000000"],
)  # fmt: skip


@pytest.fixture(autouse=True)
def several_requests() -> Iterator[None]:
    """A test asks again and again: not the N+1 that zeal looks for."""
    with zeal_ignore():
        yield


@pytest.fixture
def api(client: Client, author: User, person: Callable[..., User]) -> Api:
    """As somebody who may do everything, beside a change in review."""
    in_review(author, [make_route(make_cluster())])
    return Api(client, person("maria", ["author", "approver", "executor", "auditor"]))


def ask(api: Api, method: str, at: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> int:
    """The status that is answered; a failure is raised by the client, and a refusal is a problem."""
    answer = api.client.generic(method, at, body, content_type="application/json", headers=headers or {})
    assert answer.status_code < 500, (method, at, body[:200], answer.content)
    if answer.status_code >= 400:
        assert answer["Content-Type"] == "application/problem+json"
        json.loads(answer.content)
    return answer.status_code


def cursor(value: Any) -> str:
    """As the API writes them."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def test_body__hostile__refused_everywhere(api: Api) -> None:
    change = Change.objects.get()
    etag = change.etag
    for at in ["/api/v1/changes/", *(f"/api/v1/changes/{change.number}/{verb}/" for verb in VERBS)]:
        for name, body in BODIES.items():
            if name in {"nothing", "list", "null"} and not at.endswith("changes/"):
                continue
            status = ask(api, "POST", at, body, {"If-Match": etag, "Idempotency-Key": name.replace(" ", "-")})
            assert status in {400, 413, 422}, (at, name, status)

    change.refresh_from_db()
    assert (Change.objects.count(), change.version) == (1, 1)


@pytest.mark.parametrize("body", [b"[]", b"null", b'"x"', b"1", b"true"])
def test_body__no_object__422(api: Api, body: bytes) -> None:
    change = Change.objects.get()
    for verb in VERBS:
        assert ask(api, "POST", f"/api/v1/changes/{change.number}/{verb}/", body, {"If-Match": change.etag}) == 422


def test_body__other_media_types__415(api: Api) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "x", ""):
        answer = api.client.generic("POST", "/api/v1/changes/", b"a=b", content_type=kind)

        assert answer.status_code == 415, kind
        assert answer["Content-Type"] == "application/problem+json"


def test_body__larger_than_a_mebibyte__413(api: Api) -> None:
    assert ask(api, "POST", "/api/v1/changes/", b'{"title": "' + b"x" * 1_100_000 + b'"}') == 413


def test_query__hostile__never_fails(api: Api) -> None:
    for at, view in routes():
        names = [*getattr(view, "known_query", lambda _: ())(view()), "other"]
        for name in names:
            for text in TEXTS:
                ask(api, "GET", f"{at.split('^')[0]}?{name}={text}")


def test_cursor__hostile__400_or_an_empty_page(api: Api) -> None:
    for at in ("clusters", "meshes", "services", "changes", "audit/events"):
        for value in CURSORS:
            assert ask(api, "GET", f"/api/v1/{at}/?cursor={cursor(value)}") in {200, 400}
        assert ask(api, "GET", f"/api/v1/{at}/?cursor={cursor(0)}{'W' * 5000}") == 400
        deep = base64.urlsafe_b64encode(b"[" * 50_000).decode()
        assert ask(api, "GET", f"/api/v1/{at}/?cursor={deep}") == 400


def test_path__hostile__404(api: Api) -> None:
    for at in (
        "changes/{}/",
        "audit/events/{}/",
        "clusters/{}/",
        "meshes/{}/",
        "services/all/{}/x/",
        "services/all/x/{}/",
    ):
        for text in (*TEXTS, str(HUGE), "9" * 5000):
            assert ask(api, "GET", f"/api/v1/{at.format(text)}") == 404, (at, text)
    for verb in VERBS:
        assert ask(api, "POST", f"/api/v1/changes/{HUGE}/{verb}/", b"{}") == 404


@pytest.mark.parametrize("name", ["If-Match", "If-None-Match", "Idempotency-Key"])
def test_header__hostile__never_fails(api: Api, name: str) -> None:
    number = Change.objects.get().number
    for text in (
        "\0",
        "\xff",
        '"',
        '"9999999999-"',
        f'"{HUGE}-"',
        '"1-' + "a" * 5000 + '"',
        ",",
        ",,",
        '"a","b"' * 500,
        "W/",
    ):
        headers = {"If-Match": '"1-"'} | {name: text}
        ask(api, "GET", f"/api/v1/changes/{number}/", headers=headers)
        assert 400 <= ask(api, "POST", f"/api/v1/changes/{number}/start/", b"{}", headers) < 500


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ("namespace", "name", "clusters", "shares", "rule", "title", "reason", "ticket", "comment")


@given(body=st.dictionaries(st.sampled_from(FIELDS), JSON))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_propose__any_json__never_fails(api: Api, body: dict[str, Any]) -> None:
    assert 400 <= ask(api, "POST", "/api/v1/changes/", json.dumps(body).encode()) < 500
