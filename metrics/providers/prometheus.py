"""Prometheus' HTTP API: instant queries, bounded in bytes, time and series. How it is reached is the caller's.

Rates of buckets are asked for, and quantiles computed here: one query instead of three, and sums over workloads.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

import msgspec

from clusters.clients import BadAnswerError, OutcomeUnknownError
from meshui.lib.typed import decoder_of
from metrics.promql import rate_query
from metrics.signals import measure
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


ANSWER: Final = decoder_of(_Answer)


def parse_vector(data: bytes, labels: Sequence[str]) -> Sums:
    """The values of an instant vector by `labels`; NaN and infinities are no data. Raises BadAnswerError."""
    try:
        answer = ANSWER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadAnswerError("Its answer is not one that Prometheus would send.") from error
    if answer.status != "success" or answer.data is None or answer.data.kind != "vector":
        raise BadAnswerError(f"Prometheus refused the query: {answer.error[:300]}")
    if len(answer.data.result) > MOST_SERIES:
        raise BadAnswerError(f"It sends too much: more than {MOST_SERIES:,} series.")
    found: Sums = {}
    for row in answer.data.result:
        try:
            value = float(row.value[1])
        except ValueError as error:
            raise BadAnswerError("A value of its answer is no number.") from error
        if math.isfinite(value):
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

    def sums(self, way: Way, wanted: Wanted, *, good: bool = False) -> Sums:
        """As Rates.sums. Raises ClusterError, UnsafeQueryError."""
        if time.monotonic() > self.until:
            raise OutcomeUnknownError(f"Its answers took longer than {ROUND_SECONDS:g} s together.")
        query = rate_query(way, wanted, window=self.window, good=good, fixed=self.fixed)
        if query not in self.known:
            data = self.ask(f"/api/v1/query?{urlencode({'query': query, 'timeout': '5s'})}")
            self.known[query] = parse_vector(data, way.labels)
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
        """As Provider.measure. Raises ClusterError, UnsafeQueryError."""
        rates = PrometheusRates(self.ask, self.window, self.fixed, time.monotonic() + ROUND_SECONDS)
        found: dict[Name, Golden] = {}
        for spec in self.specs:
            for start in range(0, len(places), AT_ONCE):
                found |= measure(spec, rates, places[start : start + AT_ONCE])
        return Measurement(found, self.source)
