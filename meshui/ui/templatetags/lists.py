"""What lists have beside their rows: boxes that choose, a bar of verbs, hidden columns. `{% load lists %}`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django import template
from django.middleware.csrf import get_token
from django.utils.html import format_html
from django.utils.translation import gettext

from meshui.ui import wording
from meshui.ui.bulk import MOST
from meshui.ui.places import plain_query

if TYPE_CHECKING:
    from django.template.context import RequestContext
    from django.utils.safestring import SafeString

    from meshui.ui.tables import KeysetPage

register = template.Library()
COLUMNS: Final = 9
HIDEABLE: Final = frozenset("23456789")


@register.simple_tag(takes_context=True)
def hidden_columns(context: RequestContext, name: str) -> str:
    """The numbers of the columns that the reader hides: by the URL, else by the cookie. Never the first."""
    request = context["request"]
    asked = request.GET.get("hide") or request.COOKIES.get(f"columns-{name}", "")
    return " ".join(number for number in asked.split(".")[:COLUMNS] if number in HIDEABLE)


@register.inclusion_tag("parts/bulk_bar.html", takes_context=True)
def bulk_bar(  # noqa: PLR0913 - one part, five words
    context: RequestContext, rows: KeysetPage[Any], url: str, label: str, icon: str, *, asks: str = "", effect: str = ""
) -> dict[str, Any]:
    """What can be done with the rows that are ticked (`<input name="item" form="bulk">`), or with all that match."""
    request = context["request"]
    if rows.total > MOST:
        words = gettext("The first %(n)s that match") % {"n": wording.number(MOST)}
    else:
        words = gettext("All %(n)s that match") % {"n": wording.number(rows.total)}
    return {
        "rows": rows,
        "url": url,
        "label": label,
        "icon": icon,
        "asks": asks,
        "effect": effect,
        "token": get_token(request),
        "query": plain_query(request.GET.urlencode()),
        "all_words": words,
    }


@register.simple_tag
def pick(value: object, name: object) -> SafeString:
    """The box that chooses a row for `bulk_bar`."""
    label = gettext("Select %(name)s") % {"name": wording.visible(str(name))}
    return format_html('<input type="checkbox" name="item" form="bulk" value="{}" aria-label="{}">', value, label)
