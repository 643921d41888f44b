"""The parts of a page: `{% load ui %}`. Everything foreign is escaped here; widths are SVG attributes, never styles."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from django import template
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext, ngettext

from meshui.lib import clock
from meshui.ui import bars, diffs, parts, wording
from meshui.ui.context import env_of
from meshui.ui.statuses import status_of
from meshui.ui.views import default_query
from meshui.ui.yaml_text import to_yaml

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Sequence

    from django.forms import BaseForm, BoundField
    from django.template.context import RequestContext
    from django.utils.safestring import SafeString

    from meshui.lib.errors import RefusedError
    from meshui.ui.tables import KeysetPage

register = template.Library()
TONE_ICONS: Final = {"ok": "circle-check", "warn": "triangle-alert", "crit": "circle-x", "info": "info"}
LEVELS: Final = {"success": "ok", "warning": "warn", "error": "crit"}
MARKS: Final = {
    "istio": "Is",
    "linkerd": "Lk",
    "consul": "Co",
    "kuma": "Ku",
    "cilium": "Ci",
    "appmesh": "Am",
    "lattice": "La",
    "osm": "Os",
}
KEPT: Final = ("sort", "env", "hide", "group", "rows")
"""Parameters of a list that its filters leave as they are."""
VIEWS_URL: Final = "/views/"  # a page of an app above this one
AVATARS: Final = ("av", "av g", "av o")

register.filter("percent", wording.percent)
register.filter("number", wording.number)
register.filter("grouped", wording.grouped)
register.filter("initials", wording.initials)


@register.filter
def visible(value: object) -> str:
    """Foreign text with control and direction characters shown as symbols."""
    return wording.visible(str(value))


@register.filter
def short(digest: str) -> str:
    """The first seven characters of a digest: shown short, always compared whole."""
    return digest[:7]


@register.filter
def as_yaml(value: object) -> str:
    """A JSON value as YAML text; "" for None."""
    return to_yaml(value)


@register.filter
def tone_of_level(level: str) -> str:
    """The tone of a message's level."""
    return LEVELS.get(level, "info")


@register.filter
def icon_of_level(level: str) -> str:
    """The icon of a message's level."""
    return TONE_ICONS[tone_of_level(level)]


@register.simple_tag
def icon(name: str, size: int = 16, css: str = "") -> SafeString:
    """An icon of the sprite; decoration, so hidden from readers: words stand beside it."""
    return _icon(name, size, css) if name else format_html("{}", "")


@lru_cache(maxsize=1024, typed=True)  # a list has hundreds of the same
def _icon(name: str, size: int, css: str) -> SafeString:
    return format_html(
        '<svg class="i {}" width="{}" height="{}" aria-hidden="true"><use href="{}#{}"/></svg>',
        css,
        size,
        size,
        static("icons.svg"),
        name,
    )


@register.simple_tag
def status(value: object, kind: str, detail: object = "") -> SafeString:
    """A status as icon, word and colour; `detail` follows the word."""
    look = status_of(value, kind)
    text: object = look.word
    if detail:
        text = format_html("{} {}", look.word, wording.visible(str(detail)))
    return format_html('<span class="st {}">{}<span>{}</span></span>', look.tone, icon(look.icon, 15), text)


@register.simple_tag
def pill(value: object, kind: str) -> SafeString:
    """A status as a pill."""
    look = status_of(value, kind)
    return format_html('<span class="pill {}">{}{}</span>', look.tone, icon(look.icon, 13), look.word)


@register.simple_tag
def ago(moment: dt.datetime | None) -> SafeString:
    """A time as people say it, which goes on in the page; the absolute one stands in its title. A dash for None."""
    if moment is None:
        return format_html('<span class="mut">{}</span>', "\u2013")
    said = wording.relative(moment, timezone.localtime(clock.now()))
    title = wording.both_zones(moment)
    return format_html('<time datetime="{}" title="{}" data-ago>{}</time>', moment.isoformat(), title, said)


@register.simple_tag
def at(moment: dt.datetime | None) -> SafeString:
    """A time, absolute, in the reader's zone; in UTC in its title. A dash for None."""
    return _absolute(moment, wording.in_zone)


@register.simple_tag
def at_utc(moment: dt.datetime | None) -> SafeString:
    """A time, absolute, in UTC, as history has it; in the reader's zone in its title. A dash for None."""
    return _absolute(moment, wording.absolute)


def _absolute(moment: dt.datetime | None, write: Callable[[dt.datetime], str]) -> SafeString:
    if moment is None:
        return format_html('<span class="mut">{}</span>', "\u2013")
    title = wording.both_zones(moment)
    return format_html('<time datetime="{}" title="{}">{}</time>', moment.isoformat(), title, write(moment))


@register.simple_tag
def avatar(name: str) -> SafeString:
    """The round mark of a person; decoration."""
    css = AVATARS[sum(map(ord, name)) % len(AVATARS)]
    return format_html('<span class="{}" aria-hidden="true">{}</span>', css, wording.initials(name))


