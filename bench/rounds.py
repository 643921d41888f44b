"""One run of a row: rounds in which each contender has its turn, and what may be said of them afterwards.

The order is reversed in every second round, one round before the first is thrown away. What is told is the median of
the rounds' ratios with the least and the greatest: never a figure of one round over a figure of another.
"""

from __future__ import annotations

import gc
import json
import os
import platform
import resource
import statistics
import time
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

ROUNDS: Final = 7
WARM_UPS: Final = 1
CALM: Final = 2.0
"""Wall ratios whose greatest is more than so many times the least are not believed for themselves."""
Figures = dict[str, float]
"""What one turn took: `wall` and `cpu` in seconds, and whatever else the row counts."""


@dataclass(frozen=True)
class Asked:
    """What the command line asks for. `n` 0 and an empty `kind`: those of the row."""

    row: str
    n: int = 0
    kind: str = ""
    server: str = "loopback"
    db: str = "sqlite"
    rounds: int = ROUNDS
    seed: int = 1


@dataclass(frozen=True)
class Contender:
    """Who takes a turn. `prepare` and `check` stand outside the clock; `act` may return figures of its own."""

    name: str
    act: Callable[[], Figures | None]
    version: str = ""
    prepare: Callable[[], object] = field(default=lambda: None)
    check: Callable[[], object] = field(default=lambda: None)
    count: Callable[[], Figures] = field(default=dict)


@dataclass(frozen=True)
class Goal:
    """`figure` of ours over that of the peer may be at most `most`; more than `fails` is no near miss any more."""

    figure: str
    most: float
    fails: float = 0.0


@dataclass(frozen=True)
class Row:
    """What a line is about: its row, its first words, and everything that it depends on."""

    name: str
    what: str
    facts: Mapping[str, object]


def take_turns(contenders: Sequence[Contender], rounds: int = ROUNDS) -> list[dict[str, Figures]]:
    """Per round what each contender took, in ABBA order, without the warm-up."""
    found = []
    for number in range(-WARM_UPS, rounds):
        order = contenders if number % 2 == 0 else contenders[::-1]
        taken = {each.name: _turn(each) for each in order}
        if number >= 0:
            found.append(taken)
    return found


def _turn(contender: Contender) -> Figures:
    contender.prepare()
    contender.count()
    gc.collect()
    wall, cpu = time.perf_counter(), cpu_seconds()
    own = contender.act()
    figures = {"wall": time.perf_counter() - wall, "cpu": cpu_seconds() - cpu} | (own or {}) | contender.count()
    contender.check()
    return figures


def cpu_seconds() -> float:
    """Of this process and of the children that it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def p95(values: Iterable[float]) -> float:
    """The value that 95 of 100 do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * 95 // 100) - 1)]


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    """Median, least, greatest."""
    return statistics.median(values), min(values), max(values)


class Report:
    """The lines of one command: JSON first, then the same in words. Also appended to `file`, where one is named."""

    def __init__(self, file: Path | None = None) -> None:
        self.is_over = False
        self._file = file
        self._facts: dict[str, object] = {
            "cores": os.cpu_count(), "python": platform.python_version(), "load_before": _load(),
            "versions": {name: version(name) for name in ("Django", "msgspec", "urllib3")},
        }  # fmt: skip

    def skip(self, row: Row, peer: str, why: str) -> None:
        """Say that a peer is missing."""
        self._write(
            {"row": row.name, "what": row.what, "peer": peer, "verdict": "skipped", "why": why} | dict(row.facts)
        )
        print(f"{row.name} {row.what}: {peer} is skipped: {why}", flush=True)

    def compare(
        self, row: Row, rounds: Sequence[Mapping[str, Figures]], ours: Contender, peer: Contender, goal: Goal | None
    ) -> None:
        """One line: ours over the peer, round by round. Without a goal it is told, not judged."""
        figure = goal.figure if goal else "wall"
        ratios = {
            each: [taken[ours.name][each] / max(taken[peer.name][each], 1e-9) for taken in rounds]
            for each in dict.fromkeys((figure, "wall", "cpu"))
            if all(each in taken[name] for taken in rounds for name in (ours.name, peer.name))
        }
        is_noisy = _is_noisy(ratios, figure, goal)
        verdict = judged(statistics.median(ratios[figure]), goal)
        line = {
            "row": row.name, "what": row.what, "ours": ours.name, "peer": peer.name, **row.facts, "figure": figure,
            "goal": goal.most if goal else None, "fails": goal.fails or goal.most if goal else None,
            "ratio": {each: dict(zip(("median", "min", "max"), spread(some), strict=True)) for each, some in ratios.items()},
            "medians": {each.name: _medians(rounds, each.name) for each in (ours, peer)},
            "contenders": {each.name: each.version for each in (ours, peer)},
            "noisy": is_noisy, "verdict": verdict, "rounds": [dict(taken) for taken in rounds],
        }  # fmt: skip
        self.tell(line, goal)

    def tell(self, line: dict[str, Any], goal: Goal | None) -> None:
        """Write a line that was judged."""
        self.is_over = self.is_over or line["verdict"] in {"over", "failed"}
        self._write(line)
        middle, least, most = (line["ratio"][line["figure"]][key] for key in ("median", "min", "max"))
        times = ", ".join(f"{name} {_told(found)}" for name, found in line["medians"].items())
        limit = f"goal {goal.most:g}: {line['verdict']}" if goal else "not judged"
        words = f"{line['row']} {line['what']}: {line['figure']} {middle:.3f} ({least:.3f} to {most:.3f}), {limit}"
        noisy = " NOISY, run it again" if line["noisy"] else ""
        print(f"{words}{noisy}; {times}; load {self._facts['load_before']} → {_load()}", flush=True)

    def _write(self, line: dict[str, Any]) -> None:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        whole = line | self._facts | {"load_after": _load(), "peak_mb": round(usage.ru_maxrss / 1024)}
        text = json.dumps(whole, default=_rounded)
        print(text, flush=True)
        if self._file is not None:
            with self._file.open("a", encoding="utf-8") as out:
                out.write(f"{text}\n")


def judged(ratio: float, goal: Goal | None) -> str:
    """`held`, `over` the goal, `failed` (beyond a near miss), or `told` where there is no goal."""
    if goal is None:
        return "told"
    if ratio <= goal.most:
        return "held"
    return "over" if goal.fails and ratio <= goal.fails else "failed"


def _is_noisy(ratios: Mapping[str, Sequence[float]], figure: str, goal: Goal | None) -> bool:
    """Whether the rounds differ too much to be believed, and CPU seconds do not say the same."""
    _, least, most = spread(ratios[figure])
    if most <= CALM * least:
        return False
    if goal is None or figure == "cpu" or "cpu" not in ratios:
        return True
    same = judged(statistics.median(ratios["cpu"]), goal) == judged(statistics.median(ratios[figure]), goal)
    return not same


def _medians(rounds: Sequence[Mapping[str, Figures]], name: str) -> Figures:
    return {each: statistics.median(taken[name][each] for taken in rounds) for each in rounds[0][name]}


def _told(figures: Figures) -> str:
    return " ".join(f"{name} {value:.4g}" for name, value in figures.items())


def _load() -> list[float]:
    return [round(value, 2) for value in os.getloadavg()]


def _rounded(value: object) -> object:
    return str(value)
