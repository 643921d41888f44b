"""The page of a change in every state, in a real browser: what it says first, both themes, a phone, the keyboard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.conftest import NARROW, WIDE
from tests.e2e.states import Book
from tests.people import make_person
from tests.traffic.factories import make_cluster, make_route

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Page

    from accounts.models import User
    from tests.e2e.conftest import Site


@pytest.fixture
def site(serve_site: Callable[..., Site]) -> Site:
    """A MeshUI that leaves the rows of this test as they are."""
    return serve_site(MESHUI_SWEEP_SECONDS="3600", MESHUI_AGE_SECONDS="3600")


@pytest.fixture
def book(site: Site, author: User, approver: User) -> Book:
    """Changes of checkout on two clusters."""
    routes = [make_route(make_cluster(slug)) for slug in ("eu-west", "us-east")]
    return Book(author, [approver, make_person("second", ["approver"])], routes)


@pytest.fixture
def pages(
    book: Book, new_page: Callable[..., Page], sign_in: Callable[[Page, User], None], author: User
) -> tuple[Book, Callable[..., Page]]:
    """The changes, and what opens a page of their author."""

    def open_page(**options: Any) -> Page:
        page = new_page(**options)
        sign_in(page, author)
        return page

    return book, open_page


@pytest.fixture
def look_at(axe: Callable[[Page], Any], screenshot: Callable[[Page, str], Path]) -> Callable[[Page, str], None]:
    """No violation of axe, nothing that scrolls sideways; a picture."""

    def judge(page: Page, name: str) -> None:
        screenshot(page, name)
        axe(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} scrolls sideways"

    return judge


@pytest.mark.parametrize(("scheme", "size", "half"), [("light", WIDE, 0), ("dark", NARROW, 1)])
def test_change__every_state__its_page_passes(
    scheme: str,
    size: dict[str, int],
    half: int,
    pages: tuple[Book, Callable[..., Page]],
    look_at: Callable[[Page, str], None],
) -> None:
    book, open_page = pages
    page = open_page(color_scheme=scheme, viewport=size)

    for name in book.names()[half::2]:
        page.goto(f"/changes/{book.make(name).number}/")
        look_at(page, f"change-{name}-{scheme}-{size['width']}")