@register.simple_tag
def mesh_mark(kind: str) -> SafeString:
    """The two letters of a mesh product; decoration: its name stands beside it."""
    return format_html('<span class="mm {}" aria-hidden="true">{}</span>', kind, MARKS.get(kind, kind[:2].capitalize()))


@register.simple_tag
def copy_button(text: str) -> SafeString:
    """A button that copies `text`; without script it is not there."""
    return format_html(
        '<button class="btn sm ghost scripted copy" type="button" data-copy="{}">{}{}</button>',
        text,
        icon("copy", 14),
        gettext("Copy"),
    )


@register.simple_tag
def yaml_block(text: str) -> SafeString:
    """YAML with colours and a copy button."""
    return format_html(
        '<div class="code hl">{}<pre tabindex="0">{}</pre></div>', copy_button(text), diffs.render_yaml(text)
    )


@register.simple_tag
def diff(before: str, after: str, mode: diffs.Mode = "unified", title: str = "") -> SafeString:
    """What changed between two YAML texts."""
    return diffs.render_diff(before, after, mode, wording.visible(title))


@register.simple_tag
def diff_counts(before: str, after: str) -> SafeString:
    """How many lines came and went, as +2 and a minus with 2; nothing for texts that are too long to compare."""
    if diffs.is_too_long(before, after):
        return format_html("{}", "")
    added, removed = diffs.counts(before, after)
    return format_html(
        '<span class="pm"><span class="a">+{}</span> <span class="d">\u2212{}</span></span>', added, removed
    )


@register.simple_tag
def slider_track(live_bp: int, shown_bp: int) -> SafeString:
    """The rail of a slider: what is chosen, and a tick where the cluster is now."""
    return format_html(
        '<svg aria-hidden="true"><rect class="bg" x="0" y="14" width="100%" height="6" rx="3"/>'
        '<rect class="tr" x="0" y="14" width="{}%" height="6" rx="3"/>'
        '<line class="tick" x1="{}%" x2="{}%" y1="5" y2="29"/></svg>',
        bars.percentage(shown_bp),
        bars.percentage(live_bp),
        bars.percentage(live_bp),
    )


@register.simple_tag
def split_bar(
    live: Sequence[tuple[str, int]],
    proposed: Sequence[tuple[str, int]] | None = None,
    seen: str = "",
    first: str = "",
    last: str = "",
) -> SafeString:
    """The shares as a bar: live alone, or thin above what is proposed. Hidden from readers: say the same beside it.

    `seen`: the id of the place above both where measured shares are put once known. `first`, `last`: other labels.
    """
    if proposed is None:
        return bars.bar(live)
    place = format_html('<div id="{}">{}</div>', seen, measured_bar(())) if seen else ""
    return bars.stacked([(first or gettext("Live now"), live), (last or gettext("Proposed"), proposed)], place)


@register.simple_tag
def split_bars(levels: Sequence[tuple[str, Sequence[tuple[str, int]]]]) -> SafeString:
    """A bar for each (label, shares), the last one large. Hidden from readers: say the same beside them."""
    return bars.stacked(levels)


@register.simple_tag
def measured_bar(shares: Sequence[tuple[str, int]]) -> SafeString:
    """What stands in the place above the bars of `split_bar`; a dash as long as nothing is known."""
    shown = bars.bar(shares, "thin") if shares else format_html("<span>{}</span>", "\N{EN DASH}")
    return format_html("<span>{}</span>{}", gettext("Measured"), shown)


@register.simple_tag
def split_legend(shares: Sequence[tuple[str, int]]) -> SafeString:
    """Every backend with its colour, name and percent, in the one order."""
    rows = [
        (parts.series_class(number), wording.visible(name), wording.percent(share))
        for number, (name, share) in enumerate(shares)
    ]
    items = format_html_join("", '<li class="{}"><i class="dot"></i>{} <b class="num">{}</b></li>', rows)
    return format_html('<ul class="legend">{}</ul>', items)


@register.inclusion_tag("parts/split_editor.html")
def split_editor(rows: Sequence[parts.SplitRow], prefix: str = "", seen_url: str = "") -> dict[str, Any]:
    """The rows of a split form; their fields are called `<prefix>weight-<n>` and hold percent text.

    `seen_url` answers what is measured of them: it fills `#<prefix>seen`, and `#seen-<field>` of each row.
    """
    placed = parts.numbered(rows, prefix)
    return {
        "rows": placed,
        "last": placed[-1],
        "live": [(row.name, row.live_bp) for row in placed],
        "proposed": [(row.name, row.shown_bp) for row in placed],
        "presets": parts.PRESETS,
        "prefix": prefix,
        "seen_url": seen_url,
    }


@register.inclusion_tag("parts/steps.html")
def steps(items: Sequence[parts.Step]) -> dict[str, Any]:
    """The ladder on top of a page."""
    return {"steps": items}


@register.inclusion_tag("parts/empty.html")
def empty(title: str, text: str = "", icon: str = "search", url: str = "", action: str = "") -> dict[str, Any]:
    """A list with nothing in it: what this is, why it is empty, one action."""
    return {"title": title, "text": text, "icon": icon, "url": url, "action": action}


