"""Graphs of services around a focus, of meshes, of clusters: never of everything, only of what the reader sees."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from django.db.models import Count
from django.urls import reverse
from django.utils.translation import gettext, ngettext

from clusters.models import Cluster
from meshes.selectors import mesh_rows
from meshui.ui import charts, wording
from meshui.ui.graphs import Box, Edge, Graph, Node, Tone
from meshui.ui.statuses import status_of
from traffic.calls import EVERYWHERE, Call, ServiceKey, gathered, known_calls, no_crossings

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from django.db.models import QuerySet

    from meshes.models import Service
    from meshes.selectors.meshes import MeshRow
    from traffic.calls import CallsOf, CrossingsOf
    from traffic.sight import Sight

HOPS: Final = (1, 2, 3)
MOST_MATCHES: Final = 20
MOST_LISTED: Final = 151
"""Of meshes or clusters: one more than can be drawn, so that it is known that there are too many."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A service on the other end of a call of the focus."""

    node: Node
    call: Edge


@dataclass(frozen=True, slots=True)
class Topology:
    """A graph and what stands beside it. `clusters`: whose services are in it. `calls`, `callers`: of the focus.

    `hidden`: how many backends routes name that are not among the services that the reader sees.
    """

    graph: Graph
    clusters: tuple[Cluster, ...] = ()
    calls: tuple[Neighbour, ...] = ()
    callers: tuple[Neighbour, ...] = ()
    hidden: int = 0

    @property
    def measured(self) -> int:
        """How many edges have a rate."""
        return sum(edge.rate is not None for edge in self.graph.edges)


# --- services -------------------------------------------------------------------------------------------------------


def find_services(sight: Sight, scope: str, namespace: str, name: str) -> list[ServiceKey]:
    """The service in one cluster, or in `all` of them; empty: there is none that the reader sees. One query."""
    rows = sight.services().filter(namespace=namespace, name=name)
    if scope != EVERYWHERE:
        rows = rows.filter(cluster__slug=scope)
    return [
        ServiceKey(*row) for row in rows.order_by("cluster__slug").values_list("cluster__slug", "namespace", "name")
    ]


def match_services(sight: Sight, text: str) -> list[ServiceKey]:
    """Services by what somebody typed, `checkout` or `shop/check`: of that very name, else whose name holds it.

    At most 20 names, each in `all` clusters. One or two queries.
    """
    namespace, slash, name = text.strip().rpartition("/")
    rows = sight.services().filter(namespace=namespace) if slash else sight.services()
    return _names(rows.filter(name=name)) or _names(rows.filter(name__icontains=name))


def _names(rows: QuerySet[Service]) -> list[ServiceKey]:
    found = rows.order_by("name", "namespace").values_list("namespace", "name").distinct()
    return [ServiceKey(EVERYWHERE, *row) for row in found[:MOST_MATCHES]]


