"""Emulated clusters that the product has added, checked and read, and the way of a change over them."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from zeal import zeal_ignore

from clusters.kubeconfig import parse_kubeconfig
from clusters.services import NewCluster, add_cluster, check_cluster
from meshes.models import Route as StoredRoute
from meshes.services import sync_cluster
from meshui.lib.queue import drain
from tests.people import as_actor
from tests.servers import Process
from tests.traffic.factories import make_cluster, make_route
from traffic.models import Change
from traffic.services.apply import start_change
from traffic.services.approve import approve_change, submit_change
from traffic.services.plan import request_plan
from traffic.services.propose import propose_change
from traffic.types import Proposal, Seen, Wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from accounts.models import User
    from clusters.models import Cluster
    from meshes.types import Route
    from playground.cluster import EmulatedCluster


def add(emulated: EmulatedCluster, admin: User, *, environment: str = "staging", writes: bool = True) -> Cluster:
    """`emulated` as a cluster of the product: added, checked, read."""
    parsed = parse_kubeconfig(emulated.admin_kubeconfig().encode())
    new = NewCluster(emulated.name, emulated.name, environment, parsed, writes)
    cluster = add_cluster(actor=as_actor(admin), new=new)
    check_cluster(cluster.pk)
    sync_cluster(cluster.pk)
    cluster.refresh_from_db()
    return cluster


def weighted(route: Route, *percents: float) -> Route:
    """`route` with the weights of its first split rule moved to `percents`."""
    rules = []
    is_done = False
    for rule in route.rules:
        if len(rule.backends) > 1 and not is_done:
            pairs = zip(rule.backends, percents, strict=True)
            rules.append(replace(rule, backends=tuple(replace(b, weight_bp=round(p * 100)) for b, p in pairs)))
            is_done = True
        else:
            rules.append(rule)
    return replace(route, rules=tuple(rules))


@dataclass
class Way:
    """A change on its way, step by step; each step answers the change as it stands then."""

    author: User
    approver: User
    routes: list[StoredRoute]
    change: Change | None = None

    def seen(self) -> Seen:
        """What a page shows now."""
        change = self.now()
        return Seen(change.pk, change.version, change.current_plan.digest if change.current_plan else "")

    def now(self) -> Change:
        """The row as it is."""
        assert self.change is not None
        self.change = Change.objects.select_related("current_plan", "current_revision").get(pk=self.change.pk)
        return self.change

    def propose(self, *percents: float) -> Change:
        """C1."""
        live = self.routes[0].route
        assert live is not None
        desired = weighted(live, *percents)
        others = [weighted(r.route, *percents) for r in self.routes[1:] if r.route]
        targets = tuple(
            Wanted(r.cluster_id, r.mesh_kind, r.pk, own if own != desired else None)
            for r, own in zip(self.routes, [None, *others], strict=True)
        )
        return self.propose_of(desired, *targets)

    def propose_of(self, desired: Route, *targets: Wanted) -> Change:
        """C1, of whatever is wanted where."""
        proposal = Proposal("Shift checkout", "v2 was good at 10 %", desired, targets)
        self.change = propose_change(actor=as_actor(self.author), proposal=proposal)
        return self.now()

    def decided(self) -> Change:
        """Of what is proposed: planned, submitted, approved."""
        self.plan()
        self.submit()
        return self.approve()

    def plan(self) -> Change:
        """C3, C4."""
        request_plan(actor=as_actor(self.author), seen=self.seen())
        drain()
        return self.now()

    def submit(self) -> Change:
        """C5."""
        submit_change(actor=as_actor(self.author), seen=self.seen())
        return self.now()

    def approve(self) -> Change:
        """C6, C7."""
        seen = self.seen()
        approve_change(
            actor=as_actor(self.approver), change_id=seen.change_id, version=seen.version, digest=seen.digest
        )
        return self.now()

    def start(self, *, runs: bool = True) -> Change:
        """C12, and what the worker does then."""
        start_change(actor=as_actor(self.author), seen=self.seen())
        if runs:
            drain()
        return self.now()

    def to_review(self, *percents: float) -> Change:
        """Proposed, planned, submitted."""
        self.propose(*percents)
        self.plan()
        return self.submit()

    def to_approved(self, *percents: float) -> Change:
        """In review and approved."""
        self.to_review(*percents)
        return self.approve()

    def to_halt(self, cluster: EmulatedCluster) -> Change:
        """Approved and started; on `cluster`, not the only one, somebody else writes in the moment of our write."""
        self.to_approved(80, 20)
        cluster.server.faults.call(meddle(cluster, 5, 5), "PATCH")
        return self.start()

    def to_applied(self, *percents: float) -> Change:
        """The whole way."""
        self.to_approved(*percents)
        return self.start()


def worker_of(
    way: Way, environment: dict[str, str], log: Path, crash: str = "", *, starts: bool = False, lease: str = "1"
) -> Process:
    """A worker process for the change of `way`, with short leases; `crash` arms a crash point."""
    env = {**environment, "MESHUI_LEASE_SECONDS": lease, "MESHUI_HEARTBEAT_SECONDS": "0.2", "MESHUI_CRASHPOINT": crash}
    command = [sys.executable, "-m", "tests.traffic.worker_process", str(way.now().pk)]
    return Process([*command, *([str(way.author.pk)] if starts else [])], log=log, env=env)


@pytest.fixture
def work(product_environment: dict[str, str], tmp_path: Path) -> Callable[..., int]:
    """`work(way, "after_send")` runs a worker that is killed there; its exit code (-9). `work(way, "")`: to the end.

    `nth`: at the nth pass of that point; `starts`: the author starts the change first.
    """
    count = 0

    def run(way: Way, hook: str, nth: int = 1, *, starts: bool = False) -> int:
        nonlocal count
        count += 1
        log = tmp_path / f"worker{count}.log"
        return worker_of(way, product_environment, log, f"{hook}:SIGKILL:{nth}" if hook else "", starts=starts).wait(90)

    return run


@pytest.fixture
def way(transactional_db: None, author: User, approver: User, admin: User) -> Iterator[Callable[..., Way]]:
    """`way(cluster, …)`: a way for shop/checkout's route on these emulated clusters, added to the product.

    A way acts again and again on one row, as many requests would: not the N+1 that zeal looks for.
    """

    def make(*clusters: EmulatedCluster, name: str = "checkout", **options: Any) -> Way:
        for cluster in clusters:
            add(cluster, admin, **options)
        return Way(author, approver, list(StoredRoute.objects.filter(name=name).order_by("cluster__slug")))

    with zeal_ignore():
        yield make


@pytest.fixture
def eu() -> Cluster:
    """A stored cluster with shop/checkout, 90/10."""
    cluster = make_cluster()
    make_route(cluster)
    return cluster


def weights(cluster: EmulatedCluster, name: str = "checkout", namespace: str = "shop") -> list[int]:
    """The weights of the last rule, as the API server holds them."""
    body = cluster.get("VirtualService", name, namespace)
    return [entry.get("weight", 0) for entry in body["spec"]["http"][-1]["route"]]


def set_weights(*values: int) -> Callable[[dict[str, Any]], None]:
    """An edit of a VirtualService by another hand: the weights of its last rule."""

    def change(body: dict[str, Any]) -> None:
        for entry, weight in zip(body["spec"]["http"][-1]["route"], values, strict=True):
            entry["weight"] = weight

    return change


def meddle(cluster: EmulatedCluster, *values: int) -> Callable[[object], None]:
    """For a fault: somebody else moves the weights in the very moment of our request."""

    def act(_: object) -> None:
        cluster.edit("VirtualService", "checkout", "shop", set_weights(*values))

    return act
