"""What is measured of one service, for its page: golden signals over time, and the share that each backend really got.

Stored values alone, each with its age; what nobody measured is no zero.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext

from meshes.selectors import aligned, members_of
from meshes.types import FULL, Route
from meshui.lib.clock import now
from meshui.lib.errors import MissingError
from meshui.ui.charts import Chart, Marker, Series
from meshui.ui.parts import series_class
from metrics.observed import FEWEST, tolerance
from metrics.selectors import NOBODY, get_signals, list_points, list_readings
from metrics.types import LONG, window_of
from traffic.guardrails import Subject, guardrails_of, mean_of, worst_first
from traffic.types import TERMINAL, State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from accounts.models import User
    from meshes.selectors import AlignedCluster, Member
    from meshes.types import Rule
    from meshui.ui.charts import Unit
    from metrics.types import Line, Reading, ServiceSignals
    from traffic.guardrails import Guardrail
    from traffic.models import Change
    from traffic.sight import Sight

RANGES: Final = {15: None, 60: 60, 360: 60, 1440: 60}
"""Minutes that may be asked for, and the step in seconds of what is kept of them; None: by what was measured."""
USUAL: Final = 15
SIGNALS: Final[tuple[tuple[str, str, Unit], ...]] = (
    ("rate", "Requests", "rate"),
    ("success", "Success", "success"),
    ("p50_ms", "Latency p50", "latency"),
    ("p99_ms", "Latency p99", "latency"),
)
MOST_CHANGES: Final = 30
LAST_CHANGES: Final = 4
JUDGED: Final = dt.timedelta(minutes=15)
"""Over how long guardrails look back where no change says since when."""


@dataclass(frozen=True, slots=True)
class Spot:
    """The service in one cluster, to choose from; `reading` None: nobody measured it there."""

    slug: str
    reading: Reading | None
    is_chosen: bool = False


@dataclass(frozen=True, slots=True)
class ShareRow:
    """One backend: its configured weight (None: the rule for all requests does not name it), and what was measured.

    `proposed_bp`: what the open change that was made last would give it; None: there is none, or it names it not.
    `measured` is its share of the `requests` of the last window (METRICS_WINDOW_SECONDS), 0 to 1; None: not known.
    """

    key: str
    css: str
    name: str
    weight_bp: int | None
    measured: float | None
    reading: Reading | None
    requests: float
    is_comparable: bool
    proposed_bp: int | None = None

    @property
    def measured_bp(self) -> int | None:
        """In basis points."""
        return None if self.measured is None else round(self.measured * FULL)

    @property
    def is_off(self) -> bool:
        """Whether requests are shared otherwise than configured, by more than so many requests can tell."""
        if self.measured is None or self.weight_bp is None or not self.is_comparable or self.requests < FEWEST:
            return False
        share = self.weight_bp / FULL
        return abs(self.measured - share) > tolerance(share, self.requests)


@dataclass(frozen=True, slots=True)
class Measures:
    """The service in the chosen cluster. `rule_count`: rules of its route, of which `shares` tells the last resort.

    `changes`: the last ones of it there, newest first; `proposed`: the open one of them that `shares` tells of.
    """

    here: AlignedCluster
    spots: tuple[Spot, ...]
    signals: ServiceSignals
    charts: tuple[Chart, ...]
    shares: tuple[ShareRow, ...]
    minutes: int
    rule_count: int
    guardrails: tuple[Guardrail, ...] = ()
    changes: tuple[Change, ...] = ()
    proposed: Change | None = None

    @property
    def window_s(self) -> int:
        """Over how many seconds `shares` are measured."""
        return int(settings.METRICS_WINDOW_SECONDS)

    @property
    def bars(self) -> list[tuple[str, list[tuple[str, int]]]]:
        """Measured above configured above proposed, as far as each is known; the last is drawn large."""
        fields = {"measured_bp": gettext("Measured"), "weight_bp": gettext("Configured")}
        if self.proposed is not None:
            fields["proposed_bp"] = gettext("Proposed")
        found = [
            (words, [(row.name, getattr(row, field) or 0) for row in self.shares]) for field, words in fields.items()
        ]
        return [(words, shares) for words, shares in found if any(share for _, share in shares)]


@dataclass(frozen=True, slots=True)
class BackendNow:
    """One backend of a split form: its latest values, its last hour, its share of the requests of the last window.

    `reading` None: it was never measured. `share_bp` None: that of none of them is known now.
    """

    reading: Reading | None
    line: tuple[float | None, ...]
    share_bp: int | None


@dataclass(frozen=True, slots=True)
class SplitNow:
    """What is measured of a service in the cluster that its split form is about; `rates`: requests/s by cluster."""

    slug: str
    whole: Reading
    why: str
    backends: tuple[BackendNow, ...]
    rates: Mapping[str, float]

    @property
    def shares(self) -> list[tuple[str, int]]:
        """For the bar, in the order of the form; empty: nothing is measured now."""
        found = [("", each.share_bp) for each in self.backends if each.share_bp is not None]
        return found if sum(share for _, share in found) else []


def split_now(user: User, scope: str, service: tuple[str, str], at: str, keys: Sequence[str]) -> SplitNow:
    """What is measured of the backends `keys` in the cluster `at` of (namespace, name) in `scope`. Ten queries.

    `at` empty: in the first cluster. Raises MissingError for a service that is not there or not within sight.
    """
    members = members_of(user, *service, scope=scope)
    here = next((each for each in (*members.here, *members.beyond) if at in ("", each.cluster.slug)), None)
    if here is None or not members.here:
        raise MissingError("There is no such service.", mend="Open the list of services.")
    signals = get_signals(here.cluster, here.namespace, here.name)
    lines = {each.name.part: each for each in list_points(here.cluster, here.namespace, here.name, step=60, minutes=60)}
    rates = {key: each.golden.rate for key, each in signals.backends.items() if each.is_live and each.golden}
    total = sum(rates.values())
    return SplitNow(
        slug=here.cluster.slug,
        whole=signals.service,
        why=signals.why,
        backends=tuple(
            BackendNow(
                signals.backends.get(key),
                lines[key].rate if key in lines else (),
                round(rates.get(key, 0.0) / total * FULL) if total else None,
            )
            for key in keys
        ),
        rates=_rates_of([*members.here, *members.beyond]),
    )


def _rates_of(members: Sequence[Member]) -> dict[str, float]:
    """Requests/s of now by cluster; where it is not measured it is not in it. One query."""
    readings = list_readings([each.cluster for each in members], {(each.namespace, each.name) for each in members})
    found = {each.cluster.slug: readings.get((each.cluster.pk, each.namespace, each.name)) for each in members}
    return {slug: each.golden.rate for slug, each in found.items() if each and each.is_live and each.golden}


def measures_of(sight: Sight, user: User, scope: str, service: tuple[str, str], *, at: str, minutes: int) -> Measures:
    """All that the page says of (namespace, name) in `scope`, in the cluster `at` or the busiest.

    Raises MissingError for a service that is not there or not within sight. `minutes` as in RANGES.
    """
    found = aligned(user, *service, scope=scope).clusters
    if not found:
        raise MissingError("There is no such service.", mend="Open the list of services.")
    spots = _spots(found)
    here = _chosen(found, spots, at)
    member, slug = here.at, here.cluster.slug
    signals = get_signals(here.cluster, member.namespace, member.name)
    lines = list_points(here.cluster, member.namespace, member.name, step=RANGES[minutes], minutes=minutes)
    changes = _changes(sight, slug, (member.namespace, member.name))
    proposed = next((change for change in changes if change.state not in TERMINAL), None)
    wanted = _wanted(proposed, here)
    rule, names = _rule(here), {**wanted.names, **_names(here)}
    keys = _in_order(rule, signals, wanted)
    shares = _shares(here, signals, [(key, names.get(key, key)) for key in keys], wanted)
    return Measures(
        here=here,
        spots=tuple(Spot(each, reading, each == slug) for each, reading in spots.items()),
        signals=signals,
        charts=tuple(_charts(signals, lines, [(key, names.get(key, key)) for key in keys], _markers(changes, minutes))),
        shares=tuple(shares),
        minutes=minutes,
        rule_count=len(here.main.side.route.rules) if here.main and here.main.side else 0,
        guardrails=_guardrails(shares, signals, lines),
        changes=tuple(changes[:LAST_CHANGES]),
        proposed=proposed if wanted.weights else None,
    )


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What an open change wants of the rule for all requests: weights and names by key."""

    weights: Mapping[str, int]
    names: Mapping[str, str]