def split_services(sight: Sight) -> list[ServiceKey]:
    """Services that are split now, to begin with: at most 20. One query."""
    rows = sight.routes().filter(is_split=True).exclude(root_service="")
    found = rows.order_by("root_service", "root_namespace").values_list("root_namespace", "root_service").distinct()
    return [ServiceKey(EVERYWHERE, *row) for row in found[:MOST_MATCHES]]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is wanted around a focus. `by` namespace: a node for each of those; `kept`: what links to it take along."""

    hops: int = 2
    by: str = ""
    kept: Mapping[str, str] = field(default_factory=dict)


def around(sight: Sight, starts: Collection[ServiceKey], asked: Asked, *, calls_of: CallsOf = known_calls) -> Topology:
    """The services within some calls of `starts`, in either direction.

    Three queries, and two more for each hop that reaches clusters which were not seen before.
    """
    walk = _Walk(sight, calls_of)
    walk.go(starts, asked.hops)
    slugs = {key.cluster for key in walk.reached}  # whoever sees a service is told how old its cluster's reading is
    clusters = tuple(Cluster.objects.filter(slug__in=slugs).order_by("slug"))
    graph = _by_namespace(walk, starts) if asked.by == "namespace" else _by_service(walk, starts, asked.kept)
    nodes = {node.key: node for node in graph.nodes}
    focus = {node.key for node in graph.nodes if node.is_focus}
    return Topology(
        graph=graph,
        clusters=clusters,
        calls=_worst(Neighbour(nodes[edge.head], edge) for edge in graph.edges if edge.tail in focus),
        callers=_worst(Neighbour(nodes[edge.tail], edge) for edge in graph.edges if edge.head in focus),
        hidden=walk.hidden,
    )


def narrowed(found: Topology, only: str) -> Topology:
    """With the calls that are wanted alone: `errors` more than usual, or `traffic`, without those known to be idle.

    What is left without a call goes, but for the focus. A call without data has no errors that are known, and is not
    idle either.
    """
    wanted = {"errors": lambda edge: edge.tone in {"warn", "crit"}, "traffic": lambda edge: not edge.is_idle}.get(only)
    if wanted is None:
        return found
    graph = found.graph
    edges = tuple(edge for edge in graph.edges if wanted(edge))
    used = {end for edge in edges for end in (edge.tail, edge.head)}
    nodes = tuple(node for node in graph.nodes if node.is_focus or node.key in used)
    boxes = tuple(box for box in graph.boxes if any(node.box == box.key for node in nodes))
    return replace(
        found,
        graph=Graph(nodes, edges, boxes),
        calls=tuple(each for each in found.calls if wanted(each.call)),
        callers=tuple(each for each in found.callers if wanted(each.call)),
    )


class _Walk:
    """From service to service, along calls whose ends the reader sees both."""

    def __init__(self, sight: Sight, calls_of: CallsOf) -> None:
        self._sight, self._calls_of = sight, calls_of
        self._asked: set[str] = set()
        self._seen: set[ServiceKey] = set()
        self._calls: dict[tuple[ServiceKey, ServiceKey], Call] = {}
        self._named: set[ServiceKey] = set()
        self.reached: set[ServiceKey] = set()

    def go(self, starts: Collection[ServiceKey], hops: int) -> None:
        """Reach what is within `hops` calls."""
        frontier = set(starts)
        for _ in range(hops):
            self.reached |= frontier
            self._learn({key.cluster for key in frontier})
            near = {end for ends in self._calls if not frontier.isdisjoint(ends) for end in ends}
            frontier = (near & self._seen) - self.reached
        self.reached |= frontier
        self._learn({key.cluster for key in frontier})

    def _learn(self, clusters: set[str]) -> None:
        """The services and the calls of clusters that were not asked yet."""
        new = clusters - self._asked
        if not new:
            return
        self._asked |= new
        known = {(call.caller, call.callee): call for call in self._calls_of(self._sight, sorted(new))}
        self._calls |= known
        places = {key.cluster for ends in known for key in ends} | new
        rows = self._sight.services().filter(cluster__slug__in=places).order_by()
        self._seen |= {ServiceKey(*row) for row in rows.values_list("cluster__slug", "namespace", "name")}

    @property
    def calls(self) -> list[Call]:
        """Between what was reached; not of a service with itself, which is a split of its own versions."""
        inside = [call for ends, call in self._calls.items() if self.reached.issuperset(ends)]
        return sorted((call for call in inside if call.caller != call.callee), key=lambda c: (c.caller, c.callee))

    @property
    def hidden(self) -> int:
        """Callees of what was reached that are not among what the reader sees."""
        return len({callee for caller, callee in self._calls if caller in self.reached and callee not in self._seen})


def _by_service(walk: _Walk, starts: Collection[ServiceKey], kept: Mapping[str, str]) -> Graph:
    rates = _rates(walk.calls)
    nodes = [
        Node(
            key=key.text,
            label=key.name,
            note=f"{key.namespace} · {charts.rate_text(rates.get(key))}",
            url=focus_url(key, kept),
            box=key.cluster,
            is_focus=key in starts,
        )
        for key in sorted(walk.reached)
    ]
    edges = [_edge(call, call.caller.text, call.callee.text) for call in walk.calls]
    return Graph(tuple(nodes), tuple(edges), _boxes(walk.reached))


def _by_namespace(walk: _Walk, starts: Collection[ServiceKey]) -> Graph:
    counts: dict[ServiceKey, int] = defaultdict(int)
    for key in walk.reached:
        counts[_space(key)] += 1
    nodes = [
        Node(
            key=key.text,
            label=key.namespace,
            note=ngettext("%(n)d service", "%(n)d services", count) % {"n": count},
            url=f"{reverse('meshes:service-list')}?{urlencode({'namespace': key.namespace, 'cluster': key.cluster})}",
            box=key.cluster,
            is_focus=any(_space(start) == key for start in starts),
        )
        for key, count in sorted(counts.items())
    ]
    edges = [
        _edge(call, call.caller.text, call.callee.text)
        for call in gathered(walk.calls, _space)
        if call.caller != call.callee
    ]
    return Graph(tuple(nodes), tuple(edges), _boxes(walk.reached))


def _space(key: ServiceKey) -> ServiceKey:
    return replace(key, name="")


def _place(key: ServiceKey) -> ServiceKey:
    return ServiceKey(key.cluster, "", "")


def _rates(calls: Iterable[Call]) -> dict[ServiceKey, float]:
    """Requests/s that reach each service, where any of it is known."""
    rates: dict[ServiceKey, float] = defaultdict(float)
    for call in calls:
        if call.rate is not None:
            rates[call.callee] += call.rate
    return rates


def _edge(call: Call, tail: str, head: str) -> Edge:
    return Edge(tail, head, call.rate, call.error_share, call.is_plaintext, _how(call))


def _how(call: Call) -> str:
    if call.weight_bp is not None:
        return gettext("%(share)s by its route") % {"share": wording.percent(call.weight_bp)}
    return gettext("by its route, in shares that differ by rule") if call.by_route else gettext("measured")


def _boxes(keys: Iterable[ServiceKey]) -> tuple[Box, ...]:
    return tuple(Box(slug, slug) for slug in sorted({key.cluster for key in keys}))


def _worst(found: Iterable[Neighbour]) -> tuple[Neighbour, ...]:
    """By the share of errors, then by rate; what has no data last."""
    return tuple(sorted(found, key=lambda n: (-(n.call.errors or 0), -(n.call.rate or 0), n.node.label, n.node.key)))


def focus_url(key: ServiceKey, kept: Mapping[str, str]) -> str:
    """The topology around a service, with the rest of the query as it is."""
    return f"{reverse('traffic:topology')}?{urlencode({'focus': key.text, **kept})}"


# --- meshes and clusters --------------------------------------------------------------------------------------------


def of_clusters(sight: Sight, *, crossings_of: CrossingsOf = no_crossings) -> Topology:
    """A node for each cluster, a box for each environment. Three queries."""
    rows = tuple(sight.clusters().order_by("slug")[:MOST_LISTED])
    services = dict(sight.services().order_by().values_list("cluster_id").annotate(n=Count("pk")))
    meshes = dict(sight.meshes().order_by().values_list("cluster_id").annotate(n=Count("pk")))
    nodes = [_cluster_node(row, services.get(row.pk, 0), meshes.get(row.pk, 0)) for row in rows]
    there = {row.slug for row in rows}
    between = [call for call in gathered(crossings_of(sight), _place) if call.caller != call.callee]
    edges = [
        Edge(call.caller.cluster, call.callee.cluster, call.rate, call.error_share, call.is_plaintext, _how(call))
        for call in between
        if there.issuperset({call.caller.cluster, call.callee.cluster})
    ]
    boxes = tuple(Box(name, name) for name in sorted({row.environment for row in rows}))
    return Topology(Graph(tuple(nodes), tuple(edges), boxes), rows)


def _cluster_node(row: Cluster, services: int, meshes: int) -> Node:
    look = status_of(row.health, "health")
    words = [
        ngettext("%(n)s service", "%(n)s services", services) % {"n": wording.number(services)},
        ngettext("%(n)s mesh", "%(n)s meshes", meshes) % {"n": wording.number(meshes)},
    ]
    url = reverse("clusters:cluster-detail", args=[row.slug])
    return Node(row.slug, row.slug, " · ".join(words), url, row.environment, _tone(look.tone), str(look.word))


def of_meshes(sight: Sight) -> Topology:
    """A node for each mesh, a box for each cluster. Calls between meshes are those of clusters. Four queries."""
    rows = list(sight.meshes().select_related("cluster").order_by("cluster__slug", "kind")[:MOST_LISTED])
    nodes = tuple(_mesh_node(row) for row in mesh_rows(rows))
    clusters = tuple({row.cluster_id: row.cluster for row in rows}.values())
    boxes = tuple(Box(cluster.slug, cluster.slug) for cluster in clusters)
    return Topology(Graph(nodes, (), boxes), clusters)


def _mesh_node(row: MeshRow) -> Node:
    looks: dict[str, tuple[Tone, str]] = {
        "ready": ("ok", gettext("Ready")),
        "not_ready": ("crit", gettext("Not ready")),
        "headless": ("crit", gettext("No control plane")),
    }
    tone, word = looks.get(row.status, ("", ""))
    note = " · ".join([*row.versions, row.mesh.trust_domain] if row.mesh.trust_domain else row.versions)
    url = reverse("meshes:mesh-detail", args=[row.mesh.pk])
    return Node(str(row.mesh.pk), row.label, note, url, row.mesh.cluster.slug, tone, word)


def _tone(tone: str) -> Tone:
    tones: dict[str, Tone] = {"ok": "ok", "warn": "warn", "crit": "crit"}
    return tones.get(tone, "")
