"""Splits in a real browser, on an emulated Istio and an emulated Linkerd at once: moved, started, aimed, ended."""

from __future__ import annotations

import re
from threading import Event
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from playground import south, worlds
from playground.apiserver.faults import on
from tests.e2e import walking as way
from tests.e2e.walking import Walk, shares_of, tab_to
from tests.journey import PATIENCE, QUICK
from tests.people import make_person
from tests.servers import wait_until
from traffic.types import State

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Page, Route

    from accounts.models import User
    from playground.cluster import EmulatedCluster
    from tests.e2e.conftest import Site

UNSPLIT = [("VirtualService", "catalog"), ("DestinationRule", "catalog")]
ONE_AT_A_TIME = {"MESHUI_APPLY_PARALLEL": "1"}
GATED = on("HTTPRoute", "checkout", "shop")


@pytest.fixture
def site(serve_site: Callable[..., Site], request: pytest.FixtureRequest) -> Site:
    """A quick MeshUI, with what the test asks for."""
    return serve_site(**QUICK, **getattr(request, "param", {}))


@pytest.fixture
def walk(new_page: Callable[..., Page], sign_in: Callable[[Page, User], None], author: User, approver: User) -> Walk:
    """Author and two approvers, signed in, each in a browser of their own."""
    people = (author, approver, make_person("second", ["approver"]))
    pages = [new_page() for _ in people]
    for page, person in zip(pages, people, strict=True):
        sign_in(page, person)
    return Walk(pages[0], pages[1], second=pages[2])


@pytest.fixture
def istio(emulate: Callable[..., EmulatedCluster]) -> EmulatedCluster:
    """eu-west, whose catalog nobody splits."""
    return emulate("eu-west", way.without(worlds.eu_west(), *UNSPLIT))


@pytest.fixture
def linkerd(emulate: Callable[..., EmulatedCluster]) -> EmulatedCluster:
    """ap-south, whose catalog nobody splits."""
    return emulate("ap-south", south.ap_south(), istio=False, linkerd=True)


@pytest.fixture
def both(istio: EmulatedCluster, linkerd: EmulatedCluster, admin: User) -> list[EmulatedCluster]:
    """Linkerd and Istio, in the product."""
    for cluster in (linkerd, istio):
        way.add(cluster, admin)
    return [linkerd, istio]


@pytest.fixture
def picture(screenshot: Callable[[Page, str], Path]) -> Callable[[Page, str], None]:
    """A screenshot once nothing is swapped any more (its style sheet would be swapped with it)."""

    def take(page: Page, name: str) -> None:
        page.wait_for_load_state("load")
        screenshot(page, name)

    return take


def press(page: Page, name: str) -> None:
    """Press a button without a mouse."""
    tab_to(page, page.get_by_role("button", name=name, exact=True))
    page.keyboard.press("Enter")


def shift_by_keys(page: Page) -> None:
    """25 % for checkout-v2 on both clusters."""
    tab_to(page, page.get_by_role("slider", name="Share of checkout-v2"))
    for key in ("PageUp", *["ArrowUp"] * 5):
        page.keyboard.press(key)
    moved = "checkout-v1 90\u202f% → 75\u202f%, checkout-v2 10\u202f% → 25\u202f%"
    expect(page.locator("[data-split-sum]")).to_have_text(moved)
    tab_to(page, page.get_by_role("checkbox", name="eu-west"))
    page.keyboard.press("Space")
    expect(page.locator("[data-picked]")).to_have_text("2")
    for written in ("changes VirtualService shop/checkout", "changes HTTPRoute shop/checkout"):
        expect(page.locator("#preview")).to_contain_text(written, timeout=PATIENCE)


def propose_by_keys(walk: Walk) -> None:
    """Why, and propose; then approval is asked for."""
    page = walk.author
    tab_to(page, page.locator("[name=reason]"))
    page.keyboard.type(way.REASON)
    press(page, "Propose")
    walk.arrived()
    press(page, "Ask for approval")
    walk.shows(page, "Waiting for approval")


