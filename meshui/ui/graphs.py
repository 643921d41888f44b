"""Graphs of who calls whom: pure types, what Graphviz is asked, and what its answer means (drawn.py draws it).

No foreign text ever reaches Graphviz: nodes are n0, n1 … of one size, boxes get a stand-in as long as their label. So
a label cannot be anything but text, whatever it holds, and positions depend on nothing but the shape of the graph.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

MOST_NODES: Final = 150
MOST_EDGES: Final = 2_000
INCH: Final = 72  # points of Graphviz; one is a pixel of the picture
NODE_WIDTH, NODE_HEIGHT = 166, 60
BOX_LABEL: Final = 30
"""Characters that fit above a box."""
WARN_SHARE, CRIT_SHARE = 0.003, 0.01
"""Shares of failed requests from which an edge is drawn as a warning, and as critical."""
IN_A_ROW: Final = 4
Tone = Literal["", "ok", "warn", "crit"]


class GraphError(Exception):
    """No picture can be made; the table of the same graph still can."""


class GraphTooBigError(GraphError):
    """More nodes or edges than a picture holds. `nodes`, `edges`: how many there are."""

    def __init__(self, nodes: int, edges: int) -> None:
        super().__init__(f"{nodes} nodes and {edges} edges; {MOST_NODES} and {MOST_EDGES} can be drawn")
        self.nodes, self.edges = nodes, edges


class LayoutError(GraphError):
    """Graphviz failed, took too long, or answered what is no layout."""


@dataclass(frozen=True, slots=True)
class Node:
    """One node, a link. `box`: the key of the box it stands in; `word`: its health in a word, of the colour `tone`.

    `why`: what that rests on, a sentence each. `facts`: label and value, the same labels on all nodes of a graph.
    `place`: where it stands, in words. `badge`: a few letters in its corner. `is_found` None: nobody looks for any.
    """

    key: str
    label: str
    note: str = ""
    url: str = ""
    box: str = ""
    tone: Tone = ""
    word: str = ""
    is_focus: bool = False
    icon: str = ""
    place: str = ""
    why: tuple[str, ...] = ()
    badge: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    is_picked: bool = False
    is_found: bool | None = None


@dataclass(frozen=True, slots=True)
class Edge:
    """Requests from `tail` to `head`. `rate` in requests/s; None: no data, which is neither idle nor healthy.

    `errors`: the share of them that failed, 0 to 1. `is_plaintext` None: not known. `note`: what else is known.
    """

    tail: str
    head: str
    rate: float | None = None
    errors: float | None = None
    is_plaintext: bool | None = None
    note: str = ""
    url: str = ""
    is_picked: bool = False

    @property
    def key(self) -> str:
        """Both ends, as a URL names it."""
        return f"{self.tail}>{self.head}"

    @property
    def is_idle(self) -> bool:
        """Whether it is known that nothing runs over it."""
        return self.rate is not None and self.rate <= 0

    @property
    def tone(self) -> Tone:
        """Its colour: by the share of errors, none where that is not known."""
        return "" if self.rate is None else tone_of(self.errors)


def tone_of(errors: float | None) -> Tone:
    """The colour of a share of errors; none where it is not known."""
    if errors is None:
        return ""
    return "crit" if errors > CRIT_SHARE else "warn" if errors >= WARN_SHARE else "ok"


@dataclass(frozen=True, slots=True)
class Box:
    """What holds nodes: a cluster. `within`: the key of the box around it; `note`: stands behind its label."""

    key: str
    label: str
    within: str = ""
    note: str = ""


@dataclass(frozen=True)
class Graph:
    """Nodes, edges between them, boxes around them. Raises ValueError where a key is twice or nowhere."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...] = ()
    boxes: tuple[Box, ...] = ()

    def __post_init__(self) -> None:
        nodes, boxes = Counter(node.key for node in self.nodes), Counter(box.key for box in self.boxes)
        if any(count > 1 for count in (*nodes.values(), *boxes.values())):
            raise ValueError("a key is twice in the graph")
        missing = {end for edge in self.edges for end in (edge.tail, edge.head)} - nodes.keys()
        missing |= {node.box for node in self.nodes if node.box} - boxes.keys()
        missing |= {box.within for box in self.boxes if box.within} - boxes.keys()
        if missing:
            raise ValueError(f"the graph has no {sorted(missing)[0]!r}")

    @cached_property
    def shape(self) -> str:
        """SHA-256 of what decides positions, hex: not of rates, errors or words."""
        return hashlib.sha256(dot_source(self).encode()).hexdigest()

    def require_size(self) -> None:
        """Raises GraphTooBigError above what can be drawn and read."""
        if len(self.nodes) > MOST_NODES or len(self.edges) > MOST_EDGES:
            raise GraphTooBigError(len(self.nodes), len(self.edges))


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things stand, in pixels from the top left: of nodes their corner, of boxes x, y, width, height.

    `edges`, in the order of the graph's: path of the line, points of the arrow's head, middle of the line.
    """

    width: float
    height: float
    nodes: Mapping[str, tuple[float, float]]
    boxes: Mapping[str, tuple[float, float, float, float]]
    edges: Sequence[tuple[str, str, tuple[float, float]]]

    def without_names(self, graph: Graph) -> dict[str, Any]:
        """To be kept: by place in the graph, so that any graph of the same shape can take it and none learns a name."""
        return {
            "size": [self.width, self.height],
            "nodes": [self.nodes[node.key] for node in graph.nodes],
            "boxes": [self.boxes.get(box.key) for box in graph.boxes],
            "edges": list(self.edges),
        }

    @classmethod
    def of(cls, graph: Graph, kept: Mapping[str, Any]) -> Layout:
        """What `without_names` kept of a graph of this shape."""
        boxes = {box.key: at for box, at in zip(graph.boxes, kept["boxes"], strict=True) if at}
        nodes = {node.key: at for node, at in zip(graph.nodes, kept["nodes"], strict=True)}
        width, height = kept["size"]
        return cls(width, height, nodes, boxes, kept["edges"])


def dot_source(graph: Graph) -> str:
    """What Graphviz is asked. Nodes and edges stand in the order of the graph: the same graph, the same positions."""
    size = f"fixedsize=true,width={NODE_WIDTH / INCH:.3f},height={NODE_HEIGHT / INCH:.3f}"
    lines = [
        "digraph{rankdir=LR;newrank=true;nodesep=.24;ranksep=.82;splines=spline;",
        f'node[shape=box,label="",{size}];edge[arrowsize=1];',
    ]
    names = {node.key: f"n{number}" for number, node in enumerate(graph.nodes)}
    lines += _subgraphs(graph, names, "")
    lines += [f"{names[node.key]};" for node in graph.nodes if not node.box]
    lines += [f'{names[edge.tail]}->{names[edge.head]}[id="e{n}"];' for n, edge in enumerate(graph.edges)]
    lines += [f"{'->'.join(row)}[style=invis];" for row in _rows_of_alone(graph, names) if len(row) > 1]
    return "\n".join([*lines, "}"])


def _subgraphs(graph: Graph, names: Mapping[str, str], within: str) -> Iterator[str]:
    """The boxes that stand in this one, with what they hold."""
    for number, box in enumerate(graph.boxes):
        if box.within == within:
            inside = "".join(f"{names[node.key]};" for node in graph.nodes if node.box == box.key)
            inner = "".join(_subgraphs(graph, names, box.key))
            stand_in = "x" * min(len(box.label), BOX_LABEL)
            yield f'subgraph cluster_{number}{{label="{stand_in}";margin=14;fontsize=12;labeljust=l;{inside}{inner}}}'


def _rows_of_alone(graph: Graph, names: Mapping[str, str]) -> list[list[str]]:
    """Nodes without an edge, some in a row: else they would all stand below each other."""
    used = {end for edge in graph.edges for end in (edge.tail, edge.head)}
    found = []
    for key in ["", *(box.key for box in graph.boxes)]:
        alone = [names[node.key] for node in graph.nodes if node.box == key and node.key not in used]
        found += [alone[n : n + IN_A_ROW] for n in range(0, len(alone), IN_A_ROW)]
    return found


def read_layout(graph: Graph, answer: bytes) -> Layout:
    """The layout in an answer of `dot -Tjson` to `dot_source(graph)`. Raises LayoutError for anything else."""
    try:
        return _read(graph, json.loads(answer))
    except (KeyError, ValueError, TypeError, IndexError, AttributeError) as error:
        raise LayoutError("Graphviz answered what is no layout") from error


def _read(graph: Graph, found: Any) -> Layout:
    _, _, width, height = _numbers(found["bb"])
    nodes, boxes = {}, {}
    for each in found.get("objects", []):
        name = str(each["name"])
        if name.startswith("cluster_"):
            left, bottom, right, top = _numbers(each["bb"])
            box = graph.boxes[int(name.removeprefix("cluster_"))]
            boxes[box.key] = (left, height - top, right - left, top - bottom)
        else:
            x, y = _numbers(each["pos"])
            nodes[graph.nodes[int(name[1:])].key] = (x - NODE_WIDTH / 2, height - y - NODE_HEIGHT / 2)
    drawn = [each for each in found.get("edges", []) if "id" in each]  # the others hold nodes in a row
    edges = {int(each["id"][1:]): _line(each["pos"], height) for each in drawn}
    if len(nodes) != len(graph.nodes):
        raise ValueError("a node is missing")
    return Layout(width, height, nodes, boxes, [edges[number] for number in range(len(graph.edges))])


def _numbers(text: str) -> list[float]:
    numbers = [float(part) for part in text.split(",")]
    if not all(map(math.isfinite, numbers)):
        raise ValueError("no number")
    return numbers


def _line(spline: str, height: float) -> tuple[str, str, tuple[float, float]]:
    """`e,x,y p0 p1 …`: a spline of Graphviz, turned over, with its arrow."""
    marks = [part for part in spline.split() if part[0] == "e"]
    points = [_point(part, height) for part in spline.split() if part[0] not in "es"]
    tip = _point(marks[0][2:], height) if marks else points[-1]
    curve = " ".join(map(_pair, points[1:]))
    third = (len(points) - 1) // 3 // 2 * 3
    a, b, c, d = points[third : third + 4]
    middle = ((a[0] + 3 * b[0] + 3 * c[0] + d[0]) / 8, (a[1] + 3 * b[1] + 3 * c[1] + d[1]) / 8)
    return f"M{_pair(points[0])}C{curve}", _arrow(points[-1], tip), middle


def _point(text: str, height: float) -> tuple[float, float]:
    x, y = _numbers(text)
    return x, height - y


def _pair(point: tuple[float, float]) -> str:
    return f"{point[0]:.1f},{point[1]:.1f}"


def _arrow(foot: tuple[float, float], tip: tuple[float, float]) -> str:
    """The points of a triangle that ends in `tip`."""
    x, y = (tip[0] - foot[0]) * 0.5, (tip[1] - foot[1]) * 0.5
    return " ".join(map(_pair, (tip, (foot[0] - y, foot[1] + x), (foot[0] + y, foot[1] - x))))
