"""A graph with its positions, as the template draws it: numbers are text that no language changes."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from meshui.ui.graphs import BOX_LABEL, NODE_WIDTH
from meshui.ui.wording import visible

if TYPE_CHECKING:
    from meshui.ui.graphs import Box, Edge, Graph, Layout, Node

LABEL, NOTE = 20, 25
"""Characters that fit into a node's lines; the whole stands in the title."""
THIN, THICK = 1.2, 4.4
MARGIN: Final = 8
LOWER: Final = 20
"""How far below an open lock a label stands."""
READABLE: Final = 1000
"""A picture up to this width shrinks with its card; a wider one is scrolled, else its text could not be read."""
TONE_ICONS: Final = MappingProxyType({"warn": "triangle-alert", "crit": "circle-x"})


@dataclass(frozen=True, slots=True)
class DrawnNode:
    """A node where it stands. `label`, `note`, `word`: made visible, and cut where they would not fit.

    `icon`: of its health, so that a colour never says it alone. `out`: the edges that begin here, as links.
    """

    node: Node
    x: str
    y: str
    label: str
    note: str
    word: str
    icon: str
    out: tuple[DrawnEdge, ...] = ()

    @property
    def room(self) -> int:
        """The width that its label may take, in pixels: letters that are wide are cut there."""
        return NODE_WIDTH - 26 - self.badge_width

    @property
    def badge_width(self) -> int:
        """Of what stands in its corner, in pixels."""
        return 12 + 7 * len(self.node.badge) if self.node.badge else 0

    @property
    def badge_at(self) -> tuple[int, int]:
        """Where that begins, and its middle."""
        left = NODE_WIDTH - 8 - self.badge_width
        return left, left + self.badge_width // 2

    @property
    def css(self) -> str:
        """Its classes: tone, and whether somebody looks for it."""
        looked = {None: "", True: "found", False: "dim"}[self.node.is_found]
        return f"{self.node.tone} {looked}".strip()


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
        looked = {self.tail.is_found, self.head.is_found}
        words = (self.edge.tone, state, "dim" if False in looked and True not in looked else "")
        return " ".join(word for word in (*words, "picked" if self.edge.is_picked else "") if word)


@dataclass(frozen=True, slots=True)
class DrawnBox:
    """A box where it stands. `mark`: where the icon of its note stands, so that a colour never says it alone."""

    box: Box
    x: str
    y: str
    width: str
    height: str
    label: str
    mark: str


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
        out: dict[str, list[DrawnEdge]] = defaultdict(list)
        for each in self.edges:
            if each.edge.url:
                out[each.edge.tail].append(each)
        return [self._node(node, sorted(out[node.key], key=self._below)) for node in placed]

    @property
    def boxes(self) -> list[DrawnBox]:
        """Those that hold something."""
        return [_box(box, *self.layout.boxes[box.key]) for box in self.graph.boxes if box.key in self.layout.boxes]

    @cached_property
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

    def _below(self, each: DrawnEdge) -> float:
        return self.layout.nodes[each.edge.head][1]

    def _node(self, node: Node, out: list[DrawnEdge]) -> DrawnNode:
        x, y = self.layout.nodes[node.key]
        label = clipped(node.label, LABEL - (len(node.badge) + 2 if node.badge else 0))
        icon = node.icon or TONE_ICONS.get(node.tone, "")
        word = clipped(node.word, NOTE - 3)
        return DrawnNode(node, f"{x:.1f}", f"{y:.1f}", label, clipped(node.note, NOTE), word, icon, tuple(out))


def _box(box: Box, x: float, y: float, width: float, height: float) -> DrawnBox:
    left, top, wide, high, mark = (f"{number:.1f}" for number in (x, y, width, height, x + width - 22))
    return DrawnBox(box, left, top, wide, high, clipped(box.label, BOX_LABEL), mark)


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
