"""The pages of one cluster: each has its own URL, whichever app it lives in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django import template
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.translation import gettext, gettext_lazy, ngettext

from meshui.ui.templatetags.ui import icon, status

if TYPE_CHECKING:
    from django.template import RequestContext
    from django.utils.safestring import SafeString

    from clusters.models import Cluster

register = template.Library()
TABS: Final = (
    ("clusters:cluster-detail", gettext_lazy("Connection")),
    ("meshes:cluster-inventory", gettext_lazy("Inventory")),
    ("meshes:inventory-namespaces", gettext_lazy("Namespaces")),
    ("metrics:cluster-metrics", gettext_lazy("Metrics")),
    ("traffic:cluster-drift", gettext_lazy("Drift")),
    ("meshes:cluster-capabilities", gettext_lazy("Capabilities")),
    ("traffic:cluster-history", gettext_lazy("History")),
)


@register.inclusion_tag("clusters/cluster_tabs.html", takes_context=True)
def cluster_tabs(context: RequestContext, cluster: Cluster) -> dict[str, Any]:
    """The tabs of a cluster; the current one is that whose URL is the longest that the page's begins with."""
    path = context["request"].path
    tabs = [(url, word) for name, word in TABS if (url := _url_if_there(name, cluster.slug))]
    current = max((url for url, _ in tabs if path.startswith(url)), key=len, default="")
    return {"tabs": [(url, word, url == current) for url, word in tabs]}


def _url_if_there(name: str, slug: str) -> str:
    """The URL of a page of an app that may not have it; empty then."""
    try:
        return reverse(name, args=[slug])
    except NoReverseMatch:
        return ""


@register.simple_tag
def sync_fact(word: str, drifted: int, read: SafeString, drift_url: str = "") -> SafeString:
    """Whether what is stored is as it should be (`word`, `drifted` of a SyncFact), and `read`: as of when, in words."""
    many = ngettext("%(n)s drifted", "%(n)s drifted", drifted) % {"n": drifted}
    if word == "drifted":
        said = format_html('<a href="{}">{}</a>', drift_url, many) if drift_url else many
        return format_html('<span class="st warn">{}<span>{}</span></span>', icon("equal-not", 15), said)
    if word == "stale":
        told = icon("clock-alert", 15), gettext("Read"), read
        told_word = format_html('<span class="st warn">{}<span>{} {}</span></span>', *told)
    else:
        told_word = status(word, "sync")
    if not drifted:
        return told_word
    before = ngettext("%(n)s drifted before", "%(n)s drifted before", drifted) % {"n": drifted}
    return format_html('{} <span class="sub">{}</span>', told_word, before)
