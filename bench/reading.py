"""P1 to P4: what reading a cluster costs, beside who does nothing but read it.

Ours is the product's own reading of a cluster, from the claim to the last commit: of every kind it lists, of which one
has any objects. After the clock has stopped the inventory is held against what the server has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from bench.objects import KINDS, name_of, namespace_of, weight_of
from bench.peers import NO_KUBECTL, Peers
from bench.people import database_version, registered
from bench.places import Loopback
from bench.rounds import Contender, Goal, Row, take_turns
from clusters.clients import Resource
from clusters.connect import reader_for
from clusters.models import Cluster
from meshes.models import Namespace, Route, Service, Sync, Workload
from meshes.services import stocks, sync_cluster
from meshui.lib.clock import db_now

if TYPE_CHECKING:
    from pathlib import Path

    from bench.rounds import Asked, Report

CHURN: Final = 0.01
N: Final = 10_000
KIND: Final = "virtualservices"
PODS: Final = "deployments"
GOALS: Final = {
    "P1": Goal("wall", 1.0, 2.0),
    "P2": Goal("wall", 1.3),
    "P3": Goal("wall", 0.5),
    "P4": Goal("cpu", 0.02),
}
WORDS: Final = {
    "P1": "re-sync of {n} {kind}, nothing changed",
    "P2": "re-sync of {n} {kind}, 1 % changed",
    "P3": "first sync of {n} {kind}, empty inventory",
    "P4": "pods of {n} {kind} into rows",
}
NO_PODS: Final = "MeshUI keeps no rows of pods: Deployments of the same size, whose template is one, stand for them"


class Inventory:
    """One cluster, read by the product."""

    def __init__(self, server: Loopback, plural: str, count: int) -> None:
        self._server, self._plural, self._count = server, plural, count
        self._cluster = registered(server.kubeconfig)
        self._moved: dict[int, int] = {}

    def due(self) -> None:
        """The cluster is due at once."""
        Cluster.objects.filter(pk=self._cluster.pk).update(next_sync_at=db_now())

    def empty(self) -> None:
        """Nothing is known of it: no row, and nothing in memory."""
        for model in (Route, Service, Workload, Namespace, Sync):
            model._default_manager.filter(cluster=self._cluster).delete()  # noqa: SLF001 - Django's documented way
        stocks.drop_all()
        self.due()

    def churned(self) -> None:
        """The server has changed 1 %."""
        self._moved |= self._server.churn(CHURN)
        self.due()

    def read(self) -> None:
        """As the worker does when the bell rings. Raises SystemExit."""
        if not sync_cluster(self._cluster.pk) or Sync.objects.exclude(error="").exists():
            raise SystemExit("The cluster could not be read.")

    def thin(self) -> Contender:
        """The product's list of the kind and no row: of workloads what a row needs, else whole objects."""
        kind = KINDS[self._plural]
        resource = Resource(kind.group, "v1", kind.plural, kind.name)

        def act() -> None:
            found = sum(len(page.items) for page in reader_for(self._cluster).list_pages(resource))
            if found != self._count:
                raise SystemExit(f"The list has {found} of {self._count} objects.")

        return Contender("MeshUI, list without rows", act, count=self._server.wire)

    def check(self) -> None:
        """The rows are those of the server, in its version, with what it changed. Raises SystemExit."""
        kind, rows = KINDS[self._plural], self._rows()
        name = f"{kind.plural}.{kind.group}" if kind.group == "networking.istio.io" else kind.plural
        told, there = Sync.objects.get(resource=name).resource_version, self._server.version()
        if len(rows) != self._count or told != there:
            raise SystemExit(f"The inventory has {len(rows)} of {self._count} objects, version {told} of {there}.")
        for number, moved in self._moved.items():
            if rows[namespace_of(number), name_of(number)] != weight_of(number, moved):
                raise SystemExit(f"The inventory has missed what changed of {name_of(number)}.")

    def _rows(self) -> dict[tuple[str, str], int]:
        """Namespace and name → what the server changes of an object."""
        if self._plural == "services":
            services = Service.objects.filter(gone_at=None).values_list("namespace", "name", "ports")
            return {(space, name): ports[0]["port"] - 8000 for space, name, ports in services}
        if self._plural == "deployments":
            workloads = Workload.objects.filter(gone_at=None).values_list("namespace", "name", "replicas")
            return {(space, name): replicas - 1 for space, name, replicas in workloads}
        routes = Route.objects.filter(gone_at=None).values_list("namespace", "name", "body")
        return {(space, name): body["spec"]["http"][1]["route"][1]["weight"] for space, name, body in routes}


def measure(asked: Asked, report: Report, folder: Path) -> None:
    """Measure one of P1 to P4 and tell of it."""
    count, plural = asked.n or N, asked.kind or (PODS if asked.row == "P4" else KIND)
    facts = {"n": count, "kind": plural, "server": asked.server, "db": database_version(), "seed": asked.seed}
    what = WORDS[asked.row].format(n=count, kind=plural)
    row = Row(asked.row, what, facts | ({"note": NO_PODS} if asked.row == "P4" else {}))
    with Loopback(plural, count, asked.seed) as server:
        inventory, peers = (
            Inventory(server, plural, count),
            Peers(server.kubeconfig, KINDS[plural], folder, server.wire),
        )
        prepare = {"P1": inventory.due, "P2": inventory.churned}.get(asked.row, inventory.empty)
        ours = Contender("MeshUI", inventory.read, "", prepare, inventory.check, server.wire)
        pairs = _pairs(row, ours, inventory.thin(), peers, report)
        rounds = take_turns(list(dict.fromkeys(each for *pair, _ in pairs for each in pair)), asked.rounds)
    for mine, peer, goal in pairs:
        report.compare(row, rounds, mine, peer, goal)


def _pairs(
    row: Row, ours: Contender, thin: Contender, peers: Peers, report: Report
) -> list[tuple[Contender, Contender, Goal]]:
    """Who stands beside whom: the peer of the goal first, then what tells more of it, which is not judged."""
    goal = GOALS[row.name]
    told = Goal(goal.figure)
    if row.name == "P4":
        official = peers.official()
        return [(ours, official, goal), (thin, official, told)]
    stands_in = peers.plain_json() if row.name == "P3" else peers.plain_get()
    if peers.kubectl is None:
        report.skip(row, "kubectl", NO_KUBECTL)
        return [(ours, stands_in, told)]
    return [(ours, peers.kubectl_json() if row.name == "P3" else peers.kubectl_raw(), goal), (ours, stands_in, told)]
