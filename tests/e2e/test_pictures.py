"""Pictures of all parts, and of the pages of a MeshUI that holds nothing yet, are those that were looked at.

`MESHUI_UPDATE_GOLDEN=1` takes them anew: look at them before they are committed. They are of one version of Chromium;
with another one, letters differ by more than a page does, so that the test is skipped and says so.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from PIL import Image, ImageChops
from playwright.sync_api import expect

from meshui.lib import clock
from tests.e2e.conftest import WIDE

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser, Page

    from accounts.models import User

PICTURES: Final = Path(__file__).parent / "pictures"
PAGES: Final = {
    "fleet": "/",
    "inbox": "/inbox/",
    "clusters": "/clusters/",
    "cluster-add": "/clusters/add/",
    "meshes": "/meshes/",
    "services": "/services/",
    "topology": "/topology/",
    "changes": "/changes/",
    "drift": "/drift/",
    "capabilities": "/capabilities/",
    "search": "/search/",
    "tokens": "/me/tokens/",
}
MOST: Final = 0.001
"""The share of pixels that may differ."""
APART: Final = 24
"""Steps of 255 from which two values of a pixel differ: what edges of letters do from run to run is less."""
COLOURS: Final = 64


def is_as_kept(taken: bytes, kept: Path) -> bool:
    """Whether the picture is the one that was kept; with MESHUI_UPDATE_GOLDEN it is kept."""
    picture = Image.open(io.BytesIO(taken)).convert("RGB")
    if os.environ.get("MESHUI_UPDATE_GOLDEN"):
        kept.parent.mkdir(parents=True, exist_ok=True)
        picture.quantize(COLOURS, dither=Image.Dither.NONE).save(kept, optimize=True)
        return True
    before = Image.open(kept).convert("RGB")
    now = picture.quantize(COLOURS, dither=Image.Dither.NONE).convert("RGB")
    if before.size != now.size:
        return False
    differ = ImageChops.difference(before, now).convert("L").point(lambda value: 255 if value > APART else 0)
    return differ.histogram()[255] <= MOST * differ.width * differ.height


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages__nothing_in_them_yet__look_as_they_were_looked_at(
    scheme: str,
    browser: Browser,
    new_page: Callable[..., Page],
    sign_in: Callable[[Page, User], None],
    admin: User,
    screenshot: Callable[[Page, str], Path],
) -> None:
    folder = PICTURES / browser.version.partition(".")[0]
    if not folder.exists() and not os.environ.get("MESHUI_UPDATE_GOLDEN"):
        pytest.skip(
            f"no pictures of Chromium {browser.version}: take them with MESHUI_UPDATE_GOLDEN=1 and look at them"
        )
    page = new_page(color_scheme=scheme, viewport=WIDE)
    page.clock.set_fixed_time(clock.now())  # ages go on in a page
    sign_in(page, admin)
    changed = []

    for name, path in (PAGES | {"design": "/design/"}).items():
        page.goto(path)
        page.evaluate("document.fonts.ready")
        if page.locator("[data-topic]").count():
            expect(page.locator("#live")).to_have_attribute("data-state", "live")
        taken = page.screenshot(animations="disabled", caret="hide", full_page=name == "design")
        if not is_as_kept(taken, folder / f"{name}-{scheme}.png"):
            changed.append(str(screenshot(page, f"{name}-{scheme}")))

    assert changed == []
