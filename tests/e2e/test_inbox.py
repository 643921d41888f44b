"""From what waits for me to a decision: the inbox, its keys, the page of a change, its log and its evidence."""

from __future__ import annotations

import re
from threading import Barrier, Event
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from playground import worlds
from tests import journey as way
from tests.e2e.conftest import NARROW, WIDE
from tests.e2e.states import Book
from tests.people import make_person
from tests.traffic.factories import make_cluster, make_route
from traffic.models import Change
from traffic.types import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Locator, Page

    from accounts.models import User
    from playground.cluster import EmulatedCluster
    from tests.e2e.conftest import Site

LEAST = 40
"""Pixels that a finger needs."""
IS_ON_TOP = """element => {
  const box = element.getBoundingClientRect();
  return element.contains(document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2));
}"""


@pytest.fixture
def site(serve_site: Callable[..., Site], request: pytest.FixtureRequest) -> Site:
    """A MeshUI that leaves the rows of this test as they are, or a quick one."""
    return serve_site(**getattr(request, "param", {"MESHUI_SWEEP_SECONDS": "3600", "MESHUI_AGE_SECONDS": "3600"}))


@pytest.fixture
def book(site: Site, author: User, approver: User) -> Book:
    """Changes of checkout on two clusters."""
    routes = [make_route(make_cluster(slug)) for slug in ("eu-west", "us-east")]
    return Book(author, [approver, make_person("second", ["approver"])], routes)


@pytest.fixture
def look_at(axe: Callable[[Page], Any], screenshot: Callable[[Page, str], Path]) -> Callable[[Page, str], None]:
    """No violation of axe, nothing that scrolls sideways; a picture."""

    def judge(page: Page, name: str) -> None:
        screenshot(page, name)
        axe(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} scrolls sideways"

    return judge


@pytest.fixture
def signed_in(new_page: Callable[..., Page], sign_in: Callable[[Page, User], None]) -> Callable[..., Page]:
    """`signed_in(person, **options)`: a page of theirs."""

    def open_page(person: User, **options: Any) -> Page:
        page = new_page(**options)
        sign_in(page, person)
        return page

    return open_page


@pytest.mark.parametrize("look", [("light", WIDE), ("dark", NARROW), ("light", NARROW), ("dark", WIDE)])
def test_inbox_log_evidence__both_themes_and_widths__pass(
    look: tuple[Any, Any],
    book: Book,
    signed_in: Callable[..., Page],
    approver: User,
    look_at: Callable[[Page, str], None],
) -> None:
    scheme, size = look
    mark = f"{scheme}-{size['width']}"
    page = signed_in(approver, color_scheme=scheme, viewport=size)
    page.goto("/inbox/")
    expect(page.get_by_text("Nothing waits for you")).to_be_visible()
    look_at(page, f"inbox-empty-{mark}")
    made = {name: book.make(name) for name in ("review-none", "approved", "paused", "draft-errors", "applied-stored")}
    page.goto("/inbox/")
    look_at(page, f"inbox-{mark}")
    for part in ("", "?diff=split", "?diff=neutral", "evidence/", "log/"):
        page.goto(f"/changes/{made['applied-stored' if part else 'review-none'].number}/{part}")
        look_at(page, f"change-{re.sub(r'[^a-z]', '', part) or 'review'}-{mark}")
    page.goto("/changes/")
    look_at(page, f"changes-{mark}")


def test_goal_11_inbox_to_decision__two_actions_on_one_page(
    book: Book, signed_in: Callable[..., Page], approver: User
) -> None:
    change = book.make("review-none")
    page = signed_in(approver)
    page.goto("/inbox/")
    actions = 0

    page.get_by_role("link", name=f"Review #{change.number}").click()
    actions += 1
    expect(page.locator("#diff")).to_contain_text("weight")
    page.locator("#decision").get_by_role("button", name="Approve", exact=True).click()
    actions += 1

    expect(page.locator(".head .pill")).to_contain_text("Approved")
    assert actions == 2
    assert Change.objects.get(pk=change.pk).state == State.APPROVED


