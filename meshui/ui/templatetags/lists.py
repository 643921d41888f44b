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
from meshui.ui.tables import MOST_COUNTED
from meshui.ui.templatetags.ui import clear_url

if TYPE_CHECKING:
    from django.forms import BoundField
    from django.template.context import RequestContext
    from django.utils.safestring import SafeString

    from meshui.ui.tables import KeysetPage

register = template.Library()
COLUMNS: Final = 9
SHOWN: Final = 60
"""Characters of a filter that are said again."""
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
    if rows.is_more or rows.total > MOST:
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


@register.inclusion_tag("parts/empty.html", takes_context=True)
def nothing_matches(context: RequestContext, title: str) -> dict[str, Any]:
    """A list that its filters leave nothing of: which ones, how many rows there are without them, and a way there."""
    form = context["filter_form"]
    said = [
        gettext("%(name)s “%(value)s”") % {"name": bound.label, "value": wording.visible(value)}
        for bound in form
        if (value := word_of(bound))
    ]
    words = [gettext("Looked for: %(filters)s.") % {"filters": ", ".join(said)}] if said else []
    if without := context.get("without"):
        told = wording.at_least(MOST_COUNTED) if without > MOST_COUNTED else wording.number(without)
        words.append(gettext("Without them: %(n)s.") % {"n": told})
    return {
        "title": title,
        "text": " ".join(words),
        "icon": "list-filter",
        "url": clear_url(context, form),
        "action": gettext("Clear filters"),
    }


def word_of(bound: BoundField) -> str:
    """What a filter is set to, as its select shows it; empty for nothing."""
    value = bound.value()
    if value in (None, "", []):
        return ""
    words = {str(key): str(word) for key, word in getattr(bound.field, "choices", ())}
    return words.get(str(value), str(value))[:SHOWN]


@register.simple_tag
def pick(value: object, name: object) -> SafeString:
    """The box that chooses a row for `bulk_bar`."""
    label = gettext("Select %(name)s") % {"name": wording.visible(str(name))}
    return format_html('<input type="checkbox" name="item" form="bulk" value="{}" aria-label="{}">', value, label)
