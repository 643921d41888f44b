"""Charts and sparklines: what a page hands to them, the JSON that the script draws, the paths that need no script.

Rates are requests/s, latencies milliseconds, success and saturation shares from 0 to 1; times are seconds since 1970.
None is a gap: no data, which is never 0. What numbers read like stands here, too, so that chart and table agree.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Literal

from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext

from meshui.ui import wording
from meshui.ui.parts import series_class

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshui.lib.jsontypes import JsonObject

Unit = Literal["rate", "success", "latency", "saturation"]
State = Literal["live", "stale", "none", "loading"]
SHARES: Final = frozenset({"success", "saturation"})
STALE_SECONDS: Final = 60
SPARK_POINTS, SPARK_WIDTH, SPARK_HEIGHT = 60, 112, 28
PLOT_WIDTH, PLOT_HEIGHT = 300, 112
JOINED: Final = 1.5
"""Points that lie further apart than so many steps are not joined."""
Points = tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Series:
    """One line: a backend, or all of them. As many points as its chart has times."""

    name: str
    points: Points


@dataclass(frozen=True, slots=True)
class Limit:
    """A line that a signal should not cross, from an SLO or a guardrail; in the unit of its chart."""

    label: str
    value: float


@dataclass(frozen=True, slots=True)
class Marker:
    """A change, where it was applied; in seconds since 1970."""

    at: int
    number: int
    url: str


@dataclass(frozen=True)
class Chart:
    """One golden signal over time; the axis ends in `now`.

    `key`: a slug, once on the page. `value`: what stands above the plot. `source`, `step_s`, `window_s`: where the
    points come from, how far they lie apart, over how much time each was measured. `no_data_since`: where there is no
    point at all. `pill`: a word on the limit, with its tone.
    """

    key: str
    title: str
    unit: Unit
    now: int
    times: tuple[int, ...] = ()
    series: tuple[Series, ...] = ()
    value: float | None = None
    source: str = ""
    step_s: int = 15
    window_s: int = 60
    limit: Limit | None = None
    markers: tuple[Marker, ...] = ()
    pill: str = ""
    pill_tone: str = ""
    no_data_since: dt.datetime | None = None
    is_loading: bool = False

    @property
    def last_at(self) -> dt.datetime | None:
        """The time of the last point that holds anything."""
        found = [at for at, values in self._lines() if any(value is not None for value in values)]
        return dt.datetime.fromtimestamp(found[-1], dt.UTC) if found else None

    @property
    def state(self) -> State:
        """live, stale (older than a minute), none (no point at all), loading."""
        if self.is_loading:
            return "loading"
        if self.last_at is None:
            return "none"
        return "stale" if self.now - self.last_at.timestamp() > STALE_SECONDS + self.step_s else "live"

    @property
    def value_text(self) -> str:
        """The number above the plot, without its unit."""
        return amount(self.value, self.unit)

    @property
    def unit_text(self) -> str:
        """Its unit."""
        return unit_text(self.unit)

    @property
    def none_text(self) -> str:
        """What is said where there is no point; the time follows it where that is known."""
        return gettext("No data") if self.no_data_since is None else gettext("No data since")

    @property
    def names(self) -> list[tuple[str, str]]:
        """Class of the colour and name of each series, in the one order."""
        return [(series_class(number), each.name) for number, each in enumerate(self.series)]

    @property
    def sentence(self) -> str:
        """What the plot shows, for those who do not see it."""
        head = gettext("%(title)s in %(unit)s, %(span)s until now.") % {
            "title": self.title,
            "unit": self.unit_text,
            "span": wording.span(self.now - self.times[0] if self.times else 0),
        }
        return " ".join([head, *(self._said(each) for each in self.series)])

    def _said(self, series: Series) -> str:
        values = [value for value in series.points if value is not None]
        if not values:
            return gettext("%(series)s: no data.") % {"series": series.name}
        return gettext("%(series)s: last %(last)s, lowest %(low)s, highest %(high)s.") % {
            "series": series.name,
            "last": amount(values[-1], self.unit),
            "low": amount(min(values), self.unit),
            "high": amount(max(values), self.unit),
        }

    @property
    def rows(self) -> list[tuple[dt.datetime, list[str]]]:
        """The same points as the plot, newest first."""
        return [
            (dt.datetime.fromtimestamp(at, dt.UTC), [amount(value, self.unit) for value in values])
            for at, values in reversed(self._lines())
        ]

    @property
    def fallback(self) -> list[tuple[str, str]]:
        """Class and path of each series, for a plot that no script draws."""
        known = [v for each in self.series for v in each.points if v is not None]
        if not known:
            return []
        low = min(known) if self.unit == "success" else 0.0
        return [
            (series_class(number), _path(each.points, (low, max(known)), (PLOT_WIDTH, PLOT_HEIGHT), closed=False))
            for number, each in enumerate(self.series)
        ]

    @property
    def bands(self) -> list[tuple[int, int]]:
        """From when to when there was no data of any series, until now: hatched."""
        known = [at for at, values in self._lines() if any(value is not None for value in values)]
        edges = [*self.times[:1], *known, self.now]
        return [(a, b) for a, b in pairwise(edges) if b - a > JOINED * self.step_s]

    def data(self) -> JsonObject:
        """What the script draws: seconds, one x for all series, a gap is null; shares in percent."""
        lines = self._with_holes()
        columns = zip(*(values for _, values in lines), strict=True) if lines else [()] * len(self.series)
        return {
            "unit": self.unit,
            "x": [at for at, _ in lines],
            "y": [[self._scaled(value) for value in column] for column in columns],
            "now": self.now,
            "limit": None if self.limit is None else self._scaled(self.limit.value),
            "marks": [[marker.at, f"#{marker.number}"] for marker in self.markers],
            "bands": [list(band) for band in self.bands],
            "zone": timezone.get_current_timezone_name(),
            "words": {"now": gettext("now"), "s": gettext("s"), "min": gettext("min"), "h": gettext("h")},
        }

    def _scaled(self, value: float | None) -> float | None:
        if value is None or not math.isfinite(value):
            return None
        return float(f"{value * (100 if self.unit in SHARES else 1):.7g}")

    def _lines(self) -> list[tuple[int, list[float | None]]]:
        return [(at, [each.points[n] for each in self.series]) for n, at in enumerate(self.times)]

    def _with_holes(self) -> list[tuple[int, list[float | None]]]:
        """With an empty point in each hole between times, else the line would run through it."""
        found: list[tuple[int, list[float | None]]] = []
        for at, values in self._lines():
            if found and at - found[-1][0] > JOINED * self.step_s:
                found.append((found[-1][0] + self.step_s, [None] * len(self.series)))
            found.append((at, values))
        return found


# --- numbers --------------------------------------------------------------------------------------------------------


def unit_text(unit: Unit) -> str:
    """The unit as it stands beside a number."""
    return {"rate": gettext("requests/s"), "latency": gettext("ms")}.get(unit, "%")


def amount(value: float | None, unit: Unit) -> str:
    """A number in its unit, without it: success with two decimals and never rounded up; a dash for no data."""
    if value is None or not math.isfinite(value):
        return "\u2013"
    if unit == "success":
        return number_format(math.floor(round(value * 10_000, 6)) / 100, 2)
    if unit == "saturation":
        return number_format(round(value * 100), 0)
    if unit == "rate" and 0 < abs(value) < 10:
        return number_format(value, 2) if value >= 0.01 else f"<{number_format(0.01, 2)}"
    return wording.number(value)


def rate_text(rate: float | None) -> str:
    """“1,907/s”; “no data” for None."""
    return gettext("no data") if rate is None else f"{amount(rate, 'rate')}/{gettext('s')}"


# --- paths that need no script --------------------------------------------------------------------------------------


def resampled(points: Sequence[float | None], most: int = SPARK_POINTS) -> list[float | None]:
    """At most so many points: means of neighbours; a place where none of them is known stays a gap."""
    if len(points) <= most:
        return list(points)
    cuts = [round(n * len(points) / most) for n in range(most + 1)]
    return [_mean(points[a:b]) for a, b in pairwise(cuts)]


def _mean(points: Sequence[float | None]) -> float | None:
    known = [value for value in points if value is not None and math.isfinite(value)]
    return sum(known) / len(known) if known else None


def spark_paths(points: Sequence[float | None]) -> tuple[str, str]:
    """The line and the ground below it; empty where nothing is known."""
    found = resampled(points)
    known = [value for value in found if value is not None]
    if not known:
        return "", ""
    bounds, size = (min(known), max(known)), (SPARK_WIDTH, SPARK_HEIGHT)
    return _path(found, bounds, size, closed=False), _path(found, bounds, size, closed=True)


def _path(points: Sequence[float | None], bounds: tuple[float, float], size: tuple[int, int], *, closed: bool) -> str:
    """A path through what is known, begun anew after each gap; `closed`: with the ground below. Never localised."""
    (low, high), (width, height) = bounds, size
    span, last = (high - low) or 1.0, max(1, len(points) - 1)
    runs: list[list[str]] = [[]]
    for number, value in enumerate(points):
        if value is None or not math.isfinite(value):
            runs.append([])
            continue
        share = (value - low) / span if high > low else 0.5
        runs[-1].append(f"{number * width / last:.1f},{height - 2 - share * (height - 4):.1f}")
    return "".join(_run(run, height, closed=closed) for run in runs if run)


def _run(run: list[str], height: int, *, closed: bool) -> str:
    line = f"M{'L'.join(run)}"
    if not closed:
        return line if len(run) > 1 else f"{line}h.1"
    first, last = run[0].partition(",")[0], run[-1].partition(",")[0]
    return f"{line}L{last},{height}L{first},{height}Z"