def test_split__two_meshes_by_keyboard__two_people_approve_and_both_are_read_back(
    walk: Walk,
    istio: EmulatedCluster,
    linkerd: EmulatedCluster,
    admin: User,
    picture: Callable[[Page, str], None],
) -> None:
    way.add(istio, admin, environment="production")
    way.add(linkerd, admin)
    page = walk.open_split("checkout")

    shift_by_keys(page)
    picture(page, "split-form")
    propose_by_keys(walk)
    for voter, said in ((walk.approver, "1 of 2"), (walk.second, "2 of 2")):
        voter.goto(f"/changes/{walk.number}/")
        expect(voter.locator("#decision")).to_contain_text("because eu-west is tagged production")
        press(voter, "Approve")
        expect(voter.locator(".steps")).to_contain_text(said, timeout=PATIENCE)
    picture(walk.approver, "split-approved")
    press(page, "Start")
    walk.shows(page, "Applied")

    assert [shares_of(cluster, "checkout") for cluster in (linkerd, istio)] == [[75, 25], [75, 25]]
    run = page.locator("#targets").inner_text()
    assert "accepted by the controller" in run
    assert "whether the mesh took it cannot be observed" in run
    expect(page.locator(".steps")).to_contain_text("L1: stored; traffic: see below")
    picture(page, "split-applied")


def test_preview__edited_while_an_answer_is_on_its_way__shows_the_last_edit(
    walk: Walk, both: list[EmulatedCluster]
) -> None:
    page = walk.open_split("checkout")
    held: list[Route] = []
    page.route("**/split/preview/", lambda route: held.append(route), times=1)  # noqa: PLW0108 - it marks what it calls
    walk.share("checkout-v2", "25")
    wait_until(lambda: bool(page.title() and held), what="the first question")

    page.get_by_role("checkbox", name="eu-west").check()  # asks in 300 ms, and the first answer comes before
    held[0].continue_()

    for written in ("changes VirtualService shop/checkout", "changes HTTPRoute shop/checkout"):
        expect(page.locator("#preview")).to_contain_text(written, timeout=PATIENCE)


def choose_versions_by(walk: Walk) -> None:
    """A split of catalog between the versions that are offered first, 5 % to v2, on both clusters."""
    walk.open_split("catalog")
    walk.author.get_by_role("button", name="Go on").click()
    walk.author.wait_for_url(re.compile("begin="))  # and until its scripts hear what is typed
    walk.share("catalog-v2", "5")
    walk.tick_all()


def end_of_catalog(walk: Walk) -> None:
    """The end of its split on both clusters."""
    walk.open_split("catalog")
    walk.author.get_by_role("link", name="End the split").click()
    walk.author.wait_for_url(re.compile("end=1"))
    walk.tick_all()


def test_start__none_on_either_mesh__created_in_order_then_ended_and_only_ours_deleted(
    walk: Walk, both: list[EmulatedCluster], picture: Callable[[Page, str], None]
) -> None:
    before = [way.names_in(cluster) for cluster in both]
    choose_versions_by(walk)
    shown = walk.preview("creates VirtualService", "creates HTTPRoute", "TRF012")
    assert way.stand_in_order(shown, "creates DestinationRule", "creates VirtualService")
    picture(walk.author, "start-preview")
    walk.carry_out("Start a split of catalog")

    walk.author.locator(".dtabs").get_by_role("link", name="eu-west").click()
    expect(walk.author.locator("#diff")).to_contain_text("creates VirtualService")
    diff = walk.author.locator("#diff").inner_text()
    assert way.stand_in_order(diff, "creates DestinationRule", "creates VirtualService")
    picture(walk.author, "start-applied")
    made = [way.made_since(cluster, names) for cluster, names in zip(both, before, strict=True)]
    assert made == [["HTTPRoute"], ["DestinationRule", "VirtualService"]]
    assert [shares_of(both[0], "catalog-split"), shares_of(both[1], "catalog")] == [[95, 5], [95, 5]]

    end_of_catalog(walk)
    walk.preview("deletes VirtualService", "deletes HTTPRoute")
    picture(walk.author, "end-preview")
    walk.carry_out("End the split of catalog")

    assert [way.names_in(cluster) for cluster in both] == before
    picture(walk.author, "end-applied")


