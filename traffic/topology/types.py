"""What is asked of a graph of services, meshes or clusters, and what is found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from traffic.calls import NOW
from traffic.health import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clusters.models import Cluster
    from meshui.ui.graphs import Graph, Node
    from metrics.types import Span
    from traffic.calls import Sent
    from traffic.health import Health

HOPS: Final = (1, 2, 3)
MOST_LISTED: Final = 151
"""Of meshes or clusters: one more than can be drawn, so that it is known that there are too many."""
MOST_CHOICES: Final = 50


@dataclass(frozen=True, slots=True)
class Asked:
    """What is wanted around a focus. `by` namespace: a node for each of those; version: one for each backend, too.

    `namespace`, `cluster` (slug) and `mesh` (kind) narrow what is reached; the focus stays. `kept`: what links to
    another focus take along.
    """

    hops: int = 2
    by: str = ""
    kept: Mapping[str, str] = field(default_factory=dict)
    span: Span = NOW
    namespace: str = ""
    cluster: str = ""
    mesh: str = ""


@dataclass(frozen=True, slots=True)
class Choices:
    """What a graph can be narrowed to: names of what it reaches, at most 50 of each."""

    namespaces: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()
    meshes: tuple[str, ...] = ()


Links = tuple[tuple[str, str], ...]
"""Words and address of pages."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A graph with what stands beside it: by the key of a node `health` and `links`, of an edge `sent`, by workload."""

    graph: Graph
    health: Mapping[str, Health] = field(default_factory=dict)
    links: Mapping[str, Links] = field(default_factory=dict)
    sent: Mapping[str, tuple[Sent, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Topology:
    """A drawing, and whose services are in it: each cluster with the word of its reading.

    `hidden`: how many backends routes name that are not among the services that the reader sees.
    """

    drawing: Drawing
    words: Mapping[Cluster, str] = field(default_factory=dict)
    hidden: int = 0
    choices: Choices = field(default_factory=Choices)

    @property
    def graph(self) -> Graph:
        """The nodes and the edges."""
        return self.drawing.graph

    @property
    def clusters(self) -> tuple[Cluster, ...]:
        """Whose services are in it."""
        return tuple(self.words)

    @property
    def measured(self) -> int:
        """How many edges have a rate."""
        return sum(edge.rate is not None for edge in self.graph.edges)

    @property
    def has_data(self) -> bool:
        """Whether anything in it was measured."""
        return self.measured > 0 or any(each.rate is not None for each in self.drawing.health.values())

    @property
    def found_count(self) -> int:
        """How many nodes are what somebody looks for."""
        return sum(node.is_found is True for node in self.graph.nodes)

    def health_of(self, node: Node) -> Health:
        """What is known of one of its nodes."""
        return self.drawing.health.get(node.key, UNKNOWN)
