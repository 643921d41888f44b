"""My sessions in two browsers, and everybody's: what is ended is out at its next click."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import NARROW, WIDE
from tests.people import PASSWORD, give_password, make_person

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

pytestmark = pytest.mark.django_db(transaction=True)


def enter(page: Page, username: str) -> None:
    """Through the form, with the password that stays the same: another one would end the sessions before."""
    page.goto("/sign-in/")
    page.locator("input[name=login]").fill(username)
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("form button.pri").click()
    page.wait_for_url(lambda url: "/sign-in/" not in url)


def test_me__another_session_ended__that_browser_lands_on_sign_in_at_its_next_click(
    new_page: Callable[..., Page],
) -> None:
    give_password(make_person("viewer"))
    there, here = new_page(), new_page()
    enter(there, "viewer")
    enter(here, "viewer")

    there.goto("/me/")  # a page without a stream: one that follows lands there by itself
    here.locator(".side .me a").click()
    expect(here.get_by_text("this one", exact=True)).to_have_count(1)
    here.get_by_role("button", name="End Chrome").click()
    expect(here.get_by_role("button", name="End Chrome")).to_have_count(0)
    there.locator(".nav a", has_text="Clusters").click()

    expect(there).to_have_url(re.compile(r"/sign-in/\?next=/clusters/$"))
    here.locator(".nav a", has_text="Clusters").click()
    expect(here).to_have_url(re.compile(r"[0-9]/clusters/$"))


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
def test_access_sessions__asked_before_it_ends__whole_in_both_themes_and_widths(
    new_page: Callable[..., Page], axe: Callable[[Page], None], theme: str, viewport: dict[str, int]
) -> None:
    give_password(make_person("viewer"))
    give_password(make_person("admin"))
    there, page = new_page(), new_page(viewport=viewport, color_scheme=theme)
    enter(there, "viewer")
    there.goto("/me/")  # as above
    enter(page, "admin")

    page.goto("/access/sessions/?q=viewer")
    page.get_by_role("button", name="End the session of Viewer").click()
    expect(page.get_by_role("heading", name="End the session of Viewer?")).to_be_visible()
    axe(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    page.get_by_role("button", name="Keep it").click()
    expect(page.get_by_role("heading", name="End the session of Viewer?")).to_be_hidden()
    page.get_by_role("button", name="End the session of Viewer").click()
    page.get_by_role("button", name="End the session", exact=True).click()

    expect(page.get_by_text("Ended: that browser has to sign in again.", exact=True)).to_be_visible()
    there.reload()
    assert "/sign-in/" in there.url
