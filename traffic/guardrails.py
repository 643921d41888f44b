"""Guardrails: limits beside what is measured, each with a verdict. They are shown, and decide nothing: people do.

A success rate and a p99 tell something only of so many requests; without them a verdict is inconclusive, never a pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from django.conf import settings
from django.utils.translation import gettext

from meshui.ui import charts, wording
from metrics.observed import FEWEST
from metrics.types import Golden

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from metrics.types import Line

Verdict = Literal["pass", "fail", "inconclusive", "error"]
MOST: Final = 4
"""Backends that are judged: two or three are usual."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A backend that is judged: its means, the requests that they rest on. `golden` None: nothing was measured."""

    name: str
    golden: Golden | None
    requests: float


@dataclass(frozen=True, slots=True)
class Guardrail:
    """One limit, in words: what is judged, the value, the limit, and the verdict (a status of that kind).

    `is_condition`: it says only whether the others can tell anything.
    """

    title: str
    value: str
    limit: str
    verdict: Verdict
    is_condition: bool = False


RANK: Final[dict[Verdict, int]] = {"fail": 0, "error": 1, "inconclusive": 2, "pass": 3}


def worst_first(rails: Sequence[Guardrail]) -> tuple[Guardrail, ...]:
    """Without those that say only that there were enough requests."""
    told = [rail for rail in rails if not (rail.is_condition and rail.verdict == "pass")]
    return tuple(sorted(told, key=lambda rail: RANK[rail.verdict]))


def guardrails_of(
    subjects: Sequence[Subject], *, usual_p99_ms: float | None, trouble: str = ""
) -> tuple[Guardrail, ...]:
    """Success, p99 and enough requests of each subject, of at most four.

    `usual_p99_ms`: what p99 is held against: of the whole service, before a change where there is one.
    `trouble`: why nothing could be read; then a verdict without a value is an error.
    """
    none: Verdict = "error" if trouble else "inconclusive"
    return tuple(
        rail
        for subject in subjects[:MOST]
        for rail in (_success(subject, none), _p99(subject, usual_p99_ms, none), _enough(subject, none))
    )


def mean_of(line: Line, begin: dt.datetime, end: dt.datetime) -> Golden | None:
    """Means over the points of `line` between two moments, each counted by its requests; None: there is no point."""
    at = [n for n, time in enumerate(line.times) if begin.timestamp() <= time <= end.timestamp()]
    rates = [rate for n in at if (rate := line.rate[n]) is not None]
    if not rates:
        return None
    latency = {field: _weighted(line, field, at) for field in ("p50_ms", "p95_ms", "p99_ms")}
    return Golden(sum(rates) / len(rates), _weighted(line, "success", at), **latency)


def _weighted(line: Line, field: str, at: Sequence[int]) -> float | None:
    values = getattr(line, field)
    known = [(value, line.rate[n] or 0.0) for n in at if (value := values[n]) is not None]
    weight = sum(rate for _, rate in known)
    return sum(value * rate for value, rate in known) / weight if weight else None


def _verdict(subject: Subject, is_good: bool | None, none: Verdict) -> Verdict:  # noqa: FBT001 - an answer, not a mode
    if subject.golden is None:
        return none
    if is_good is None or subject.requests < FEWEST:
        return "inconclusive"
    return "pass" if is_good else "fail"


def _success(subject: Subject, none: Verdict) -> Guardrail:
    least = settings.GUARDRAIL_SUCCESS
    value = subject.golden.success if subject.golden else None
    return Guardrail(
        gettext("Success rate of %(name)s") % {"name": wording.visible(subject.name)},
        _said(charts.amount(value, "success"), "%"),
        gettext("min %(limit)s") % {"limit": _said(f"{least * 100:g}", "%")},
        _verdict(subject, None if value is None else value >= least, none),
    )


def _p99(subject: Subject, usual: float | None, none: Verdict) -> Guardrail:
    value = subject.golden.p99_ms if subject.golden else None
    most = None if usual is None else usual * settings.GUARDRAIL_P99_FACTOR
    limit = gettext("nothing to hold it against")
    if most is not None:
        limit = gettext("max %(limit)s") % {"limit": _said(charts.amount(most, "latency"), gettext("ms"))}
    return Guardrail(
        gettext("p99 of %(name)s") % {"name": wording.visible(subject.name)},
        _said(charts.amount(value, "latency"), gettext("ms")),
        limit,
        _verdict(subject, None if value is None or most is None else value <= most, none),
    )


def _enough(subject: Subject, none: Verdict) -> Guardrail:
    """Too few requests are no failure: they tell nothing."""
    is_enough = subject.requests >= FEWEST
    return Guardrail(
        gettext("Enough requests to %(name)s") % {"name": wording.visible(subject.name)},
        wording.number(subject.requests) if subject.golden else "\u2013",
        gettext("min %(limit)s") % {"limit": FEWEST},
        _verdict(subject, True if is_enough else None, none),
        is_condition=True,
    )


def _said(number: str, unit: str) -> str:
    return number if number == "\u2013" else f"{number}{wording.NARROW}{unit}"
