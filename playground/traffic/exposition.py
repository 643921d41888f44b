"""Metrics as Prometheus reads them: families of counters and histograms, written as text. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playground.traffic.samples import Histogram

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Labels = Mapping[str, str]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
MS, SECONDS = 1, 1000  # how many milliseconds a unit has
Key = tuple[tuple[str, str], ...]


class Exposition:
    """What one pod has to tell. Series with the same labels are one."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._counters: dict[str, dict[Key, int]] = {}
        self._histograms: dict[str, tuple[Sequence[float], int, dict[Key, Histogram]]] = {}

    def count(self, name: str, labels: Labels, number: int) -> None:
        """Add to a counter."""
        family = self._counters.setdefault(name, {})
        key = tuple(labels.items())
        family[key] = family.get(key, 0) + number

    def observe(self, name: str, labels: Labels, latency: Histogram, *, bounds: Sequence[float], unit: int) -> None:
        """Add to a histogram in milliseconds or seconds; `bounds` are those of its buckets, in milliseconds."""
        *_, family = self._histograms.setdefault(name, (bounds, unit, {}))
        family.setdefault(tuple(labels.items()), Histogram()).add(latency)

    def text(self) -> str:
        """All of it."""
        lines: list[str] = []
        for name, counters in self._counters.items():
            lines.append(f"# TYPE {name} counter")
            lines += [f"{name}{_labels(key)} {number}" for key, number in counters.items()]
        for name, (bounds, unit, histograms) in self._histograms.items():
            lines.append(f"# TYPE {name} histogram")
            for key, histogram in histograms.items():
                lines += _histogram(name, key, histogram, bounds, unit)
        return "\n".join(lines) + "\n"


def _histogram(name: str, key: Key, histogram: Histogram, bounds: Sequence[float], unit: int) -> list[str]:
    lines = [
        f"{name}_bucket{_labels((*key, ('le', _number(bound / unit))))} {histogram.buckets.get(bound, 0)}"
        for bound in bounds
    ]
    lines.append(f"{name}_bucket{_labels((*key, ('le', '+Inf')))} {histogram.count}")
    lines.append(f"{name}_sum{_labels(key)} {_number(round(histogram.sum / unit, 6))}")
    return [*lines, f"{name}_count{_labels(key)} {histogram.count}"]


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)


def _labels(key: Key) -> str:
    pairs = ",".join(f'{name}="{_escaped(value)}"' for name, value in key)
    return f"{{{pairs}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
