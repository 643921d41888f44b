"""All pages of the demo in a real browser: each is led to, and is whole in both themes, wide and on a phone.

`make test` opens them in two of the four looks, and at the colours of the other theme there; `make pictures`
opens them in all, and keeps what is seen.
"""

from __future__ import annotations

import gzip
import os
import sys
from typing import TYPE_CHECKING, Any, Final

import pytest
from playwright.sync_api import expect

from tests.e2e import tour
from tests.e2e.conftest import NARROW, WIDE, Watch
from tests.servers import Process, free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page, Response

    from tests.e2e.tour import Stop

PICTURES = pytest.mark.skipif(not os.environ.get("MESHUI_SCREENSHOTS"), reason="`make pictures` looks at these, too")
LOOKS: Final = [
    ("light", WIDE),
    pytest.param("dark", WIDE, marks=PICTURES),
    pytest.param("light", NARROW, marks=PICTURES),
    ("dark", NARROW),
]
PEOPLE: Final = ("author", "admin", "auditor", "approver")
LED_TO_ELSEWHERE: Final = {
    "account_login": "for who is not signed in",
    "account_logout": "a button",
    "accounts:first-administrator": "printed by the server while nobody is there",
    "accounts:set-password": "given by an Access admin",
    "accounts:saved-view": "of a view that was saved",
    "clusters:cluster-add-in-cluster": "where MeshUI runs in a cluster",
    "clusters:cluster-credential-in-cluster": "the same",
    "clusters:cluster-adopt": "where a cluster's identity changed",
    "meshes:cluster-exclude": "a form of the alignment, shown anew where it is refused",
    "meshes:cluster-include": "the same",
    "meshes:service-link": "the same",
    "meshes:service-unlink": "the same",
    "meshes:version-clear": "the same",
    "meshes:version-correct": "the same",
    "metrics:cluster-source": "a form of the page of metrics, shown anew where it is refused",
    "traffic:change-checks": "a part of the change's page, which moves as a whole",
    "traffic:change-decision": "the same",
    "traffic:change-targets": "the same",
    "traffic:change-timeline": "the same",
    "traffic:change-diff": "the same, for htmx to show in another way",
    "traffic:change-edit-preview": "asked by the form while it is typed into",
    "traffic:split-preview": "the same",
    "ui:design": "for developers",
}
"""Pages that no page leads to, and why."""
KIB: Final = 1024
BUDGET: Final = {"stylesheet": 15, "script": 50, "font": 90, "document": 25}
"""KiB, gzipped, cold (ui.md, budgets)."""
WITH_CHARTS: Final = 65
"""KiB of scripts, where there are charts."""
PARTIAL: Final = {"HX-Request": "true", "HX-Request-Type": "partial"}
FRAGMENT: Final = 15
"""KiB of a part that comes late, gzipped."""
FILES: Final = 10
"""Requests of a page without its stream: eight, one for what it fetches late, and one that says it is looked at."""
SHIFT: Final = 0.05
"""How much of what was painted may move by itself, as Chromium counts it (CLS)."""
LEAST: Final = 40
"""Pixels that a finger needs."""
SHIFTS: Final = """window.shift = 0;
const keep = (entry) => { shift += entry.hadRecentInput ? 0 : entry.value; };
new PerformanceObserver((list) => list.getEntries().forEach(keep)).observe({type: "layout-shift", buffered: true});"""
TOUCHED: Final = (
    "a.btn, button:not(.vh), input:not([type=hidden]), select, textarea, summary, .nav a, .tabs a, .seg a, .chip"
)
SMALL: Final = """([selector, least]) => {
  const high = (each) => each.getBoundingClientRect().height;
  const around = (each) => [each.closest(".in, .stp") ?? each, ...(each.labels ?? [])];
  const height = (each) => Math.max(...[each, ...around(each)].map(high));
  const isHit = (each) => {
    each.scrollIntoView({block: "center", behavior: "instant"});
    const box = each.getBoundingClientRect(), x = box.x + box.width / 2, y = box.y + box.height / 2;
    return [y - least / 2 + 1, y + least / 2 - 1].every((at) => {
      const found = document.elementFromPoint(x, at);
      return [each, ...around(each)].some((one) => one.contains(found));
    });
  };
  const name = (each) => each.name || each.id || each.textContent.trim().slice(0, 20);
  const says = (each) => `${each.tagName}.${each.className} “${name(each)}”`;
  return [...document.querySelectorAll(selector)]
    .filter((each) => each.checkVisibility({visibilityProperty: true, opacityProperty: true}))
    .filter((each) => height(each) > 1 && height(each) < least - 0.5 && !isHit(each))
    .map((each) => `${says(each)} ${Math.round(height(each))}`);
}"""
"""Controls that are less high than that, and whose labels are; nor does a touch that far from their middle hit them."""


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, str]]]:
    """A demo of its own: its address and its people's passwords."""
    folder, port = tmp_path_factory.mktemp("demo"), free_port()
    command = [sys.executable, "-m", "playground", "--port", str(port), "--data-dir", str(folder / "data")]
    process = Process(command, log=folder / "demo.log")
    try:
        process.wait_for_output("Ctrl-C ends it", seconds=180)
        yield f"http://127.0.0.1:{port}", tour.sign_ins(process.output())
    finally:
        process.stop()


