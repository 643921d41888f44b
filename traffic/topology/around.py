"""The graph around a focus: walked, narrowed, drawn."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from clusters.models import Cluster
from meshes.selectors import sync_stand
from meshui.ui.graphs import Graph
from traffic.calls import all_calls
from traffic.health import known_of
from traffic.topology.nodes import Ground
from traffic.topology.services import by_namespace, by_service
from traffic.topology.types import MOST_CHOICES, Asked, Choices, Topology
from traffic.topology.versions import by_version
from traffic.topology.walk import Walk

if TYPE_CHECKING:
    from collections.abc import Collection

    from meshui.ui.graphs import Edge
    from traffic.calls import CallsOf, ServiceKey
    from traffic.sight import Sight


def around(sight: Sight, starts: Collection[ServiceKey], asked: Asked, *, calls_of: CallsOf = all_calls) -> Topology:
    """The services within some calls of `starts`, in either direction.

    Fourteen queries, and five more for each hop that reaches clusters which were not seen before.
    """
    walk = Walk(sight, calls_of, asked.span)
    walk.go(starts, asked.hops)
    slugs = {key.cluster for key in walk.reached}  # whoever sees a service is told how old its cluster's reading is
    clusters = tuple(Cluster.objects.filter(slug__in=slugs).order_by("slug"))
    choices = _narrow(sight, walk, starts, asked)
    words, read = sync_stand(clusters)
    ground = Ground(walk, starts, known_of(sight, walk.reached, asked.span, read=read), asked)
    draw = {"namespace": by_namespace, "version": by_version}.get(asked.by, by_service)
    return Topology(draw(ground), words, walk.hidden, choices)


def _narrow(sight: Sight, walk: Walk, starts: Collection[ServiceKey], asked: Asked) -> Choices:
    """Keep what is wanted of what was reached, and the focus; what else could be chosen. One query, for meshes."""
    slugs = {key.cluster for key in walk.reached}
    rows = sight.meshes().filter(cluster__slug__in=slugs).order_by().values_list("cluster__slug", "kind")
    meshes = set(rows)
    choices = Choices(
        tuple(sorted({key.namespace for key in walk.reached})[:MOST_CHOICES]),
        tuple(sorted(slugs)[:MOST_CHOICES]),
        tuple(sorted({kind for _, kind in meshes})[:MOST_CHOICES]),
    )

    def is_wanted(key: ServiceKey) -> bool:
        return key in starts or (
            asked.namespace in {"", key.namespace}
            and asked.cluster in {"", key.cluster}
            and (not asked.mesh or (key.cluster, asked.mesh) in meshes)
        )

    walk.keep(is_wanted)
    return choices


def narrowed(found: Topology, only: str) -> Topology:
    """With the calls that are wanted alone: `errors` more than usual, or `traffic`, without those known to be idle.

    What is left without a call goes, but for the focus. A call without data has no errors that are known, and is not
    idle either.
    """

    def is_wanted(edge: Edge) -> bool:
        return edge.tone in {"warn", "crit"} if only == "errors" else not edge.is_idle

    if only not in {"errors", "traffic"}:
        return found
    graph = found.graph
    edges = tuple(edge for edge in graph.edges if is_wanted(edge))
    used = {end for edge in edges for end in (edge.tail, edge.head)}
    nodes = tuple(node for node in graph.nodes if node.is_focus or node.key in used)
    held = {node.box for node in nodes}
    held |= {box.within for box in graph.boxes if box.key in held}
    boxes = tuple(box for box in graph.boxes if box.key in held)
    return replace(found, drawing=replace(found.drawing, graph=Graph(nodes, edges, boxes)))
