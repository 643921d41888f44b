"""Counters as proxies tell them, kept over a few scrapes, and their rates: Prometheus' algorithms. No Django.

`rate` is Prometheus' own, extrapolation and resets of counters included, so that both ways of measuring agree.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from sys import intern
from typing import TYPE_CHECKING, Final

import msgspec

from meshui.lib.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from meshes.types import LabelMatch, Side, Way
    from metrics.types import Sums, Wanted

MOST_SERIES: Final = 10_000
MOST_VALUE: Final = 1e15
"""What is above counts nothing in this world: it is no data, as sums of such would not be numbers any more."""
MOST_LINE: Final = 16_384
KEPT: Final = 8
MOST_PACKED: Final = 16 * 1024 * 1024
LABELS: Final = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\.)*"'
LINE: Final = re.compile(
    rf"(?P<series>(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{{(?:{LABELS},?[ ]?)*\}})?)[ \t]+(?P<value>\S+)"
    r"(?:[ \t]+-?\d+(?:\.\d+)?)?(?:[ \t]*\#.*)?"
)
LABEL: Final = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')
ESCAPED: Final = re.compile(r"\\(.)")
REACH: Final = 1.1
"""How many usual distances of two samples a rate is carried on to the end of its window: Prometheus' own."""
Point = tuple[float, float]
Scrape = tuple[float, dict[str, float]]


class BadSamplesError(InvalidError):
    """What a proxy answered is not the text format of Prometheus, is cut, or holds too much."""


def parse_samples(text: str, wanted: Collection[str]) -> dict[str, float]:
    """The samples of the metrics `wanted`, by series as written; a value that is no number, or absurd, is left out.

    Raises BadSamplesError: a line of theirs that is none, a last line without end (the answer was cut), more than
    10,000 series.
    """
    if text and not text.endswith("\n"):
        raise BadSamplesError("Its answer was cut: the last line has no end.")
    found: dict[str, float] = {}
    for line in text.splitlines():
        if line.startswith("#") or line.partition("{")[0].partition(" ")[0] not in wanted:
            continue
        match = LINE.fullmatch(line.rstrip()) if len(line) <= MOST_LINE else None
        if match is None:
            raise BadSamplesError("A line of its answer is not in the text format of Prometheus.")
        value = _number(match["value"])
        if abs(value) < MOST_VALUE:
            found[match["series"]] = value
    if len(found) > MOST_SERIES:
        raise BadSamplesError(f"It tells more than {MOST_SERIES:,} series.")
    return found


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise BadSamplesError("A value of its answer is no number.") from error


class _Packed(msgspec.Struct, array_like=True):
    times: list[float]
    series: list[str]
    values: list[list[float | None]]


@dataclass
class History:
    """The last scrapes of one proxy: seconds since 1970, and the samples of each by series; oldest first."""

    scrapes: list[Scrape] = field(default_factory=list)

    def add(self, at: float, samples: dict[str, float], *, window: float) -> None:
        """One more scrape; those before the window are forgotten, and of many those that tell least."""
        kept = [scrape for scrape in self.scrapes if at - window <= scrape[0] < at]
        self.scrapes = _thinned([*kept, (at, samples)])

    def begin(self, start: float, end: float) -> float:
        """From when on it tells of the time from `start` to `end`: later than `start` where it was not asked before."""
        times = [at for at, _ in self.scrapes if start <= at <= end]
        if len(times) < 2:
            return start
        usual = (times[-1] - times[0]) / (len(times) - 1)
        return start if times[0] - start < usual * REACH else times[0]

    def points(self, start: float, end: float, metric: str) -> Iterator[tuple[str, list[Point]]]:
        """Each series of `metric` with its samples of that time; in a scrape that lacks it, it has none."""
        within = [scrape for scrape in self.scrapes if start <= scrape[0] <= end]
        for series in dict.fromkeys(name for _, samples in within for name in samples if _is_of(name, metric)):
            yield series, [(at, samples[series]) for at, samples in within if series in samples]

    def pack(self) -> bytes:
        """For a row: small, as most of it repeats."""
        series = list(dict.fromkeys(name for _, samples in self.scrapes for name in samples))
        values = [[samples.get(name) for name in series] for _, samples in self.scrapes]
        return zlib.compress(msgspec.msgpack.encode(_Packed([at for at, _ in self.scrapes], series, values)), 1)

    @classmethod
    def unpack(cls, data: bytes) -> History:
        """What `pack` made; of anything else nothing is known."""
        try:
            plain = zlib.decompressobj().decompress(data, MOST_PACKED)
            packed = msgspec.msgpack.decode(plain, type=_Packed)
        except (zlib.error, msgspec.DecodeError):
            return cls()
        scrapes = [
            (at, {name: value for name, value in zip(packed.series, row, strict=True) if value is not None})
            for at, row in zip(packed.times, packed.values, strict=True)
        ]
        return cls(scrapes)


