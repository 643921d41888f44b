"""Goal 1: nothing moves while people filter, change the tab and drag a share. Goal 10: what watches each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import Watch
from tests.e2e.test_tour import SHIFT, SHIFTS
from tests.servers import wait_until
from tests.traffic.calling import make_services
from tests.traffic.factories import make_cluster, make_route

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser, Locator, Page

    from accounts.models import User
    from tests.e2e.conftest import Site


@pytest.fixture
def site(serve_site: Callable[..., Site]) -> Site:
    """A MeshUI that leaves the rows of this test as they are."""
    return serve_site(MESHUI_SWEEP_SECONDS="3600", MESHUI_AGE_SECONDS="3600", MESHUI_WATCH="0")


def drag(page: Page, slider: Locator) -> None:
    """From a tenth to the half."""
    box = slider.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 10, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=10)
    page.mouse.up()


def test_goal_01_filter_tab_and_drag__answers_come_late__nothing_else_moves(
    page: Page, sign_in: Callable[[Page, User], None], author: User
) -> None:
    clusters = [make_cluster(name) for name in ("eu-west", "us-east")]
    assert all(make_route(cluster).is_split for cluster in clusters)
    make_services(clusters[0], *(f"s{n:02}" for n in range(40)))
    sign_in(page, author)
    page.add_init_script(SHIFTS)
    moved = {}

    page.goto("/services/")
    page.locator("[data-filter] input[type=search]").first.fill("checkout")
    expect(page.locator("#table tbody tr")).to_have_count(1)
    moved["filter"] = page.evaluate("shift")
    page.get_by_role("link", name="checkout", exact=True).click()
    expect(page.locator("#signals .note")).to_be_visible()
    moved["service"] = page.evaluate("shift")
    page.get_by_role("link", name="Native config").click()
    expect(page.locator("main")).to_contain_text("kind: VirtualService")
    moved["tab"] = page.evaluate("shift")
    page.get_by_role("link", name="Propose a split").click()
    page.wait_for_url("**/split/**")  # and until it is loaded: nothing hears the mouse before
    drag(page, page.get_by_role("slider", name="Share of v2"))
    expect(page.locator("#preview")).to_contain_text("changes VirtualService")
    moved["drag"] = page.evaluate("shift")

    assert {what: shift for what, shift in moved.items() if shift > SHIFT} == {}


def test_goal_10_watch__each_kind_of_fault__seen(browser: Browser, site: Site) -> None:
    watch = Watch(site.url)
    with browser.new_context() as context:
        page = context.new_page()
        watch.follow(page)
        page.goto(f"{site.url}/sign-in/")
        assert watch.faults == []

        page.evaluate("console.error('said')")
        page.evaluate("setTimeout(() => { throw new Error('broken'); })")
        page.evaluate("document.body.append(Object.assign(document.createElement('script'), {textContent: '1'}))")
        page.evaluate("document.body.setAttribute('style', 'color: red')")
        page.goto(site.url.replace("127.0.0.1", "localhost") + "/healthz/")
        wait_until(lambda: bool(page.title() is not None and len(watch.faults) >= 5), what="five faults")

    said = " ".join(watch.faults)
    for part in ("console: said", "script: broken", "inline script", "inline style", "request off the origin"):
        assert part in said
