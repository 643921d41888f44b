"""The first ten minutes: from nothing to a reviewed change, by what each page says is next, on any cluster."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests import journey as way

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.e2e.conftest import Site

WORD = "correct horse battery staple"
LINK = re.compile(r"https?://\S+/first-administrator/\S+")


def walk(site: Site, new_page: Callable[..., Page], cluster: way.AnyCluster) -> None:
    """Nobody knows MeshUI; `cluster` holds shop/checkout at 90/10. Ends at 75/25, reviewed, applied and told."""
    (link,) = LINK.findall(site.process.output())
    people = begin(new_page(), link, cluster)
    author, approver = (come(new_page(), name, link) for name, link in people.items())
    follow(author, "Choose a service")
    author.locator("#table td b a[href$='/shop/checkout/']").click()
    author.get_by_role("link", name="Propose a split").click()
    number = propose(author)

    follow(approver, f"Review #{number}")
    approver.get_by_role("button", name="Approve", exact=True).click()
    expect(approver.locator(".head .pill")).to_contain_text("Approved", timeout=way.PATIENCE)
    follow(author, f"Open #{number} to start it")
    author.get_by_role("button", name="Start", exact=True).click()
    expect(author.locator(".head .pill")).to_contain_text("Applied", timeout=way.PATIENCE)

    way.wait_for_weights(cluster, [75, 25])
    author.goto("/")
    expect(author.get_by_role("heading", name="First steps")).to_have_count(0)
    expect(author.locator("#fleet-activity")).to_contain_text("applied it to every target")


def begin(page: Page, link: str, cluster: way.AnyCluster) -> dict[str, str]:
    """The administrator's part: a cluster, and an author and an approver; by name the links that they are sent."""
    page.goto(link)
    page.locator("[name=username]").fill("admin")
    page.locator("[name=display_name]").fill("Ada Admin")
    set_password(page)
    page.wait_for_url(lambda url: "/first-administrator/" not in url)
    follow(page, "Register a cluster")
    fill_cluster(page, cluster)
    wait_for_step(page, "Propose a split")
    follow(page, "Invite people")
    first = invite(page, "otto", "Otto Author", "Author", "Executor")
    page.goto("/access/")
    return {"otto": first, "ina": invite(page, "ina", "Ina Approver", "Approver")}


def come(page: Page, username: str, link: str) -> Page:
    """Somebody who was invited."""
    page.goto(link)
    set_password(page)
    page.locator("input[name=login]").fill(username)
    set_password(page)
    expect(page.get_by_role("heading", name="Fleet", exact=True)).to_be_visible(timeout=way.PATIENCE)
    return page


def follow(page: Page, action: str) -> None:
    """Press what the fleet says is next."""
    page.goto("/")
    step = page.locator("#fleet-counts a.pri")
    expect(step).to_have_text(action, timeout=way.PATIENCE)
    step.click()


def wait_for_step(page: Page, label: str) -> None:
    """Until the fleet says so by itself: it follows what happens."""
    page.goto("/")
    expect(page.locator("#fleet-counts [aria-current=step]")).to_contain_text(label, timeout=way.PATIENCE)


def fill_cluster(page: Page, cluster: way.AnyCluster) -> None:
    """The form that the step led to."""
    expect(page).to_have_url(re.compile(r"/clusters/add/$"))
    for name, value in (("name", "First"), ("slug", cluster.name), ("environment", "staging")):
        page.locator(f"main [name={name}]").fill(value)
    page.locator("main textarea").first.fill(cluster.admin_kubeconfig())
    page.locator("main [name=writes]").check()
    page.locator("main form button.pri").click()
    page.wait_for_url(f"**/clusters/{cluster.name}/", timeout=way.PATIENCE)


def invite(page: Page, username: str, name: str, *roles: str) -> str:
    """On the page of access; the link to send."""
    page.locator("main [name=username]").fill(username)
    page.locator("main [name=display_name]").fill(name)
    for role in roles:
        page.locator("main").get_by_label(role, exact=True).check()
    page.get_by_role("button", name="Invite", exact=True).click()
    return page.locator(".note.ok code").inner_text()


def set_password(page: Page) -> None:
    """Or say it."""
    page.locator("[name=password]").fill(WORD)
    page.locator("form button.pri").click()


def propose(page: Page) -> int:
    """A quarter for v2, and somebody asked to look; the number of the change."""
    page.wait_for_url("**/split/**")  # and until its scripts hear what is typed
    share = page.locator(".bk[data-name='v2'] .stp input").last
    share.fill("25")
    share.press("Tab")
    page.locator("[name=title]").fill("Shift checkout to v2")
    page.locator("[name=reason]").fill("v2 was good at 10 % for a day.")
    page.get_by_role("button", name="Propose", exact=True).click()
    page.wait_for_url(re.compile(r"/changes/\d+/$"))
    page.get_by_role("button", name="Ask for approval").click(timeout=way.PATIENCE)
    expect(page.locator(".head .pill")).to_contain_text("Waiting for approval", timeout=way.PATIENCE)
    return int(page.url.rstrip("/").rpartition("/")[2])
