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
SAMPLES: Final = 20
"""Pages that one turn asks for."""
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
    samples: int = SAMPLES
    seed: int = 1
    is_busy: bool = False


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
    """`figure` of ours over that of the peer (or alone) may be at most `most`; 0: it is told, not judged.

    Over `most` and at most `fails` is over the goal, but no failure yet.
    """

    figure: str
    most: float = 0.0
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
        self, row: Row, rounds: Sequence[Mapping[str, Figures]], ours: Contender, peer: Contender, goal: Goal
    ) -> None:
        """One line: ours over the peer, round by round."""
        pairs = [(taken[ours.name], taken[peer.name]) for taken in rounds]
        ratios = {
            each: [mine[each] / max(other[each], 1e-9) for mine, other in pairs]
            for each in dict.fromkeys((goal.figure, "wall", "cpu"))
            if all(each in mine and each in other for mine, other in pairs)
        }
        line = {"row": row.name, "what": row.what, "ours": ours.name, "peer": peer.name, **row.facts}
        self._tell(line | _judged(ratios, goal) | _taken(rounds, (ours, peer)))

    def judge(
        self, row: Row, rounds: Sequence[Mapping[str, Figures]], ours: Contender, goal: Goal, *, none_of: str = ""
    ) -> None:
        """One line of what has no peer: the figure itself, and that there was nothing of `none_of`, if it is named."""
        values = {goal.figure: [taken[ours.name][goal.figure] for taken in rounds]}
        missed = sum(taken[ours.name][none_of] for taken in rounds) if none_of else 0
        line = {"row": row.name, "what": row.what, "ours": ours.name, "peer": "", **row.facts}
        line |= ({none_of: missed} if none_of else {}) | _judged(values, goal) | _taken(rounds, (ours,))
        self._tell(line | ({"verdict": "failed", "why": f"{missed:g} {none_of}"} if missed else {}))

    def _tell(self, line: dict[str, Any]) -> None:
        self.is_over = self.is_over or line["verdict"] in {"over", "failed"}
        self._write(line)
        middle, least, most = (line["ratio"][line["figure"]][key] for key in ("median", "min", "max"))
        times = ", ".join(f"{name} ({_told(found)})" for name, found in line["medians"].items())
        over = f"{line['ours']} / {line['peer']}" if line["peer"] else line["ours"]
        result = f"{over} = {middle:.3g} {line['figure']} ({least:.3g} to {most:.3g})"
        words = [f"goal {line['goal']:g}: {line['verdict']}" if line["goal"] else "not judged"]
        words += [line["why"]] if "why" in line else []
        words += ["NOISY, run it again"] if line["noisy"] else []
        load = f"load {line['load_before']} to {line['load_after']}"
        print(f"{line['row']} {line['what']}: {result}; {', '.join(words)}; medians: {times}; {load}", flush=True)

    def _write(self, line: dict[str, Any]) -> None:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        line |= self._facts | {"load_after": _load(), "peak_mb": round(usage.ru_maxrss / 1024)}
        text = json.dumps(_rounded(line))
        print(text, flush=True)
        if self._file is not None:
            with self._file.open("a", encoding="utf-8") as out:
                out.write(f"{text}\n")


def verdict_of(value: float, goal: Goal) -> str:
    """`held`, `over` the goal, `failed` (beyond a near miss), or `told` where there is no goal."""
    if not goal.most:
        return "told"
    if value <= goal.most:
        return "held"
    return "over" if value <= goal.fails else "failed"


def is_noisy(ratios: Mapping[str, Sequence[float]], goal: Goal) -> bool:
    """Whether the rounds differ too much to be believed, and CPU seconds do not say the same."""
    middle, least, most = spread(ratios[goal.figure])
    if most <= CALM * least:
        return False
    if not goal.most or "cpu" not in ratios:
        return True
    return verdict_of(statistics.median(ratios["cpu"]), goal) != verdict_of(middle, goal)


def _judged(ratios: Mapping[str, Sequence[float]], goal: Goal) -> dict[str, Any]:
    names = ("median", "min", "max")
    return {
        "figure": goal.figure, "goal": goal.most or None, "fails": goal.fails or goal.most or None,
        "ratio": {each: dict(zip(names, spread(some), strict=True)) for each, some in ratios.items()},
        "noisy": is_noisy(ratios, goal), "verdict": verdict_of(statistics.median(ratios[goal.figure]), goal),
    }  # fmt: skip


def _taken(rounds: Sequence[Mapping[str, Figures]], contenders: Sequence[Contender]) -> dict[str, Any]:
    """What each took, round by round, and in the middle."""
    names = [each.name for each in contenders]
    return {
        "medians": {name: {each: statistics.median(taken[name][each] for taken in rounds) for each in rounds[0][name]}
                    for name in names},
        "contenders": {each.name: each.version for each in contenders},
        "rounds": [{name: taken[name] for name in names} for taken in rounds],
    }  # fmt: skip


def _told(figures: Figures) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in figures.items())


def _load() -> list[float]:
    return [round(value, 2) for value in os.getloadavg()]


def _rounded(value: Any) -> Any:
    """`value`, its floats to six digits."""
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value
