"""What a page costs who opens it: first paint, shifts, weight; cold, warm, on a slow phone.

On the demo, in Chromium. Beside it, in the same run and browser, a page with nothing but a table of 50 rows: what the
browser itself takes on this machine.
"""

from __future__ import annotations

import gzip
import re
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playwright.sync_api import sync_playwright

from tests.chromium import installed_chromium
from tests.servers import Process, free_port

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page, Response

RUNS = 5
PATHS = (
    "/",
    "/inbox/",
    "/clusters/",
    "/clusters/eu-west/",
    "/meshes/",
    "/services/",
    "/services/all/shop/checkout/",
    "/services/all/shop/checkout/split/",
    "/changes/",
    "/changes/2/",
    "/drift/",
    "/capabilities/",
    "/audit/",
    "/access/",
    "/me/",
)
PEOPLE = {"/audit/": "auditor", "/access/": "admin", "/inbox/": "approver"}
WATCH = """
window.seen = {lcp: 0, cls: 0, tbt: 0};
const follow = (type, keep) =>
  new PerformanceObserver((list) => list.getEntries().forEach(keep)).observe({type, buffered: true});
follow("largest-contentful-paint", (entry) => { seen.lcp = entry.startTime; });
follow("layout-shift", (entry) => { seen.cls += entry.hadRecentInput ? 0 : entry.value; });
follow("longtask", (entry) => { seen.tbt += Math.max(0, entry.duration - 50); });
"""
PLAIN = "<!doctype html><html lang=en><title>plain</title><h1>Plain</h1><table>{}</table>".format(
    "".join(f"<tr><td>row {n}<td>eu-west<td>90 %<td>10 %" for n in range(50))
)
SLOW = {"offline": False, "latency": 150, "downloadThroughput": 1_600_000 / 8, "uploadThroughput": 750_000 / 8}
"""Chromium's own Slow 4G."""


@dataclass
class Paint:
    """One opening: milliseconds, score, milliseconds; bytes as sent by a proxy (gzip), requests."""

    lcp: float
    cls: float
    tbt: float
    bytes: int = 0
    requests: int = 0


Openings = tuple[list[Paint], list[Paint], list[Paint]]
"""Cold, warm, slow."""


def measure() -> None:
    """Print a line per page: the median of five openings each way."""
    with (
        tempfile.TemporaryDirectory(prefix="meshui-bench-") as folder,
        Demo(Path(folder)) as (url, passwords),
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=installed_chromium(), args=["--no-sandbox"])
        print(f"Median of {RUNS}. LCP and TBT in ms; slow: CPU / 4, slow 4G; KiB: cold, gzip.")
        print(f"{'page':42} {'cold':>8} {'warm':>6} {'slow':>6} {'CLS':>6} {'TBT':>5} {'KiB':>6} {'files':>5}")
        for path in PATHS:
            print(_line(path, *_openings(browser, url, passwords, path)), flush=True)
        print(_line("a plain table of 50 rows", *_plain(browser, url)))
        browser.close()


class Demo:
    """A demo while it lasts: its address, and the passwords by name."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, free_port()

    def __enter__(self) -> tuple[str, dict[str, str]]:
        command = [sys.executable, "-m", "playground", "--port", str(self._port), "--data-dir"]
        command.append(str(self._folder / "demo"))
        self._process = Process(command, log=self._folder / "demo.log")
        self._process.wait_for_output("Ctrl-C ends it", seconds=180)
        passwords = dict(re.findall(r"^  (\w+) +(\S+)   ", self._process.output(), re.MULTILINE))
        return f"http://127.0.0.1:{self._port}", passwords

    def __exit__(self, *_: object) -> None:
        self._process.stop()


def _openings(browser: Browser, url: str, passwords: dict[str, str], path: str) -> Openings:
    who = PEOPLE.get(path, "author")
    state = signed_in(browser, url, who, passwords[who])
    cold, warm, slow = [], [], []
    for _ in range(RUNS):
        context = browser.new_context(base_url=url, storage_state=state, viewport={"width": 1440, "height": 900})
        page = context.new_page()
        cold.append(_open(page, path, is_weighed=True))
        warm.append(_open(page, path))
        context.close()
        context = browser.new_context(base_url=url, storage_state=state, viewport={"width": 390, "height": 844})
        slow.append(_open(slowed(context), path))
        context.close()
    return cold, warm, slow


def _plain(browser: Browser, url: str) -> Openings:
    cold, slow = [], []
    for _ in range(RUNS):
        for kept, is_slow in ((cold, False), (slow, True)):
            context = browser.new_context(base_url=url)
            page = slowed(context) if is_slow else context.new_page()
            page.route("**/plain", lambda route: route.fulfill(body=PLAIN, content_type="text/html"))
            kept.append(_open(page, "/plain", is_weighed=not is_slow))
            context.close()
    return cold, cold, slow


def slowed(context: BrowserContext) -> Page:
    """A page with a quarter of the CPU on slow 4G."""
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.emulateNetworkConditions", SLOW)
    session.send("Emulation.setCPUThrottlingRate", {"rate": 4})
    return page


def signed_in(browser: Browser, url: str, person: str, password: str) -> Any:
    """What a browser keeps of somebody who signed in."""
    context = browser.new_context(base_url=url)
    page = context.new_page()
    page.goto("/sign-in/")
    page.locator("input[name=login]").fill(person)
    page.locator("input[name=password]").fill(password)
    page.locator("form button.pri").click()
    page.wait_for_url(lambda at: "/sign-in/" not in at)
    state = context.storage_state()
    context.close()
    return state


def _open(page: Page, path: str, *, is_weighed: bool = False) -> Paint:
    answers: list[Response] = []

    def keep(answer: Response) -> None:
        answers.append(answer)

    page.add_init_script(WATCH)
    page.on("response", keep)
    page.goto(path, wait_until="load")
    page.evaluate("() => new Promise((done) => requestIdleCallback(() => setTimeout(done, 200)))")
    page.remove_listener("response", keep)
    seen = page.evaluate("window.seen")
    files = [answer for answer in answers if is_weighed and answer.ok and "/live/" not in answer.url]
    weight = sum(_weight(answer) for answer in files)
    return Paint(seen["lcp"], seen["cls"], seen["tbt"], weight, len(files))


def _weight(answer: Response) -> int:
    body = answer.body()
    return len(body) if answer.request.resource_type in {"font", "image"} else len(gzip.compress(body, 6))


def _line(name: str, cold: list[Paint], warm: list[Paint], slow: list[Paint]) -> str:
    def mid(paints: list[Paint], what: str) -> float:
        return statistics.median(getattr(paint, what) for paint in paints)

    return (
        f"{name:42} {mid(cold, 'lcp'):8.0f} {mid(warm, 'lcp'):6.0f} {mid(slow, 'lcp'):6.0f} {mid(cold, 'cls'):6.3f}"
        f" {mid(cold, 'tbt'):5.0f} {mid(cold, 'bytes') / 1024:6.1f} {mid(cold, 'requests'):5.0f}"
    )