@register.inclusion_tag("parts/notice.html")
def notice(tone: str, title: str, text: str = "") -> dict[str, Any]:
    """A banner; a critical one is announced at once."""
    role = "alert" if tone == "crit" else "status"
    return {"tone": tone, "icon": TONE_ICONS[tone], "title": title, "text": text, "role": role}


@register.inclusion_tag("parts/refusal.html", takes_context=True)
def refusal(context: RequestContext, refused: RefusedError) -> dict[str, Any]:
    """What was refused, and how to go on."""
    request_id = getattr(context.get("request"), "request_id", "")
    return {"message": refused.message, "mend": refused.mend, "request_id": request_id}


@register.inclusion_tag("parts/field.html")
def field(bound: BoundField) -> dict[str, Any]:
    """One field with its label, help and errors."""
    widget = bound.field.widget
    return {
        "field": bound,
        "is_check": getattr(widget, "input_type", "") == "checkbox" and not bound.use_fieldset,
        "is_group": bound.use_fieldset,
        "errors": list(bound.errors),
        "described_by": bound.aria_describedby or "",
    }


@register.inclusion_tag("parts/form_errors.html")
def form_errors(form: BaseForm) -> dict[str, Any]:
    """The summary of what did not pass; nothing for a form that did."""
    problems = [(bound.id_for_label, bound.label, " ".join(map(str, bound.errors))) for bound in form if bound.errors]
    return {"problems": problems, "general": list(form.non_field_errors())}


@register.simple_tag(takes_context=True)
def query_with(context: RequestContext, **changes: object) -> str:
    """The query of this page with `changes` made; None and "" drop a parameter."""
    return _query(context, changes)


def _query(context: RequestContext, changes: dict[str, object], bare: str = "") -> str:
    """The query of this page with `changes`. `bare`: of a list that opens with a view, what asks for all of it."""
    params = context["request"].GET.copy()
    for name, value in changes.items():
        params[name] = "" if value is None else str(value)
    for name in [name for name, value in params.items() if not value]:
        del params[name]
    if not params and bare and default_query(context["request"]):
        return f"?view={bare}"
    return f"?{params.urlencode()}" if params else context["request"].path


@register.simple_tag(takes_context=True)
def sort_head(context: RequestContext, name: str, label: str, css: str = "", target: str = "#table") -> SafeString:
    """The head of a column that sorts: a link, and htmx beside it."""
    now = str(context["sort"])
    is_down = now == f"-{name}"
    is_on = is_down or now == name
    url = _query(context, {"sort": name if is_down or not is_on else f"-{name}", "after": None})
    order = "none" if not is_on else "descending" if is_down else "ascending"
    mark = icon("arrow-down" if is_down else "arrow-up", 12) if is_on else ""
    return format_html(
        '<th scope="col" class="{}" aria-sort="{}"><a href="{}" hx-get="{}" hx-target="{}" hx-swap="outerMorph" '
        'hx-sync="{}:replace">{}{}</a></th>',
        css,
        order,
        url,
        url,
        target,
        target,
        label,
        mark,
    )


def clear_url(context: RequestContext, form: BaseForm) -> str:
    """This list without its filters; the environment that everything is narrowed to stays."""
    return _query(context, {**dict.fromkeys(form.fields, ""), "after": "", "env": env_of(context["request"])}, "all")


@register.inclusion_tag("parts/filter_bar.html", takes_context=True)
def filter_bar(
    context: RequestContext, form: BaseForm, label: str, target: str = "#table", columns: str = ""
) -> dict[str, Any]:
    """The filters of a list, from a GET form: text becomes a search field, choices a select.

    Hidden fields are kept: the environment, which has a tag of its own. `columns`: the name of a table whose columns
    can be chosen.
    """
    request = context["request"]
    fields = [bound for bound in form if not bound.is_hidden]
    choices = [bound for bound in fields if hasattr(bound.field, "choices")]
    keeps_views = bool(getattr(context.get("view"), "keeps_views", False))
    return {
        "texts": [bound for bound in fields if bound not in choices],
        "choices": choices,
        "kept": [(name, request.GET[name]) for name in KEPT if request.GET.get(name)],
        "label": label,
        "target": target,
        "url": request.path,
        "clear_url": clear_url(context, form),
        "env": env_of(request),
        "env_clear_url": _query(context, {"env": "", "after": ""}, "all"),
        "views_url": f"{VIEWS_URL}?{urlencode({'at': request.get_full_path()})}" if keeps_views else "",
        "columns": columns,
        "is_filtered": any(bound.value() not in (None, "", []) for bound in fields),
    }


@register.inclusion_tag("parts/pager.html")
def pager(rows: KeysetPage[Any], target: str = "#table") -> dict[str, Any]:
    """How many are shown of how many, and the way to the rest."""
    text = ngettext("%(shown)s of %(total)s", "%(shown)s of %(total)s", rows.total)
    shown = text % {"shown": wording.number(len(rows)), "total": rows.total_words}
    found = ngettext("%(total)s row matches", "%(total)s rows match", rows.total)
    return {"rows": rows, "shown": shown, "found": found % {"total": rows.total_words}, "target": target}
