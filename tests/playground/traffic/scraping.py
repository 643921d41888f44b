"""Metrics as a scraper reads them: a reader of Prometheus' text that is not the playground's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Sample:
    """One line."""

    name: str
    labels: dict[str, str]
    value: float

    @property
    def series(self) -> tuple[str, tuple[tuple[str, str], ...]]:
        """What tells it from others."""
        return self.name, tuple(sorted(self.labels.items()))


def read_samples(text: str) -> list[Sample]:
    """All samples of an exposition, which must be whole: ValueError if a line is none."""
    return [_sample(line) for line in text.splitlines() if line and not line.startswith("#")]


def _sample(line: str) -> Sample:
    name, _, rest = line.partition("{")
    labels: dict[str, str] = {}
    characters = iter(rest)
    while (label := _until(characters, "=}")) not in {"", None}:
        assert next(characters) == '"'
        labels[str(label)] = _quoted(characters)
        if next(characters) == "}":
            break
    return Sample(name, labels, float("".join(characters)))


def _until(characters: Iterator[str], ends: str) -> str:
    read = ""
    for character in characters:
        if character in ends:
            return read
        read += character
    raise ValueError(f"no {ends} after {read!r}")


def _quoted(characters: Iterator[str]) -> str:
    read = ""
    for character in characters:
        if character == '"':
            return read
        escaped = next(characters) if character == "\\" else ""
        read += {"n": "\n"}.get(escaped, escaped) if escaped else character
    raise ValueError(f"no end of {read!r}")
