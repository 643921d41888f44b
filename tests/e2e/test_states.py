"""Goal 7 beyond the tour: pages with nothing in them, refusals, what is old, and dialogs; goal 8: their focus."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from accounts.types import ROLES
from meshui.lib.clock import now
from metrics.models import Collector
from tests.e2e import tour
from tests.e2e.conftest import WIDE
from tests.e2e.walking import IS_SEEN
from tests.people import make_person
from tests.traffic.calling import make_calls, make_services
from tests.traffic.factories import in_review, in_state, make_cluster, make_route
from tests.traffic.measuring import V1, V2, draw, measure
from traffic.models import Change, Rollout, TargetStep
from traffic.types import StepState

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from accounts.models import User
    from clusters.models import Cluster
    from tests.e2e.conftest import Site, Watch

ALWAYS_THE_SAME: Final = {
    "account_login",
    "accounts:me",
    "accounts:my-password",
    "clusters:cluster-add",
    "clusters:cluster-add-address",
    "clusters:cluster-add-in-cluster",
    "clusters:rights",
    "clusters:rights-file",
    "docs:operation-list",
    "meshes:capabilities",
    "ui:design",
}
"""Pages without an object in their URL that look no other where there is none: the tour sees them."""
SIGNALS: Final = "/services/{}/shop/checkout/signals/"
DIALOGS: Final = (
    ("/clusters/", "[popovertarget=keys]", "#keys"),
    ("/clusters/", "[popovertarget=bell]", "#bell"),
    ("/clusters/", "[popovertarget=columns]", "#columns"),
    ("/clusters/", "[data-palette]", "#palette"),
    ("/clusters/", "main a[data-sheet]", "#sheet"),
    ("/clusters/", ".side a[data-sheet]", "#sheet"),
    ("/changes/", "[popovertarget=bulk-ask]", "#bulk-ask"),
    ("/access/sessions/", "main [popovertarget^=end-]", "dialog[id^=end-]"),
)
"""Where, what opens it, and the dialog."""
FAILED = r"Failed to load resource: the server responded with a status of 503\b"
NOT_FOUND = r"Failed to load resource: the server responded with a status of 404\b"


@pytest.fixture
def site(serve_site: Callable[..., Site]) -> Site:
    """A MeshUI that leaves the rows of this test as they are."""
    return serve_site(MESHUI_SWEEP_SECONDS="3600", MESHUI_AGE_SECONDS="3600", MESHUI_WATCH="0")


@pytest.fixture
def maria(site: Site) -> User:
    """Somebody with every role."""
    return make_person("maria", sorted(ROLES))


@pytest.fixture
def people(author: User, viewer: User) -> tuple[User, User]:
    """Who proposes, and who looks."""
    return author, viewer


@pytest.fixture
def hers(page: Page, sign_in: Callable[[Page, User], None], maria: User) -> Page:
    """A page of hers."""
    sign_in(page, maria)
    return page


def written(author: User, cluster: Cluster) -> Change:
    """A change to 75/25, applied eight minutes ago."""
    change = in_review(author, [cluster.routes.get(name="checkout")])
    plan = change.current_plan
    assert plan is not None
    run = Rollout.objects.create(change=change, plan=plan, created_at=now())
    common = {"change": change, "rollout": run, "cluster": cluster, "direction": "apply"}
    at = now() - dt.timedelta(minutes=8)
    TargetStep.objects.create(**common, plan_target=plan.targets.get(), state=StepState.VERIFIED, state_changed_at=at)
    return in_state(change, "applied", ended_at=now(), has_writes=True)


def shift(cluster: Cluster, before: tuple[float, float], after: tuple[float, float]) -> None:
    """Requests/s of v1 and v2 of shop/checkout by the minute, until eight minutes ago and since."""
    for part, was, became in zip((V1, V2), before, after, strict=True):
        draw(measure(cluster, became, part), [was] * 9 + [became] * 8)
    draw(measure(cluster, sum(after)), [sum(before)] * 9 + [sum(after)] * 8)


def fill(author: User) -> dict[str, Change]:
    """eu-west is measured now, us-east was once, ap-south never; a change for each thing that became of traffic."""
    far = dt.timedelta(hours=2)
    eu = make_cluster("eu-west", last_synced_at=now(), last_seen_at=now())
    us = make_cluster("us-east", health="unreachable", unreachable_since=now() - far, last_synced_at=now() - far)
    ap = make_cluster("ap-south", health="credential_rejected", health_reason="401 Unauthorized")
    for cluster in (eu, us, ap):
        make_route(cluster)
    make_services(eu, "web", "cart", *(names := [f"s{n:03}" for n in range(150)]))
    make_calls(eu, "web", {"checkout": 9000, "cart": 1000})
    make_calls(eu, "cart", dict.fromkeys(names, 66))
    later = now() + far  # or a round would find out that nobody is there
    problem = {"next_at": later, "minute_at": later, "problem": "Pods may not be listed."}
    Collector.objects.update_or_create(cluster=us, defaults=problem)  # the server may have made it already
    changes = {"not written": in_review(author, [ap.routes.get(name="checkout")]), "no data": written(author, ap)}
    shift(eu, (90.0, 10.0), (75.0, 25.0))
    shift(us, (90.0, 10.0), (90.0, 10.0))
    made = changes | {"as approved": written(author, eu), "not as approved": written(author, us)}
    measure(us, 100.0, age=1200)
    return made


def test_goal_07_pages__nothing_in_them__no_violation_in_any_look(
    hers: Page, axe_in_every_look: Callable[[Page], None]
) -> None:
    alone = [name for name, pattern in tour.pages().items() if not pattern.pattern.converters]

    for name in sorted(set(alone) - ALWAYS_THE_SAME):
        hers.goto(reverse(name))
        axe_in_every_look(hers)


def test_goal_07_measured_pages__every_state__no_violation_in_any_look(
    hers: Page, author: User, axe_in_every_look: Callable[[Page], None]
) -> None:
    changes = fill(author)
    states = {
        "/clusters/ap-south/metrics/": "never yet",
        "/clusters/us-east/metrics/": "Pods may not be listed",
        SIGNALS.format("eu-west"): "requests/s",
        SIGNALS.format("us-east"): "No data since",
        SIGNALS.format("ap-south"): "Not measured yet",
        "/services/all/shop/checkout/": "Who gets how much",
        "/clusters/us-east/": "Unreachable since",
        "/clusters/ap-south/": "does not accept the credential",
        "/topology/": "Choose a focus",
        "/topology/?focus=nobody": "No service matches",
        "/topology/?focus=all/shop/web&hops=1": "0 of 2 calls measured",
        "/topology/?focus=eu-west/shop/cart&hops=1": "more than a picture can hold",
        "/topology/?level=clusters": "as of",
        f"/changes/{changes['not written'].number}/signals/": "Guardrails now",
        f"/changes/{changes['no data'].number}/signals/": "Cannot be observed",
        f"/changes/{changes['as approved'].number}/signals/": "Verified",
        f"/changes/{changes['not as approved'].number}/signals/": "Mismatch",
    }

    for path, words in states.items():
        hers.goto(path)
        expect(hers.locator("main")).to_contain_text(words)
        axe_in_every_look(hers)


def test_goal_07_refusals__each_with_its_page__no_violation_in_any_look(
    hers: Page,
    sign_in: Callable[[Page, User], None],
    people: tuple[User, User],
    watch: Watch,
    axe_in_every_look: Callable[[Page], None],
) -> None:
    author, viewer = people
    watch.allow(NOT_FOUND)
    fill(author)

    for path, words in {"/changes/999/": "", "/clusters/?q=nothing": "Clear", "/services/?q=nothing": "Clear"}.items():
        hers.goto(path)
        expect(hers.locator("main")).to_contain_text(words)
        axe_in_every_look(hers)
    hers.goto("/clusters/eu-west/metrics/")
    hers.get_by_label("A Prometheus by its address").check()
    hers.get_by_role("button", name="Keep").click()
    expect(hers.locator("#body")).to_contain_text("This source needs it.")
    axe_in_every_look(hers)
    sign_in(hers, viewer)
    hers.goto("/audit/")
    expect(hers.locator("main")).to_contain_text("audit.read")
    axe_in_every_look(hers)


@pytest.mark.parametrize("path", ["/", "/services/eu-west/shop/checkout/"])
def test_goal_07_late_part__fails__says_so_in_its_place_and_can_be_asked_for_again(
    path: str, hers: Page, author: User, watch: Watch, axe_in_every_look: Callable[[Page], None]
) -> None:
    watch.allow(FAILED)
    fill(author)
    hers.route("**/signals/**", lambda route: route.fulfill(status=503, body=""), times=1)

    hers.goto(path)
    part = hers.locator("main .note", has_text="The server failed to answer.")
    expect(part).to_be_visible()
    expect(hers.locator("[aria-busy=true]")).to_have_count(0)
    axe_in_every_look(hers)
    part.get_by_role("button", name="Try again").click()

    expect(part).to_have_count(0)
    expect(hers.locator("main")).to_contain_text("requests/s")


def test_goal_08_dialogs__opened_by_key__no_violation_and_the_focus_comes_back(
    hers: Page, author: User, axe_in_every_look: Callable[[Page], None]
) -> None:
    fill(author)

    for path, opener, dialog in DIALOGS:
        hers.set_viewport_size(WIDE)
        hers.goto(path)
        expect(hers.locator("html[data-frame=ready]")).to_have_count(1)
        if hers.locator("input[name=item]").count():
            hers.locator("input[name=item]").first.check()
        button = hers.locator(opener).first
        button.focus()
        hers.keyboard.press("Enter")
        expect(hers.locator(dialog).first).to_be_visible()
        expect(hers.locator("dialog :focus, dialog:focus")).to_have_count(1)
        axe_in_every_look(hers)
        hers.set_viewport_size(WIDE)
        hers.keyboard.press("Escape")

        expect(hers.locator("dialog[open]")).to_have_count(0)
        expect(button).to_be_focused()
        assert button.evaluate(IS_SEEN), f"the focus on {opener} of {path} cannot be seen"
