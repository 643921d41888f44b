"""Measured values in words and cells: `{% load measured %}`. What is not known is a dash or says so, never a zero."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from django import template
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext

from meshui.ui import charts, wording
from meshui.ui.graphs import tone_of
from meshui.ui.parts import series_class
from meshui.ui.templatetags.pictures import sparkline
from meshui.ui.templatetags.ui import ago

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.utils.safestring import SafeString

    from metrics.types import RowSignals
    from traffic.forms import RuleFields
    from traffic.measures import BackendNow

register = template.Library()
DATA: Final = '<td class="r num">{}<span class="sub">{}</span></td><td class="r num">{}</td>'
NO_DATA: Final = '<td class="r num"><span class="mut">{}</span></td><td class="r num">\u2013</td>'


@register.inclusion_tag("traffic/signal_cells.html")
def signal_cells(reading: Any) -> dict[str, Any]:
    """Requests/s, success, p50 and p99 as cells of a row; what is not live says since when."""
    golden = reading.golden if reading and reading.is_live else None
    return {
        "reading": reading,
        "golden": golden,
        "rate": charts.rate_text(golden.rate) if golden else "",
        "success": _success(golden.success if golden else None),
        "p50": _ms(golden.p50_ms if golden else None),
        "p99": _ms(golden.p99_ms if golden else None),
    }


def _success(share: float | None) -> str:
    """As in `_percent_or_dash`; marked where more fails than is tolerated."""
    said = _percent_or_dash(share)
    is_bad = share is not None and tone_of(1 - share) == "crit"
    return format_html('<b class="dn">{}</b>', said) if is_bad else said


def _percent_or_dash(share: float | None) -> str:
    return "\u2013" if share is None else f"{charts.amount(share, 'success')}{wording.NARROW}%"


def _ms(value: float | None) -> str:
    return "\u2013" if value is None else f"{charts.amount(value, 'latency')}{wording.NARROW}ms"


@register.simple_tag
def fleet_cells(measured: Any, key: Any) -> SafeString:
    """Requests/s with success, and the slowest p99, of one cluster as cells; no data is no number."""
    found = measured.get(key)
    if not found:
        return format_html(NO_DATA, gettext("no data"))
    rate, success, p99 = charts.rate_text(found.rate), _success(found.success), _ms(found.worst_p99_ms)
    return format_html(DATA, rate, success, p99)


@register.simple_tag
def row_rate(signals: RowSignals) -> SafeString:
    """Requests/s of a row over its clusters, with its last hour; else since when, or why, there is no number."""
    if signals.state == "live":
        part = ngettext("%(live)s of %(n)s cluster", "%(live)s of %(n)s clusters", signals.places)
        said = part % {"live": signals.live, "n": signals.places} if signals.live < signals.places else ""
        below = format_html('<span class="sub">{}</span>', said) if said else ""
        return format_html("{}<b>{}</b>{}", sparkline(signals.line), charts.rate_text(signals.rate), below)
    if signals.state == "stale":
        return format_html('<span class="mut">{} {}</span>', gettext("No data since"), ago(signals.at))
    words = gettext("no source") if signals.state == "off" else gettext("not measured")
    return format_html('<span class="mut">{}</span>', words)


@register.simple_tag
def row_value(signals: RowSignals, field: str) -> str:
    """`success` or `p99_ms` of a row; a dash where it is not known."""
    value = getattr(signals, field)
    return _success(value) if field == "success" else _ms(value)


@register.inclusion_tag("traffic/backend_now.html")
def backend_now(each: BackendNow, number: int) -> dict[str, Any]:
    """Sparkline, requests/s, success and p99 of the backend at place `number`; else since when there is no data."""
    golden = each.reading.golden if each.reading and each.reading.is_live else None
    return {
        "each": each,
        "css": series_class(number),
        "golden": golden,
        "rate": charts.amount(golden.rate if golden else None, "rate"),
        "success": _success(golden.success if golden else None),
        "p99": _ms(golden.p99_ms if golden else None),
    }


@register.filter
def as_json(value: Mapping[str, float]) -> str:
    """For a data attribute that a script reads; never localised."""
    return json.dumps(dict(value))


@register.filter
def seen_url(rule: RuleFields, base: str) -> str:
    """Where it is told what is measured of the backends of a rule."""
    return f"{base}&{urlencode({'rows': rule.prefix, 'key': rule.keys}, doseq=True)}"


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