def _thinned(scrapes: list[Scrape]) -> list[Scrape]:
    """At most KEPT that still span the same time: each time the one goes whose neighbours are closest together."""
    while len(scrapes) > KEPT:
        gaps = [scrapes[i + 1][0] - scrapes[i - 1][0] for i in range(1, len(scrapes) - 1)]
        del scrapes[1 + gaps.index(min(gaps))]
    return scrapes


def rate(points: Sequence[Point], start: float, end: float) -> float | None:
    """A counter's growth a second within start to end (s), as Prometheus' `rate`; None with fewer than two samples.

    A value below the one before is a restart: all of it is new. The growth is carried on to the ends of the window,
    but not further than half of the usual distance of two samples, nor below zero.
    """
    if len(points) < 2:
        return None
    (first_at, first), (last_at, last) = points[0], points[-1]
    growth = last - first + sum(a[1] for a, b in pairwise(points) if b[1] < a[1])
    sampled = last_at - first_at
    if sampled <= 0:
        return None
    usual = sampled / (len(points) - 1)
    before, after = first_at - start, end - last_at
    if growth > 0 and first >= 0:
        before = min(before, sampled * (first / growth))
    reach = sampled + sum(gap if gap < usual * REACH else usual / 2 for gap in (before, after))
    return growth * (reach / sampled) / (end - start)


@dataclass(frozen=True)
class Target:
    """A proxy that was asked: the labels that a collector would add, what it told, and how many it stands for."""

    labels: Mapping[str, str]
    history: History
    stands_for: float = 1.0


@dataclass(frozen=True)
class SampledRates:
    """Rates from samples of proxies, over `window` seconds up to `at`. Their own side is complete, so it comes first.

    Evaluates what metrics.promql writes as a query: the same labels, regexes anchored, absent is empty.
    """

    targets: Sequence[Target]
    at: float
    window: float
    order: tuple[Side, ...] = ("waypoint", "server", "client", "destination")
    known: dict[str, list[tuple[Mapping[str, str], float]]] = field(default_factory=dict, compare=False, repr=False)

    def sums(self, way: Way, wanted: Wanted, *, good: bool = False) -> Sums:
        """As Rates.sums."""
        found: Sums = {}
        matches = (*way.matches, *(way.good if good else ()))
        names = {label: frozenset(wanted[key]) for key, label in way.keys if key in wanted}
        for labels, growth in self._rates(way.metric):
            if any(labels.get(label, "") not in allowed for label, allowed in names.items()):
                continue
            if all(_holds(match, labels) for match in matches):
                group = tuple(labels.get(label, "") for label in way.labels)
                found[group] = found.get(group, 0.0) + growth
        return found

    def _rates(self, metric: str) -> list[tuple[Mapping[str, str], float]]:
        """The labels and the rate of every series of a metric; each is looked at once."""
        if metric not in self.known:
            self.known[metric] = [found for target in self.targets for found in self._rates_of(target, metric)]
        return self.known[metric]

    def _rates_of(self, target: Target, metric: str) -> Iterator[tuple[Mapping[str, str], float]]:
        """A proxy that was first asked a moment ago tells of that moment, not of a whole window."""
        start = target.history.begin(self.at - self.window, self.at)
        for series, points in target.history.points(start, self.at, metric):
            growth = rate(points, start, self.at)
            if growth is not None:
                yield {**labels_of(series), **target.labels}, growth * target.stands_for


def _is_of(series: str, metric: str) -> bool:
    return series.startswith(metric) and series[len(metric) : len(metric) + 1] in {"", "{"}


@lru_cache(maxsize=8_192)
def labels_of(series: str) -> Mapping[str, str]:
    """The labels of a series as written: `name{a="b"}`. Kept for the next round, as most series come again."""
    found = LABEL.findall(series)
    if "\\" in series:
        found = [(name, ESCAPED.sub(_unescaped, value)) for name, value in found]
    return {intern(name): intern(value) for name, value in found}


def _unescaped(match: re.Match[str]) -> str:
    return "\n" if match[1] == "n" else match[1]


@lru_cache(maxsize=1_000)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.DOTALL)


def _holds(match: LabelMatch, labels: Mapping[str, str]) -> bool:
    value = labels.get(match.label, "")
    if match.op in {"=", "!="}:
        return (value == match.value) == (match.op == "=")
    return (_pattern(match.value).fullmatch(value) is not None) == (match.op == "=~")
