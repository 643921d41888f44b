"""Graphs of who calls whom: pure types, what Graphviz is asked, and how its answer becomes a picture.

No foreign text ever reaches Graphviz: nodes are n0, n1 … of one size, boxes get a stand-in as long as their label. So
a label cannot be anything but text, whatever it holds, and positions depend on nothing but the shape of the graph.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

from meshui.ui.wording import visible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MOST_NODES: Final = 150
MOST_EDGES: Final = 2_000
INCH: Final = 72  # points of Graphviz; one is a pixel of the picture
NODE_WIDTH, NODE_HEIGHT = 166, 46
LABEL, NOTE, BOX_LABEL = 20, 25, 30
"""Characters that fit into a node's two lines, and above a box; the whole stands in the title."""
WARN_SHARE, CRIT_SHARE = 0.003, 0.01
"""Shares of failed requests from which an edge is drawn as a warning, and as critical."""
THIN, THICK = 1.2, 4.4
MARGIN: Final = 8
IN_A_ROW: Final = 4
LOWER: Final = 20
"""How far below an open lock a label stands."""
READABLE: Final = 1000
"""A picture up to this width shrinks with its card; a wider one is scrolled, else its text could not be read."""

TONE_ICONS: Final = MappingProxyType({"warn": "triangle-alert", "crit": "circle-x"})
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
    """One node, a link. `box`: the key of the box it stands in; `word`: its health in a word, of the colour `tone`."""

    key: str
    label: str
    note: str = ""
    url: str = ""
    box: str = ""
    tone: Tone = ""
    word: str = ""
    is_focus: bool = False


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

    @property
    def is_idle(self) -> bool:
        """Whether it is known that nothing runs over it."""
        return self.rate is not None and self.rate <= 0

    @property
    def tone(self) -> Tone:
        """Its colour: by the share of errors, none where that is not known."""
        if self.errors is None or self.rate is None:
            return ""
        return "crit" if self.errors > CRIT_SHARE else "warn" if self.errors >= WARN_SHARE else "ok"


@dataclass(frozen=True, slots=True)
class Box:
    """What holds nodes: a cluster."""

    key: str
    label: str


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


def dot_source(graph: Graph) -> str:
    """What Graphviz is asked. Nodes and edges stand in the order of the graph: the same graph, the same positions."""
    size = f"fixedsize=true,width={NODE_WIDTH / INCH:.3f},height={NODE_HEIGHT / INCH:.3f}"
    lines = [
        "digraph{rankdir=LR;newrank=true;nodesep=.24;ranksep=.7;splines=spline;",
        f'node[shape=box,label="",{size}];edge[arrowsize=1];',
    ]
    names = {node.key: f"n{number}" for number, node in enumerate(graph.nodes)}
    for number, box in enumerate(graph.boxes):
        inside = "".join(f"{names[node.key]};" for node in graph.nodes if node.box == box.key)
        stand_in = "x" * min(len(box.label), BOX_LABEL)
        lines.append(f'subgraph cluster_{number}{{label="{stand_in}";margin=14;fontsize=12;labeljust=l;{inside}}}')
    lines += [f"{names[node.key]};" for node in graph.nodes if not node.box]
    lines += [f'{names[edge.tail]}->{names[edge.head]}[id="e{n}"];' for n, edge in enumerate(graph.edges)]
    lines += [f"{'->'.join(row)}[style=invis];" for row in _rows_of_alone(graph, names) if len(row) > 1]
    return "\n".join([*lines, "}"])


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


# --- what the template draws ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DrawnNode:
    """A node where it stands. `label`, `note`: made visible, and cut where they would not fit.

    `icon`: of what is not well, so that a colour never says it alone; else empty.
    """

    node: Node
    x: str
    y: str
    label: str
    note: str
    icon: str = ""

    @property
    def room(self) -> int:
        """The width that its label may take, in pixels: letters that are wide are cut there."""
        return 140 if self.icon else 160


