"""The page of a change in every state, in a real browser: what it says first, both themes, a phone, the keyboard."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import NARROW, WIDE
from tests.e2e.states import Book
from tests.people import make_person
from tests.traffic.factories import make_cluster, make_route
from traffic.types import State

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


def test_roll_back__asks_first__by_keys_it_opens_gives_the_focus_back_and_sends(
    pages: tuple[Book, Callable[..., Page]], axe_in_every_look: Callable[[Page], None]
) -> None:
    book, open_page = pages
    change = book.make("applying")
    page = open_page(viewport=WIDE)
    page.goto(f"/changes/{change.number}/")
    opener = page.locator("#decision").get_by_role("button", name="Roll back…", exact=True)
    asks = page.get_by_role("dialog", name=f"Roll back #{change.number}?")

    opener.focus()
    page.keyboard.press("Enter")
    for words in ("VirtualService shop/checkout · eu-west", "Roll back restores v1 90", "left alone and named"):
        expect(asks).to_contain_text(words)
    axe_in_every_look(page)
    page.set_viewport_size(WIDE)
    page.keyboard.press("Escape")
    expect(asks).to_have_count(0)
    expect(opener).to_be_focused()
    change.refresh_from_db()
    assert change.state == State.APPLYING

    page.keyboard.press("Enter")
    page.get_by_label("Why do you roll back?").fill("Errors.")
    page.keyboard.press("Enter")

    expect(page.locator(".head .pill")).to_contain_text(re.compile("Roll(ing|ed) back"))
    page.locator(".head a", has_text="Evidence").click()  # nothing is left that would be in its way
    page.wait_for_url("**/evidence/")


def test_roll_back__page_goes_on_while_it_asks__the_words_stay_and_it_is_of_what_is_there_now(
    pages: tuple[Book, Callable[..., Page]],
) -> None:
    book, open_page = pages
    change = book.make("applying")
    page = open_page(viewport=WIDE)
    page.goto(f"/changes/{change.number}/")
    expect(page.locator("#live")).to_contain_text("Live")
    page.get_by_role("button", name="Roll back…", exact=True).click()
    page.get_by_label("Why do you roll back?").fill("Errors.")
    other = open_page(viewport=WIDE)
    other.goto(f"/changes/{change.number}/")
    other.get_by_role("button", name="Pause", exact=True).click()

    expect(page.locator(".head .pill")).to_contain_text("Paused")
    asks = page.get_by_role("dialog", name=f"Roll back #{change.number}?")
    expect(asks).to_be_visible()
    expect(page.get_by_label("Why do you roll back?")).to_have_value("Errors.")
    asks.get_by_role("button", name="Roll back", exact=True).click()

    expect(page.locator(".head .pill")).to_contain_text(re.compile("Roll(ing|ed) back"))