@pytest.fixture
def enter(browser: Browser, demo: tuple[str, dict[str, str]]) -> Iterator[Callable[..., Page]]:
    """`enter(person, **options)`: a page of somebody who is signed in; faults of any fail the test."""
    watch, contexts = Watch(demo[0]), []

    def open_page(person: str, **options: Any) -> Page:
        page = signed_in(browser, demo, person, **({"viewport": WIDE} | options))
        contexts.append(page.context)
        watch.follow(page)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert watch.faults == []


@pytest.fixture(scope="session")
def stops(browser: Browser, demo: tuple[str, dict[str, str]]) -> tuple[list[Stop], set[str], list[str]]:
    """Every page that somebody is led to, the names of files, and what was broken on the way."""
    found: dict[str, Stop] = {}
    files: set[str] = set()
    broken: list[str] = []
    for person in PEOPLE:
        page = signed_in(browser, demo, person)
        finder = tour.Finder(page, person)
        found = finder.walk("/") | found
        files |= finder.files
        broken += finder.broken
        page.context.close()
    return sorted(found.values(), key=lambda stop: stop.name), files, broken


def test_links__followed_by_everybody__reach_every_page(stops: tuple[list[Stop], set[str], list[str]]) -> None:
    found, files, broken = stops
    led_to = {stop.name for stop in found} | files

    assert broken == []
    assert " ".join(sorted(tour.pages().keys() - led_to - LED_TO_ELSEWHERE.keys())) == ""
    assert led_to & LED_TO_ELSEWHERE.keys() == set()


@pytest.mark.parametrize(("scheme", "size"), LOOKS)
def test_page__every_one_in_this_look__is_whole(
    scheme: str,
    size: dict[str, int],
    stops: tuple[list[Stop], set[str], list[str]],
    enter: Callable[..., Page],
    axe: Callable[[Page], None],
    screenshot: Callable[[Page, str], Path],
) -> None:
    open_pages = {person: enter(person, color_scheme=scheme, viewport=size) for person in PEOPLE}
    problems = []

    for stop in stops[0]:
        page = open_pages[stop.person]
        page.goto(stop.path)
        screenshot(page, f"{stop.file}-{scheme}-{size['width']}")
        problems += [f"{stop.path}: {fault}" for fault in faults_of(page, axe)]
        problems += [f"{stop.path}: in the other theme: {fault}" for fault in faults_of_other_theme(page, axe, scheme)]

    assert problems == []


def test_page__cold__stays_within_its_weight_and_where_it_is(
    stops: tuple[list[Stop], set[str], list[str]], enter: Callable[..., Page]
) -> None:
    open_pages = {person: enter(person) for person in PEOPLE}
    for page in open_pages.values():
        page.add_init_script(SHIFTS)
    problems = []

    for stop in stops[0]:
        page = open_pages[stop.person]
        problems += [f"{stop.path}: {fault}" for fault in too_much_of(page, weights_of(page, stop.path))]

    assert problems == []


