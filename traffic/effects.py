"""What a change did to traffic, as it was measured: before its write and after it, by cluster and backend.

Level L3 of verification rests on it: approved shares against those of the requests that were counted.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext

from meshes.types import FULL, Route
from meshui.lib.clock import now
from meshui.ui.charts import Chart, Marker, Series
from meshui.ui.parts import series_class
from meshui.ui.wording import span
from metrics.observed import COVERED, FEWEST, Coverage, Observation, observe_split
from metrics.selectors import list_points, observe_service
from metrics.types import LONG, SHORT, window_of
from traffic.ends import Written, ends_of
from traffic.guardrails import Subject, guardrails_of, mean_of
from traffic.types import StepState

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from accounts.models import User
    from clusters.models import Cluster
    from metrics.types import Golden, Line
    from traffic.ends import End
    from traffic.guardrails import Guardrail
    from traffic.models import Change, PlanTarget, TargetStep

SPAN: Final = dt.timedelta(minutes=10)
"""How long before a write, and how long after it, is compared."""
SHORT_KEPT: Final = dt.timedelta(minutes=100)
LONG_KEPT: Final = dt.timedelta(hours=23)
MOST: Final = 6
"""Targets that are told, each with its chart."""
WORDS: Final = {"observed": "verified", "mismatch": "mismatch", "cannot be observed": "not_supported"}


@dataclass(frozen=True, slots=True)
class EffectRow:
    """One backend: its approved weight, and means of what was measured before and after; None: no data."""

    css: str
    name: str
    approved_bp: int
    before_bp: int | None
    after_bp: int | None
    before: Golden | None
    after: Golden | None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the observation of one write is, from its stored time and stored points alone.

    `elapsed_s` of `total_s` seconds are over; of `total` moments `due` are over and `measured` were measured. `counts`:
    backend and its requests so far, also of one that was not approved. `missing`: what is needed yet to tell, in words;
    empty: nothing.
    """

    elapsed_s: int
    total_s: int
    measured: int
    due: int
    total: int
    requests: int
    counts: tuple[tuple[str, int], ...]
    missing: tuple[str, ...]
    is_running: bool

    @property
    def can_still(self) -> bool:
        """Whether enough of the whole can still be measured."""
        return self.is_running and self.measured + self.total - self.due >= COVERED * self.total

    @property
    def left(self) -> str:
        """“3 min”: what of it is to come."""
        return span(self.total_s - self.elapsed_s)

    @property
    def words(self) -> str:
        """How much of it is over, in words."""
        return gettext("%(elapsed)s of %(total)s") % {"elapsed": span(self.elapsed_s), "total": span(self.total_s)}


@dataclass(frozen=True, slots=True)
class Effect:
    """One service in one cluster. `word` is a status of kind verification; `is_over`: what was kept of it is gone.

    `end`: what came over the write, if anything did before the change itself restored it.
    """

    cluster: str
    service: str
    url: str
    written_at: dt.datetime
    until: dt.datetime
    seen: Observation
    rows: tuple[EffectRow, ...]
    chart: Chart | None
    progress: Progress
    guardrails: tuple[Guardrail, ...]
    is_restored: bool
    is_over: bool
    end: End | None = None

    @property
    def stood(self) -> str:
        """“6 min”: how long it stood until its end; empty: it has none."""
        return span((self.end.at - self.written_at).total_seconds()) if self.end else ""

    @property
    def word(self) -> str:
        """verified, mismatch or not_supported; observing where the last is only that there is not enough yet."""
        return "observing" if self.is_observing else WORDS[self.seen.answer]

    @property
    def is_observing(self) -> bool:
        """Whether more requests or more time may still tell."""
        can_still = self.seen.answer == "cannot be observed" and self.progress.can_still
        return can_still and bool(self.progress.missing)

    @property
    def reason(self) -> str:
        """Why it says so; empty while it is only too early."""
        return "" if self.is_observing and (self.progress.measured or not self.progress.due) else self.seen.reason


def effects_of(user: User, change: Change, steps: Collection[TargetStep]) -> tuple[list[Effect], int]:
    """What was measured around the writes of `steps`, at most of six services; and how many there are in all.

    Five queries for each, and two for all. Steps that wrote nothing are not told.
    """
    writes = list(_writes(steps).values())
    shown = writes[:MOST]
    ends = ends_of(user, change, [write.written for write in shown])
    for write, end in zip(shown, ends, strict=True):
        write.end = end if end and (write.restored_at is None or end.at < write.restored_at) else None
    return [_effect(change, write) for write in shown], len(writes)


