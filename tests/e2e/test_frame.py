"""The frame of all pages in a real browser: palette, keys, views, bulk, environment, bell, first painted frame."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from playwright.sync_api import expect

from clusters.models import Cluster
from tests.e2e.conftest import NARROW
from tests.traffic.factories import in_review, make_cluster, make_route

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Page

    from accounts.models import User


def ready(page: Page, url: str) -> None:
    """At `url`, with the frame's script at work."""
    page.goto(url)
    expect(page.locator("html[data-frame=ready]")).to_have_count(1)


def fleet(author: User) -> None:
    """Three clusters, a service, a change."""
    in_review(author, [make_route(make_cluster("eu-west"))])
    make_cluster("us-east", environment="production", health="unreachable", health_reason="connect timed out")
    make_cluster("us-west", environment="production")


def test_palette__by_keyboard_alone__found_opened_and_remembered(
    page: Page, sign_in: Callable[[Page, User], None], author: User, axe: Callable[[Page], None]
) -> None:
    fleet(author)
    sign_in(page, author)
    ready(page, "/clusters/")
    page.locator("main h1 + p, main h1").first.click()

    page.keyboard.press("Control+k")
    field = page.get_by_role("combobox", name="Search or jump to")
    expect(field).to_be_focused()
    expect(page.locator("#palette [role=option]").first).to_have_attribute("aria-selected", "true")
    page.keyboard.type("us-")
    expect(page.locator("#palette [role=option]")).to_have_count(2)
    axe(page)
    page.keyboard.press("ArrowDown")
    active = page.locator("#palette [aria-selected=true]")
    expect(active).to_contain_text("us-west")
    assert field.get_attribute("aria-activedescendant") == active.get_attribute("id")
    page.keyboard.press("Escape")
    expect(page.locator("#palette")).not_to_be_visible()
    page.keyboard.press("Control+k")
    expect(page.locator("#palette [aria-selected=true]")).to_contain_text("us-east")
    page.keyboard.press("Enter")
    page.wait_for_url("**/clusters/us-east/")

    expect(page.locator("html[data-frame=ready]")).to_have_count(1)
    page.keyboard.press("Control+k")
    expect(page.locator("#palette [role=option]").first).to_contain_text("us-east")


def test_keys__single_ones__move_select_go_and_can_be_off(
    page: Page, sign_in: Callable[[Page, User], None], author: User
) -> None:
    fleet(author)
    sign_in(page, author)
    ready(page, "/clusters/?sort=name")

    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.get_by_role("link", name="us-east", exact=True)).to_be_focused()
    page.keyboard.press("x")
    expect(page.locator(".bulk")).to_be_visible()
    expect(page.locator(".bulk [data-chosen]").first).to_have_text("1")
    page.keyboard.press("k")
    expect(page.get_by_role("link", name="eu-west", exact=True)).to_be_focused()
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_contain_text("Select the row")
    page.get_by_label("Single keys are on").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("s")
    page.keyboard.press("t")
    assert page.url.endswith("/clusters/?sort=name")
    expect(page.locator("html")).to_have_attribute("data-theme", "system")
    page.keyboard.press("Control+k")
    expect(page.locator("#palette")).to_be_visible()


def test_filter__typed_then_back__undone_and_said(
    page: Page, new_page: Callable[..., Page], sign_in: Callable[[Page, User], None], author: User, viewer: User
) -> None:
    fleet(author)
    sign_in(page, author)
    ready(page, "/clusters/")

    page.keyboard.press("/")
    page.keyboard.type("us")
    page.wait_for_url("**/clusters/?q=us")
    expect(page.locator("#said")).to_have_text("2 rows match")
    page.get_by_role("link", name="Health").click()
    page.wait_for_url(re.compile(r"q=us.*sort=|sort=.*q=us"))
    expect(page.get_by_role("columnheader", name="Health")).to_have_attribute("aria-sort", "descending")
    page.locator("[data-filter] input[type=search]").first.fill("us-")
    page.wait_for_url(re.compile(r"(?=.*q=us-)(?=.*sort=-health)"))
    shown, order = page.url, page.locator("main tbody tr b a").all_inner_texts()
    other = new_page()
    sign_in(other, viewer)
    other.goto(shown)
    assert other.locator("main tbody tr b a").all_inner_texts() == order
    page.goto("/services/")
    page.go_back()
    expect(page.locator("nav.side")).to_be_visible()
    expect(page.locator("main tbody tr")).to_have_count(2)
    for _ in range(3):
        page.go_back()
    expect(page.locator("main tbody tr")).to_have_count(3)


