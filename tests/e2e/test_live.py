"""Pages that follow by themselves: a stream, its loss, its return; many tabs; a server that leaves."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from clusters.models import Cluster
from tests.journey import SERVER_IS_DEAD
from tests.traffic.factories import in_review, make_cluster, make_route

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from accounts.models import User
    from tests.e2e.conftest import Site, Watch
    from traffic.models import Change

PATIENCE = 30_000
NAMED = r"Failed to load resource: the server responded with a status of (?:401|404|503)\b"


@pytest.fixture
def site(serve_site: Callable[..., Site]) -> Site:
    """A MeshUI that leaves the rows of this test as they are."""
    return serve_site(MESHUI_SWEEP_SECONDS="3600", MESHUI_AGE_SECONDS="3600", MESHUI_WATCH="0")


@pytest.fixture
def change(site: Site, author: User) -> Change:
    """One that waits for approval."""
    routes = [make_route(make_cluster(slug)) for slug in ("eu-west", "us-east")]
    return in_review(author, routes)


NOTE_STALE = """() => {
  const noted = performance.now(), root = document.documentElement;
  new MutationObserver((_, watch) => {
    if (document.getElementById("live").dataset.state !== "stale") return;
    document.body.dataset.staleAfter = performance.now() - noted;
    watch.disconnect();
  }).observe(root, { attributes: true, attributeFilter: ["data-state"], subtree: true });
}"""
"""From now on the page notes how many milliseconds it takes until its Live pill says Stale."""


def pill(page: Page) -> str:
    """What the Live pill says."""
    return str(page.locator("#live [data-live-word]").inner_text())


def is_live(page: Page) -> None:
    """Wait until it says Live."""
    expect(page.locator("#live")).to_have_attribute("data-state", "live", timeout=PATIENCE)


@pytest.fixture
def reader(new_page: Callable[..., Page], sign_in: Callable[[Page, User], None], viewer: User) -> Page:
    """Somebody who looks."""
    page = new_page()
    sign_in(page, viewer)
    return page


@pytest.fixture
def decider(new_page: Callable[..., Page], sign_in: Callable[[Page, User], None], approver: User) -> Page:
    """Somebody who acts, in another session."""
    page = new_page()
    sign_in(page, approver)
    return page


def deny(page: Page, change: Change) -> None:
    """Reject it by the page."""
    page.goto(f"/changes/{change.number}/")
    page.locator("textarea[name=comment]").first.fill("Not today.")
    page.get_by_role("button", name="Reject").first.click()
    expect(page.locator(".head .pill").first).to_contain_text("Rejected", timeout=PATIENCE)


AGO = """(time, seconds) => { time.dateTime = new Date(Date.now() - 1000 * seconds).toISOString(); }"""


def test_ages__time_goes_by__are_told_anew(reader: Page, change: Change) -> None:
    reader.goto(f"/changes/{change.number}/")
    is_live(reader)
    proposed = reader.locator(".head time[data-ago]").first
    expect(proposed).to_contain_text("just now")

    proposed.evaluate(AGO, 150)

    expect(proposed).to_have_text("2\u202fmin ago", timeout=PATIENCE)
    proposed.evaluate(AGO, 7300)
    expect(proposed).to_have_text("2\u202fh ago", timeout=PATIENCE)


def test_change__decided_in_another_session__page_and_lists_follow(
    reader: Page, decider: Page, change: Change, axe: Callable[[Page], None]
) -> None:
    fleet, listed = reader.context.new_page(), reader.context.new_page()
    reader.goto(f"/changes/{change.number}/")
    fleet.goto("/")
    listed.goto("/changes/?state=")
    marks = {}
    for page in (reader, fleet, listed):
        is_live(page)
        page.evaluate("document.body.dataset.mark = 'same page'")
        marks[page] = page.evaluate("history.length")
    axe(reader)

    deny(decider, change)

    expect(reader.locator(".head .pill").first).to_contain_text("Rejected", timeout=PATIENCE)
    expect(reader.locator("#said")).to_contain_text("Rejected")
    expect(listed.locator("#table")).to_contain_text("Rejected", timeout=PATIENCE)
    expect(fleet.locator("#fleet-activity")).to_contain_text("rejected", timeout=PATIENCE)
    for page, length in marks.items():
        assert page.evaluate("document.body.dataset.mark") == "same page"
        assert page.evaluate("history.length") == length


def test_pill__pressed__nothing_follows_until_it_is_pressed_again(reader: Page, decider: Page, change: Change) -> None:
    reader.goto(f"/changes/{change.number}/")
    is_live(reader)
    button = reader.locator("#live")

    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    assert pill(reader) == "Paused"
    deny(decider, change)
    reader.wait_for_timeout(2_000)
    expect(reader.locator(".head .pill").first).not_to_contain_text("Rejected")
    button.click()

    expect(reader.locator(".head .pill").first).to_contain_text("Rejected", timeout=PATIENCE)
    is_live(reader)
    expect(button).to_have_attribute("aria-pressed", "false")


def test_typing__while_fragments_follow__focus_and_text_stay(reader: Page, decider: Page, change: Change) -> None:
    reader.goto("/changes/?state=")
    is_live(reader)
    field = reader.locator("[data-filter] input[name=q]")
    field.focus()

    deny(decider, change)

    expect(reader.locator("#table")).to_contain_text("Rejected", timeout=PATIENCE)
    expect(field).to_be_focused()


def test_tabs__eight_over_http_1__all_load_and_all_hear_over_one_stream(
    reader: Page, decider: Page, change: Change
) -> None:
    streams = []
    reader.context.on("request", lambda request: streams.append(request) if "/live/ch" in request.url else None)
    tabs = [reader, *(reader.context.new_page() for _ in range(7))]
    paths = [f"/changes/{change.number}/", "/changes/?state=", "/", "/clusters/"] * 2
    for tab, path in zip(tabs, paths, strict=True):
        tab.goto(path)
        is_live(tab)

    deny(decider, change)

    for tab, path in zip(tabs, paths, strict=True):
        if path.startswith("/changes/"):
            expect(tab.locator("main")).to_contain_text("Rejected", timeout=PATIENCE)
    for tab in tabs:
        assert tab.locator("#live").get_attribute("data-state") == "live"


def test_tabs__the_one_that_holds_the_stream_is_closed__another_takes_over(
    reader: Page, decider: Page, change: Change
) -> None:
    other = reader.context.new_page()
    reader.goto("/changes/?state=")
    is_live(reader)
    other.goto(f"/changes/{change.number}/")
    is_live(other)

    reader.close()
    deny(decider, change)

    expect(other.locator(".head .pill").first).to_contain_text("Rejected", timeout=PATIENCE)
    is_live(other)


def test_stream__silent__stale_within_six_seconds_then_live_without_reload(
    reader: Page, site: Site, change: Change
) -> None:
    """Goal 6: the process hangs, so that nothing on the line says that it is dead."""
    reader.goto(f"/changes/{change.number}/")
    is_live(reader)
    reader.evaluate("document.body.dataset.mark = 'same page'")

    reader.evaluate(NOTE_STALE)
    site.process.send(signal.SIGSTOP)
    try:
        expect(reader.locator("#live")).to_have_attribute("data-state", "stale", timeout=PATIENCE)
        assert float(reader.evaluate("document.body.dataset.staleAfter")) <= 6_000
        assert pill(reader).startswith("Stale")
    finally:
        site.process.send(signal.SIGCONT)

    expect(reader.locator("#live")).to_have_attribute("data-state", "live", timeout=10_000)
    assert reader.evaluate("document.body.dataset.mark") == "same page"


def test_stream__refused__page_polls_and_still_follows(
    reader: Page, decider: Page, change: Change, watch: Watch
) -> None:
    watch.allow(NAMED)
    reader.route("**/live/ch*/**", lambda route: route.fulfill(status=503, body=""))
    reader.goto(f"/changes/{change.number}/")

    deny(decider, change)

    expect(reader.locator("#live")).to_have_attribute("data-state", "polling", timeout=PATIENCE)
    expect(reader.locator(".head .pill").first).to_contain_text("Rejected", timeout=PATIENCE)


def test_server__sigterm_with_open_streams__gone_in_ten_seconds_and_live_again(
    reader: Page, site: Site, serve_site: Callable[..., Site], change: Change, watch: Watch
) -> None:
    """Goal 19, as the browser sees it; a hundred streams stand in tests/ui/test_live_serve.py."""
    watch.allow(SERVER_IS_DEAD)
    reader.goto(f"/changes/{change.number}/")
    is_live(reader)
    reader.evaluate("document.body.dataset.mark = 'same page'")

    site.process.send(signal.SIGTERM)
    assert site.process.wait(10) == 0
    expect(reader.locator("#live")).not_to_have_attribute("data-state", "live", timeout=6_000)
    serve_site(port=int(site.url.rpartition(":")[2]), MESHUI_WATCH="0")

    expect(reader.locator("#live")).to_have_attribute("data-state", "live", timeout=10_000)
    assert reader.evaluate("document.body.dataset.mark") == "same page"


def test_cluster__unreachable__its_row_says_since_when_and_the_others_stay_live(
    reader: Page, site: Site, new_page: Callable[..., Page], sign_in: Callable[[Page, User], None], admin: User
) -> None:
    """Goal 13: the test of one connection fails; nothing is reloaded, nothing else changes."""
    make_cluster("eu-west")
    make_cluster("us-east", server="https://127.0.0.1:1")
    reader.goto("/clusters/")
    is_live(reader)
    reader.evaluate("document.body.dataset.mark = 'same page'")
    operator = new_page()
    sign_in(operator, admin)

    operator.goto("/clusters/us-east/")
    operator.get_by_role("button", name="Test connection").click()

    row = reader.locator("#table tr", has_text="us-east")
    expect(row).not_to_contain_text("Healthy", timeout=PATIENCE)
    expect(reader.locator("#table tr", has_text="eu-west")).to_contain_text("Healthy")
    assert Cluster.objects.get(slug="eu-west").health == "healthy"
    assert reader.evaluate("document.body.dataset.mark") == "same page"
    is_live(reader)
