"""/api/v1 as a whole: every route declares, every refusal is a problem, nothing that is sent makes it fail."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.exceptions import Throttled
from zeal import zeal_ignore

from meshui.lib.errors import UnavailableError
from meshui.rest.views import ApiView, NothingView

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from accounts.models import User

pytestmark = pytest.mark.django_db
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
SAMPLES = {
    "slug": "eu-west",
    "scope": "all",
    "namespace": "shop",
    "name": "checkout",
    "number": 1,
    "seq": 1,
    **dict.fromkeys(("pk", "user_id", "grant_id", "token_id", "drift_id"), "00000000-0000-0000-0000-000000000000"),
}


@pytest.fixture(autouse=True)
def several_requests() -> Iterator[None]:
    """A test asks several times: not the N+1 that zeal looks for."""
    with zeal_ignore():
        yield


def routes(patterns: Iterable[Any] | None = None, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every route under /api/v1/ as (address with sample values, view class)."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        at = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, at)
        elif isinstance(pattern, URLPattern) and at.startswith("api/v1/"):
            for name, converter in pattern.pattern.converters.items():
                kind = next(key for key in ("int", "slug", "uuid", "str") if f"<{key}:{name}>" in at)
                assert converter
                at = at.replace(f"<{kind}:{name}>", str(SAMPLES[name]))
            yield f"/{at}", getattr(pattern.callback, "view_class", None)


ROUTES = [pytest.param(at, view, id=at) for at, view in routes()]


def problem_of(answer: Any) -> dict[str, Any]:
    """The problem that was answered, whole and with the id of its request."""
    assert answer["Content-Type"] == "application/problem+json", answer.content
    found: dict[str, Any] = json.loads(answer.content)
    assert {"type", "title", "status", "detail", "instance", "mend"} <= set(found)
    assert found["status"] == answer.status_code
    assert found["instance"] == answer["X-Request-ID"]
    assert found["title"]
    return found


@pytest.mark.parametrize(("at", "view"), ROUTES)
def test_route__declares_a_verb__or_is_open(at: str, view: type[ApiView]) -> None:
    assert issubclass(view, ApiView), at
    assert bool(view.needs) != view.is_open


@pytest.mark.parametrize(("at", "view"), ROUTES)
def test_route__anonymous__401_whatever_the_method(client: Client, at: str, view: type[ApiView]) -> None:
    for method in METHODS:
        answer = client.generic(method, at, "{}", content_type="application/json")

        assert answer.status_code == 401, method
        assert answer["WWW-Authenticate"] == 'Bearer realm="MeshUI"'
        if method != "HEAD":
            assert problem_of(answer)["type"] == "urn:meshui:problem:not-signed-in"


@pytest.mark.parametrize(("at", "view"), ROUTES)
def test_route__stranger_without_grants__403_or_404(
    client: Client, stranger: User, at: str, view: type[ApiView]
) -> None:
    client.force_login(stranger)
    for method in METHODS:
        answer = client.generic(method, at, "{}", content_type="application/json")

        if view.is_open and view is not NothingView:
            read = {"GET": 200, "HEAD": 200} if hasattr(view, "get") else {"POST": 404}
            assert answer.status_code == (read | {"OPTIONS": 204}).get(method, 405)
            continue
        allowed = {405} if method == "TRACE" or not hasattr(view, method.lower()) else set()
        assert answer.status_code in {403, 404} | (set() if view is NothingView else allowed), method
        if method != "HEAD":
            problem_of(answer)


def test_address__unknown_or_without_last_slash__404_and_no_redirect(client: Client, viewer: User) -> None:
    client.force_login(viewer)

    for at in ("/api/v1/nothing/", "/api/v1/clusters", "/api/v1/", "/api/v1/clusters/a%00b/", "/api/v1/changes/0x1/"):
        answer = client.get(at)

        assert answer.status_code == 404
        assert problem_of(answer)["type"] == "urn:meshui:problem:missing"


def test_session__unsafe_without_csrf_token__403(viewer: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(viewer)

    answer = client.post("/api/v1/changes/", "{}", content_type="application/json")

    assert answer.status_code == 403
    assert "CSRF" in problem_of(answer)["detail"]


def test_method__not_there__405(client: Client, viewer: User) -> None:
    client.force_login(viewer)

    answer = client.delete("/api/v1/clusters/")

    assert answer.status_code == 405
    assert answer["Allow"] == "GET, HEAD, POST, OPTIONS"
    problem_of(answer)


def test_accept__html__is_json_all_the_same(client: Client, viewer: User) -> None:
    client.force_login(viewer)

    answer = client.get("/api/v1/clusters/", headers={"Accept": "text/html"})

    assert answer["Content-Type"] == "application/json"
    assert json.loads(answer.content) == {"items": [], "next": None}


def raised(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """The list of clusters fails with `error`."""

    def get(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("clusters.api.ClusterListView.get", get)


def test_problem__unavailable__503_with_retry_after(
    client: Client, viewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.force_login(viewer)
    raised(monkeypatch, UnavailableError("The log is down.", mend="Try again."))

    answer = client.get("/api/v1/clusters/")

    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    found = problem_of(answer)
    assert (found["detail"], found["mend"]) == ("The log is down.", "Try again.")


def test_problem__throttled__429_with_retry_after(
    client: Client, viewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.force_login(viewer)
    raised(monkeypatch, Throttled(7))

    answer = client.get("/api/v1/clusters/")

    assert (answer.status_code, answer["Retry-After"]) == (429, "7")
    problem_of(answer)


def test_problem__own_failure__500_without_a_word_of_it(
    client: Client, viewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.force_login(viewer)
    client.raise_request_exception = False
    raised(monkeypatch, ZeroDivisionError("secret"))

    answer = client.get("/api/v1/clusters/")

    assert answer.status_code == 500
    assert "secret" not in answer.content.decode()
    problem_of(answer)


def test_problem__host_that_is_not_ours__400(client: Client) -> None:
    answer = client.get("/api/v1/clusters/", headers={"Host": "evil.example"})

    assert answer.status_code == 400
    problem_of(answer)


def test_failures__outside_of_the_api__are_pages(client: Client, viewer: User, monkeypatch: pytest.MonkeyPatch) -> None:
    client.force_login(viewer)
    client.raise_request_exception = False

    def get(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("clusters.views.pages.ClusterListView.get", get)

    failed, foreign = client.get("/clusters/"), client.get("/clusters/", headers={"Host": "evil.example"})

    assert (failed.status_code, foreign.status_code) == (500, 400)
    assert failed["Content-Type"] == foreign["Content-Type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "limit=%00", "cursor=nonsense", "colour=red"])
def test_query__cannot_be_read__400_by_name(client: Client, viewer: User, query: str) -> None:
    client.force_login(viewer)

    answer = client.get(f"/api/v1/clusters/?{query}")

    assert answer.status_code == 400
    assert list(problem_of(answer)["errors"]) == [query.partition("=")[0]]