@dataclass
class _Write:
    """A service of a cluster, as it was approved there, and from when to when that held."""

    cluster: Cluster
    target: PlanTarget
    route: Route
    before: Route | None
    written_at: dt.datetime
    restored_at: dt.datetime | None = None
    end: End | None = None

    @property
    def written(self) -> Written:
        """To ask what came over it."""
        return Written(self.target, (self.route.root.namespace, self.route.root.service), self.written_at)

    @property
    def ended_at(self) -> dt.datetime | None:
        """Since when requests tell of something else; None: they still tell of it."""
        return self.end.at if self.end else self.restored_at

    @property
    def approved(self) -> dict[str, int]:
        """Basis points by backend key, of the rule for all requests."""
        return {item.backend.key: item.weight_bp for item in self.route.rules[-1].backends}

    @property
    def raised(self) -> list[str]:
        """Keys of the backends that get more than before; without a way to tell, of all that get something."""
        rule = self.before.rules[-1] if self.before and self.before.rules else None
        was = {item.backend.key: item.weight_bp for item in rule.backends} if rule else {}
        more = [key for key, weight in self.approved.items() if weight > was.get(key, 0)]
        return more or [key for key, weight in self.approved.items() if weight]


def _writes(steps: Collection[TargetStep]) -> dict[tuple[str, str, str], _Write]:
    """By cluster, namespace and service, in order; only those whose every object was written."""
    found: dict[tuple[str, str, str], _Write] = {}
    for step in sorted(steps, key=lambda step: (step.cluster.slug, step.position)):
        desired = step.plan_target.desired_route
        if desired is None or step.state not in {StepState.VERIFIED, StepState.REVERTED}:
            continue
        route = Route.from_json(desired)
        key = (step.cluster.slug, route.root.namespace, route.root.service)
        if step.direction == "apply":
            live = step.plan_target.live_route
            before = Route.from_json(live) if live else None
            found[key] = _Write(step.cluster, step.plan_target, route, before, step.state_changed_at)
        elif key in found:
            found[key].restored_at = step.state_changed_at
    return found


def _effect(change: Change, write: _Write) -> Effect:
    root, moment = write.route.root, now()
    until = min(moment, write.ended_at or moment, write.written_at + SPAN)
    approved, age = write.approved, moment - write.written_at
    lines = _lines(write, age)
    names = {item.backend.key: item.backend.name for item in write.route.rules[-1].backends}
    by_key = {line.name.part: line for line in lines}
    before = _means(by_key, approved, write.written_at - SPAN, write.written_at)
    settled = write.written_at + dt.timedelta(seconds=_looks_back_s(lines[0].step_seconds if lines else SHORT))
    after = _means(by_key, approved, settled, until)
    seen = _observed(write, approved, until)
    return Effect(
        cluster=write.cluster.slug,
        service=f"{root.namespace}/{root.service}",
        url=reverse("meshes:service-detail", args=[write.cluster.slug, root.namespace, root.service]),
        written_at=write.written_at,
        until=until,
        seen=seen,
        rows=tuple(_rows(approved, names, before, after)),
        chart=_chart(change, write, by_key, names) if _has_data(lines) else None,
        progress=_progress(write, seen, names, until),
        guardrails=_guardrails(write, seen, names, (before, after)),
        is_restored=write.restored_at is not None,
        is_over=age >= LONG_KEPT,
        end=write.end,
    )


