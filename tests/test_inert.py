"""S19, S20: what people write is never run as template, format or pattern; no path leads out of what is offered."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from django.utils.html import escape
from zeal import zeal_ignore

from tests.people import make_person
from tests.traffic.factories import in_review, make_change, make_cluster, make_plan, make_route

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test import Client

    from accounts.models import User

pytestmark = pytest.mark.django_db
TRICKS = (
    "{{ 7|add:35 }}",
    "{% debug %}",
    "{% load static %}{% include 'base.html' %}",
    "{0.__class__.__init__.__globals__}",
    "%(SECRET_KEY)s",
    "${SECRET_KEY}",
    "#{7*6}",
    "<%= 7*6 %>",
)
PATTERNS = ("(a+)+$", "^(([a-z])+.)+[A-Z]([a-z])+$", "(x+x+)+y", "[", "(?P<", "\\")
LEAKS = ("meshui.settings", "tests-only-secret-key", "<class 'str'>", "Django tried loading", ">42<")
PATHS = (
    "..%2f..%2fmanage.py",
    "../manage.py",
    "%2e%2e/manage.py",
    "..%5cmanage.py",
    "....//manage.py",
    "%2fetc%2fpasswd",
    "/etc/passwd",
    "x%00.css",
    "app.css%00",
    "app.css/../../manage.py",
    "file:%2f%2f%2fetc%2fpasswd",
)
INSIDE = ("DJANGO_SETTINGS_MODULE", "root:x:0")


@pytest.fixture(autouse=True)
def _many_requests(repeated_queries: None) -> Iterator[None]:
    """Many requests in one test: no loop that zeal looks for."""
    with zeal_ignore():
        yield


@pytest.mark.parametrize("text", TRICKS)
def test_s19_template__user_text__inert(client: Client, author: User, text: str) -> None:
    change = make_change(author, [make_route(make_cluster("eu-west"))], title=f"Title {text}", reason=f"Reason {text}")
    make_plan(change)
    author.display_name = f"Name {text}"
    author.save(update_fields=["display_name"])
    client.force_login(author)

    for path in (f"/changes/{change.number}/", "/changes/", "/me/", f"/changes/{change.number}/evidence/"):
        page = client.get(path).content.decode()
        assert escape(text) in page, path
        assert [leak for leak in LEAKS if leak in page] == []
    answer = client.get(f"/api/v1/changes/{change.number}/").json()
    assert (answer["title"], answer["reason"]) == (f"Title {text}", f"Reason {text}")


@pytest.mark.parametrize("pattern", PATTERNS)
def test_s19_search__user_pattern__is_text_and_quick(client: Client, author: User, pattern: str) -> None:
    make_change(author, [make_route(make_cluster("eu-west"))], title="a" * 200 + "!")
    client.force_login(author)
    client.get("/changes/")

    began = time.process_time()
    answers = [client.get(path, {"q": pattern}) for path in ("/changes/", "/services/", "/clusters/", "/search/")]

    assert {answer.status_code for answer in answers} == {200}
    assert time.process_time() - began < 4 * 1.0  # a pattern that ran would take minutes
    assert "aaaaaaaa" not in answers[0].content.decode()


@pytest.mark.parametrize("path", PATHS)
def test_s20_download__path__not_found(client: Client, author: User, path: str) -> None:
    change = in_review(author, [make_route(make_cluster("eu-west"))])
    one = f"/changes/{change.number}"
    urls = [f"/static/{path}", f"{one}/diff/{path}/raw/", f"{one}/log/text/{path}", f"{one}/evidence/json/{path}"]
    client.force_login(author)

    for url in (*urls, f"/clusters/{path}/", f"/api/v1/clusters/{path}/", f"/live/{path}/"):
        answer = client.get(url)
        body = b"".join(answer) if answer.streaming else answer.content
        assert answer.status_code in {400, 404}, url
        assert [word for word in INSIDE if word.encode() in body] == [], url


def test_s20_download__nobody_signed_in__sign_in_and_nothing_else(client: Client, author: User) -> None:
    change = in_review(author, [make_route(make_cluster("eu-west"))])
    one = f"/changes/{change.number}"

    for url in (f"{one}/diff/eu-west/raw/", f"{one}/log/text/", f"{one}/evidence/json/"):
        answer = client.get(url)
        assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, "/sign-in/"), url


def test_s20_download__is_never_run_by_the_browser(client: Client, author: User) -> None:
    change = in_review(author, [make_route(make_cluster("eu-west"))])
    client.force_login(make_person("reader", ["viewer"]))
    one = f"/changes/{change.number}"

    for url in (f"{one}/log/text/", f"{one}/evidence/json/"):
        answer = client.get(url)
        assert answer.status_code == 200, url
        assert answer["Content-Disposition"].startswith("attachment"), url
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert "html" not in answer["Content-Type"]
        assert "javascript" not in answer["Content-Type"]
