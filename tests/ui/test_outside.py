"""What the outside says of a request (S24), asks of a process (S18) and reports of a page (S9)."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
from django.db import OperationalError, connection
from django.test import Client, RequestFactory
from zeal import zeal_ignore

from accounts.selectors import source_of
from meshui.ui import reports
from meshui.ui.proxies import ProxyMiddleware

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.http import HttpRequest
    from pytest_django.fixtures import Settings

    from accounts.models import User

PROXY, STRANGER = "10.1.0.7", "203.0.113.9"
CLAIMS = {
    "X-Forwarded-For": "198.51.100.1",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Port": "443",
    "X-Forwarded-Scheme": "https",
    "X-Forwarded-Prefix": "/evil",
    "X-Forwarded-Server": "evil.example",
    "X-Forwarded-User": "admin",
    "X-Real-IP": "198.51.100.1",
    "X-Original-URL": "/access/",
    "X-Rewrite-URL": "/access/",
    "Forwarded": "for=198.51.100.1;proto=https;host=evil.example",
}
OVERRIDES = ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override")


@pytest.fixture(autouse=True)
def several_requests() -> Iterator[None]:
    """A test asks several times: not the N+1 that zeal looks for."""
    with zeal_ignore():
        yield


def passed_on(settings: Settings, peer: str, *, proxies: int = 1, networks: tuple[str, ...] = ("10.1.0.0/16",)) -> Any:
    """The request as the views get it, with all CLAIMS."""
    settings.ALLAUTH_TRUSTED_PROXY_COUNT, settings.PROXY_CIDRS = proxies, list(networks)
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    seen: list[HttpRequest] = []
    request = RequestFactory().get("/clusters/", headers=CLAIMS, REMOTE_ADDR=peer)
    ProxyMiddleware(seen.append)(request)  # type: ignore[arg-type]  # it notes, and answers nothing
    return seen[0]


@pytest.mark.parametrize(
    ("peer", "proxies", "networks"),
    [
        (STRANGER, 1, ("10.1.0.0/16",)),
        (PROXY, 0, ("10.1.0.0/16",)),
        (PROXY, 1, ()),
        ("10.2.0.7", 1, ("10.1.0.0/16",)),
        ("", 1, ("0.0.0.0/0",)),
        ("unix:/run/x", 1, ("0.0.0.0/0", "::/0")),
        ("2001:db8::7", 1, ("10.1.0.0/16",)),
    ],
)
def test_s24_header__untrusted_proxy__ignored(
    settings: Settings, peer: str, proxies: int, networks: tuple[str, ...]
) -> None:
    request = passed_on(settings, peer, proxies=proxies, networks=networks)

    assert [name for name in CLAIMS if name in request.headers] == []
    assert not request.is_secure()
    assert source_of(request).ip == peer
    assert request.get_host() == "testserver"
    assert request.path == "/clusters/"


@pytest.mark.parametrize("peer", [PROXY, f"::ffff:{PROXY}"])
def test_s24_header__listed_proxy__believed_of_client_and_scheme_but_not_of_host(settings: Settings, peer: str) -> None:
    request = passed_on(settings, peer)

    assert request.is_secure()
    assert source_of(request).ip == "198.51.100.1"
    assert "evil" not in request.get_host() + request.build_absolute_uri()
    assert (request.get_port(), request.path) == ("80", "/clusters/")


@pytest.mark.django_db
def test_s24_header__connection_names_headers_away__nobody_gains(client: Client, viewer: User) -> None:
    """CVE-2021-31999: what is named in Connection is dropped by a proxy; nothing here means more by its absence."""
    named = "Cookie, X-Forwarded-For, Sec-Fetch-Site, Origin, Authorization, X-CSRFToken, HX-Request"
    signed_out = client.get("/clusters/", headers={"Connection": named})
    client.force_login(viewer)
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(viewer)

    assert signed_out.status_code == 302
    assert client.get("/clusters/", headers={"Connection": named}).status_code == 200
    assert strict.post("/sign-out/", headers={"Connection": named}).status_code == 403


@pytest.mark.django_db
@pytest.mark.parametrize("name", OVERRIDES)
def test_s24_method_override__header_or_field__not_honoured(client: Client, admin: User, name: str) -> None:
    client.force_login(admin)

    page = client.get("/sign-out/", headers={name: "POST"})
    told = client.post("/clusters/?_method=GET", {"_method": "GET"}, headers={name: "GET"})
    asked = client.get("/api/v1/clusters/?_method=POST", headers={name: "POST"})
    sent = client.post("/api/v1/meshes/", b"{}", content_type="application/json", headers={name: "GET"})

    assert (page.status_code, told.status_code, sent.status_code) == (405, 405, 405)
    assert asked.status_code == 400  # there is no such parameter
    assert "_auth_user_id" in client.session


@pytest.mark.django_db
@pytest.mark.parametrize("host", ["evil.example", "testserver.evil.example", "testserver@evil.example", "a b", "[::1"])
@pytest.mark.parametrize("path", ["/sign-in/", "/api/v1/clusters/", "/"])
def test_s24_host__not_ours__400(client: Client, settings: Settings, host: str, path: str) -> None:
    settings.ALLOWED_HOSTS = ["testserver"]

    answer = client.get(path, headers={"Host": host})

    assert answer.status_code == 400
    assert "evil.example" not in answer.content.decode()


@pytest.mark.parametrize("path", ["/healthz/", "/readyz/"])
@pytest.mark.django_db
def test_s18_health__anybody_by_any_name__ok_and_nothing_else(
    client: Client, settings: Settings, path: str, django_assert_num_queries: Any
) -> None:
    settings.ALLOWED_HOSTS, settings.SECURE_SSL_REDIRECT = ["meshui.example.org"], True

    with django_assert_num_queries(1 if path == "/readyz/" else 0):
        answer = client.get(path, headers={"Host": "10.0.0.1:8000"})

    assert (answer.status_code, answer.content) == (200, b"ok\n")
    assert {name.lower() for name in answer.headers} == {
        "content-type",
        "content-length",
        "cache-control",
        "x-content-type-options",
    } - ({"content-length"} - {name.lower() for name in answer.headers})
    assert (client.head(path).status_code, client.post(path, b"{}", content_type="x").status_code) == (200, 405)
    assert client.get(f"{path}?verbose=1").content == b"ok\n"


def test_s18_ready__database_gone__503_without_a_reason(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: Any) -> None:
        raise OperationalError("connection to server at db.internal, user meshui, failed: password")

    monkeypatch.setattr(connection, "cursor", gone)

    answer = client.get("/readyz/")

    assert (answer.status_code, answer.content) == (503, b"not ready\n")
    assert client.get("/healthz/").status_code == 200


def report(**fields: Any) -> bytes:
    """What Chromium sends."""
    found = {"document-uri": "https://meshui.example.org/clusters/?q=what-somebody-looked-for", "blocked-uri": "inline"}
    return json.dumps({"csp-report": {**found, "effective-directive": "script-src-elem", **fields}}).encode()


def send(client: Client, body: bytes, kind: str = "application/csp-report") -> int:
    """The status of a report."""
    return client.post("/csp-report/", body, content_type=kind).status_code


@pytest.fixture
def quiet_bell() -> Iterator[None]:
    """Nothing was reported in this minute yet."""
    reports.bell.forget()
    yield
    reports.bell.forget()


@pytest.mark.django_db
def test_s09_csp_report__of_a_browser__one_line_without_query(
    quiet_bell: None, client: Client, caplog: pytest.LogCaptureFixture, django_assert_num_queries: Any
) -> None:
    strict = Client(enforce_csrf_checks=True)
    with caplog.at_level(logging.WARNING), django_assert_num_queries(0):
        status = send(strict, report(**{"source-file": "x\r\n2026 CRITICAL forged\u202e " + "y" * 500}))

    line = caplog.messages[0]
    assert status == 204
    assert "script-src-elem" in line
    assert "https://meshui.example.org/clusters/" in line
    assert "looked-for" not in line
    assert len(caplog.messages) == 1
    assert line.isprintable()
    assert len(line) < 1200


@pytest.mark.parametrize(
    "body",
    [b" ", b"{", b"[]", b"null", b'{"csp-report": []}', b"\xff", b"[" * 8000, b'{"csp-report": {"blocked-uri": {}}}'],
)
def test_s09_csp_report__no_report__204_and_no_line(
    quiet_bell: None, client: Client, caplog: pytest.LogCaptureFixture, body: bytes
) -> None:
    assert send(client, body) == 204
    assert [line for line in caplog.messages if "policy" in line] == []


def test_s09_csp_report__flood_or_too_large__bounded(
    quiet_bell: None, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    large, other = send(client, b"x" * 8193), send(client, report(), "text/html")

    statuses = [send(client, report()) for _ in range(100)]

    assert (large, other) == (413, 415)
    assert statuses == [204] * 30 + [429] * 70
    assert len([line for line in caplog.messages if "policy" in line]) == 30
    assert client.get("/csp-report/").status_code == 405


@pytest.mark.django_db
def test_s09_policy__every_answer__names_where_to_report(client: Client) -> None:
    policy = client.get("/sign-in/")["Content-Security-Policy"]

    assert "report-uri /csp-report/" in policy
    assert "unsafe" not in policy
    assert "*" not in policy
