"""Pages of clusters in a real browser: faults and contexts keep the pasted text, both themes pass axe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from clusters.models import Cluster
from clusters.services import check_cluster
from tests.clusters.makers import kubeconfig, register, without_context

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Page

    from accounts.models import User
    from playground.cluster import EmulatedCluster


def fill(page: Page, text: str) -> None:
    """The add form, with this kubeconfig."""
    page.goto("/clusters/add/")
    for name, value in (("name", "EU West"), ("slug", "eu-west"), ("environment", "staging"), ("text", text)):
        page.locator(f"main [name={name}]").fill(value)


def send(page: Page) -> None:
    """Press the one primary button."""
    page.locator("main form button.pri").click()


def test_add__faults_then_contexts__answered_in_place_and_the_text_kept(
    page: Page, sign_in: Callable[[Page, User], None], admin: User, screenshot: Callable[[Page, str], Path]
) -> None:
    sign_in(page, admin)
    fill(page, kubeconfig(user={"exec": {"command": "id"}}))

    send(page)
    expect(page.locator("#answer")).to_contain_text("users[u].user.exec")
    screenshot(page, "cluster-add-faults")
    expect(page.locator("main [name=text]")).not_to_have_value("")
    page.locator("main [name=text]").fill(without_context(kubeconfig()))
    send(page)
    expect(page.locator("#answer")).to_contain_text("Can be added.")
    screenshot(page, "cluster-add-contexts")
    page.locator("main [name=context]").fill("good")
    send(page)

    page.wait_for_url("**/clusters/eu-west/")
    assert Cluster.objects.get().environment == "staging"


@pytest.fixture
def registered(transactional_db: None, eu_west: EmulatedCluster) -> Cluster:
    """A cluster that was tested."""
    cluster = register("eu-west", text=eu_west.admin_kubeconfig(), writes=True)
    check_cluster(cluster.pk)
    return cluster


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages__both_themes__no_violation(
    scheme: str,
    new_page: Callable[..., Page],
    sign_in: Callable[[Page, User], None],
    axe: Callable[[Page], Any],
    screenshot: Callable[[Page, str], Path],
    admin: User,
) -> None:
    page = new_page(color_scheme=scheme)
    sign_in(page, admin)

    for path, name in (
        ("/clusters/", "cluster-list"),
        ("/clusters/add/", "cluster-add"),
        ("/clusters/eu-west/", "cluster-detail"),
        ("/clusters/eu-west/credential/", "cluster-credential"),
    ):
        page.goto(path)
        page.wait_for_load_state("load")
        screenshot(page, f"{name}-{scheme}")
        axe(page)


@pytest.mark.usefixtures("registered")
def test_cluster__late_part_comes__page_stays_where_it_is(
    page: Page, sign_in: Callable[[Page, User], None], admin: User
) -> None:
    sign_in(page, admin)
    page.set_viewport_size({"width": 1280, "height": 500})

    page.goto("/clusters/eu-west/")
    expect(page.locator("#inventory h2").first).to_be_attached()

    assert page.evaluate("[scrollY, document.activeElement === document.body]") == [0, True]
