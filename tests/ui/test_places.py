"""Pages named by other pages: nothing of another site, and no broken address, is one."""

from __future__ import annotations

import pytest
from django.test import RequestFactory

from meshui.ui.places import At, came_from, place_at, with_params


@pytest.mark.parametrize(
    ("text", "path", "query"),
    [
        ("/clusters/?health=unreachable&q=&after=abc", "/clusters/", "health=unreachable"),
        ("/clusters/", "/clusters/", ""),
        ("/changes/?q=a%26b&state=open", "/changes/", "q=a%26b&state=open"),
        ("//evil.example/", "/", ""),
        ("https://evil.example/clusters/", "/", ""),
        ("/\\evil.example/", "/", ""),
        ("javascript:alert(1)", "/", ""),
        ("/clusters/\0", "/", ""),
        ("/" + "a" * 3000, "/", ""),
        ("", "/", ""),
    ],
)
def test_place_at__text__own_page_or_the_first(text: str, path: str, query: str) -> None:
    assert place_at(text) == At(path, query)


def test_with_params__empty__dropped() -> None:
    at = place_at("/clusters/?env=production&sort=-name")

    assert with_params(at, env="") == "/clusters/?sort=-name"
    assert with_params(at, env="staging") == "/clusters/?env=staging&sort=-name"
    assert with_params(At("/clusters/"), env="") == "/clusters/"


def test_came_from__other_site__nothing() -> None:
    own = RequestFactory().get("/scope/", headers={"Referer": "http://testserver/clusters/?q=a"})
    other = RequestFactory().get("/scope/", headers={"Referer": "https://evil.example/clusters/?q=a"})

    assert came_from(own) == "/clusters/?q=a"
    assert came_from(other) == ""
