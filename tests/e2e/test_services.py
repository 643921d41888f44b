"""Services in a real browser: versions over clusters, a correction in place, both themes and a phone pass axe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from meshes.models import BackendVersion, Service
from meshui.lib import clock
from tests.e2e.conftest import NARROW, WIDE
from tests.meshes import rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Page

    from accounts.models import User


@pytest.fixture
def three(transactional_db: None) -> None:
    """checkout in three clusters: two split differently, one without a route."""
    rows.services(rows.cluster("eu-west"), ["checkout", "cart"])
    rows.services(rows.cluster("us-east"), ["checkout"], split=(75, 25))
    Service.objects.create(
        cluster=rows.cluster("ap-south"),
        namespace="shop",
        name="checkout",
        uid="ap",
        ports=[{"name": "http", "port": 8080}],
        selector={"app": "checkout"},
        content_hash="",
        read_at=clock.now(),
    )


@pytest.mark.usefixtures("three")
def test_correct__version__said_in_place_then_shown_in_the_table(
    page: Page, sign_in: Callable[[Page, User], None], author: User, screenshot: Callable[[Page, str], Path]
) -> None:
    sign_in(page, author)
    page.goto("/services/all/shop/checkout/")
    page.get_by_role("link", name="Correct us-east").click()
    box = page.locator(".box", has=page.get_by_role("button", name="Correct the version of v2", exact=True))

    box.get_by_label("Version", exact=True).fill("v1")
    box.get_by_label("Why", exact=True).fill("The blue pods.")
    box.get_by_role("button", name="Correct the version of v2").click()
    expect(page.locator("#body")).to_contain_text("Another backend of the same rule in us-east is version v1.")
    screenshot(page, "service-correct-refused")
    box.get_by_label("Version", exact=True).fill("v3")
    box.get_by_role("button", name="Correct the version of v2").click()
    page.get_by_text("shop/checkout#v2 is version v3 now.", exact=True).wait_for()

    page.goto("/services/all/shop/checkout/")
    expect(page.get_by_role("columnheader", name="v3")).to_be_visible()
    expect(page.locator("main")).to_contain_text("corrected by author")
    screenshot(page, "service-corrected")
    assert BackendVersion.objects.get().reason == "The blue pods."


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("look", [("light", WIDE), ("dark", WIDE), ("light", NARROW)])
def test_pages__both_themes_and_a_phone__no_violation(
    look: tuple[str, Any],
    new_page: Callable[..., Page],
    sign_in: Callable[[Page, User], None],
    axe: Callable[[Page], Any],
    screenshot: Callable[[Page, str], Path],
    author: User,
) -> None:
    scheme, size = look
    page = new_page(color_scheme=scheme, viewport=size)
    sign_in(page, author)

    for path, name in (
        ("/services/", "service-list"),
        ("/services/all/shop/checkout/", "service-detail"),
        ("/services/us-east/shop/checkout/alignment/", "service-alignment"),
    ):
        page.goto(path)
        page.wait_for_load_state("load")
        screenshot(page, f"{name}-{scheme}-{size['width']}")
        axe(page)