def test_view__saved_in_the_sheet__opens_the_same_list(
    page: Page, sign_in: Callable[[Page, User], None], author: User, axe: Callable[[Page], None]
) -> None:
    fleet(author)
    sign_in(page, author)
    ready(page, "/clusters/?health=unreachable")

    page.get_by_role("button", name="Columns").click()
    page.locator("#columns").get_by_label("Environment").uncheck()
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Views").click()
    expect(page.locator("#sheet h2")).to_be_focused()
    axe(page)
    page.locator("#sheet").get_by_label("Name of this view").fill("Broken ones")
    page.get_by_role("button", name="Save this view").click()
    page.wait_for_url(re.compile(r"/clusters/\?.*health=unreachable"))

    expect(page.get_by_role("columnheader", name="Environment")).not_to_be_visible()
    expect(page.locator("[data-toast]")).to_contain_text("Saved as")
    page.get_by_role("button", name="Messages of this session").click()
    expect(page.locator("#bell")).to_contain_text("Saved as")
    page.goto("/views/?at=/clusters/")
    page.get_by_role("link", name="Broken ones").click()
    page.wait_for_url(re.compile(r"health=unreachable"))
    expect(page.locator("main tbody tr")).to_have_count(1)


def test_bulk__chosen_in_the_list__a_result_per_item(
    page: Page, sign_in: Callable[[Page, User], None], author: User, axe: Callable[[Page], None]
) -> None:
    fleet(author)
    sign_in(page, author)
    ready(page, "/changes/")
    page.locator("input[name=item]").first.check()
    axe(page)
    page.get_by_role("button", name="Cancel…").click()
    page.get_by_label("Why do you cancel them?").fill("Not needed.")
    page.locator("#bulk-ask").get_by_role("button", name="Cancel").click()

    expect(page.locator("h1")).to_have_text("Cancel change requests")
    expect(page.locator("main")).to_contain_text("1 done")
    axe(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [{"width": 1440, "height": 900}, NARROW], ids=["wide", "narrow"])
def test_frame__both_themes_and_widths__pass_axe_and_fit(  # noqa: PLR0913 - fixtures and what varies
    new_page: Callable[..., Page],
    sign_in: Callable[[Page, User], None],
    author: User,
    axe: Callable[[Page], None],
    screenshot: Callable[[Page, str], Path],
    *,
    scheme: str,
    size: dict[str, int],
) -> None:
    fleet(author)
    Cluster.objects.filter(slug="us-east").update(name="us-east")
    page = new_page(viewport=size, color_scheme=scheme)
    sign_in(page, author)
    for url in ("/", "/search/?q=us", "/design/", "/clusters/?env=production", "/scope/", "/views/?at=/clusters/"):
        ready(page, url)
        axe(page)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= size["width"], url
        screenshot(page, f"frame-{scheme}-{size['width']}-{re.sub('[^a-z]', '', url) or 'fleet'}")
    if size["width"] > 400:
        page.keyboard.press("Control+k")
        expect(page.locator("#palette [role=option]").first).to_be_visible()
        page.screenshot(path=screenshot(page, f"frame-{scheme}-palette"))


@pytest.mark.parametrize(
    ("theme", "scheme", "is_dark"), [("light", "dark", False), ("dark", "light", True), ("system", "dark", True)]
)
def test_theme__first_painted_frame__has_the_right_ground(
    new_page: Callable[..., Page],
    sign_in_by_form: Callable[[Page, User], None],
    viewer: User,
    *,
    theme: str,
    scheme: str,
    is_dark: bool,
) -> None:
    page = new_page(color_scheme=scheme)
    sign_in_by_form(page, viewer)
    page.context.add_cookies([{"name": "theme", "value": theme, "url": page.url}])

    page.goto("/clusters/", wait_until="commit")
    pixel = Image.open(io.BytesIO(page.screenshot())).convert("RGB").getpixel((1400, 880))

    assert isinstance(pixel, tuple)
    assert (sum(pixel) < 3 * 80) is is_dark
