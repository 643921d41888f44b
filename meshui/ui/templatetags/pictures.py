"""Graphs, sparklines and charts: `{% load pictures %}`. Foreign text is escaped; sizes are SVG attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import template
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.translation import gettext

from meshui.ui import charts, wording
from meshui.ui.graphs import CRIT_SHARE, WARN_SHARE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.utils.safestring import SafeString

    from meshui.ui.charts import Chart
    from meshui.ui.graphs import Edge, Graph, Node, Picture

register = template.Library()


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
        "warn": _percent(WARN_SHARE, 1),
        "crit": _percent(CRIT_SHARE, 0),
    }


@register.inclusion_tag("parts/graph_table.html")
def graph_table(graph: Graph, label: str) -> dict[str, Any]:
    """The same graph as a table: worst first, then by rate; nodes without an edge below."""
    nodes = {node.key: node for node in graph.nodes}
    edges = sorted(graph.edges, key=lambda edge: (-(edge.errors or 0), -(edge.rate or 0), edge.tail, edge.head))
    used = {end for edge in edges for end in (edge.tail, edge.head)}
    return {
        "label": label,
        "rows": [(edge, nodes[edge.tail], nodes[edge.head]) for edge in edges],
        "alone": [node for node in graph.nodes if node.key not in used],
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
    below = " · ".join(wording.visible(part) for part in (node.box, node.note, str(node.word)) if part)
    return format_html('<b>{}</b><span class="sub">{}</span>', name, below)


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


@register.inclusion_tag("parts/signal_cells.html")
def signal_cells(reading: Any) -> dict[str, Any]:
    """Requests/s, success, p50 and p99 as cells of a row; what is not live says since when."""
    golden = reading.golden if reading and reading.is_live else None
    return {
        "reading": reading,
        "golden": golden,
        "rate": charts.rate_text(golden.rate) if golden else "",
        "success": _percent_or_dash(golden.success if golden else None),
        "p50": _ms(golden.p50_ms if golden else None),
        "p99": _ms(golden.p99_ms if golden else None),
    }


def _percent_or_dash(share: float | None) -> str:
    return "\u2013" if share is None else f"{charts.amount(share, 'success')}{wording.NARROW}%"


def _ms(value: float | None) -> str:
    return "\u2013" if value is None else f"{charts.amount(value, 'latency')}{wording.NARROW}ms"


@register.inclusion_tag("parts/fleet_cells.html")
def fleet_cells(measured: Any, key: Any) -> dict[str, Any]:
    """Requests/s with success, and the slowest p99, of one cluster as cells; no data is no number."""
    found = measured.get(key)
    return {
        "rate": charts.rate_text(found.rate) if found else "",
        "success": _percent_or_dash(found.success) if found else "",
        "p99": _ms(found.worst_p99_ms if found else None),
    }


@register.filter
def as_rate(rate: float | None) -> str:
    """1,907; a dash for no data."""
    return charts.amount(rate, "rate")


@register.filter
def as_success(share: float | None) -> str:
    """99.71, never rounded up; a dash for no data."""
    return charts.amount(share, "success")


@register.filter
def as_ms(value: float | None) -> str:
    """584; a dash for no data."""
    return charts.amount(value, "latency")


@register.simple_tag
def before_after(before: Any, after: Any, field: str) -> SafeString:
    """“80 % → 60 %”: a mean before and after. `field` of golden signals (None: no data), or `share` in basis points."""
    said = {"share": _share_words, "success": _percent_or_dash, "p99_ms": _ms}[field]
    values = [each if field == "share" or each is None else getattr(each, field) for each in (before, after)]
    if values == [None, None]:
        return format_html('<span class="mut">{}</span>', gettext("no data"))
    return format_html(
        '{}<span class="vh"> {} </span><span aria-hidden="true"> → </span><b>{}</b>',
        said(values[0]),
        gettext("before, after:"),
        said(values[1]),
    )


def _share_words(share: float | None) -> str:
    return "\u2013" if share is None else wording.percent(int(share))
