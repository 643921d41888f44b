"""Charts and graphs in a real browser: drawn, redrawn with the theme, by keyboard, on a phone as tables."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from meshui.lib import clock
from tests.e2e.conftest import NARROW
from tests.traffic.calling import make_calls, make_services
from tests.traffic.factories import make_cluster

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from accounts.models import User

PLOTS = "[data-plot]"
PIXELS = "canvas => canvas.toDataURL()"
WHERE = "all => all.map(each => each.getAttribute('transform'))"
AT_A_MOMENT = re.compile(r"minutes=15.*at=20\d\d-|at=20\d\d-.*minutes=15")
needs_dot = pytest.mark.skipif(
    shutil.which("dot") is None, reason="Graphviz is not installed: apt-get install graphviz"
)


@pytest.fixture
def calling(transactional_db: None) -> None:
    """web sends to cart and pay, cart to log."""
    cluster = make_cluster(last_synced_at=clock.now())
    make_services(cluster, "web", "cart", "pay", "log")
    make_calls(cluster, "web", {"cart": 9000, "pay": 1000})
    make_calls(cluster, "cart", {"log": 10_000})


def test_charts__theme_and_width_change__drawn_anew(
    page: Page, sign_in: Callable[[Page, User], None], viewer: User, axe: Callable[[Page], None]
) -> None:
    sign_in(page, viewer)
    page.goto("/design/")
    first = page.locator(f"{PLOTS} canvas").first
    expect(page.locator(f"{PLOTS}:not(:has(canvas))")).to_have_count(0)
    light = first.evaluate(PIXELS)

    page.keyboard.press("t")  # system → light
    page.keyboard.press("t")  # light → dark
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    dark = first.evaluate(PIXELS)
    before = first.bounding_box()
    page.set_viewport_size({"width": 700, "height": 900})
    card = page.locator(PLOTS).first
    expect(card.locator("canvas")).to_have_js_property("offsetWidth", card.evaluate("each => each.clientWidth"))
    after = card.locator("canvas").bounding_box()

    assert dark != light
    assert before
    assert after
    assert after["width"] != before["width"]
    expect(page.locator(PLOTS)).to_have_count(page.locator(f"{PLOTS} canvas").count())
    axe(page)


def test_charts__fragment_swapped__drawn_anew_where_its_data_changed(
    page: Page, sign_in: Callable[[Page, User], None], viewer: User
) -> None:
    sign_in(page, viewer)
    page.goto("/design/")
    plots = page.locator(f"{PLOTS} canvas")
    expect(page.locator(f"{PLOTS}:not(:has(canvas))")).to_have_count(0)
    page.evaluate("document.fonts.ready")
    changed, kept = plots.nth(0).evaluate(PIXELS), plots.nth(1).evaluate(PIXELS)
    page.evaluate("document.querySelectorAll('.uplot').forEach(each => { each.dataset.mark = 'before'; })")

    page.evaluate("""() => {
      const source = document.getElementById("plot-rate"), data = JSON.parse(source.textContent);
      data.y[0] = data.y[0].map((value, n) => (n > 30 ? null : value));
      source.textContent = JSON.stringify(data);
      document.dispatchEvent(new Event("htmx:after:swap"));
    }""")

    expect(page.locator(".uplot[data-mark=before]")).to_have_count(plots.count() - 1)
    assert plots.nth(0).evaluate(PIXELS) != changed
    assert plots.nth(1).evaluate(PIXELS) == kept


def test_charts__as_a_table__the_same_points(page: Page, sign_in: Callable[[Page, User], None], viewer: User) -> None:
    sign_in(page, viewer)
    page.goto("/design/")
    card = page.locator(".sig").first

    card.get_by_text("Show as table").click()

    expect(card.get_by_role("columnheader", name="checkout-v2")).to_be_visible()
    expect(card.locator("tbody tr")).to_have_count(61)


@needs_dot
@pytest.mark.usefixtures("calling")
def test_topology__by_keyboard__from_a_node_along_its_edge_and_back(
    page: Page, sign_in: Callable[[Page, User], None], viewer: User
) -> None:
    sign_in(page, viewer)
    page.goto("/topology/")
    page.get_by_role("searchbox").fill("web")
    page.keyboard.press("Enter")
    expect(page.locator(".graph a.gn")).to_have_count(4)
    places = page.locator(".graph a.gn > g").evaluate_all(WHERE)

    page.locator(".graph a.gn", has_text="cart").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#h-focus")).to_have_text("cart")
    expect(page.locator(".graph a.gn[aria-current]")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#h-focus")).to_have_text("cart → log")
    expect(page.locator(".graph a.gh[aria-current]")).to_be_focused()
    assert page.locator(".graph a.gn > g").evaluate_all(WHERE) == places

    page.go_back()
    expect(page.locator("#h-focus")).to_have_text("cart")
    page.go_back()
    expect(page.locator("#h-focus")).to_have_text("web")
    expect(page.get_by_role("searchbox")).to_have_value("shop/web")


@needs_dot
@pytest.mark.usefixtures("calling")
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_topology__each_level_and_time__no_violation_in_either_theme(
    page: Page, sign_in: Callable[[Page, User], None], viewer: User, axe: Callable[[Page], None], theme: str
) -> None:
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]  # one of both
    sign_in(page, viewer)
    for query in (
        "focus=all/shop/web&find=cart",
        "focus=all/shop/web&level=versions&pick=eu-west/shop/web",
        "focus=all/shop/web&at=2020-01-01T00:00",
        "focus=all/shop/web&view=table",
        "level=clusters&pick=eu-west",
        "level=meshes",
    ):
        page.goto(f"/topology/?{query}")
        expect(page.locator("#graph")).to_be_visible()
        axe(page)


@needs_dot
@pytest.mark.usefixtures("calling")
def test_topology__step_in_time__in_the_url_and_now_in_one_click(
    page: Page, sign_in: Callable[[Page, User], None], viewer: User
) -> None:
    sign_in(page, viewer)
    page.goto("/topology/?focus=all/shop/web&minutes=15")

    page.get_by_role("link", name="Earlier").click()
    expect(page.get_by_text("Nothing is stored of that time")).to_be_visible()
    expect(page).to_have_url(AT_A_MOMENT)
    page.get_by_role("link", name="Now", exact=True).click()

    expect(page.get_by_text("Nothing is stored of that time")).to_have_count(0)
    expect(page).to_have_url(re.compile(r"\?focus=[^&]*&minutes=15$"))


@pytest.mark.usefixtures("calling")
def test_topology__without_script__links_and_forms_do_the_same(
    new_page: Callable[..., Page], sign_in: Callable[[Page, User], None], viewer: User
) -> None:
    page = new_page(java_script_enabled=False)
    sign_in(page, viewer)
    page.goto("/topology/?focus=all/shop/web&view=table")

    page.get_by_role("link", name="cart").first.click()
    expect(page.locator("#h-focus")).to_have_text("cart")
    page.get_by_placeholder("Find in this graph").fill("pay")
    page.locator("#topology-form").get_by_role("button", name="Show").click()

    expect(page.locator("#graph mark").first).to_have_text("pay")


@pytest.mark.usefixtures("calling")
def test_topology__on_a_phone__the_table_and_no_sideways_scroll(
    new_page: Callable[..., Page], sign_in: Callable[[Page, User], None], viewer: User, axe: Callable[[Page], None]
) -> None:
    page = new_page(viewport=NARROW)
    sign_in(page, viewer)

    page.goto("/services/all/shop/web/topology/")

    expect(page.locator(".graph")).to_be_hidden()
    expect(page.locator("#graph tbody tr")).to_have_count(3 + 4)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    axe(page)
