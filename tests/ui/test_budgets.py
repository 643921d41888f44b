"""What a page may weigh, compressed."""

from __future__ import annotations

import gzip
from pathlib import Path

STATIC = Path(__file__).resolve().parents[2] / "static"
KIB = 1024


def weight(*names: str) -> int:
    return sum(len(gzip.compress((STATIC / name).read_bytes(), 9)) for name in names)


def test_css__compressed__is_at_most_15_kib() -> None:
    assert weight("app.css") <= 15 * KIB


def test_scripts__compressed__are_at_most_50_kib() -> None:
    assert weight("app.js", "frame.js", "vendor/htmx4-sse.js") <= 50 * KIB


def test_scripts__of_a_page_with_charts__are_at_most_65_kib() -> None:
    """With their style sheet, which is loaded nowhere else."""
    charts = ("charts.js", "vendor/uplot.js", "vendor/uplot.css")

    assert weight("app.js", "frame.js", "live.js", "vendor/htmx4-sse.js", *charts) <= 65 * KIB


def test_fonts__as_they_are__are_at_most_90_kib() -> None:
    fonts = [path.stat().st_size for path in (STATIC / "vendor").glob("*.woff2")]

    assert len(fonts) == 2
    assert sum(fonts) <= 90 * KIB
