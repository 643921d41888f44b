"""What is measured, in a real browser: in the list of services, beside sliders, on a service, of a change."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from meshui.lib.clock import now
from metrics.models import Point
from tests.e2e.conftest import NARROW, WIDE
from tests.meshes import rows
from tests.traffic.factories import in_review, in_state, make_cluster
from tests.traffic.measuring import V1, V2, draw, measure
from traffic.models import Rollout, TargetStep
from traffic.types import StepState

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Page, Route

    from accounts.models import User
    from clusters.models import Cluster
    from traffic.models import Change

TELL = "document.querySelector('#signals') && htmx.trigger(document.querySelector('#signals'), 'live')"
FONTS = "() => document.fonts.ready.then(() => true)"
PAINTED = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
BROKEN = """() => [...document.querySelectorAll('.st > span, .pill')].flatMap((label) => [...label.childNodes]
  .filter((node) => node.nodeType === Node.TEXT_NODE && node.parentElement.checkVisibility())
  .flatMap((node) => [...node.data.matchAll(/\\S+/g)].filter((word) => {
    const range = document.createRange();
    range.setStart(node, word.index);
    range.setEnd(node, word.index + word[0].length);
    return new Set([...range.getClientRects()].map((box) => Math.round(box.top))).size > 1;
  }).map((word) => word[0])))"""
"""Words of status labels that stand on more than one line."""
TOPS = "() => [...document.querySelectorAll('.bk, .seen')].map(each => each.getBoundingClientRect().top)"
"""Of the rows of a split, and of what says when they were measured."""


@pytest.fixture
def eu(transactional_db: None) -> Cluster:
    """shop/checkout, split 90/10 and measured; shop/cart, which nobody measures."""
    cluster = make_cluster()
    rows.services(cluster, ["checkout", "cart"])
    for part, rate in (("", 20.0), (V1, 16.0), (V2, 4.0)):
        draw(measure(cluster, rate, part), [rate * (1 + n % 3 / 10) for n in range(30)])
    return cluster


@pytest.fixture
def change(eu: Cluster, author: User) -> Change:
    """To 75/25, waiting for approval."""
    return in_review(author, [eu.routes.get(root_service="checkout")])


def apply(change: Change, *, minutes: float) -> None:
    """As if it had been written so many minutes ago."""
    plan = change.current_plan
    assert plan is not None
    target = plan.targets.get()
    TargetStep.objects.create(
        change=change,
        rollout=Rollout.objects.create(change=change, plan=plan, created_at=now()),
        plan_target=target,
        cluster=target.cluster,
        direction="apply",
        state=StepState.VERIFIED,
        state_changed_at=now() - dt.timedelta(minutes=minutes),
    )
    in_state(change, "applied", ended_at=now(), has_writes=True)


def row(page: Page, name: str) -> Any:
    return page.locator("#table tbody tr", has=page.get_by_role("link", name=name, exact=True))


def test_list__rows_of_a_page__filled_by_one_answer_and_kept_while_it_is_filtered(
    page: Page, sign_in: Callable[[Page, User], None], viewer: User, eu: Cluster
) -> None:
    asked: set[str] = set()
    page.on("request", lambda request: asked.add(re.sub(r"[?&]seen=\w+", "", request.url.partition("/services/")[2])))
    sign_in(page, viewer)
    page.goto("/services/")

    expect(row(page, "checkout")).to_contain_text("20/s")
    expect(row(page, "checkout").locator("svg.spark path.l")).to_have_attribute("d", re.compile(r"^M\d"))
    expect(row(page, "cart")).to_contain_text("not measured")
    assert {url for url in asked if url.startswith("signals/")} == {"signals/"}

    page.get_by_role("searchbox", name="Service").fill("check")
    expect(row(page, "cart")).to_have_count(0)
    expect(row(page, "checkout")).to_contain_text("20/s")
    expect(page.locator("#signals")).to_contain_text("as of")
    assert [url for url in asked if url.startswith("signals/?") and "q=check" in url]


def test_list__values_move__cells_follow_and_nothing_is_sent_while_they_stand(
    page: Page, sign_in: Callable[[Page, User], None], viewer: User, eu: Cluster
) -> None:
    sign_in(page, viewer)
    page.goto("/services/")
    expect(row(page, "checkout")).to_contain_text("20/s")
    expect(page.locator("#live")).to_have_attribute("data-state", "live")  # else the page polls, and asks by itself

    with page.expect_response("**/services/signals/**") as same:
        page.evaluate(TELL)
    measure(eu, 37.0)
    with page.expect_response("**/services/signals/**") as other:
        page.evaluate(TELL)

    assert (same.value.status, other.value.status) == (204, 200)
    expect(row(page, "checkout")).to_contain_text("37/s")


def test_split__measured_while_a_share_is_dragged__nothing_moves_and_the_drag_goes_on(
    page: Page, sign_in: Callable[[Page, User], None], author: User, eu: Cluster
) -> None:
    sign_in(page, author)
    late: list[Route] = []

    def hold(route: Route) -> None:
        late.append(route)

    page.route("**/split/signals/**", hold)
    page.goto("/services/eu-west/shop/checkout/split/")
    page.evaluate(FONTS)
    expect(page.locator("#r0-seen")).to_contain_text("Measured")
    before = page.evaluate(TOPS)
    box = page.get_by_role("slider", name="Share of v2").bounding_box()
    assert box is not None

    page.mouse.move(box["x"] + box["width"] / 10, box["y"] + box["height"] / 2)
    page.mouse.down()
    late.pop().continue_()
    expect(page.locator("#r0-seen rect")).to_have_count(2)
    page.evaluate(PAINTED)
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=5)
    page.mouse.up()

    expect(page.locator("#r0-weight-1")).to_have_value("50")
    assert len(before) == 3
    assert page.evaluate(TOPS) == before


def test_split__slider_moves__measured_bar_stays_and_the_requests_that_move_are_told(
    page: Page,
    sign_in: Callable[[Page, User], None],
    author: User,
    eu: Cluster,
    screenshot: Callable[[Page, str], Path],
) -> None:
    sign_in(page, author)
    page.goto("/services/eu-west/shop/checkout/split/")
    seen = page.locator("#r0-seen rect")
    expect(seen).to_have_count(2)
    expect(page.locator("#seen-r0-weight-1")).to_contain_text("4.00")
    before = [seen.nth(n).get_attribute("width") for n in range(2)]
    assert before == ["80.00%", "20.00%"]

    page.get_by_role("button", name="More for v2").click()
    page.get_by_role("slider", name="Share of v2").press("PageUp")

    expect(page.locator("[data-split-moved]")).to_have_text("About 2.2 requests/s move.")
    assert [seen.nth(n).get_attribute("width") for n in range(2)] == before
    fields = [page.locator(f"#r0-weight-{n}").input_value() for n in range(2)]
    assert fields == ["79", "21"]
    screenshot(page, "split-measured")


def test_split__edited__what_is_measured_comes_again(
    page: Page, sign_in: Callable[[Page, User], None], author: User, eu: Cluster
) -> None:
    sign_in(page, author)
    page.goto("/services/eu-west/shop/checkout/split/")
    expect(page.locator("#seen-r0-weight-0")).to_contain_text("req/s")

    page.get_by_role("button", name="Remove v2").click()

    expect(page.locator("#split")).to_contain_text("no second backend to share with yet")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#seen-r0-weight-1")).to_contain_text("4.00")


@pytest.mark.usefixtures("change")
def test_service__change_open__proposed_below_configured_below_measured(
    page: Page, sign_in: Callable[[Page, User], None], viewer: User, screenshot: Callable[[Page, str], Path]
) -> None:
    sign_in(page, viewer)
    page.goto("/services/all/shop/checkout/")

    expect(page.locator("#signals .sb > span")).to_have_text(["Measured", "Configured", "Proposed"])
    expect(page.locator("#signals .rails li")).to_have_count(4)
    screenshot(page, "service-proposed")


def test_change__observed__tells_how_far_it_is_and_the_same_after_a_reload(
    page: Page, sign_in: Callable[[Page, User], None], viewer: User, change: Change
) -> None:
    apply(change, minutes=4)
    sign_in(page, viewer)
    page.goto(f"/changes/{change.number}/")
    watch = page.locator("#signals .watch")
    expect(watch).to_contain_text("samples")
    told = watch.locator("b").inner_text(), page.locator("#signals progress").get_attribute("max")

    page.reload()

    expect(watch.locator("b")).to_have_text(told[0])
    expect(page.locator("#signals progress")).to_have_attribute("max", told[1] or "")
    expect(page.locator("#signals .rails li")).to_have_count(3)


def test_change__too_few_requests_to_tell__the_word_for_that_is_not_broken(
    page: Page, sign_in: Callable[[Page, User], None], viewer: User, change: Change
) -> None:
    apply(change, minutes=1)
    Point.objects.update(p99_ms=None)  # so that there is nothing to hold it against, which is said beside the word
    sign_in(page, viewer)
    page.goto(f"/changes/{change.number}/")
    expect(page.locator("#signals .rails .st", has_text="Inconclusive").first).to_be_visible()
    broken = {}

    for width in (1440, 1280, 1024, 390):
        page.set_viewport_size({"width": width, "height": 900})
        broken[width] = page.evaluate(BROKEN), page.evaluate("document.documentElement.scrollWidth - innerWidth")

    assert broken == dict.fromkeys(broken, ([], 0))


@pytest.mark.parametrize("look", [("light", WIDE), ("dark", WIDE), ("light", NARROW), ("dark", NARROW)])
def test_pages__both_themes_and_a_phone__no_violation(
    look: tuple[str, Any],
    new_page: Callable[..., Page],
    sign_in: Callable[[Page, User], None],
    axe: Callable[[Page], Any],
    author: User,
    change: Change,
) -> None:
    scheme, size = look
    page = new_page(color_scheme=scheme, viewport=size)
    sign_in(page, author)

    for path, place in (
        ("/services/", "#signals:not([aria-busy])"),
        ("/services/signals/", "table"),
        ("/services/eu-west/shop/checkout/split/", "#r0-seen rect"),
        ("/services/all/shop/checkout/", "#signals .rails"),
        (f"/changes/{change.number}/", "#signals .rails"),
    ):
        page.goto(path)
        page.locator(place).first.wait_for()
        axe(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
