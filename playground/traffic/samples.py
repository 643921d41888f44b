"""What Envoy's stats access loggers have counted, read from Prometheus' text and joined with who is who. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from playground.traffic.model import OUTSIDE, Directory, Pod, Service

if TYPE_CHECKING:
    from collections.abc import Mapping

LINE = re.compile(r"^envoy_(inbound|outbound)_(requests|duration_bucket|duration_sum|duration_count)\{(.*)\} (\S+)$")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
ESCAPED = re.compile(r"\\(.)")


@dataclass
class Histogram:
    """Latencies: how many were at most so many milliseconds, their sum, their number."""

    buckets: dict[float, int] = field(default_factory=dict)
    sum: float = 0.0
    count: int = 0

    def add(self, other: Histogram) -> None:
        """Count those of `other`, too."""
        for bound, number in other.buckets.items():
            self.buckets[bound] = self.buckets.get(bound, 0) + number
        self.sum += other.sum
        self.count += other.count


@dataclass(frozen=True)
class Series:
    """Requests that are alike, as Envoy's tags tell them apart."""

    is_inbound: bool  # an attempt at an upstream; else a request of a client
    tags: Mapping[str, str]
    requests: int
    latency: Histogram


def read_series(text: str) -> list[Series]:
    """What Envoy says. Histograms are as old as its last flush, counters are not."""
    numbers: dict[tuple[str, str], int] = {}
    histograms: dict[tuple[str, str], Histogram] = {}
    for line in text.splitlines():
        found = LINE.match(line)
        if found is None:
            continue
        direction, what, labels, value = found.groups()
        bare, _, bound = labels.rpartition(',le="') if what == "duration_bucket" else (labels, "", "")
        if what == "requests":
            numbers[direction, bare] = int(value)
        else:
            _note(histograms.setdefault((direction, bare), Histogram()), what, bound.rstrip('"'), value)
    return [
        Series(direction == "inbound", _tags(labels), number, histograms.get((direction, labels)) or Histogram())
        for (direction, labels), number in numbers.items()
    ]


def _note(histogram: Histogram, what: str, bound: str, value: str) -> None:
    if what == "duration_bucket":
        histogram.buckets[float(bound)] = int(value)
    elif what == "duration_sum":
        histogram.sum = float(value)
    else:
        histogram.count = int(value)


def _tags(labels: str) -> dict[str, str]:
    return {name: ESCAPED.sub(r"\1", value) for name, value in LABEL.findall(labels)}


@dataclass(frozen=True)
class Known:
    """Who is who, those that are gone included: what they did still counts."""

    directory: Directory
    pods_by_port: Mapping[int, Pod]


@dataclass(frozen=True)
class Traffic:
    """One series with names: who called, which Service was asked for, which backend and which pod it went to."""

    is_inbound: bool
    source: Pod | None  # None: of no mesh
    asked: Service
    backend: Service
    workload: str  # empty if nobody was behind it
    pod: Pod | None
    route: str
    code: str
    flags: str
    requests: int
    latency: Histogram


def named(series: Series, known: Known) -> Traffic | None:
    """The series with names; None if it asked for a Service that never was."""
    tags, services = series.tags, known.directory.services
    asked = next((each for each in services.values() if each.host == tags["host"]), None)
    if asked is None:
        return None
    key, _, workload = tags["cluster"].partition("|")
    port = tags["upstream"].rpartition(":")[2]
    return Traffic(
        is_inbound=series.is_inbound,
        source=known.directory.pods.get(tags["source"]) if tags["source"] != OUTSIDE else None,
        asked=asked,
        backend=services.get(key, asked),
        workload=workload,
        pod=known.pods_by_port.get(int(port)) if port.isdigit() else None,
        route=tags["route"],
        code=tags["code"],
        flags=tags["flags"],
        requests=series.requests,
        latency=series.latency,
    )
