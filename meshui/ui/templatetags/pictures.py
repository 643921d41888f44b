"""Graphs, sparklines and charts: `{% load pictures %}`. Foreign text is escaped; sizes are SVG attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django import template
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.translation import gettext

from meshui.ui import charts, wording
from meshui.ui.drawn import TONE_ICONS
from meshui.ui.graphs import CRIT_SHARE, WARN_SHARE
from meshui.ui.templatetags import ui

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.utils.safestring import SafeString

    from meshui.ui.charts import Chart
    from meshui.ui.drawn import Picture
    from meshui.ui.graphs import Edge, Graph, Node

register = template.Library()
TONES: Final = ("", "ok", "warn", "crit")


@register.inclusion_tag("parts/graph.html")
def graph(picture: Picture, label: str) -> dict[str, Any]:
    """A graph where Graphviz placed it; `label` is a sentence that says what it shows."""
    return {"picture": picture, "label": label}


@register.inclusion_tag("parts/graph_legend.html")
def graph_legend(picture: Picture) -> dict[str, Any]:
    """What its lines mean; where nothing is measured, that alone."""
    is_measured = any(edge.rate is not None for edge in picture.graph.edges)
    return {
        "has_edges": bool(picture.graph.edges),
        "is_measured": is_measured,
        "has_badges": any(node.badge for node in picture.graph.nodes),
        "warn": _percent(WARN_SHARE, 1),
        "crit": _percent(CRIT_SHARE, 0),
    }


@register.inclusion_tag("parts/graph_table.html")
def graph_table(graph: Graph, label: str) -> dict[str, Any]:
    """The same graph as tables: edges worst first, then by rate; then nodes, the unhealthy ones first."""
    nodes = {node.key: node for node in graph.nodes}
    edges = sorted(graph.edges, key=lambda edge: (-(edge.errors or 0), -(edge.rate or 0), edge.tail, edge.head))
    return {
        "label": label,
        "rows": [(edge, nodes[edge.tail], nodes[edge.head]) for edge in edges],
        "nodes": sorted(graph.nodes, key=lambda node: -TONES.index(node.tone)),
        "columns": [column for column, _ in graph.nodes[0].facts] if graph.nodes else [],
    }


@register.simple_tag
def edge_words(edge: Edge, tail: Node, head: Node) -> str:
    """What runs over an edge, as one line."""
    ends = gettext("%(tail)s to %(head)s") % {"tail": wording.visible(tail.label), "head": wording.visible(head.label)}
    facts = [charts.rate_text(edge.rate)]
    if edge.errors is not None and not edge.is_idle:
        facts.append(gettext("%(share)s errors") % {"share": _percent(edge.errors, 2)})
    if edge.is_plaintext is not None:
        facts.append(gettext("plaintext") if edge.is_plaintext else gettext("mTLS"))
    if edge.note:
        facts.append(wording.visible(edge.note))
    return f"{ends}: {', '.join(facts)}"


@register.simple_tag
def node_words(node: Node) -> SafeString:
    """A node as a link, with what stands below its name in the picture."""
    label = wording.visible(node.label)
    name = format_html('<a class="lnk" href="{}">{}</a>', node.url, label) if node.url else format_html("{}", label)
    if node.is_found:
        name = format_html("<mark>{}</mark>", name)
    note = "" if node.facts else node.note  # facts have columns and rows of their own
    below = " · ".join(wording.visible(part) for part in (node.place or node.box, note, node.badge) if part)
    return format_html('<b>{}</b><span class="sub">{}</span>', name, below)


@register.simple_tag
def node_title(node: Node) -> str:
    """All that a node says, as one line."""
    words = ", ".join(wording.visible(part) for part in (node.label, node.note, node.place, node.word) if part)
    more = "; ".join([*node.why, *([gettext("change request %(n)s") % {"n": node.badge}] if node.badge else [])])
    return f"{words}: {wording.visible(more)}" if more else words


@register.simple_tag
def node_health(node: Node) -> SafeString:
    """Its health: icon, word and colour; a dash where nothing is said of it."""
    if not node.word:
        return format_html('<span class="mut">{}</span>', "\u2013")
    mark = ui.icon(node.icon or TONE_ICONS.get(node.tone, "circle-question-mark"), 15)
    return format_html('<span class="st {}">{}<span>{}</span></span>', node.tone, mark, wording.visible(node.word))


@register.simple_tag
def edge_errors(edge: Edge) -> SafeString:
    """Its share of errors, with an icon where they are more than usual: a colour never says it alone."""
    if edge.tone not in TONE_ICONS or edge.is_idle:
        return format_html("{}", errors(edge))
    return format_html(
        '<span class="st {}">{}<span>{}</span></span>', edge.tone, ui.icon(TONE_ICONS[edge.tone], 15), errors(edge)
    )


@register.simple_tag
def rate_words(rate: float | None) -> str:
    """Requests per second, or that there is no data."""
    return charts.rate_text(rate)


@register.filter
def errors(edge: Edge) -> str:
    """The share of failed requests, or that there is no data; a dash for an idle edge."""
    if edge.errors is None or edge.is_idle:
        return "\u2013" if edge.is_idle else gettext("no data")
    return _percent(edge.errors, 2)


def _percent(share: float, decimals: int) -> str:
    return f"{number_format(share * 100, decimals)}{wording.NARROW}%"


@register.simple_tag
def sparkline(points: Sequence[float | None], css: str = "c1") -> SafeString:
    """The last course of a number, 60 points; gaps stay gaps. Decoration: the number stands beside it as text."""
    line, area = charts.spark_paths(points)
    return format_html(
        '<svg class="spark {}" viewBox="0 0 {} {}" width="{}" height="{}" preserveAspectRatio="none" '
        'aria-hidden="true"><path class="a" d="{}"/><path class="l" d="{}"/></svg>',
        css,
        *(charts.SPARK_WIDTH, charts.SPARK_HEIGHT) * 2,
        area,
        line,
    )


@register.inclusion_tag("parts/signal_card.html")
def signal_card(chart: Chart) -> dict[str, Any]:
    """A golden signal: name, value with unit, limit, plot, and the same points as a table."""
    return {"chart": chart, "data_id": f"plot-{chart.key}"}


@register.inclusion_tag("parts/plot_legend.html")
def plot_legend(chart: Chart) -> dict[str, Any]:
    """The series of charts that share them, in their one order; limit and change markers."""
    return {"chart": chart}
