"""Split bars: SVG with widths as attributes, colours by place. Decoration: the same is said in words beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext

from meshui.ui import parts, wording

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.utils.safestring import SafeString

    Shares = Sequence[tuple[str, int]]


def percentage(basis_points: int) -> str:
    """An SVG percentage; never localised."""
    return f"{basis_points / 100:.2f}"


def bar(shares: Shares, css: str = "") -> SafeString:
    """A bar in a list is narrow: only wide segments hold their share, and its legend has them all."""
    segments, start = [], 0
    least = {"thin": 10_001, "full": 600}.get(css, 1500)
    for number, (_, share) in enumerate(parts.gathered(shares, gettext("others"))):
        text = wording.percent(share) if share >= least else ""
        segments.append(
            (parts.series_class(number), percentage(start), percentage(share), percentage(start + share // 2), text),
        )
        start += share
    drawn = format_html_join(
        "",
        '<g class="{}"><rect x="{}%" y="0" width="{}%" height="100%"/><text x="{}%" y="50%">{}</text></g>',
        segments,
    )
    return format_html('<svg class="sbar {}" aria-hidden="true">{}</svg>', css, drawn)


def stacked(levels: Sequence[tuple[str, Shares]], first: str = "") -> SafeString:
    """A bar for each (label, shares), the last one large; `first` stands above them."""
    sizes = ["thin"] * (len(levels) - 1) + ["full"]
    bars = [(label, bar(shares, size)) for (label, shares), size in zip(levels, sizes, strict=True)]
    return format_html('<div class="sb">{}{}</div>', first, format_html_join("", "<span>{}</span>{}", bars))
