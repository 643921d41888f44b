"""Invented graphs and charts for /design/. Positions are kept beside this file, so that the page needs no Graphviz."""

from __future__ import annotations

import datetime as dt
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from meshui.ui.charts import Chart, Limit, Marker, Series
from meshui.ui.drawn import Picture
from meshui.ui.graphs import Box, Edge, Graph, Layout, Node

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshui.ui.graphs import Tone

LAYOUT: Final = Path(__file__).with_name("design_layout.json")
CALLERS: Final[tuple[tuple[str, str, str, Tone], ...]] = (
    ("web", "edge · 4,100/s", "prod-eu-west-1", "ok"),
    ("mobile-api", "edge · 2,300/s", "prod-eu-west-1", "ok"),
    ("checkout", "retail · 1,907/s", "prod-eu-west-1", "warn"),
    ("catalog", "retail · 2,890/s", "prod-eu-west-1", "ok"),
    ("payments", "core-banking · 740/s", "bank-fra-1", "crit"),
    ("ledger", "core-banking · 702/s", "bank-fra-1", "crit"),
    ("warehouse", "legacy · no data", "legacy-vm-dc1", ""),
    ('<b>"quoted" & \\long</b> name of a service', "legacy · idle", "legacy-vm-dc1", ""),
)
CALLS: Final = (
    (0, 2, 1120, 0.006, False),
    (0, 3, 1900, 0.0002, False),
    (1, 2, 787, 0.006, False),
    (2, 4, 740, 0.019, False),
    (4, 5, 702, 0.024, False),
    (2, 6, 310, 0.001, True),
    (2, 7, 0, 0, None),
    (1, 6, None, None, None),
)
LOOKS: Final = {
    "ok": ("Healthy", "circle-check"),
    "warn": ("Degraded", "triangle-alert"),
    "crit": ("At risk", "circle-x"),
    "": ("No data", "circle-question-mark"),
}
STALE: Final = {"legacy-vm-dc1": "Stale"}
POINTS, STEP = 61, 15


def example_graph() -> Graph:
    """Services of three clusters, with every kind of line and a hostile name."""
    nodes = [_example(*each) for each in CALLERS]
    edges = [
        Edge(CALLERS[a][0], CALLERS[b][0], rate, errors, is_plaintext, url="#h-graph")
        for a, b, rate, errors, is_plaintext in CALLS
    ]
    boxes = dict.fromkeys(box for _, _, box, _ in CALLERS)
    return Graph(tuple(nodes), tuple(edges), tuple(Box(name, name, note=STALE.get(name, "")) for name in boxes))


def _example(name: str, note: str, box: str, tone: Tone) -> Node:
    word, icon = LOOKS[tone]
    is_focus = name == "checkout"
    why = ("0.60 % of its requests failed",) if is_focus else ()
    badge = "#1479" if name == "payments" else ""
    return Node(name, name, note, "#h-graph", box, tone, word, is_focus=is_focus, icon=icon, why=why, badge=badge)


def example_picture() -> Picture:
    """The same, where Graphviz placed it once."""
    return Picture(example_graph(), Layout(**json.loads(LAYOUT.read_text(encoding="utf-8"))))


def pictures_of(now: dt.datetime) -> dict[str, Any]:
    """What /design/ shows of graphs and charts."""
    rate = _rate(int(now.timestamp()))
    none = Chart("none", "Saturation", "saturation", rate.now, source=rate.source)
    return {
        "graph_picture": example_picture(),
        "charts": [rate, _success(rate), _latency(rate), replace(none, no_data_since=now - dt.timedelta(minutes=4))],
        "more_charts": [
            Chart("loading", "Latency p50", "latency", rate.now, is_loading=True),
            replace(rate, key="others", title="Traffic by version", series=_seven(), markers=(), value=1810),
        ],
        "spark": [40 + 8 * wave(n) for n in range(90)],
        "spark_gaps": [None if n in range(20, 34) or n == 50 else 40 + 8 * wave(n) for n in range(60)],
    }


def _rate(at: int) -> Chart:
    times = tuple(at - (POINTS - 1 - n) * STEP for n in range(POINTS))
    first = _series("checkout-v1", lambda n: 1730 + 60 * wave(n))
    second = _series("checkout-v2", lambda n: 180 + 14 * wave(n + 9))
    source, marker = "Prometheus of prod-eu-west-1", Marker(times[40], 1479, "#h-charts")
    return Chart("rate", "Traffic", "rate", at, times, (first, second), 1932, source, markers=(marker,))


def _success(rate: Chart) -> Chart:
    """With a gap, and a version under its limit."""
    series = (
        _series("checkout-v1", lambda n: 0.9996 + 0.0001 * wave(n)),
        _series("checkout-v2", lambda n: None if 22 <= n < 32 else 0.9976 + 0.0006 * wave(n + 5)),
    )
    chart = replace(rate, key="success", title="Success rate", unit="success", value=0.99941, series=series)
    return replace(chart, limit=Limit("limit 99.8 %", 0.998), pill="v2 under 99.8 %", pill_tone="warn")


def _latency(rate: Chart) -> Chart:
    """Without data for the last minutes."""
    series = (
        _series("checkout-v1", lambda n: None if n >= 47 else 160 + 9 * wave(n)),
        _series("checkout-v2", lambda n: None if n >= 47 else 240 + 22 * wave(n + 3)),
    )
    chart = replace(rate, key="latency", title="Latency p99", unit="latency", value=160, series=series)
    return replace(chart, limit=Limit("SLO 300 ms", 300))


def wave(n: int) -> float:
    """Something that looks like traffic, from -1 to 1."""
    return 0.6 * math.sin(n / 5) + 0.25 * math.sin(n * 1.7) + 0.15 * math.sin(n * 4.1)


def _series(name: str, value: Callable[[int], float | None]) -> Series:
    return Series(name, tuple(value(n) for n in range(POINTS)))


def _seven() -> tuple[Series, ...]:
    """From the seventh on they are one line."""
    names = [*(f"checkout-v{n}" for n in range(1, 6)), "2 others"]
    return tuple(_series(name, _around(520 / place, place * 7)) for place, name in enumerate(names, 1))


def _around(level: float, phase: int) -> Callable[[int], float | None]:
    return lambda n: level + 12 * wave(n + phase)