def aim(walk: Walk) -> None:
    """checkout-v2 for who sends x-beta: 1."""
    page = walk.open_split("checkout")
    page.get_by_text("Show a version only to chosen callers").click()
    page.locator("#r0-header").fill("X-Beta")
    page.locator("#r0-value").fill("1")
    page.locator("#r0-to").select_option(page.locator("#r0-to option", has_text="checkout-v2").get_attribute("value"))
    page.get_by_role("button", name="Add the rule").click()
    expect(page.locator("#h-edits")).to_be_focused(timeout=PATIENCE)
    expect(page.locator("#split")).to_contain_text("Requests whose header x-beta is 1 of “rule-1” go to checkout-v2.")


def aim_elsewhere(walk: Walk, how: str, value: str) -> None:
    """For who sends another x-beta."""
    page = walk.author
    page.get_by_text("Show it to other callers").click()
    page.locator("#r0-type").select_option(how)
    page.locator("#r0-value").fill(value)
    page.get_by_role("button", name="Change the callers").click()
    expect(page.locator("#h-edits")).to_be_focused(timeout=PATIENCE)
    expect(page.locator("#split")).to_contain_text(f"{value}.")


def refused_before_it_is_saved(walk: Walk) -> None:
    """A match that Linkerd has no words for: the check says so in the preview, by its id."""
    walk.open_split("checkout")
    aim_elsewhere(walk, "prefix", "team-")
    walk.tick_all()
    walk.preview("TRF030", "compares headers and query parameters whole or by a regular expression alone")


def headers_of(both: list[EmulatedCluster]) -> list[object]:
    """What the first rule of checkout asks for, on Linkerd and on Istio."""
    linkerd, istio = (way.rules_of(cluster, "checkout")[0] for cluster in both)
    return [linkerd["matches"][0]["headers"], istio["match"][0]["headers"]]


def aim_no_more(walk: Walk) -> None:
    """For nobody in particular."""
    page = walk.open_split("checkout")
    page.get_by_role("button", name="Remove this rule").click()
    expect(page.locator("#h-edits")).to_be_focused(timeout=PATIENCE)


def test_header__added_edited_removed__chosen_callers_alone_see_v2(
    walk: Walk, both: list[EmulatedCluster], picture: Callable[[Page, str], None]
) -> None:
    was = [way.rules_of(cluster, "checkout") for cluster in both]

    aim(walk)
    walk.tick_all()
    shown = walk.preview("VirtualService", "HTTPRoute", "new rule")
    assert "DestinationRule" not in shown
    picture(walk.author, "header-added")
    walk.carry_out("Show checkout v2 to testers")
    linkerd, istio = (way.rules_of(cluster, "checkout")[0] for cluster in both)
    assert headers_of(both) == [[{"type": "Exact", "name": "x-beta", "value": "1"}], {"x-beta": {"exact": "1"}}]
    assert [each["name"] for each in linkerd["backendRefs"]] == ["checkout-v2"]
    assert [each["destination"]["subset"] for each in istio["route"]] == ["v2"]
    assert [shares_of(cluster, "checkout") for cluster in both] == [[90, 10], [90, 10]]

    refused_before_it_is_saved(walk)
    aim_elsewhere(walk, "regex", "team-.+")
    walk.carry_out("Show checkout v2 to every team")
    regex = {"type": "RegularExpression", "name": "x-beta", "value": "team-.+"}
    assert headers_of(both) == [[regex], {"x-beta": {"regex": "team-.+"}}]

    aim_no_more(walk)
    walk.tick_all()
    walk.preview("removed", "TRF013")
    walk.carry_out("Show checkout v2 to nobody in particular")
    assert [way.rules_of(cluster, "checkout") for cluster in both] == was


