"""Goal 9: what the address says is what is shown, to anybody; Back undoes one thing, and never shows half a page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pytest
from playwright.sync_api import expect

from tests.traffic.calling import make_services
from tests.traffic.factories import make_cluster, make_route, many_changes

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from accounts.models import User
    from tests.e2e.conftest import Site

LISTS: Final = {
    "/clusters/": ("s0", "Environment"),
    "/services/": ("s0", "Namespace"),
    "/changes/": ("Change", "Moved"),
}
"""A list, what is typed into its filter, and the column that it is sorted by."""
ROWS: Final = "main tbody tr b a"


@pytest.fixture
def site(serve_site: Callable[..., Site]) -> Site:
    """A MeshUI that leaves the rows of this test as they are."""
    return serve_site(MESHUI_SWEEP_SECONDS="3600", MESHUI_AGE_SECONDS="3600", MESHUI_WATCH="0")


@pytest.fixture
def pages(
    new_page: Callable[..., Page], sign_in: Callable[[Page, User], None], author: User, viewer: User
) -> tuple[Page, Page]:
    """Of somebody who filters, and of somebody who is given the address. There are more rows than fit on a page."""
    names = [f"s{n:03}" for n in range(30)]
    for name in names:
        make_cluster(name)
    eu = make_cluster("eu-west")
    make_services(eu, *names)
    many_changes(author, make_route(eu), 30)
    found = new_page(), new_page()
    for page, person in zip(found, (author, viewer), strict=True):
        sign_in(page, person)
    return found


def narrowed(page: Page, text: str, head: str) -> list[str]:
    """Filter, sort, and turn to the next page; the addresses on the way."""
    at = [page.url]
    page.locator("[data-filter] input[type=search]").first.fill(text)
    page.wait_for_url(re.compile(f"q={text}"))
    at.append(page.url)
    page.locator("main thead").get_by_role("link", name=head).click()
    page.wait_for_url(re.compile(f"(?=.*q={text})(?=.*sort=)"))
    at.append(page.url)
    page.get_by_role("link", name="Next page").click()
    page.wait_for_url(re.compile("after="))
    return at


@pytest.mark.parametrize("path", LISTS)
def test_goal_09_list__filtered_sorted_and_turned__the_same_for_others_and_back_undoes_one_thing(
    path: str, pages: tuple[Page, Page]
) -> None:
    page, other = pages
    page.goto(f"{path}?rows=25")

    at = narrowed(page, *LISTS[path])
    expect(page.get_by_role("link", name="First page")).to_be_visible()
    shown = page.locator(ROWS).all_inner_texts()
    other.goto(page.url)

    assert shown
    assert other.locator(ROWS).all_inner_texts() == shown
    page.goto("/me/")
    page.go_back()
    expect(page.locator("nav.side")).to_be_visible()
    assert page.locator(ROWS).all_inner_texts() == shown
    for before in reversed(at):
        page.go_back()
        page.wait_for_url(before)
        expect(page.locator("nav.side")).to_be_visible()
        expect(page.locator(ROWS)).to_have_count(25)
        expect(page.get_by_role("link", name="First page")).to_have_count(0)


def test_goal_09_range_and_tab__in_the_address__the_same_for_others_and_back_undoes_it(
    pages: tuple[Page, Page],
) -> None:
    page, other = pages
    page.goto("/services/all/shop/checkout/")
    chosen = page.locator("#signals [role=group] [aria-current=true]").last
    expect(chosen).to_have_text("15 min")

    page.get_by_role("link", name="6 h").click()
    expect(chosen).to_have_text("6 h")
    page.wait_for_url(re.compile(r"/services/all/shop/checkout/\?.*minutes=360"))
    other.goto(page.url)
    expect(other.locator("#signals [role=group] [aria-current=true]").last).to_have_text("6 h")
    page.go_back()
    expect(chosen).to_have_text("15 min")
    page.get_by_role("link", name="Native config").click()
    other.goto(page.url)

    expect(other.locator(".tabs [aria-current=page]")).to_contain_text("Native config")
