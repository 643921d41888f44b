"""The pages of one cluster: each has its own URL, whichever app it lives in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django import template
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy

if TYPE_CHECKING:
    from django.template import RequestContext

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
