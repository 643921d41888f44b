"""The pictures of the README, from a running demo: `make screenshots`. Fleet, service, change, topology; both looks."""

from __future__ import annotations

import json
import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PIL import Image
from playwright.sync_api import expect, sync_playwright

from tests.chromium import installed_chromium
from tests.servers import Process, free_port, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Page

SIGN_IN: Final = re.compile(r"^  (\w+) +(\S+)   ", re.MULTILINE)
PERSON: Final = "approver"
SERVICE: Final = "/services/eu-west/shop/recommendations/"
POINTS: Final = 5
"""How many minutes have to be measured before there is a line to show."""
PAGES: Final = {
    "fleet": ("/", "#fleet-signals", re.compile(r"services measured")),
    "service": (SERVICE, "#signals", re.compile(r"Who gets how much")),
    "change": ("/changes/4/", ".head .pill", re.compile(r"Waiting for approval")),
    "topology": ("/topology/?focus=eu-west/shop/checkout", "#graph", re.compile(r"[1-9]\d* of \d+ calls measured")),
}
"""Name → path, the part that has to be there, and what it says once everything is measured."""
WIDTH, HEIGHT, MOST = 1440, 900, 1400
COLOURS: Final = 200
MEASURED_MS: Final = 600_000


def take(folder: Path) -> None:
    """Start a demo, wait until its requests are measured, and keep a picture of each page in both themes."""
    with tempfile.TemporaryDirectory(prefix="meshui-pictures-") as kept:
        port = free_port()
        command = [sys.executable, "-m", "playground", "--port", str(port), "--data-dir", f"{kept}/data"]
        demo = Process(command, log=Path(kept) / "demo.log")
        try:
            demo.wait_for_output("Ctrl-C ends it", seconds=180)
            _visit(f"http://127.0.0.1:{port}", dict(SIGN_IN.findall(demo.output()))[PERSON], folder)
        finally:
            demo.stop()


def _visit(url: str, password: str, folder: Path) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=installed_chromium(), args=["--no-sandbox"])
        context = browser.new_context(base_url=url, viewport={"width": WIDTH, "height": HEIGHT})
        page = context.new_page()
        page.goto("/sign-in/")
        page.locator("[name=login]").fill(PERSON)
        page.locator("[name=password]").fill(password)
        page.locator("[name=password]").press("Enter")
        page.wait_for_url(f"{url}/")
        _wait_for_lines(page)
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            for name, wanted in PAGES.items():
                _keep(page, wanted, folder / f"{name}-{theme}.png")
        browser.close()


def _wait_for_lines(page: Page) -> None:
    """On the page of a service, so that it is measured, until its chart has a line."""
    page.goto(SERVICE)
    data = page.locator("#plot-signal-rate")

    def is_drawn() -> bool:
        text = data.text_content() if data.count() else ""
        return bool(text) and sum(value is not None for value in json.loads(text or "{}")["y"][0]) >= POINTS

    wait_until(is_drawn, seconds=MEASURED_MS / 1000, what="a line of five minutes")


def _keep(page: Page, wanted: tuple[str, str, re.Pattern[str]], file: Path) -> None:
    path, part, words = wanted
    page.goto(path)
    expect(page.locator(part).first).to_contain_text(words, timeout=MEASURED_MS)
    expect(page.locator("#live")).to_have_attribute("data-state", "live")
    page.screenshot(path=file, full_page=True, animations="disabled")
    with Image.open(file) as picture:
        cut = picture.convert("RGB").crop((0, 0, WIDTH, min(picture.height, MOST)))
    cut.quantize(COLOURS).save(file, optimize=True)


if __name__ == "__main__":
    take(Path(sys.argv[1]))
