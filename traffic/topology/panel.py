"""What stands beside a graph: of the node or the edge that was picked, else of the focus. And the links that pick."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import quote

from meshui.ui.graphs import Graph
from traffic.health import WORSE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from meshui.ui.graphs import Edge, Node
    from traffic.calls import Sent
    from traffic.health import Health
    from traffic.topology.types import Links, Topology


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A node on the other end of an edge of what is shown."""

    node: Node
    call: Edge


@dataclass(frozen=True, slots=True)
class Panel:
    """Nodes with what is known of them (the focus may stand in several clusters), or an edge with both of its ends.

    `calls`, `callers`: worst first. `sent`: what runs over the edge, by workload.
    """

    nodes: tuple[tuple[Node, Health], ...]
    links: Links = ()
    calls: tuple[Neighbour, ...] = ()
    callers: tuple[Neighbour, ...] = ()
    edge: Edge | None = None
    sent: tuple[Sent, ...] = ()

    @property
    def title(self) -> str:
        """Names of what is shown."""
        names = list(dict.fromkeys(node.label for node, _ in self.nodes))
        return " → ".join(names) if self.edge else names[0]

    @property
    def worst(self) -> Node:
        """The one whose health is the worst."""
        return max((node for node, _ in self.nodes), key=lambda node: WORSE.index(node.tone))

    @property
    def only(self) -> tuple[Node, Health] | None:
        """The node, where it is one."""
        return self.nodes[0] if len(self.nodes) == 1 else None


def linked(found: Topology, query: str, *, pick: str = "", find: str = "") -> Topology:
    """With links that pick, and with what is picked and found. `query`: that of the page, without its `pick`.

    `find`: what a name holds that somebody looks for.
    """
    graph = found.graph
    wanted = find.strip().lower()

    def url(key: str) -> str:
        return f"?{query}{'&' if query else ''}pick={quote(key, safe='')}"

    nodes = tuple(
        replace(
            node,
            url=url(node.key),
            is_picked=node.key == pick,
            is_found=wanted in f"{node.place}/{node.note}/{node.label}".lower() if wanted else None,
        )
        for node in graph.nodes
    )
    edges = tuple(replace(edge, url=url(edge.key), is_picked=edge.key == pick) for edge in graph.edges)
    return replace(found, drawing=replace(found.drawing, graph=Graph(nodes, edges, graph.boxes)))


def noted(found: Topology, notes: Mapping[str, str]) -> Topology:
    """With a word behind the names of boxes: cluster → what is to be known of it."""
    graph = found.graph
    boxes = tuple(replace(box, note=notes.get(box.key, "")) for box in graph.boxes)
    return replace(found, drawing=replace(found.drawing, graph=Graph(graph.nodes, graph.edges, boxes)))


def panel_of(found: Topology) -> Panel | None:
    """Of what is picked, else of the focus; None: there is neither."""
    graph = found.graph
    by_key = {node.key: node for node in graph.nodes}
    edge = next((edge for edge in graph.edges if edge.is_picked), None)
    if edge is not None:
        ends = [by_key[edge.tail], by_key[edge.head]]
        return Panel(_with_health(found, ends), edge=edge, sent=found.drawing.sent.get(edge.key, ()))
    shown = [node for node in graph.nodes if node.is_picked] or [node for node in graph.nodes if node.is_focus]
    if not shown:
        return None
    keys = {node.key for node in shown}
    return Panel(
        _with_health(found, shown),
        links=found.drawing.links.get(shown[0].key, ()) if len(shown) == 1 else (),
        calls=_worst(Neighbour(by_key[edge.head], edge) for edge in graph.edges if edge.tail in keys),
        callers=_worst(Neighbour(by_key[edge.tail], edge) for edge in graph.edges if edge.head in keys),
    )


def _with_health(found: Topology, nodes: Collection[Node]) -> tuple[tuple[Node, Health], ...]:
    return tuple((node, found.health_of(node)) for node in nodes)


def _worst(found: Iterable[Neighbour]) -> tuple[Neighbour, ...]:
    """By the share of errors, then by rate; what has no data last."""
    return tuple(sorted(found, key=lambda n: (-(n.call.errors or 0), -(n.call.rate or 0), n.node.label, n.node.key)))
