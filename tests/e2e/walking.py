"""The way of a split through the browser: form, preview, change page, by several people on several meshes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from clusters.kubeconfig import parse_kubeconfig
from clusters.services import NewCluster, add_cluster
from tests.journey import PATIENCE, Journey, read
from tests.people import as_actor

if TYPE_CHECKING:
    from collections.abc import Iterable

    from playwright.sync_api import Locator, Page

    from accounts.models import User
    from clusters.models import Cluster
    from playground.apiserver.jsontypes import Json
    from playground.cluster import EmulatedCluster

REASON = "v2 was good at 10 % for a day. The error rate of checkout tells."
HTTP_ROUTE = "httproutes.gateway.networking.k8s.io"
MANY = 120
"""More presses of Tab than any of these pages has stops."""
IS_SEEN = """element => {
  const shown = element.closest("label, .stp, .in") ?? element;
  const rings = [element, shown].map(each => getComputedStyle(each));
  const hasRing = rings.some(style => style.outlineStyle !== "none" || style.boxShadow !== "none");
  const box = element.getBoundingClientRect();
  const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
  return hasRing && shown.contains(top);
}"""
"""Whether the focus has a ring, and nothing, such as the bar on top, lies over it."""


def add(emulated: EmulatedCluster, admin: User, *, environment: str = "staging") -> Cluster:
    """`emulated` as a cluster of the product: added, checked, read."""
    parsed = parse_kubeconfig(emulated.admin_kubeconfig().encode())
    new = NewCluster(emulated.name, emulated.name, environment, parsed, writes=True)
    return read(add_cluster(actor=as_actor(admin), new=new))


def without(objects: Iterable[Json], *names: tuple[str, str]) -> list[Json]:
    """`objects` without those of (kind, name)."""
    return [each for each in objects if (each["kind"], each["metadata"]["name"]) not in names]


def rules_of(cluster: EmulatedCluster, name: str) -> list[Json]:
    """The rules of the route of shop/`name`, read past MeshUI: of an HTTPRoute, else of a VirtualService."""
    if cluster.name == "ap-south":
        found: list[Json] = cluster.get(HTTP_ROUTE, name, "shop")["spec"]["rules"]
        return found
    return list(cluster.get("VirtualService", name, "shop")["spec"]["http"])


def shares_of(cluster: EmulatedCluster, name: str) -> list[int]:
    """The weights of the last rule of the route of shop/`name`, read past MeshUI."""
    rule = rules_of(cluster, name)[-1]
    return [entry.get("weight", 0) for entry in rule.get("backendRefs") or rule["route"]]


def names_in(cluster: EmulatedCluster) -> dict[str, set[str]]:
    """All objects of the shop that decide about requests, by kind."""
    kinds = ("Service", HTTP_ROUTE) if cluster.name == "ap-south" else ("Service", "VirtualService", "DestinationRule")
    return {kind: {str(each["metadata"]["name"]) for each in cluster.list(kind, "shop")} for kind in kinds}


def made_since(cluster: EmulatedCluster, before: dict[str, set[str]]) -> list[str]:
    """The kinds of the objects that are there since `names_in` said `before`."""
    now = names_in(cluster)
    found = [kind for kind, names in now.items() for _ in names - before[kind]]
    return sorted("HTTPRoute" if kind == HTTP_ROUTE else kind for kind in found)


def stand_in_order(text: str, *parts: str) -> bool:
    """Whether all `parts` stand in `text`, in this order."""
    places = [text.find(part) for part in parts]
    return -1 not in places and places == sorted(places)


def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until `wanted` has the focus, as who has no mouse does."""
    expect(wanted).to_be_visible(timeout=PATIENCE)
    handle = wanted.element_handle()
    for _ in range(MANY):
        if handle.evaluate("element => element === document.activeElement"):
            assert handle.evaluate(IS_SEEN), f"the focus on {wanted} cannot be seen"
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not reach {wanted}")


@dataclass
class Walk(Journey):
    """Author and approver before the split form and the page of the change; `second` approves too."""

    second: Page = field(kw_only=True)

    def open_split(self, service: str, query: str = "") -> Page:
        """The author before the form."""
        self.author.goto(f"/services/all/shop/{service}/split/{query}")
        return self.author

    def tick_all(self, count: int = 2) -> None:
        """Choose every place that may be chosen: so many."""
        boxes = self.author.locator("input[name=route]:not([disabled])")
        expect(boxes).to_have_count(count)
        for box in boxes.all():
            box.check()

    def share(self, of: str, percent: str) -> None:
        """Give a backend its share."""
        entry = self.author.locator(f".bk[data-name='{of}'] .stp input").last
        entry.fill(percent)
        entry.press("Tab")

    def preview(self, *words: str) -> str:
        """Press Preview; what the card says once it says `words`."""
        self.author.get_by_role("button", name="Preview", exact=True).last.click()
        for each in words:
            expect(self.author.locator("#preview")).to_contain_text(each, timeout=PATIENCE)
        return str(self.author.locator("#preview").inner_text())

    def propose_it(self, title: str) -> None:
        """Propose it; the page of the change."""
        page = self.author
        page.locator("[name=title]").fill(title)
        page.locator("[name=reason]").fill(REASON)
        page.get_by_role("button", name="Propose", exact=True).click()
        self.arrived()

    def arrived(self) -> None:
        """On the page of the change, which is ours from now on."""
        self.author.wait_for_url(re.compile(r"/changes/\d+/$"))
        self.number = int(self.author.url.rstrip("/").rpartition("/")[2])

    def ask(self) -> None:
        """Approval is asked for, once it is planned without an error."""
        expect(self.author.locator(".head .pill")).not_to_contain_text("Planning", timeout=PATIENCE)
        assert "The plan has errors" not in self.text(), self.text()
        self.author.get_by_role("button", name="Ask for approval").click(timeout=PATIENCE)
        self.shows(self.author, "Waiting for approval")

    def carry_out(self, title: str) -> None:
        """From the form to the end: proposed, approved by somebody else, started, applied."""
        self.propose_it(title)
        self.ask()
        self.approve()
        self.press(self.author, "Start")
        self.shows(self.author, "Applied")

    def text(self) -> str:
        """What the author's page says."""
        return str(self.author.locator("main").inner_text())