@pytest.mark.parametrize("site", [ONE_AT_A_TIME], indirect=True, ids=["one-at-a-time"])
def test_pause__in_the_middle_of_a_write__nothing_further_until_resumed(
    walk: Walk, both: list[EmulatedCluster], picture: Callable[[Page, str], None]
) -> None:
    linkerd, istio = both
    begun, gate = Event(), Event()

    def hold(_: object) -> None:
        begun.set()
        gate.wait(PATIENCE / 1000)

    linkerd.faults.call(hold, "PATCH", GATED)
    walk.propose("25")
    walk.approve()
    walk.press(walk.author, "Start")
    assert begun.wait(PATIENCE / 1000)
    expect(walk.author.locator("#targets")).to_contain_text("Sending", timeout=PATIENCE)
    picture(walk.author, "applying")
    walk.press(walk.author, "Pause")
    walk.shows(walk.author, "Paused")
    gate.set()

    expect(walk.author.locator(".note")).to_contain_text("Paused: 1 of 2 objects", timeout=PATIENCE)
    picture(walk.author, "paused")
    assert [shares_of(cluster, "checkout") for cluster in both] == [[75, 25], [90, 10]]
    walk.press(walk.author, "Resume")
    walk.shows(walk.author, "Applied")
    assert shares_of(istio, "checkout") == [75, 25]


@pytest.mark.parametrize("site", [ONE_AT_A_TIME], indirect=True, ids=["one-at-a-time"])
@pytest.mark.parametrize(
    ("verb", "asked"), [("Accept what is there", "Why may it stay so?"), ("Roll back", "Why do you roll back?")]
)
def test_refused_by_one_mesh__paused_with_what_to_do__ends_by_hand(
    verb: str, asked: str, walk: Walk, both: list[EmulatedCluster], picture: Callable[[Page, str], None]
) -> None:
    linkerd, istio = both
    istio.faults.answer(403, method="PATCH", path=on("VirtualService", "checkout", "shop"))
    walk.propose("25")
    walk.approve()
    walk.press(walk.author, "Start")
    walk.shows(walk.author, "Paused")
    banner = walk.author.locator(".note").first
    expect(banner).to_contain_text("eu-west: refused the write. Mend there what it names, then resume; or roll back.")
    wait_until(lambda: shares_of(linkerd, "checkout") == [75, 25])

    walk.author.goto(f"/changes/{walk.number}/")
    for opener in walk.author.get_by_role("button", name=f"{verb}…", exact=True).all():
        opener.click()
    walk.author.get_by_label(asked).fill("eu-west is rebuilt tomorrow.")
    walk.author.get_by_role("button", name=verb, exact=True).click()

    if verb == "Roll back":
        walk.shows(walk.author, "Rolled back")
        assert shares_of(linkerd, "checkout") == [90, 10]
    else:
        walk.shows(walk.author, "Partial, clusters differ")
        words = walk.author.locator(".note").first.inner_text()
        assert "eu-west is rebuilt tomorrow." in words
        assert "ap-south, HTTPRoute shop/checkout: as this change wants it" in words
        assert "eu-west, VirtualService shop/checkout: as it was before: it refused the write" in words
        assert shares_of(linkerd, "checkout") == [75, 25]
    assert shares_of(istio, "checkout") == [90, 10]
    picture(walk.author, f"ended-{verb.split(maxsplit=1)[0].lower()}")


def test_edit__after_a_vote__void_for_all_to_see_then_cancelled(
    walk: Walk, both: list[EmulatedCluster], picture: Callable[[Page, str], None]
) -> None:
    walk.propose("25")
    walk.approve()
    page = walk.author
    page.goto(f"/changes/{walk.number}/")
    page.get_by_role("link", name="Edit").click()
    expect(page.locator(".bk[data-name='checkout-v2'] .stp input")).to_have_value("25")
    walk.share("checkout-v2", "30")
    page.get_by_role("button", name="Save and plan again").click()
    walk.arrived()

    expect(page.locator("main")).to_contain_text("1 approval is void", timeout=PATIENCE)
    expect(walk.approver.locator("main")).to_contain_text("1 approval is void", timeout=PATIENCE)
    expect(page.get_by_role("button", name="Ask for approval")).to_be_enabled(timeout=PATIENCE)
    picture(page, "edited")
    walk.ask()
    page.get_by_label("Why do you cancel it?").fill("Another release goes first.")
    page.get_by_role("button", name="Cancel").click()
    walk.shows(page, "Cancelled")
    assert walk.change().state == State.CANCELLED
    assert "Another release goes first." in walk.text()
    assert [shares_of(cluster, "checkout") for cluster in both] == [[90, 10], [90, 10]]
