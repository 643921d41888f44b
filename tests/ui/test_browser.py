"""The parts in a real Chromium, under the product's own CSP: split editor, keys, dialogs, themes, widths, axe."""

from __future__ import annotations

import mimetypes
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.staticfiles import finders
from hypothesis import given, settings
from hypothesis import strategies as st

from meshes.types import FULL
from traffic.weights import distribute

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test import Client
    from playwright.sync_api import Browser, Page, Route

pytestmark = pytest.mark.e2e
ORIGIN = "http://meshui.test"
LIVE = [4_000, 2_500, 1_200, 1_000, 700, 400, 200]
"""Of the editor with seven backends, in basis points."""
MOVE = """([kind, at, bp]) => {
  const editor = document.querySelector("form[action='#h-many'] [data-split]");
  const row = editor.querySelectorAll(".bk")[at];
  const field = row.querySelector(".stp input"), range = row.querySelector("input[type=range]");
  if (kind === "reset" || kind === "even") editor.querySelector(`[data-${kind}]`).click();
  if (kind === "lock") row.querySelector(".lock").click();
  if (kind === "less" || kind === "more") row.querySelector(`[data-step='${kind === "less" ? -100 : 100}']`).click();
  if (kind === "type") { field.value = String(bp / 100); field.dispatchEvent(new Event("change", { bubbles: true })); }
  if (kind === "slide") { range.value = bp; range.dispatchEvent(new Event("input", { bubbles: true })); }
  return [...editor.querySelectorAll(".stp input")].map((each) => Math.round(Number(each.value) * 100));
}"""
"""What a person does to a row of the editor; what stands in its fields then."""
MOVES = st.tuples(
    st.sampled_from(["type", "type", "slide", "lock", "less", "more", "even"]), st.integers(0, 6), st.integers(0, FULL)
)
AXE = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


@contextmanager
def opened(browser: Browser, html: str, policy: str, *, width: int = 1440) -> Iterator[Page]:
    """The page in a context that has no network; anything said on the console fails."""

    def answer(route: Route) -> None:
        path = route.request.url.removeprefix(ORIGIN)
        if path.startswith("/static/"):
            name = path.removeprefix("/static/")
            kind = mimetypes.guess_type(name)[0] or "font/woff2"
            return route.fulfill(path=finders.find(name), content_type=kind)
        return route.fulfill(body=html, content_type="text/html", headers={"Content-Security-Policy": policy})

    said: list[str] = []
    with browser.new_context(viewport={"width": width, "height": 900}) as context:
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.route("**/*", answer)
        page.goto(f"{ORIGIN}/design/")
        yield page
    assert said == []


@pytest.fixture
def design(browser: Browser, admin_client: Client) -> tuple[Browser, str, str]:
    """The browser, the design page and its policy."""
    response = admin_client.get("/design/?health=")
    return browser, response.content.decode(), response["Content-Security-Policy"]


def shares(page: Page, form: str) -> list[int]:
    texts = page.locator(f"{form} .stp input").evaluate_all("fields => fields.map((field) => field.value)")
    return [round(float(text) * 100) for text in texts]


def test_split_editor__every_way_to_move__keeps_the_sum_and_the_locks(design: tuple[Browser, str, str]) -> None:
    many = "form[action='#h-many']"
    with opened(*design) as page:
        assert page.locator("#split [data-split-sum]").inner_text() == (
            "checkout-v1 90\u202f% → 75\u202f%, checkout-v2 10\u202f% → 25\u202f%"
        )
        field = page.locator(f"{many} .stp input").first
        page.locator(f"{many} .lock").nth(1).click()
        locked = shares(page, many)[1]

        for text in ("33.33", "0", "99", "12,5", "0.01"):
            field.fill(text)
            field.blur()
            assert sum(shares(page, many)) == 10_000, text
            assert shares(page, many)[1] == locked
        assert shares(page, many)[0] == 1

        page.locator(f"{many} input[type=range]").nth(2).press("PageUp")
        page.locator(f"{many} [data-step='100']").nth(3).click()
        page.locator(f"{many} [data-preset='5000']").click()
        assert shares(page, many)[3] == 5_000
        page.locator(f"{many} [data-even]").click()
        assert sum(shares(page, many)) == 10_000
        assert shares(page, many)[1] == locked

        page.locator(f"{many} [data-reset]").click()
        assert shares(page, many) == [4_000, 2_500, 1_200, 1_000, 700, 400, 200]