def signed_in(browser: Browser, demo: tuple[str, dict[str, str]], person: str, **options: Any) -> Page:
    """A page of a fresh session of that person."""
    url, passwords = demo
    context = browser.new_context(base_url=url, **options)
    context.set_default_timeout(45_000)
    page = context.new_page()
    page.goto("/sign-in/")
    page.locator("input[name=login]").fill(person)
    page.locator("input[name=password]").fill(passwords[person])
    page.locator("form button.pri").click()
    page.wait_for_url(lambda at: "/sign-in/" not in at)
    return page


def faults_of(page: Page, axe: Callable[[Page], None]) -> list[str]:
    """What is wrong with the page that is shown."""
    found = []
    if page.locator("h1").count() != 1:
        found.append(f"{page.locator('h1').count()} h1")
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        found.append("scrolls sideways")
    try:
        axe(page)
    except AssertionError as error:
        found.append(str(error))
    if page.evaluate("scrollY"):
        found.append("scrolled by itself")
    if page.viewport_size == NARROW:
        found += [f"too small for a finger: {each}" for each in page.evaluate(SMALL, [TOUCHED, LEAST])]
    return found


def faults_of_other_theme(page: Page, axe: Callable[..., None], scheme: str) -> list[str]:
    """What is wrong with the colours of the page that is shown, once the system changes to the other theme."""
    page.emulate_media(color_scheme="dark" if scheme == "light" else "light", reduced_motion="reduce")
    try:
        axe(page, "color-contrast")
    except AssertionError as error:
        return [str(error)]
    finally:
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of both
    return []


def weights_of(page: Page, path: str) -> dict[str, int]:
    """What `path` asks for with nothing cached: bytes by kind, gzipped as a proxy sends them, and how many requests.

    `fetch` is the heaviest of the parts that came late; streams are in no count.
    """
    weights: dict[str, int] = {"requests": 0, "fetch": 0}
    answers: list[Response] = []

    def keep(answer: Response) -> None:
        answers.append(answer)

    page.on("response", keep)
    session = page.context.new_cdp_session(page)
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    page.goto(path, wait_until="load")
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    page.remove_listener("response", keep)
    for answer in [each for each in answers if is_counted(each)]:
        kind, weights["requests"] = answer.request.resource_type, weights["requests"] + 1
        if kind in BUDGET:
            body = answer.body()
            weights[kind] = weights.get(kind, 0) + len(body if kind == "font" else gzip.compress(body, 6))
        elif kind == "fetch" and answer.request.method == "GET":
            part = page.request.get(answer.url, headers=PARTIAL).body()  # the browser may have thrown its own away
            weights["fetch"] = max(weights["fetch"], len(gzip.compress(part, 6)))
    return weights


def is_counted(answer: Response) -> bool:
    """Whether it came over the line, ended, and was not asked for because something moved meanwhile."""
    is_stream = answer.headers.get("content-type", "").startswith("text/event-stream")
    is_live = is_stream or "hx-live" in answer.request.headers
    return answer.ok and not is_live and not answer.url.startswith("data:")


def too_much_of(page: Page, weights: dict[str, int]) -> list[str]:
    """Which budgets the page that is shown does not keep."""
    has_charts = page.locator("script[src*=plots]").count() > 0
    budget = BUDGET | {"fetch": FRAGMENT} | ({"script": WITH_CHARTS} if has_charts else {})
    heavy = [kind for kind, most in budget.items() if weights.get(kind, 0) > most * KIB]
    found = [f"{kind} {weights[kind] / KIB:.1f} KiB" for kind in heavy]
    if weights["requests"] > FILES:
        found.append(f"{weights['requests']} requests")
    moved = page.evaluate("shift")
    return [*found, f"moved by {moved:.3f}"] if moved > SHIFT else found
