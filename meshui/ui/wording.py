"""How numbers, times and foreign text are written on a page. Pure but for language and zone."""

from __future__ import annotations

import datetime as dt
import unicodedata
from typing import Final

from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext, ngettext

NARROW: Final = "\u202f"  # before a unit
MINUS: Final = "\u2212"
DAY: Final = 86_400
HIDDEN: Final = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})


def percent(basis_points: int) -> str:
    """7500 → “75 %”, 3333 → “33.33 %”; up to two decimals, never rounded."""
    whole, rest = divmod(abs(basis_points), 100)
    decimals = 0 if rest == 0 else 1 if rest % 10 == 0 else 2
    sign = MINUS if basis_points < 0 else ""
    return f"{sign}{number_format(whole + rest / 100, decimals)}{NARROW}%"


def percent_text(basis_points: int) -> str:
    """What stands in a field: 7500 → “75”, 3333 → “33.33”. Never localised."""
    return f"{basis_points / 100:.2f}".rstrip("0").rstrip(".")


def number(value: float) -> str:
    """1907 → “1,907”; from 10,000 on “34.1k”."""
    size = abs(value)
    sign = MINUS if value < 0 else ""
    if size >= 1_000_000:
        return f"{sign}{number_format(size / 1_000_000, 1)}M"
    if size >= 10_000:
        return f"{sign}{number_format(size / 1000, 1)}k"
    return f"{sign}{number_format(round(size), 0, force_grouping=True)}"


def grouped(value: int) -> str:
    """45600 → “45,600”: every digit, where numbers have to add up."""
    return str(number_format(value, 0, force_grouping=True))


def at_least(value: float) -> str:
    """1000 → “1,000+”: so many, and nobody counted on."""
    return gettext("%(n)s+") % {"n": number(value)}


def absolute(moment: dt.datetime) -> str:
    """“2026-11-23 08:47:12 UTC”, in every language."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def in_zone(moment: dt.datetime) -> str:
    """“2026-11-23 09:47:12 Europe/Berlin”: in the zone in force, with its name."""
    zone = timezone.get_current_timezone_name()
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M:%S} {zone}" if zone != "UTC" else absolute(moment)


def both_zones(moment: dt.datetime) -> str:
    """In UTC, and in the zone in force if that is another one."""
    here, utc = in_zone(moment), absolute(moment)
    return utc if here == utc else f"{utc} · {here}"


def relative(moment: dt.datetime, now: dt.datetime) -> str:
    """“6 min ago” within a day, else the date in the zone of `now`."""
    seconds = (now - moment).total_seconds()
    if abs(seconds) >= DAY:
        return date_format(moment.astimezone(now.tzinfo), "j M Y" if moment.year != now.year else "j M, H:i")
    return _ago(seconds) if seconds >= 0 else _ahead(-seconds)


def relative_words() -> dict[str, str]:
    """The words of `relative` for static/live.js, which lets ages go on: `_` is where the length of time stands."""
    return {
        "now": gettext("just now"),
        "ago": gettext("%(span)s ago") % {"span": "_"},
        "ahead": gettext("in %(span)s") % {"span": "_"},
        "unit-s": gettext("s"),
        "unit-min": gettext("min"),
        "unit-h": gettext("h"),
    }


def _ago(seconds: float) -> str:
    if seconds < 5:
        return gettext("just now")
    return gettext("%(span)s ago") % {"span": span(seconds)}


def _ahead(seconds: float) -> str:
    return gettext("in %(span)s") % {"span": span(seconds)}


def span(seconds: float) -> str:
    """A length of time in its largest unit: 9 s, 6 min, 3 h, 2 days."""
    if seconds < 60:
        return f"{int(seconds)}{NARROW}{gettext('s')}"
    if seconds < 3600:
        return f"{int(seconds // 60)}{NARROW}{gettext('min')}"
    if seconds < 2 * DAY:
        return f"{int(seconds // 3600)}{NARROW}{gettext('h')}"
    days = int(seconds // DAY)
    return ngettext("%(days)d day", "%(days)d days", days) % {"days": days}


def visible(text: str) -> str:
    """Foreign text with its control and direction characters shown: nothing in it can reorder or hide a page."""
    if text.isprintable():  # nearly all of it
        return text[:]  # plain, also where somebody held it for safe
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    return f"\u27e8U+{ord(character):04X}\u27e9" if unicodedata.category(character) in HIDDEN else character


def initials(name: str) -> str:
    """Two letters for the round mark of a person."""
    words = [word for word in name.replace(".", " ").replace("_", " ").replace("-", " ").split() if word[0].isalnum()]
    if not words:
        return "?"
    return (words[0][0] + (words[-1][0] if len(words) > 1 else words[0][1:2])).upper()
