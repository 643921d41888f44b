"""Goals that need clusters: how few actions lead to a split's YAML, drift after a vote, a server that is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from playground import worlds
from tests import journey as way
from tests.e2e.test_live import is_live

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Locator, Page

    from accounts.models import User
    from playground.cluster import EmulatedCluster
    from tests.e2e.conftest import Site


@pytest.fixture
def site(serve_site: Callable[..., Site]) -> Site:
    """A quick MeshUI."""
    return serve_site(**way.QUICK, MESHUI_AGE_SECONDS="0.2")


@pytest.fixture
def pair(emulate: Callable[..., EmulatedCluster], admin: User) -> list[EmulatedCluster]:
    """Two clusters with the same shop, in the product."""
    clusters = [emulate(name, worlds.eu_west()) for name in ("eu-north", "eu-west")]
    for cluster in clusters:
        way.add_by_verb(cluster, admin)
    return clusters


class Counted:
    """Somebody with a mouse: each click counts."""

    def __init__(self) -> None:
        self.actions = 0

    def click(self, thing: Locator) -> None:
        """One action."""
        thing.click()
        self.actions += 1


@pytest.mark.usefixtures("pair")
def test_goal_11_fleet_to_yaml__as_it_is_and_as_it_will_be__four_actions_at_most(
    page: Page, sign_in: Callable[[Page, User], None], author: User
) -> None:
    sign_in(page, author)
    mouse = Counted()
    page.goto("/")

    mouse.click(page.get_by_role("link", name="Services", exact=True))
    mouse.click(page.get_by_role("link", name="checkout", exact=True))
    mouse.click(page.get_by_role("link", name="Native config"))
    expect(page.locator("main")).to_contain_text("weight: 90")
    assert mouse.actions <= 4

    page.go_back()
    mouse.actions = 2
    mouse.click(page.get_by_role("link", name="Propose a split"))
    page.wait_for_url("**/split/**")
    mouse.click(page.get_by_role("button", name="25", exact=True))
    expect(page.locator("#preview")).to_contain_text("weight: 75", timeout=way.PATIENCE)
    assert mouse.actions <= 4


def test_goal_12_edited_in_the_cluster_after_the_vote__void_before_the_eyes_of_who_voted(
    journey: way.Journey, pair: list[EmulatedCluster]
) -> None:
    journey.propose("25")
    journey.approve()
    page = journey.approver
    is_live(page)
    page.evaluate("document.body.dataset.mark = 'same page'")

    pair[0].edit("VirtualService", "checkout", "shop", way.set_weights(60, 40))

    expect(page.locator("#change")).to_contain_text("every earlier approval is void", timeout=way.PATIENCE)
    journey.shows(page, "Waiting for approval")
    assert page.evaluate("document.body.dataset.mark") == "same page"
    assert [way.weights(cluster) for cluster in pair] == [[60, 40], [90, 10]]


def test_goal_13_server_stopped__its_row_says_since_when_and_the_others_go_on(
    new_page: Callable[..., Page], sign_in: Callable[[Page, User], None], admin: User, pair: list[EmulatedCluster]
) -> None:
    north, west = pair
    clusters = new_page()
    sign_in(clusters, admin)
    fleet, service = clusters.context.new_page(), clusters.context.new_page()
    paths = {clusters: "/clusters/", fleet: "/", service: "/services/?q=checkout"}
    for page, path in paths.items():
        page.goto(path)
        is_live(page)
        page.evaluate("document.body.dataset.mark = 'same page'")

    operator = clusters.context.new_page()
    operator.goto(f"/clusters/{north.name}/")

    with north.unreachable():
        operator.get_by_role("button", name="Test connection").click()  # else it is noticed within half a minute
        gone, there = (clusters.locator("#table tr", has_text=name) for name in (north.name, west.name))
        expect(gone).to_contain_text("Unreachable", timeout=way.PATIENCE)
        expect(gone.locator("td .sub", has_text="since").locator("time")).to_have_count(1)
        expect(there).to_contain_text("Healthy")
        expect(fleet.locator("main")).to_contain_text("Unreachable", timeout=way.PATIENCE)
        west.edit("VirtualService", "checkout", "shop", way.set_weights(60, 40))
        expect(service.locator("main")).to_contain_text("60\u202f%", timeout=way.PATIENCE)
        for page in paths:
            is_live(page)
            assert page.evaluate("document.body.dataset.mark") == "same page"
