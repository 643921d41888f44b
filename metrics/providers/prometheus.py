"""Prometheus' HTTP API: instant queries, bounded in bytes, time and series. How it is reached is the caller's.

Rates of buckets are asked for, and quantiles computed here: one query instead of three, and sums over workloads.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

import msgspec

from clusters.clients import BadAnswerError, ClusterError, OutcomeUnknownError, TooLargeError
from meshes.types import Grain
from meshui.lib.typed import decoder_of
from metrics.promql import rate_query
from metrics.samples import MOST_VALUE
from metrics.signals import measure_grain
from metrics.types import Measurement

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from meshes.types import Side, Signal, SignalSpec, Way
    from metrics.types import Golden, Name, Place, Sums, Wanted

    Ask = Callable[[str], bytes]

AT_ONCE: Final = 50
"""Places a query: their names stand in its address."""
MOST_SERIES: Final = 10_000
ROUND_SECONDS: Final = 20.0
MOST_WARNINGS, MOST_WARNING = 5, 300


class _Row(msgspec.Struct, gc=False):
    metric: dict[str, str]
    value: tuple[float, str]


class _Data(msgspec.Struct, gc=False, rename={"kind": "resultType"}):
    kind: str
    result: list[_Row]


class _Answer(msgspec.Struct, gc=False):
    status: str
    data: _Data | None = None
    error: str = ""
    warnings: list[str] = msgspec.field(default_factory=list)


ANSWER: Final = decoder_of(_Answer)


def parse_vector(data: bytes, labels: Sequence[str]) -> Sums:
    """The values of an instant vector by `labels`; what is not finite, or absurd, is no data. Raises BadAnswerError."""
    return _sums(_parsed(data), labels)


def _parsed(data: bytes) -> _Answer:
    try:
        answer = ANSWER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadAnswerError("Its answer is not one that Prometheus would send.") from error
    if answer.status != "success" or answer.data is None or answer.data.kind != "vector":
        raise BadAnswerError(f"Prometheus refused the query: {answer.error[:300]}")
    if len(answer.data.result) > MOST_SERIES:
        raise TooLargeError(f"It sends too much: more than {MOST_SERIES:,} series.")
    return answer


def _sums(answer: _Answer, labels: Sequence[str]) -> Sums:
    found: Sums = {}
    for row in answer.data.result if answer.data else ():
        try:
            value = float(row.value[1])
        except ValueError as error:
            raise BadAnswerError("A value of its answer is no number.") from error
        if abs(value) < MOST_VALUE:
            found[tuple(row.metric.get(label, "") for label in labels)] = value
    return found


@dataclass
class PrometheusRates:
    """Rates by queries, each sent once; `until` (monotonic) is when the whole round has to be over."""

    ask: Ask
    window: int
    fixed: Mapping[str, str]
    until: float
    order: tuple[Side, ...] = ()
    known: dict[str, Sums] = field(default_factory=dict)
    warnings: dict[str, None] = field(default_factory=dict)

    def sums(self, way: Way, wanted: Wanted, *, good: bool = False) -> Sums:
        """As Rates.sums. Raises ClusterError, UnsafeQueryError."""
        if time.monotonic() > self.until:
            raise OutcomeUnknownError(f"Its answers took longer than {ROUND_SECONDS:g} s together.")
        query = rate_query(way, wanted, window=self.window, good=good, fixed=self.fixed)
        if query not in self.known:
            data = self.ask(f"/api/v1/query?{urlencode({'query': query, 'timeout': '5s'})}")
            answer = _parsed(data)
            self.warnings |= dict.fromkeys(answer.warnings[:MOST_WARNINGS])
            self.known[query] = _sums(answer, way.labels)
        return self.known[query]


@dataclass
class PrometheusProvider:
    """One Prometheus: `ask` GETs a path of its API, `specs` are of the meshes there, `fixed` labels of every query."""

    ask: Ask
    source: str
    specs: Sequence[Mapping[Signal, SignalSpec]]
    window: int
    fixed: Mapping[str, str] = field(default_factory=dict)

    def measure(self, places: Sequence[Place], *, step: int) -> Measurement:
        """As Provider.measure. Raises ClusterError, UnsafeQueryError.

        Services first, then their backends, then their callers: where time or answers run out, what was found stays.
        """
        rates = PrometheusRates(self.ask, self.window, self.fixed, time.monotonic() + ROUND_SECONDS)
        found: dict[Name, Golden] = {}
        failed: dict[str, ClusterError] = {}
        try:
            for grain, spec, start in product(Grain, self.specs, range(0, len(places), AT_ONCE)):
                found |= _asked(spec, rates, grain, places[start : start + AT_ONCE], failed)
        except ClusterError as error:
            failed[str(error)] = error
        if failed and not found:
            raise next(iter(failed.values()))
        warned = (f"Prometheus warns: {text[:MOST_WARNING]}" for text in rates.warnings)
        return Measurement(found, self.source, problems=(*failed, *warned))


def _asked(
    spec: Mapping[Signal, SignalSpec],
    rates: PrometheusRates,
    grain: Grain,
    places: Sequence[Place],
    failed: dict[str, ClusterError],
) -> dict[Name, Golden]:
    """A grain of some places; of what is too much for one answer, one half after the other. `failed`: why some are not.

    Raises ClusterError: there is no use in going on.
    """
    try:
        return measure_grain(spec, rates, grain, places)
    except TooLargeError as error:
        half = len(places) // 2
        if half:
            parts = (_asked(spec, rates, grain, some, failed) for some in (places[:half], places[half:]))
            return {name: golden for part in parts for name, golden in part.items()}
        failed[f"{places[0].namespace}/{places[0].service}, by {grain.value}: {error}"] = error
    except BadAnswerError as error:
        failed[str(error)] = error
    return {}