def _wanted(change: Change | None, here: AlignedCluster) -> _Wanted:
    """Of the revision in force, in this cluster; a split that ends wants nothing."""
    revision = change.current_revision if change else None
    if revision is None:
        return _Wanted({}, {})
    entry: Mapping[str, Any] = next((one for one in revision.targets if one["cluster"] == str(here.cluster.pk)), {})
    if entry.get("action") == "end":
        return _Wanted({}, {})
    rules = Route.from_json(entry.get("desired") or revision.desired).rules
    backends = rules[-1].backends if rules else ()
    return _Wanted(
        {item.backend.key: item.weight_bp for item in backends},
        {item.backend.key: item.backend.name for item in backends},
    )


def _changes(sight: Sight, slug: str, service: tuple[str, str]) -> list[Change]:
    """The last changes of the service there, newest first. One query."""
    rows = sight.changes().filter(
        targets__cluster__slug=slug, targets__namespace=service[0], targets__service=service[1]
    )
    return list(rows.select_related("current_revision").order_by("-number").distinct()[:MOST_CHANGES])


def _guardrails(shares: Sequence[ShareRow], signals: ServiceSignals, lines: Sequence[Line]) -> tuple[Guardrail, ...]:
    """Of the backends that share the requests, each held against the whole service; none without a split."""
    split = [row for row in shares if row.weight_bp is not None or row.proposed_bp]
    if len(split) < 2:
        return ()
    by_part, end = {line.name.part: line for line in lines}, now()
    means = {part: mean_of(line, end - JUDGED, end) for part, line in by_part.items()}
    subjects = [
        Subject(row.name, means.get(row.key), _requests(by_part.get(row.key), signals.service.share)) for row in split
    ]
    usual = means.get("")
    trouble = "" if signals.why == NOBODY else signals.why
    return worst_first(guardrails_of(subjects, usual_p99_ms=usual.p99_ms if usual else None, trouble=trouble))


