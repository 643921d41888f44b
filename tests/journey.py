"""The way of a weight through the browser, on whatever clusters it is given: emulated or real ones."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from playwright.sync_api import Error, expect

from audit.ledger import verify_chain
from clusters.kubeconfig import parse_kubeconfig
from clusters.services import NewCluster, add_cluster, check_cluster
from meshes.services import sync_cluster
from tests.people import as_actor
from tests.servers import wait_until
from traffic.models import Change
from traffic.types import State

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from playwright.sync_api import Page

    from accounts.models import User
    from clusters.models import Cluster
    from tests.servers import Process

PATIENCE = 60_000
SERVER_IS_DEAD = (
    r"net::ERR_(CONNECTION_|INCOMPLETE_CHUNKED|EMPTY_RESPONSE|SOCKET_NOT_CONNECTED|CONTENT_LENGTH)"
    r"|htmx:error: (Failed to fetch|network error)"
)
"""What a page that follows a change says in its console once the server was killed."""
QUICK = {"MESHUI_SWEEP_SECONDS": "0.2", "MESHUI_LEASE_SECONDS": "1", "MESHUI_HEARTBEAT_SECONDS": "0.2"}


class AnyCluster(Protocol):
    """What emulated and real clusters have in common."""

    @property
    def name(self) -> str: ...

    def admin_kubeconfig(self) -> str: ...
    def get(self, kind: str, name: str, namespace: str = "") -> dict[str, Any]: ...
    def edit(
        self, kind: str, name: str, namespace: str, change: Callable[[dict[str, Any]], None]
    ) -> dict[str, Any]: ...


def checkout(cluster: AnyCluster) -> dict[str, Any]:
    """shop/checkout as the API server holds it, read past MeshUI."""
    return cluster.get("VirtualService", "checkout", "shop")


def weights(cluster: AnyCluster) -> list[int]:
    """The weights of its last rule."""
    return [entry.get("weight", 0) for entry in checkout(cluster)["spec"]["http"][-1]["route"]]


def set_weights(*values: int) -> Callable[[dict[str, Any]], None]:
    """A foreign hand that sets them."""

    def change(body: dict[str, Any]) -> None:
        for entry, weight in zip(body["spec"]["http"][-1]["route"], values, strict=True):
            entry["weight"] = weight

    return change


def wait_for_weights(cluster: AnyCluster, wanted: list[int]) -> None:
    """Wait until the API server holds them."""
    wait_until(lambda: weights(cluster) == wanted, seconds=PATIENCE / 1000)


def without_what_is_ours(body: dict[str, Any]) -> dict[str, Any]:
    """Everything a write of weights must leave alone: spec without weights, labels, foreign annotations."""
    metadata = body["metadata"]
    annotations = {k: v for k, v in (metadata.get("annotations") or {}).items() if not k.startswith("meshui.io/")}
    rules = [
        {**rule, "route": [{k: v for k, v in entry.items() if k != "weight"} for entry in rule.get("route", [])]}
        for rule in body["spec"]["http"]
    ]
    kept = {key: metadata.get(key) for key in ("uid", "name", "namespace", "labels", "ownerReferences", "finalizers")}
    return {"metadata": kept, "annotations": annotations, "spec": {**body["spec"], "http": rules}}


def managers(body: dict[str, Any]) -> set[str]:
    """Who wrote it, as the server says."""
    return {entry["manager"] for entry in body["metadata"].get("managedFields", [])}


def add_by_verb(cluster: AnyCluster, admin: User) -> Cluster:
    """Add, check and read it without the browser."""
    parsed = parse_kubeconfig(cluster.admin_kubeconfig().encode())
    row = add_cluster(actor=as_actor(admin), new=NewCluster(cluster.name, cluster.name, "staging", parsed, writes=True))
    return read(row)


def read(row: Cluster) -> Cluster:
    """Check and read it, whoever does: where a server runs beside the test, it may have begun already."""

    def is_known() -> bool:
        row.refresh_from_db()
        return row.last_synced_at is not None and row.last_seen_at is not None

    check_cluster(row.pk)
    sync_cluster(row.pk)
    wait_until(is_known, seconds=60, what=f"{row.slug} to be read")
    return row


def add_in_browser(page: Page, cluster: AnyCluster) -> None:
    """A Cluster admin pastes a kubeconfig and lets it write too."""
    page.goto("/clusters/add/")
    page.locator("[name=name]").fill(cluster.name.title())
    page.locator("[name=slug]").fill(cluster.name)
    page.locator("[name=environment]").fill("staging")
    page.locator("textarea").first.fill(cluster.admin_kubeconfig())
    page.locator("[name=writes]").check()
    page.locator("main form button.pri").click()
    page.wait_for_url(f"**/clusters/{cluster.name}/", timeout=PATIENCE)


@dataclass
class Journey:
    """Two people and their browsers."""

    author: Page
    approver: Page
    number: int = 0

    def change(self) -> Change:
        """The row, as it is now."""
        return Change.objects.select_related("current_plan").get(number=self.number)

    def propose(self, share: str, *, service: str = "checkout", backend: int = 1) -> None:
        """The author gives a backend (v2) its share wherever it is offered, and asks for approval of the plan."""
        page = self.author
        page.goto(f"/services/all/shop/{service}/split/")
        field = page.locator(f"input[name$='weight-{backend}']").last
        field.fill(share)
        field.press("Tab")
        for chip in page.locator("input[name=route]:not([disabled])").all():
            chip.check()
        page.locator("[name=title]").fill(f"Shift {service}")
        page.locator("[name=reason]").fill("v2 was good at 10 % for a day.")
        page.get_by_role("button", name="Propose").click()
        page.wait_for_url(re.compile(r"/changes/\d+/$"))
        self.number = int(page.url.rstrip("/").rpartition("/")[2])
        page.get_by_role("button", name="Ask for approval").click(timeout=PATIENCE)
        self.shows(page, "Waiting for approval")

    def approve(self) -> None:
        """The approver reads the page and approves the plan it shows."""
        page = self.approver
        page.goto(f"/changes/{self.number}/")
        page.get_by_role("button", name="Approve").click()
        self.shows(page, "Approved")

    def press(self, page: Page, verb: str) -> None:
        """Open the change anew and press `verb`."""
        page.goto(f"/changes/{self.number}/")
        page.get_by_role("button", name=verb, exact=True).click()

    def roll_back(self, page: Page) -> None:
        """Open the change anew, press the verb that asks first, and say yes."""
        self.press(page, "Roll back…")
        page.locator("#ask-roll-back").get_by_role("button", name="Roll back", exact=True).click()

    def shows(self, page: Page, words: str) -> None:
        """Wait until the change's head says so."""
        expect(page.locator(".head .pill")).to_contain_text(words, timeout=PATIENCE)

    def waits_for(self, state: str) -> Change:
        """Wait until the row says so; it."""
        wait_until(lambda: self.change().state == state, seconds=PATIENCE / 1000)
        return self.change()