@dataclass(frozen=True, slots=True)
class DrawnEdge:
    """An edge where it runs. `lock`: where the open lock stands; None: it is not known to be plaintext.

    `at`: where the share of errors stands, so that a colour never says it alone.
    """

    edge: Edge
    tail: Node
    head: Node
    path: str
    arrow: str
    width: str
    lock: tuple[str, str] | None
    at: tuple[str, str]

    @property
    def is_bad(self) -> bool:
        """Whether its errors are more than usual."""
        return self.edge.tone in {"warn", "crit"} and not self.edge.is_idle

    @property
    def css(self) -> str:
        """Its classes: tone, and whether it is idle or without data."""
        state = "nodata" if self.edge.rate is None else "idle" if self.edge.is_idle else ""
        return f"{self.edge.tone} {state} {'hot' if self.tail.is_focus or self.head.is_focus else ''}".strip()


@dataclass(frozen=True, slots=True)
class DrawnBox:
    """A box where it stands."""

    box: Box
    x: str
    y: str
    width: str
    height: str
    label: str


@dataclass(frozen=True)
class Picture:
    """A graph with its positions: numbers are text that no language changes. Nodes stand from left to right."""

    graph: Graph
    layout: Layout = field(repr=False)

    @property
    def width(self) -> str:
        """In pixels."""
        return f"{self.layout.width + 2 * MARGIN:.0f}"

    @property
    def height(self) -> str:
        """In pixels."""
        return f"{self.layout.height + 2 * MARGIN:.0f}"

    @property
    def is_big(self) -> bool:
        """Whether it is scrolled rather than shrunk."""
        return self.layout.width > READABLE

    @property
    def view_box(self) -> str:
        """Of the SVG."""
        return f"-{MARGIN} -{MARGIN} {self.width} {self.height}"

    @property
    def nodes(self) -> list[DrawnNode]:
        """In the order in which the eye and the Tab key meet them."""
        placed = sorted(self.graph.nodes, key=lambda node: self.layout.nodes[node.key])
        return [self._node(node) for node in placed]

    @property
    def boxes(self) -> list[DrawnBox]:
        """Those that hold something."""
        found = [(box, self.layout.boxes[box.key]) for box in self.graph.boxes if box.key in self.layout.boxes]
        return [_box(box, *(f"{number:.1f}" for number in at)) for box, at in found]

    @property
    def edges(self) -> list[DrawnEdge]:
        """Worst last, so that nothing lies on them."""
        most = max((edge.rate or 0 for edge in self.graph.edges), default=0)
        nodes = {node.key: node for node in self.graph.nodes}
        drawn = [
            DrawnEdge(
                edge,
                nodes[edge.tail],
                nodes[edge.head],
                path,
                arrow,
                edge_width(edge.rate, most),
                _lock(edge, middle),
                (f"{middle[0]:.1f}", f"{middle[1] + (LOWER if edge.is_plaintext else -6):.1f}"),
            )
            for edge, (path, arrow, middle) in zip(self.graph.edges, self.layout.edges, strict=True)
        ]
        return sorted(drawn, key=lambda each: ("", "ok", "warn", "crit").index(each.edge.tone))

    def _node(self, node: Node) -> DrawnNode:
        x, y = self.layout.nodes[node.key]
        icon = TONE_ICONS.get(node.tone, "")
        label = clipped(node.label, LABEL - 3 if icon else LABEL)
        return DrawnNode(node, f"{x:.1f}", f"{y:.1f}", label, clipped(node.note, NOTE), icon)


def _box(box: Box, x: str, y: str, width: str, height: str) -> DrawnBox:
    return DrawnBox(box, x, y, width, height, clipped(box.label, BOX_LABEL))


def _lock(edge: Edge, middle: tuple[float, float]) -> tuple[str, str] | None:
    return (f"{middle[0] - 7:.1f}", f"{middle[1] - 7:.1f}") if edge.is_plaintext else None


def edge_width(rate: float | None, most: float) -> str:
    """The width of a line, in pixels: it grows with the root of the rate, so that small ones stay visible."""
    if not rate or most <= 0:
        return f"{THIN:.1f}"
    return f"{THIN + (THICK - THIN) * math.sqrt(min(1.0, max(0.0, rate / most))):.1f}"


def clipped(text: str, most: int) -> str:
    """`text` made visible, with a mark where it ends before its end."""
    shown = visible(text)
    return shown if len(shown) <= most else f"{shown[: most - 1]}\u2026"