def _requests(line: Line | None, share: float) -> float:
    """Requests of the last quarter of an hour that were really counted: of a sampled service, its part."""
    points = line.rate[-int(JUDGED.total_seconds() // line.step_seconds) :] if line else ()
    return sum(rate for rate in points if rate is not None) * (line.step_seconds if line else 0) * share


def _spots(found: Sequence[AlignedCluster]) -> dict[str, Reading | None]:
    names = {(each.at.namespace, each.at.name) for each in found}
    readings = list_readings([each.cluster for each in found], names)
    return {
        each.cluster.slug: readings.get((each.cluster.pk, each.at.namespace, each.at.name))
        for each in sorted(found, key=lambda each: each.cluster.slug)
    }


def _chosen(found: Sequence[AlignedCluster], spots: Mapping[str, Reading | None], at: str) -> AlignedCluster:
    """The one that was asked for, else the busiest of now, else the first."""
    by_slug = {each.cluster.slug: each for each in found}
    if at in by_slug:
        return by_slug[at]
    live = {
        slug: reading.golden.rate for slug, reading in spots.items() if reading and reading.is_live and reading.golden
    }
    return by_slug[max(live, key=live.__getitem__)] if live else by_slug[min(by_slug)]


def _rule(here: AlignedCluster) -> Rule | None:
    return here.main.rule if here.main else None


def _names(here: AlignedCluster) -> dict[str, str]:
    return {backend.key: backend.name for backend in here.main.backends} if here.main else {}


def _in_order(rule: Rule | None, signals: ServiceSignals, wanted: _Wanted) -> list[str]:
    """Backends as the split bar has them, then those that a change would add, then others that got requests."""
    first = [item.backend.key for item in rule.backends] if rule else []
    first += [key for key in wanted.weights if key not in first]
    return [*first, *sorted(key for key in signals.backends if key not in first)]


def _shares(
    here: AlignedCluster, signals: ServiceSignals, backends: Sequence[tuple[str, str]], wanted: _Wanted
) -> list[ShareRow]:
    rule = _rule(here)
    weights = {item.backend.key: item.weight_bp for item in rule.backends} if rule else {}
    rates = {key: each.golden.rate for key, each in signals.backends.items() if each.is_live and each.golden}
    total = sum(rates.values())
    is_whole = all(key in rates for key, weight in weights.items() if weight)  # else what the others got is no share
    is_alone = bool(here.main and here.main.side and len(here.main.side.route.rules) == 1)
    return [
        ShareRow(
            key=key,
            css=series_class(number),
            name=name,
            weight_bp=weights.get(key),
            measured=rates.get(key, 0.0) / total if total and is_whole else None,
            reading=signals.backends.get(key),
            requests=total * settings.METRICS_WINDOW_SECONDS * signals.service.share,
            is_comparable=is_alone,
            proposed_bp=wanted.weights.get(key),
        )
        for number, (key, name) in enumerate(backends)
    ]


def _charts(
    signals: ServiceSignals,
    lines: Sequence[Line],
    backends: Sequence[tuple[str, str]],
    markers: tuple[Marker, ...],
) -> list[Chart]:
    by_part = {line.name.part: line for line in lines}
    chosen = [(name, by_part[key]) for key, name in backends if key in by_part]
    if len(chosen) < 2:
        chosen = [("All requests", by_part[""])] if "" in by_part else []
    whole = signals.service
    golden = whole.golden if whole.is_live else None
    step, window = chosen[0][1].step_seconds if chosen else LONG, int(settings.METRICS_WINDOW_SECONDS)
    return [
        Chart(
            key=f"signal-{field}",
            title=title,
            unit=unit,
            now=int(now().timestamp()),
            times=chosen[0][1].times if chosen else (),
            series=tuple(Series(name, getattr(line, field)) for name, line in chosen),
            value=getattr(golden, field) if golden else None,
            source=whole.source,
            step_s=step,
            window_s=window_of(step, window) if whole.is_of_proxies else window,
            markers=markers,
            no_data_since=whole.at,
        )
        for field, title, unit in SIGNALS
    ]


def _markers(changes: Sequence[Change], minutes: int) -> tuple[Marker, ...]:
    """Those of `changes` that were applied within the range."""
    begin = now().timestamp() - minutes * 60
    ended = [each for each in changes if each.state in (State.APPLIED, State.ROLLED_BACK, State.PARTIAL)]
    return tuple(
        Marker(int(change.ended_at.timestamp()), change.number, reverse("traffic:change-detail", args=[change.number]))
        for change in reversed(ended)
        if change.ended_at is not None and change.ended_at.timestamp() >= begin
    )
