"""What a page may weigh, compressed."""

from __future__ import annotations

import gzip
from pathlib import Path

from django.contrib.staticfiles import finders

STATIC = Path(__file__).resolve().parents[2] / "static"
KIB = 1024


def weight(*names: str) -> int:
    return sum(len(gzip.compress(Path(str(finders.find(name))).read_bytes(), 9)) for name in names)


def test_css__compressed__is_at_most_15_kib() -> None:
    assert weight("page.css") <= 15 * KIB


def test_scripts__compressed__are_at_most_50_kib() -> None:
    assert weight("page.js") <= 50 * KIB


def test_scripts__of_a_page_with_charts__are_at_most_65_kib() -> None:
    assert weight("page.js", "plots.js") <= 65 * KIB


def test_fonts__as_they_are__are_at_most_90_kib() -> None:
    fonts = [path.stat().st_size for path in (STATIC / "vendor").glob("*.woff2")]

    assert len(fonts) == 2
    assert sum(fonts) <= 90 * KIB