def check_two_people_move_weights(journey: Journey, pair: Sequence[AnyCluster]) -> None:
    """Proposed, approved by somebody else, started, applied on every cluster; then rolled back to what was found."""
    before = [checkout(cluster) for cluster in pair]

    journey.propose("25")
    journey.approve()
    journey.press(journey.author, "Start")
    journey.shows(journey.author, "Applied")

    for cluster, was in zip(pair, before, strict=True):
        now = checkout(cluster)
        assert weights(cluster) == [75, 25]
        assert without_what_is_ours(now) == without_what_is_ours(was)
        assert now["metadata"]["generation"] == was["metadata"]["generation"] + 1
        assert "meshui" in managers(now)
    assert verify_chain().is_intact

    journey.roll_back(journey.author)
    for cluster in pair:
        wait_for_weights(cluster, [90, 10])
    assert verify_chain().is_intact


def check_foreign_edit_is_never_overwritten(journey: Journey, pair: Sequence[AnyCluster]) -> None:
    """Somebody edits one cluster between approval and start: refused, shown three ways, nothing written anywhere."""
    journey.propose("25")
    journey.approve()
    generations = [checkout(cluster)["metadata"]["generation"] for cluster in pair]
    pair[0].edit("VirtualService", "checkout", "shop", set_weights(60, 40))

    journey.press(journey.author, "Start")
    journey.shows(journey.author, "Waiting for approval")

    assert [weights(cluster) for cluster in pair] == [[60, 40], [90, 10]]
    assert checkout(pair[1])["metadata"]["generation"] == generations[1]
    assert checkout(pair[0])["metadata"]["generation"] == generations[0] + 1
    expect(journey.author.get_by_text("Somebody else changed").first).to_be_visible(timeout=PATIENCE)
    words = journey.author.locator("main").inner_text()
    assert all(share in words for share in ("90", "60", "75"))


def leave(page: Page) -> None:
    """To an empty page, from one whose server died: what it still waited for may break off the way there, and again."""

    def is_empty() -> bool:
        with suppress(Error):
            page.goto("about:blank")
            return bool(page.evaluate("location.href") == "about:blank")
        return False

    wait_until(is_empty, what="an empty page")


def check_killed_worker_writes_once(
    journey: Journey, pair: Sequence[AnyCluster], victim: Process, restart: Callable[[], object]
) -> None:
    """The process dies by SIGKILL in the middle of the first write; the next one ends every target, once."""
    generations = [checkout(cluster)["metadata"]["generation"] for cluster in pair]
    journey.propose("25")
    journey.approve()
    journey.press(journey.author, "Start")
    assert victim.wait(60) == -9
    for page in (journey.author, journey.approver):
        leave(page)

    restart()
    change = journey.waits_for(State.APPLIED)

    assert change.has_writes
    for cluster, generation in zip(pair, generations, strict=True):
        assert weights(cluster) == [75, 25]
        assert checkout(cluster)["metadata"]["generation"] == generation + 1
    assert verify_chain().is_intact
