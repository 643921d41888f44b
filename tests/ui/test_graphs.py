"""Graphs without Graphviz: types, what it would be asked, a recorded answer, the picture and the table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from django.template import Context, engines
from django.utils import translation

from meshui.ui.design_pictures import example_graph, example_picture
from meshui.ui.drawn import Picture, edge_width
from meshui.ui.graphs import (
    MOST_EDGES,
    MOST_NODES,
    NODE_HEIGHT,
    NODE_WIDTH,
    Box,
    Edge,
    Graph,
    GraphTooBigError,
    Layout,
    LayoutError,
    Node,
    dot_source,
    read_layout,
)

RECORDED = (Path(__file__).parent / "recorded" / "dot.json").read_bytes()
"""What dot 2.43 answered to `dot_source(example_graph())`."""
DRAWN = {
    *("main", "div", "svg", "rect", "g", "title", "path", "polygon", "text", "tspan", "circle", "use", "a"),
    *("table", "caption", "thead", "tbody", "tr", "th", "td", "b", "span", "p", "mark"),
}
"""Elements of a picture and its table."""
HOSTILE = ('"];}', "<b>bold</b>", "back\\slash\\N", "two\nlines", "\u202eright to left", "x" * 300, "</title><script>")


def drawn(source: str, **context: Any) -> str:
    template = engines["django"].engine.from_string("{% load pictures %}" + source)  # type: ignore[attr-defined]  # DjangoTemplates
    return str(template.render(Context(context)))


def as_tree(html: str) -> ElementTree.Element:
    """The answer as a tree; fails where it is not well-formed."""
    return ElementTree.fromstring(f"<main>{html}</main>")  # noqa: S314 - our own


def two(edge: Edge | None = None, **node: Any) -> Picture:
    """`a` and `b` with an edge, placed by hand."""
    graph = Graph((Node("a", "web", **node), Node("b", "cart")), (edge or Edge("a", "b"),))
    line = ("M166.0,23.0C180.0,23.0 200.0,23.0 220.0,23.0", "230.0,23.0 220.0,28.0 220.0,18.0", (195.0, 23.0))
    return Picture(graph, Layout(400, 46, {"a": (0, 0), "b": (230, 0)}, {}, [line]))


def picture_of(edge: Edge) -> str:
    return drawn('{% graph picture "Calls" %}', picture=two(edge))


@pytest.mark.parametrize("text", HOSTILE)
def test_dot_source__hostile_names__none_of_them_in_it(text: str) -> None:
    plain = Graph(
        (Node("a", "web", box="b"), Node("c", "cart")), (Edge("a", "c"),), (Box("b", "y" * min(len(text), 30)),)
    )
    hostile = Graph((Node(text, text, text, box=text * 2), Node("c", text)), (Edge(text, "c"),), (Box(text * 2, text),))

    assert dot_source(hostile) == dot_source(plain)


@pytest.mark.parametrize("text", HOSTILE)
def test_picture__hostile_names__stay_text_in_a_well_formed_svg(text: str) -> None:
    picture = two(Edge("a", "b", note=text), note=text, word=text)
    picture = Picture(Graph((Node("a", text, text), Node("b", text)), picture.graph.edges), picture.layout)

    html = drawn('{% graph picture "Calls" %}{% graph_table picture.graph "Calls" %}', picture=picture)

    tree = as_tree(html)
    assert {each.tag for each in tree.iter()} <= DRAWN
    assert "\u202e" not in html
    longest = max(len(each.text or "") for each in tree.iter("text"))
    assert longest <= 25


def test_graph__key_twice_or_nowhere__refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        Graph((Node("a", "a"), Node("a", "b")))
    with pytest.raises(ValueError, match="has no 'b'"):
        Graph((Node("a", "a"),), (Edge("a", "b"),))
    with pytest.raises(ValueError, match="has no 'eu-west'"):
        Graph((Node("a", "a", box="eu-west"),))


def test_shape__rates_and_words_change__the_same_so_positions_stay() -> None:
    before = Graph((Node("a", "web", "1/s"), Node("b", "cart")), (Edge("a", "b", 1.0),))
    after = Graph(
        (Node("a", "web", "9/s", tone="crit"), Node("b", "cart")), (Edge("a", "b", 9.0, 0.5, is_plaintext=True),)
    )
    other = Graph((Node("a", "web"), Node("b", "cart")), (Edge("b", "a"),))

    assert before.shape == after.shape
    assert before.shape != other.shape


def test_require_size__one_more_than_can_be_drawn__refused_with_the_number() -> None:
    nodes = tuple(Node(str(n), "web") for n in range(MOST_NODES + 1))

    Graph(nodes[:-1]).require_size()
    with pytest.raises(GraphTooBigError) as refused:
        Graph(nodes).require_size()
    with pytest.raises(GraphTooBigError):
        Graph(nodes[:2], (Edge("0", "1"),) * (MOST_EDGES + 1)).require_size()

    assert refused.value.nodes == MOST_NODES + 1


def test_read_layout__recorded_answer__every_node_within_its_box_and_nothing_upside_down() -> None:
    graph = example_graph()
    layout = read_layout(graph, RECORDED)

    assert layout.nodes.keys() == {node.key for node in graph.nodes}
    assert len(layout.edges) == len(graph.edges)
    for node in graph.nodes:
        (x, y), (left, top, width, height) = layout.nodes[node.key], layout.boxes[node.box]
        assert left < x < x + NODE_WIDTH < left + width
        assert top < y < y + NODE_HEIGHT < top + height
    web, checkout = layout.nodes["web"], layout.nodes["checkout"]
    start = [float(part) for part in layout.edges[0][0].removeprefix("M").partition("C")[0].split(",")]
    assert web[0] < start[0] <= checkout[0]
    assert web[1] <= start[1] <= web[1] + NODE_HEIGHT


@pytest.mark.parametrize(
    "answer", [b"", b"{}", b"[]", b'{"bb": "0,0,nan,1"}', b'{"bb": "0,0,9,9", "objects": [{"name": "n0"}]}', b"\xff"]
)
def test_read_layout__what_is_none__refused(answer: bytes) -> None:
    with pytest.raises(LayoutError):
        read_layout(example_graph(), answer)


def test_read_layout__edge_left_out__refused() -> None:
    found = json.loads(RECORDED)
    del found["edges"][0]

    with pytest.raises(LayoutError):
        read_layout(example_graph(), json.dumps(found).encode())


def test_nodes__in_the_picture__from_left_to_right() -> None:
    places = [float(each.x) for each in example_picture().nodes]

    assert places == sorted(places)


def test_picture__edges__name_both_ends_and_what_runs_over_them() -> None:
    html = picture_of(Edge("a", "b", 1907.0, 0.019, is_plaintext=True, note="90 % by its route"))

    assert "<title>web to cart: 1,907/s, 1.90\u202f% errors, plaintext, 90 % by its route</title>" in html
    assert 'class="ge crit' in html
    assert "#lock-open" in html


@pytest.mark.parametrize(
    ("edge", "css"),
    [
        (Edge("a", "b"), "nodata"),
        (Edge("a", "b", None, 0.5), "nodata"),
        (Edge("a", "b", 0.0, 0.0), "ok idle"),
        (Edge("a", "b", 5.0, 0.0029), "ok"),
        (Edge("a", "b", 5.0, 0.003), "warn"),
        (Edge("a", "b", 5.0, 0.0101), "crit"),
        (Edge("a", "b", 5.0), ""),
    ],
)
def test_edge__share_of_errors_and_rate__give_colour_and_line(edge: Edge, css: str) -> None:
    assert two(edge).edges[0].css.split() == css.split()


def test_picture__errors__said_by_an_icon_and_a_number_too() -> None:
    bad = as_tree(picture_of(Edge("a", "b", 5.0, 0.019)))
    good, idle = picture_of(Edge("a", "b", 5.0, 0.001)), picture_of(Edge("a", "b", 0.0, 0.5))

    assert [each.text for each in bad.iter("text") if "gx" in each.attrib["class"]] == ["1.90\u202f%"]
    assert "gx" not in good + idle
    assert "#circle-x" in drawn('{% graph picture "Calls" %}', picture=two(tone="crit", word="At risk"))
    assert "#circle-x" not in good


def test_edge__without_data__says_so_and_never_a_number() -> None:
    html = drawn('{% graph_table picture.graph "Calls" %}', picture=two()) + picture_of(Edge("a", "b"))

    assert html.count("no data") == 3
    assert "0/s" not in html
    assert "lock-open" not in html
    assert "not known" in html


def test_edge__not_plaintext_or_not_known__no_open_lock() -> None:
    assert "lock" not in picture_of(Edge("a", "b", is_plaintext=False))
    assert "lock" not in picture_of(Edge("a", "b", is_plaintext=None))


def test_edge_width__rate_grows__grows_to_a_limit_and_is_never_nothing() -> None:
    widths = [float(edge_width(rate, 4000)) for rate in (None, 0, 1, 100, 4000)]

    assert widths == sorted(widths)
    assert widths[0] > 1
    assert float(edge_width(4000, 4000)) == float(edge_width(1, 1))
    assert edge_width(5, 0) == edge_width(None, 0)


def test_picture__language_with_a_decimal_comma__numbers_of_the_svg_keep_their_point() -> None:
    source, given = '{% graph picture "Calls" %}', {"picture": example_picture()}
    plain = as_tree(drawn(source, **given))

    with translation.override("de"):
        german = as_tree(drawn(source, **given))

    assert [each.attrib for each in german.iter()] == [each.attrib for each in plain.iter()]
    assert "2,40" in "".join(german.itertext())
    assert not any("style" in each.attrib for each in german.iter())


def test_table__same_graph__a_row_for_each_edge_worst_first_and_who_stands_alone() -> None:
    graph = example_graph()
    alone = Graph((*graph.nodes, Node("z", "alone", box="bank-fra-1")), graph.edges, graph.boxes)

    tree = as_tree(drawn('{% graph_table graph "Calls" %}', graph=alone))

    rows, nodes = (
        [["".join(cell.itertext()).strip() for cell in row] for row in table.findall("tbody/tr")]
        for table in tree.findall(".//table")
    )
    assert len(rows) == len(graph.edges)
    assert rows[0][0].startswith("payments")
    assert rows[0][2:5] == ["702/s", "2.40\u202f%", "mTLS"]
    assert [row[2:5] for row in rows if row[0].startswith("mobile-api") and "warehouse" in row[1]] == [
        ["no data", "no data", "not known"]
    ]
    assert len(nodes) == len(alone.nodes)
    assert [row[1] for row in nodes][:3] == ["At risk", "At risk", "Degraded0.60 % of its requests failed"]
    assert ["alonebank-fra-1", "\u2013"] in nodes


def test_legend__nothing_measured__says_no_data_alone() -> None:
    measured = drawn("{% graph_legend picture %}", picture=two(Edge("a", "b", 5.0)))
    unknown = drawn("{% graph_legend picture %}", picture=two())

    assert "over 1" in measured
    assert "no data" in unknown
    assert "over 1" not in unknown


def test_picture__edges_that_lead_somewhere__follow_their_node_for_the_tab_key() -> None:
    tree = as_tree(picture_of(Edge("a", "b", 5.0, url="?pick=a%3Eb")))

    links = [each.attrib.get("href", "") for each in tree.iter("a")]
    assert links == ["", "?pick=a%3Eb", ""]
    assert "web to cart: 5.00/s" in "".join(tree.itertext())


@pytest.mark.parametrize(("is_found", "css"), [(None, ""), (True, "found"), (False, "dim")])
def test_node__looked_for__marked_or_dimmed(is_found: bool | None, css: str) -> None:  # noqa: FBT001 - a parameter
    drawn_node = two(is_found=is_found).nodes[0]

    assert drawn_node.css == css


def test_node__health__icon_and_word_in_the_picture_and_why_in_its_title() -> None:
    html = drawn(
        '{% graph picture "Calls" %}',
        picture=two(tone="warn", word="Degraded", icon="triangle-alert", why=("Its route drifted",), badge="#12"),
    )

    assert "#triangle-alert" in html
    assert ">Degraded<" in html
    assert "web, Degraded: Its route drifted; change request #12" in html


def test_graph__box_within_what_is_not_there__refused() -> None:
    with pytest.raises(ValueError, match="has no 'eu-west'"):
        Graph((Node("a", "a", box="x"),), (), (Box("x", "x", within="eu-west"),))


def test_box__not_read_lately__its_word_and_an_icon_beside_its_name() -> None:
    html = drawn('{% graph picture "Calls" %}', picture=example_picture())

    assert html.count("#clock-alert") == 1
    assert [each.text for each in as_tree(html).iter("tspan")] == ["Stale"]
