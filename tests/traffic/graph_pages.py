"""Pages of graphs: their addresses, what stands on them, a layout that needs no Graphviz."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from meshui.lib.clock import now
from meshui.ui.drawn import Picture
from meshui.ui.graphs import Layout
from tests.traffic.calling import make_calls, make_services
from tests.traffic.factories import make_cluster

if TYPE_CHECKING:
    from django.test import Client

    from clusters.models import Cluster
    from meshui.ui.graphs import Graph

PAGE = "/topology/"
FOCUS = f"{PAGE}?focus=all/shop/web"


def in_a_row(graph: Graph) -> Picture:
    """Nodes stand in a row: whether Graphviz is installed changes nothing. Its own tests: tests/ui."""
    graph.require_size()
    line = ("M0,0C1,1 2,2 3,3", "3,3 2,2 1,1", (1.0, 1.0))
    nodes = {node.key: (float(200 * n), 0.0) for n, node in enumerate(graph.nodes)}
    return Picture(graph, Layout(200.0 * len(nodes), 60.0, nodes, {}, [line] * len(graph.edges)))


def make_shop() -> Cluster:
    """A cluster, just read: web sends to cart and pay."""
    cluster = make_cluster(last_synced_at=now())
    make_services(cluster, "web", "cart", "pay")
    make_calls(cluster, "web", {"cart": 9000, "pay": 1000})
    return cluster


def text_of(client: Client, url: str, status: int = 200, **headers: str) -> str:
    """The page as one line of text, entities read."""
    answer = client.get(url, headers=headers)
    assert answer.status_code == status
    return html.unescape(" ".join(answer.content.decode().split()))