def _lines(write: _Write, age: dt.timedelta) -> list[Line]:
    """What was kept around the write: by 15 s while that is there, else by the minute."""
    if age >= LONG_KEPT:
        return []
    root, minutes = write.route.root, int((age + SPAN).total_seconds() // 60) + 1
    for step in (SHORT, LONG) if age < SHORT_KEPT else (LONG,):
        lines = list_points(write.cluster, root.namespace, root.service, step=step, minutes=minutes)
        if _has_data(lines):
            return lines
    return []


def _looks_back_s(step: int) -> int:
    """As if proxies were asked themselves: they look back furthest."""
    return window_of(step, settings.METRICS_WINDOW_SECONDS)


def _progress(write: _Write, seen: Observation, names: Mapping[str, str], until: dt.datetime) -> Progress:
    """Nothing of it depends on when the page was opened."""
    found = seen.coverage or Coverage(15, settings.METRICS_WINDOW_SECONDS, 0, 0, {})
    elapsed, span_s = (until - write.written_at).total_seconds(), SPAN.total_seconds()
    is_running = write.ended_at is None and elapsed < span_s
    total = int((span_s - found.back_s) // found.step_s) if write.ended_at is None else found.due
    whole = found.whole
    requests, others = sum(whole.values()), [(key, n) for key, n in whole.items() if n and key not in names]
    return Progress(
        elapsed_s=int(elapsed),
        total_s=int(span_s),
        measured=found.measured,
        due=found.due,
        total=max(total, found.due),
        requests=requests,
        counts=(*((name, whole.get(key, 0)) for key, name in names.items()), *others),
        missing=_missing(found, requests, found.back_s - elapsed) if is_running else (),
        is_running=is_running,
    )


def _missing(found: Coverage, requests: int, settling_s: float) -> tuple[str, ...]:
    """What is needed yet, in words."""
    said = []
    if settling_s > 0:
        said.append(gettext("%(span)s until rates tell of the time after the write") % {"span": span(settling_s)})
    elif not found.is_enough:
        said.append(
            gettext("more samples: %(percent)d %% of those that are due are needed") % {"percent": COVERED * 100}
        )
    if requests < FEWEST:
        said.append(gettext("%(n)d more requests") % {"n": FEWEST - requests})
    return tuple(said)


def _guardrails(
    write: _Write, seen: Observation, names: Mapping[str, str], means: tuple[Mapping[str, Golden], Mapping[str, Golden]]
) -> tuple[Guardrail, ...]:
    """Of the backends that get more than before, held against the service as it was before the write."""
    before, after = means
    counts = seen.coverage.whole if seen.coverage else {}
    known = [(golden.p99_ms, golden.rate) for golden in before.values() if golden.p99_ms is not None]
    weight = sum(rate for _, rate in known)
    usual = sum(p99 * rate for p99, rate in known) / weight if weight else None
    subjects = [Subject(names[key], after.get(key), counts.get(key, 0)) for key in write.raised]
    return guardrails_of(subjects, usual_p99_ms=usual)


def _observed(write: _Write, approved: Mapping[str, int], until: dt.datetime) -> Observation:
    """The answer for the rule for all requests; where other rules send some elsewhere, shares cannot tell."""
    root, window = write.route.root, (write.written_at, until)
    seen = observe_service(write.cluster, root.namespace, root.service, approved=approved, window=window)
    if len(write.route.rules) == 1:
        return seen
    text = f"The route has {len(write.route.rules)} rules: requests that others send elsewhere are counted, too."
    return replace(observe_split(approved, None, why=text), coverage=seen.coverage)


def _has_data(lines: Sequence[Line]) -> bool:
    return any(value is not None for line in lines for value in line.rate)


def _means(lines: Mapping[str, Line], keys: Collection[str], begin: dt.datetime, end: dt.datetime) -> dict[str, Golden]:
    """Means over the points of each backend between two moments; one without a point is not in it."""
    found = {key: mean_of(lines[key], begin, end) for key in keys if key in lines}
    return {key: golden for key, golden in found.items() if golden is not None}


def _rows(
    approved: Mapping[str, int], names: Mapping[str, str], before: Mapping[str, Golden], after: Mapping[str, Golden]
) -> list[EffectRow]:
    return [
        EffectRow(
            series_class(number), names[key], weight, _bp(key, before), _bp(key, after), before.get(key), after.get(key)
        )
        for number, (key, weight) in enumerate(approved.items())
    ]


def _bp(key: str, measured: Mapping[str, Golden]) -> int | None:
    total = sum(golden.rate for golden in measured.values())
    return round(measured[key].rate / total * FULL) if total and key in measured else None


def _chart(change: Change, write: _Write, lines: Mapping[str, Line], names: Mapping[str, str]) -> Chart:
    shown = [(name, lines[key]) for key, name in names.items() if key in lines]
    moments = [(each, change.number) for each in (write.written_at, write.restored_at) if each is not None]
    if write.end and write.end.number and write.end.is_open:
        moments.append((write.end.at, write.end.number))
    return Chart(
        key=f"effect-{write.cluster.slug}-{write.route.root.namespace}-{write.route.root.service}",
        title="Requests",
        unit="rate",
        now=int(now().timestamp()),
        times=shown[0][1].times if shown else (),
        series=tuple(Series(name, line.rate) for name, line in shown),
        step_s=shown[0][1].step_seconds if shown else LONG,
        window_s=_looks_back_s(shown[0][1].step_seconds if shown else LONG),
        markers=tuple(
            Marker(int(each.timestamp()), number, reverse("traffic:change-detail", args=[number]))
            for each, number in moments
        ),
    )