def test_inbox__keys_alone__walk_open_and_bring_the_focus_to_the_form_without_sending(
    book: Book, signed_in: Callable[..., Page], approver: User
) -> None:
    first, second = book.make("review-none"), book.make("review-none")
    page = signed_in(approver)
    page.goto("/inbox/")

    page.keyboard.press("j")
    expect(page.locator(f"[data-open][href='/changes/{first.number}/']")).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("j")
    expect(page.locator(f"[data-open][href='/changes/{second.number}/']")).to_be_focused()
    page.keyboard.press("a")
    page.wait_for_url(f"**/changes/{second.number}/*")

    expect(page.locator("#decision button.ok")).to_be_focused()
    page.locator("h1").click()
    page.keyboard.press("r")
    expect(page.locator("#comment")).to_be_focused()
    page.keyboard.type("n p v e u a")  # text, not keys
    expect(page.locator("#comment")).to_have_value("n p v e u a")
    assert {row.state for row in Change.objects.all()} == {State.IN_REVIEW}


def test_change__keys__walk_over_targets_mark_unfold_and_switch(
    book: Book, signed_in: Callable[..., Page], approver: User
) -> None:
    change = book.make("review-none")
    page = signed_in(approver)
    page.goto(f"/changes/{change.number}/")
    now_at = page.locator("[data-targets] [aria-current]")

    page.keyboard.press("n")
    page.wait_for_url(re.compile("target="))  # and until it is loaded: nobody hears a key before
    expect(now_at).to_contain_text("us-east")
    page.keyboard.press("v")
    expect(page.locator("#diff header")).to_contain_text("1 of 2 viewed")
    expect(page.locator("#viewed")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("u")
    page.wait_for_url(re.compile("diff=split"))
    expect(now_at).to_contain_text("us-east")
    page.keyboard.press("p")
    expect(now_at).to_contain_text("eu-west")
    expect(page.locator("#diff [data-diff=split]")).to_have_attribute("aria-current", "true")


def test_change__keys_switched_off__do_nothing(
    site: Site, book: Book, signed_in: Callable[..., Page], approver: User
) -> None:
    change = book.make("review-none")
    page = signed_in(approver)
    page.context.add_cookies([{"name": "keys", "value": "off", "url": site.url}])
    page.goto(f"/changes/{change.number}/")

    for key in ("n", "v", "a", "r"):
        page.keyboard.press(key)

    expect(page.locator("[data-targets] [aria-current]")).to_contain_text("eu-west")
    expect(page.locator("#diff header")).to_contain_text("0 of 2 viewed")
    assert page.evaluate("document.activeElement === document.body")


def test_change__without_script__is_read_marked_and_decided(
    book: Book, new_page: Callable[..., Page], sign_in: Callable[[Page, User], None], approver: User
) -> None:
    change = book.make("review-none")
    page = new_page(java_script_enabled=False)
    sign_in(page, approver)
    page.goto("/inbox/")

    page.get_by_role("link", name=f"Review #{change.number}").click()
    page.locator("#viewed").click()
    expect(page.locator("#diff header")).to_contain_text("1 of 2 viewed")
    page.locator("[data-diff=neutral]").click()
    expect(page.locator("#diff")).to_contain_text("of the requests of this rule go elsewhere")
    page.locator("#decision").get_by_role("button", name="Approve", exact=True).click()

    expect(page.locator(".head .pill")).to_contain_text("Approved")


def test_goal_12_edited_after_a_vote__void_before_the_eyes_of_who_reads(
    book: Book, signed_in: Callable[..., Page], author: User, approver: User
) -> None:
    change = book.make("review-one-of-two")
    page, other = signed_in(approver), signed_in(author)
    page.goto(f"/changes/{change.number}/")
    expect(page.locator("#decision")).to_contain_text("Take back my approval")
    page.locator("[data-viewed]").click()
    expect(page.locator("#diff header")).to_contain_text("1 of 2 viewed")

    other.goto("/me/")
    edited = edit_elsewhere(other, change.number)

    assert edited == "draft"
    expect(page.locator("#change")).to_contain_text("1 approval is void", timeout=15_000)
    expect(page.locator(".head .pill")).to_contain_text("Draft")


def edit_elsewhere(page: Page, number: int) -> str:
    """What another browser does to the same MeshUI, which rings for everybody; the state after it."""
    at = f"/api/v1/changes/{number}/"
    token = next(cookie["value"] for cookie in page.context.cookies() if cookie["name"] == "csrf")
    head = {"If-Match": page.request.get(at).headers["etag"], "X-CSRFToken": token}
    words = {"title": "Shift checkout v2 to 30 %", "reason": "It was good.", "shares": {"v1": 7000, "v2": 3000}}
    answer = page.request.put(at, data={**words, "clusters": ["all"]}, headers=head)
    assert answer.ok, answer.text()
    return str(answer.json()["state"])


@pytest.mark.parametrize(
    ("name", "verbs"),
    [
        ("review-none", ["Approve", "Reject"]),
        ("applying", ["Pause", "Roll back…"]),
        ("paused", ["Resume", "Roll back…"]),
    ],
)
def test_goal_15_phone__decisions_reachable_and_large_enough(
    name: str, verbs: list[str], book: Book, signed_in: Callable[..., Page]
) -> None:
    change = book.make(name)
    page = signed_in(make_person("both", ["approver", "executor"]), viewport=NARROW)
    page.goto(f"/changes/{change.number}/")

    for verb in verbs:
        button = page.locator("#decision").get_by_role("button", name=verb, exact=True)
        assert_touchable(page, button)
    assert_touchable(page, page.locator(".head a[href='#decision']"))
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    buttons = page.locator("#change button:visible, #change a.btn:visible")
    small = [each.inner_text() for each in buttons.all() if (each.bounding_box() or {"height": 0})["height"] < LEAST]
    assert small == []


def test_phone__long_lines__wrap_when_asked(book: Book, signed_in: Callable[..., Page], approver: User) -> None:
    change = book.make("review-none")
    page = signed_in(approver, viewport=NARROW)
    page.goto(f"/changes/{change.number}/")
    diff = page.locator("#diff .diff").first
    assert diff.evaluate("element => getComputedStyle(element.querySelector('td:last-child')).whiteSpace") == "pre"

    page.locator("[data-wrap]").check()

    assert diff.evaluate("element => element.scrollWidth <= element.clientWidth")


@pytest.fixture
def started(
    site: Site,
    signed_in: Callable[..., Page],
    author: User,
    approver: User,
    admin: User,
    emulate: Callable[..., EmulatedCluster],
) -> Iterator[tuple[way.Journey, Event]]:
    """A change that has begun to write on both of two clusters and gets no answer until the event is set."""
    begun, gate = Barrier(3, timeout=way.PATIENCE / 1000), Event()

    def hold(_: object) -> None:
        begun.wait()
        gate.wait(way.PATIENCE / 1000)

    clusters = [emulate(name, worlds.eu_west()) for name in ("eu-north", "eu-west")]
    for cluster in clusters:
        way.add_by_verb(cluster, admin)
    journey = way.Journey(signed_in(author), signed_in(approver))
    journey.propose("25")
    journey.approve()
    for cluster in clusters:
        cluster.faults.call(hold, "PATCH")
    journey.press(journey.author, "Start")
    begun.wait()
    yield journey, gate
    gate.set()
    for page in (journey.author, journey.approver):
        page.goto("about:blank")  # a page that follows a change asks on, and its session ends with the test


@pytest.mark.parametrize("site", [way.QUICK], indirect=True)
def test_goal_17_log__reloaded_while_it_is_written__same_lines_none_lost_none_doubled(
    started: tuple[way.Journey, Event],
) -> None:
    journey, gate = started
    log = journey.approver
    log.goto(f"/changes/{journey.number}/log/")
    expect(log.locator("[data-line]").first).to_be_visible(timeout=way.PATIENCE)
    before = lines_in(log)

    log.reload()
    assert lines_in(log) == before
    gate.set()
    expect(log.locator("#log-more")).to_contain_text("it is over", timeout=way.PATIENCE)
    followed = lines_in(log)
    log.reload()

    assert lines_in(log) == followed == sorted(set(followed), key=int)
    assert followed[: len(before)] == before
    assert len(followed) > len(before)
    log.goto(f"/changes/{journey.number}/log/?cluster=eu-north")
    assert 0 < len(lines_in(log)) < len(followed)
    assert "eu-west" not in log.locator("#log-lines").inner_text()


def lines_in(page: Page) -> list[str]:
    """The numbers of the lines, as they stand."""
    found: list[str] = page.locator("[data-line]").evaluate_all("lines => lines.map(line => line.dataset.line)")
    return found


def assert_touchable(page: Page, thing: Locator) -> None:
    """It can be scrolled to, is as high as a finger needs, and nothing lies over it."""
    thing.scroll_into_view_if_needed()
    box = thing.bounding_box()
    assert box is not None
    assert box["height"] >= LEAST
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= NARROW["width"]
    assert thing.evaluate(IS_ON_TOP)
