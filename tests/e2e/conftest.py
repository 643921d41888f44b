"""A real browser against the real product: `manage.py serve` in a process, on the database of the test."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from django.conf import settings
from playwright.sync_api import expect

from tests import journey as way
from tests.people import give_password
from tests.servers import Process, free_port
from tests.ui.streams import session_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, ViewportSize

    from accounts.models import User

AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
VIOLATIONS = """options => axe.run(options).then(found => found.violations.map(
  ({id, help, nodes}) => ({id, help, nodes: nodes.slice(0, 5).map(node => node.html.slice(0, 160))})))"""
"""Of all that axe finds only what is wrong is carried over: the rest is megabytes a page."""
CRASHES = {-signal.SIGSEGV, -signal.SIGBUS, -signal.SIGABRT}
"""Nobody sends these: the process broke."""
WIDE: ViewportSize = {"width": 1440, "height": 900}
NARROW: ViewportSize = {"width": 390, "height": 844}
# A refused form answers 403, 409, 412, 422 or 428: the browser logs it as an error, and it is none.
ANSWERED = re.compile(r"Failed to load resource: the server responded with a status of (?:403|409|412|422|428)\b")

expect.set_options(timeout=30_000)  # a condition that does not prove a bound is waited for as patiently as an action


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs Chromium."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@dataclass
class Site:
    """A running MeshUI."""

    url: str
    process: Process


@pytest.fixture
def serve_site(product_environment: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """`serve_site(**env)` starts `manage.py serve` on a free port, with the embedded worker if there is no broker."""
    running: list[Process] = []

    def start(port: int = 0, **env: str) -> Site:
        port = port or free_port()
        url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "manage.py", "serve", "--port", str(port)]
        log = tmp_path / f"serve{len(running)}.log"
        process = Process(command, log=log, env=product_environment | {"MESHUI_SITE_URL": url} | env)
        running.append(process)
        process.wait_for_output(f"MeshUI answers on {url}", seconds=120)
        return Site(url, process)

    yield start
    crashed = [process.output()[-4000:] for process in running if process.stop() in CRASHES]
    assert not crashed, "\n".join(crashed)


@pytest.fixture
def site(serve_site: Callable[..., Site]) -> Site:
    """One running MeshUI for this test."""
    return serve_site()


@dataclass
class Watch:
    """What a page must not do. `allow(pattern)` excuses console lines that a test provokes."""

    origin: str
    faults: list[str] = field(default_factory=list)
    allowed: list[re.Pattern[str]] = field(default_factory=lambda: [ANSWERED])

    def allow(self, pattern: str) -> None:
        """Console errors that match are part of this test."""
        self.allowed.append(re.compile(pattern))

    def follow(self, page: Page) -> None:
        """Watch this page too."""
        page.on("console", self.on_console)
        page.on("pageerror", self.on_error)
        page.on("request", self.on_request)

    def on_console(self, message: ConsoleMessage) -> None:
        """Errors and CSP reports."""
        text = message.text
        is_csp = "Content Security Policy" in text
        if (message.type == "error" or is_csp) and not any(pattern.search(text) for pattern in self.allowed):
            self.faults.append(f"console: {text} ({message.location.get('url', '')})")

    def on_error(self, error: Exception) -> None:
        """A script that failed."""
        self.faults.append(f"script: {error}")

    def on_request(self, request: Request) -> None:
        """Everything comes from the one origin."""
        if not request.url.startswith((f"{self.origin}/", "data:", "blob:")):
            self.faults.append(f"request off the origin: {request.url}")


@pytest.fixture
def watch(site: Site) -> Watch:
    """The watch of this test's pages."""
    return Watch(site.url)


@pytest.fixture
def new_page(browser: Browser, site: Site, watch: Watch) -> Iterator[Callable[..., Page]]:
    """`new_page(**options)` opens a page of a fresh session; any fault of any of them fails the test at its end."""
    contexts: list[BrowserContext] = []

    def open_page(**options: Any) -> Page:
        context = browser.new_context(base_url=site.url, **({"viewport": WIDE} | options))
        context.set_default_timeout(45_000)
        contexts.append(context)
        page = context.new_page()
        watch.follow(page)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert watch.faults == []


@pytest.fixture
def page(new_page: Callable[..., Page]) -> Page:
    """A page of a fresh session, wide, in the light theme."""
    return new_page()


@pytest.fixture
def sign_in(site: Site) -> Callable[[Page, User], None]:
    """`sign_in(page, person)`: from now on the page is of somebody who signed in before; it shows nothing yet."""

    def with_a_session(page: Page, person: User) -> None:
        cookie = {"name": settings.SESSION_COOKIE_NAME, "value": session_of(person), "url": site.url}
        page.context.add_cookies([cookie])  # type: ignore[list-item]  # a dict is what it takes

    return with_a_session


@pytest.fixture
def sign_in_by_form() -> Callable[[Page, User], None]:
    """`sign_in_by_form(page, person)`, as people do."""

    def through_the_form(page: Page, person: User) -> None:
        page.goto("/sign-in/")
        page.locator("input[name=login]").fill(person.username)
        page.locator("input[name=password]").fill(give_password(person))
        page.locator("form button.pri").click()
        page.wait_for_url(lambda url: "/sign-in/" not in url)

    return through_the_form


@pytest.fixture
def axe() -> Callable[..., None]:
    """`axe(page)` fails on any violation of WCAG 2.2 A and AA; `axe(page, "color-contrast")` on one of that rule."""

    def judge(page: Page, *rules: str) -> None:
        only = {"type": "rule", "values": list(rules)} if rules else {"type": "tag", "values": AXE_TAGS}
        if not page.evaluate("'axe' in window"):
            page.evaluate(AXE_SCRIPT)
        found = page.evaluate(VIOLATIONS, {"runOnly": only, "resultTypes": ["violations"]})
        faults = [f"{rule['id']}: {rule['help']}: " + " | ".join(rule["nodes"]) for rule in found]
        assert faults == [], json.dumps(faults, indent=1)

    return judge


@pytest.fixture
def axe_in_every_look(axe: Callable[..., None]) -> Callable[[Page], None]:
    """`axe_in_every_look(page)`: 1440 and 390 wide, light and dark; nothing may scroll sideways.

    The page is not opened again, and its theme is that of the system: in the second one only colours differ.
    """

    def judge(page: Page) -> None:
        for size in (WIDE, NARROW):
            page.set_viewport_size(size)
            for scheme, rules in (("light", ()), ("dark", ("color-contrast",))):
                page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]  # as above
                axe(page, *rules)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{page.url} scrolls sideways"

    return judge


@pytest.fixture
def screenshot(tmp_path: Path) -> Callable[[Page, str], Path]:
    """`screenshot(page, "fleet-light")` writes a PNG into MESHUI_SCREENSHOTS (or the test's folder); its path."""
    folder = Path(os.environ.get("MESHUI_SCREENSHOTS") or tmp_path)

    def take(page: Page, name: str) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.png"
        page.screenshot(path=path, full_page=True, animations="disabled")
        return path

    return take


@pytest.fixture
def journey(
    new_page: Callable[..., Page], sign_in_by_form: Callable[[Page, User], None], author: User, approver: User
) -> way.Journey:
    """Author and approver, signed in, each in a browser of their own."""
    pages = (new_page(), new_page())
    sign_in_by_form(pages[0], author)
    sign_in_by_form(pages[1], approver)
    return way.Journey(*pages)