class Rule:
    """The editor as Python has it: largest remainder over the rows that are not locked, which never move."""

    def __init__(self) -> None:
        self.shares, self.locked = list(LIVE), set[int]()

    def move(self, kind: str, row: int, bp: int) -> list[int]:
        """The shares after it, in basis points."""
        if kind == "lock":
            self.locked ^= {row}
        elif kind == "even":
            self._share(FULL - self._fixed(), [each for each in range(7) if each not in self.locked], [1] * 7)
        elif row not in self.locked:
            wanted = {"less": self.shares[row] - 100, "more": self.shares[row] + 100, "slide": (bp + 50) // 100 * 100}
            self._set(row, wanted.get(kind, bp))
        return self.shares

    def _fixed(self) -> int:
        return sum(self.shares[each] for each in self.locked)

    def _set(self, row: int, wanted: int) -> None:
        free = [each for each in range(7) if each not in self.locked | {row}]
        most = FULL - self._fixed()
        self.shares[row] = max(0, min(most, wanted)) if free else most
        self._share(most - self.shares[row], free, self.shares)

    def _share(self, total: int, rows: list[int], shares: list[int]) -> None:
        ratio = [shares[each] for each in rows]
        found = distribute(total, ratio if any(ratio) else [1] * len(ratio)) if ratio else ()
        for each, share in zip(rows, found, strict=True):
            self.shares[each] = share


def test_goal_14_split_editor__any_moves__as_python_shares_them_and_locks_hold(
    design: tuple[Browser, str, str],
) -> None:
    with opened(*design) as page:

        @settings(max_examples=100)
        @given(st.lists(MOVES, min_size=1, max_size=6))
        def check(moves: list[tuple[str, int, int]]) -> None:
            assert page.evaluate(MOVE, ["reset", 0, 0]) == LIVE
            rule = Rule()
            for move in moves:
                locked = {row: rule.shares[row] for row in rule.locked}
                shown = page.evaluate(MOVE, list(move))
                assert sum(shown) == FULL
                assert {row: shown[row] for row in locked} == locked
                assert shown == rule.move(*move)

        check()


def test_keys__theme_help_and_places__work_and_can_be_switched_off(design: tuple[Browser, str, str]) -> None:
    with opened(*design) as page:
        page.locator("h1").click()
        page.keyboard.press("t")
        assert page.evaluate("document.documentElement.dataset.theme") == "light"
        page.keyboard.press("t")
        assert page.evaluate("document.cookie") == "theme=dark"

        page.keyboard.press("?")
        assert page.locator("#keys").is_visible()
        page.locator("#keys-on").click()
        page.keyboard.press("Escape")
        assert not page.locator("#keys").is_visible()
        page.keyboard.press("t")
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"

        page.evaluate("document.cookie = 'keys=on;path=/'")
        page.keyboard.press("/")
        assert page.evaluate("document.activeElement.name") == "q"
        page.locator("h1").click()
        page.keyboard.press("g")
        page.keyboard.press("c")
        page.wait_for_url(f"{ORIGIN}/changes/")


def test_dialog__opened_by_key__is_modal_and_gives_the_focus_back(design: tuple[Browser, str, str]) -> None:
    with opened(*design) as page:
        button = page.locator("[popovertarget=dlg-roll][data-dialog]")
        button.focus()
        button.press("Enter")
        assert page.locator("#dlg-roll").evaluate("dialog => dialog.matches(':modal')")

        page.locator("#dlg-roll [data-close]").click()

        assert not page.locator("#dlg-roll").is_visible()
        assert button.evaluate("button => button === document.activeElement")


def test_menu__at_390__opens_and_escape_closes_it(design: tuple[Browser, str, str]) -> None:
    with opened(*design, width=390) as page:
        page.locator("[data-menu]").click()
        assert page.locator("#side").is_visible()

        page.keyboard.press("Escape")

        assert not page.locator("#side").is_visible()
        assert page.locator("[data-menu]").evaluate("link => link === document.activeElement")


def test_page__any_width__does_not_scroll_sideways(design: tuple[Browser, str, str]) -> None:
    with opened(*design) as page:
        for width in (320, 390, 768, 1180, 1440, 1680):
            page.set_viewport_size({"width": width, "height": 900})

            assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_buttons__at_390__are_40_high(design: tuple[Browser, str, str]) -> None:
    with opened(*design, width=390) as page:
        sizes = page.locator("main .btn:visible, .top .btn:visible").evaluate_all(
            "buttons => buttons.map((button) => button.getBoundingClientRect().height)"
        )

    assert min(sizes) >= 40


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe__every_part__finds_nothing(design: tuple[Browser, str, str], theme: str) -> None:
    browser, html, policy = design
    problems = []
    with opened(browser, html.replace('data-theme="system"', f'data-theme="{theme}"'), policy) as page:
        page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
        for width in (390, 1440):
            page.set_viewport_size({"width": width, "height": 900})
            results = Axe().run(page, options=AXE)
            problems += [
                (rule["id"], [node["html"] for node in rule["nodes"]]) for rule in results.response["violations"]
            ]

    assert problems == []
