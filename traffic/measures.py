"""What is measured of one service, for its page: golden signals over time, and the share that each backend really got.

Stored values alone, each with its age; what nobody measured is no zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.urls import reverse

from meshes.selectors import aligned, members_of
from meshes.types import FULL
from meshui.lib.clock import now
from meshui.lib.errors import MissingError
from meshui.ui.charts import Chart, Marker, Series
from meshui.ui.parts import series_class
from metrics.observed import FEWEST, tolerance
from metrics.selectors import get_signals, list_points, list_readings
from traffic.types import State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from accounts.models import User
    from meshes.selectors import AlignedCluster, Member
    from meshes.types import Rule
    from meshui.ui.charts import Unit
    from metrics.types import Line, Reading, ServiceSignals
    from traffic.sight import Sight

RANGES: Final = {15: 15, 60: 60, 360: 60, 1440: 60}
"""Minutes that may be asked for, and the step in seconds of what is kept of them."""
USUAL: Final = 60
SIGNALS: Final[tuple[tuple[str, str, Unit], ...]] = (
    ("rate", "Requests", "rate"),
    ("success", "Success", "success"),
    ("p50_ms", "Latency p50", "latency"),
    ("p99_ms", "Latency p99", "latency"),
)
MOST_MARKERS: Final = 20


@dataclass(frozen=True, slots=True)
class Spot:
    """The service in one cluster, to choose from; `reading` None: nobody measured it there."""

    slug: str
    reading: Reading | None
    is_chosen: bool = False


@dataclass(frozen=True, slots=True)
class ShareRow:
    """One backend: its configured weight (None: the rule for all requests does not name it), and what was measured.

    `measured` is its share of the `requests` of the last window (METRICS_WINDOW_SECONDS), 0 to 1; None: not known.
    """

    css: str
    name: str
    weight_bp: int | None
    measured: float | None
    reading: Reading | None
    requests: float
    is_comparable: bool

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
    """The service in the chosen cluster. `rule_count`: rules of its route, of which `shares` tells the last resort."""

    here: AlignedCluster
    spots: tuple[Spot, ...]
    signals: ServiceSignals
    charts: tuple[Chart, ...]
    shares: tuple[ShareRow, ...]
    minutes: int
    rule_count: int


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

    Raises MissingError for a service that is not there or not within sight.
    """
    members = members_of(user, *service, scope=scope)
    here = next((each for each in (*members.here, *members.beyond) if each.cluster.slug == at), None)
    if here is None:
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
    rule, names = _rule(here), _names(here)
    keys = _in_order(rule, signals)
    markers = _markers(sight, slug, (member.namespace, member.name), minutes)
    return Measures(
        here=here,
        spots=tuple(Spot(each, reading, each == slug) for each, reading in spots.items()),
        signals=signals,
        charts=tuple(_charts(signals, lines, [(key, names.get(key, key)) for key in keys], markers)),
        shares=tuple(_shares(here, signals, keys, names)),
        minutes=minutes,
        rule_count=len(here.main.side.route.rules) if here.main and here.main.side else 0,
    )


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


def _in_order(rule: Rule | None, signals: ServiceSignals) -> list[str]:
    """Backends as the split bar has them, then others that got requests."""
    first = [item.backend.key for item in rule.backends] if rule else []
    return [*first, *sorted(key for key in signals.backends if key not in first)]


def _shares(
    here: AlignedCluster, signals: ServiceSignals, keys: Sequence[str], names: Mapping[str, str]
) -> list[ShareRow]:
    rule = _rule(here)
    weights = {item.backend.key: item.weight_bp for item in rule.backends} if rule else {}
    rates = {key: each.golden.rate for key, each in signals.backends.items() if each.is_live and each.golden}
    total = sum(rates.values())
    is_alone = bool(here.main and here.main.side and len(here.main.side.route.rules) == 1)
    return [
        ShareRow(
            css=series_class(number),
            name=names.get(key, key),
            weight_bp=weights.get(key),
            measured=rates.get(key, 0.0) / total if total else None,
            reading=signals.backends.get(key),
            requests=total * settings.METRICS_WINDOW_SECONDS * signals.service.share,
            is_comparable=is_alone,
        )
        for number, key in enumerate(keys)
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
            step_s=chosen[0][1].step_seconds if chosen else 60,
            window_s=settings.METRICS_WINDOW_SECONDS,
            markers=markers,
            no_data_since=whole.at,
        )
        for field, title, unit in SIGNALS
    ]


def _markers(sight: Sight, slug: str, service: tuple[str, str], minutes: int) -> tuple[Marker, ...]:
    """Changes of the service that were applied there within the range. One query."""
    begin = now().timestamp() - minutes * 60
    rows = (
        sight.changes()
        .filter(targets__cluster__slug=slug, targets__namespace=service[0], targets__service=service[1])
        .filter(state__in=(State.APPLIED, State.ROLLED_BACK, State.PARTIAL), ended_at__isnull=False)
        .order_by("-ended_at")
        .values_list("number", "ended_at")
        .distinct()[:MOST_MARKERS]
    )
    return tuple(
        Marker(int(ended.timestamp()), number, reverse("traffic:change-detail", args=[number]))
        for number, ended in reversed(rows)
        if ended is not None and ended.timestamp() >= begin
    )
