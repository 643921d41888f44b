"""The health of services, from what is known of them: requests, pods, targets that are missing, drift, open changes.

Routes, pods and changes are known as they are now: of another moment only what was measured is told.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext, ngettext

from clusters.models import Cluster
from meshes.selectors.readiness import readiness_of_all
from meshes.types import Grain
from meshui.ui import charts, wording
from meshui.ui.graphs import tone_of
from meshui.ui.statuses import status_of
from metrics.selectors import list_in_span
from traffic.calls import NOW, ServiceKey
from traffic.models import ChangeTarget
from traffic.selectors import OPEN

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from uuid import UUID

    from meshes.models import Route as RouteRow
    from meshes.selectors.readiness import Readiness
    from meshes.types import Backend, Rule
    from meshui.ui.charts import Unit
    from meshui.ui.graphs import Tone
    from metrics.types import Reading, Span
    from traffic.sight import Sight

    Read = Collection[tuple[UUID, str]]

MOST_CHANGES: Final = 500
WORSE: Final[tuple[Tone, ...]] = ("", "ok", "warn", "crit")
LOOKS: Final[Mapping[Tone, str]] = {"": "no_data", "ok": "healthy", "warn": "degraded", "crit": "at_risk"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is known of something: how bad it is, in a sentence, and where more of it stands."""

    tone: Tone
    text: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class OpenChange:
    """A change request of a service that is not over."""

    number: int
    title: str
    state: str

    @property
    def url(self) -> str:
        """Its page."""
        return reverse("traffic:change-detail", args=[self.number])


@dataclass(frozen=True, slots=True)
class Health:
    """What is known of one node. `reading` None: nobody measured it in that span of time."""

    reading: Reading | None = None
    findings: tuple[Finding, ...] = ()
    changes: tuple[OpenChange, ...] = ()

    @property
    def tone(self) -> Tone:
        """The worst of its findings; empty: nothing is known of it."""
        return max((finding.tone for finding in self.findings), key=WORSE.index, default="")

    @property
    def word(self) -> str:
        """Healthy, degraded, at risk or no data."""
        return str(status_of(LOOKS[self.tone], "health").word)

    @property
    def icon(self) -> str:
        """Of that word."""
        return status_of(LOOKS[self.tone], "health").icon

    @property
    def rate(self) -> float | None:
        """Requests/s; None: no data."""
        return self.reading.golden.rate if self.reading and self.reading.golden else None

    @property
    def errors(self) -> float | None:
        """The share of requests that failed; None: no data, or no requests."""
        golden = self.reading.golden if self.reading else None
        return None if golden is None or golden.success is None or not golden.rate else 1 - golden.success

    @property
    def p99_ms(self) -> float | None:
        """In milliseconds; None: no data."""
        return self.reading.golden.p99_ms if self.reading and self.reading.golden else None


UNKNOWN: Final = Health()


@dataclass(frozen=True, slots=True)
class Version:
    """One backend of a service. `weight_bp`: of the rule for all requests; None: that does not name it."""

    backend: Backend
    weight_bp: int | None
    health: Health


@dataclass(frozen=True, slots=True)
class Known:
    """Of services: their health; `versions`: the backends of those that a route shares out, in its order."""

    health: Mapping[ServiceKey, Health]
    versions: Mapping[ServiceKey, tuple[Version, ...]]

    def of(self, key: ServiceKey) -> Health:
        """What is known of one; UNKNOWN for what nobody knows anything of."""
        return self.health.get(key, UNKNOWN)


def known_of(
    sight: Sight,
    services: Collection[ServiceKey],
    span: Span = NOW,
    *,
    read: Collection[tuple[UUID, str]] | None = None,
) -> Known:
    """What is known of `services`, which the reader sees. At most seven queries; of another moment than now two.

    `read`: (cluster, kind) of what was ever read, where the caller knows it: a query less.
    """
    slugs = {key.cluster for key in services}
    names = {(key.namespace, key.name) for key in services}
    readings = _readings(slugs, names, span)
    is_now = span.at is None
    routes = _routes(sight, slugs, names)
    readable = [(row.cluster, route, key) for row, key in routes if (route := row.route) is not None and is_now]
    ready = readiness_of_all([(cluster, route) for cluster, route, _ in readable], known=read) if readable else []
    around = {key: each for (_, _, key), each in zip(readable, ready, strict=True)}
    drifts = _drifts(sight, slugs, names) if is_now else {}
    changes = _changes(sight, slugs, names) if is_now else {}
    versions = {key: _versions(key, row, readings, around.get(key)) for row, key in routes}
    health = {}
    for key in services:
        reading = readings.get((key, ""))
        findings = [*_measured(reading), *_targets(versions.get(key, ()), around.get(key)), *_drifted(key, drifts)]
        health[key] = Health(reading, tuple(findings), tuple(changes.get(key, ())))
    return Known(health, {key: found for key, found in versions.items() if len(found) > 1})


def worst_of(found: Iterable[Health]) -> Tone:
    """The worst of several; empty: nothing is known of any."""
    return max((each.tone for each in found), key=WORSE.index, default="")


def error_finding(errors: float | None, rate: float | None) -> Finding | None:
    """What the share of failed requests says; None: nothing is known, or there were none."""
    tone = tone_of(errors)
    if not tone or not rate:
        return None
    if tone == "ok":
        return Finding(tone, gettext("Under 0.3\u202f% of its requests failed"))
    words = gettext("%(share)s of its requests failed") % {"share": wording.percent(round((errors or 0) * 10_000))}
    return Finding(tone, words)


def facts_of(health: Health) -> tuple[tuple[str, str], ...]:
    """Label and value of what a node says of its requests."""
    return (
        (gettext("Requests"), charts.rate_text(health.rate)),
        (gettext("Success"), success_text(health)),
        (gettext("p99"), _text(health.p99_ms, "latency")),
    )


def success_text(health: Health) -> str:
    """The fraction that went well, or that there is no data."""
    return _text(None if health.errors is None else 1 - health.errors, "success")


def _text(value: float | None, unit: Unit) -> str:
    if value is None:
        return gettext("no data")
    return f"{charts.amount(value, unit)}{wording.NARROW}{charts.unit_text(unit)}"


# --- what is read ----------------------------------------------------------------------------------------------------


def _readings(slugs: set[str], names: set[tuple[str, str]], span: Span) -> dict[tuple[ServiceKey, str], Reading]:
    """(service, a backend's key or nothing) → what was measured of it."""
    there = Cluster.objects.filter(slug__in=slugs)
    found = list_in_span(there, span, [Grain.SERVICE, Grain.BACKEND], services=names)
    return {
        (ServiceKey(slug, each.name.namespace, each.name.service), each.name.part): each
        for slug, each in found
        if (each.name.namespace, each.name.service) in names
    }


def _routes(sight: Sight, slugs: set[str], names: set[tuple[str, str]]) -> list[tuple[RouteRow, ServiceKey]]:
    """The first readable route of each service, with its cluster."""
    rows = sight.routes().filter(
        cluster__slug__in=slugs,
        root_namespace__in={space for space, _ in names},
        root_service__in={name for _, name in names},
        neutral__isnull=False,
    )
    found: dict[ServiceKey, RouteRow] = {}
    for row in rows.select_related("cluster").order_by("cluster__slug", "namespace", "name", "pk"):
        if (row.root_namespace, row.root_service) in names:
            found.setdefault(ServiceKey(row.cluster.slug, row.root_namespace, row.root_service), row)
    return [(row, key) for key, row in found.items()]


def _drifts(sight: Sight, slugs: set[str], names: set[tuple[str, str]]) -> dict[ServiceKey, str]:
    """Service → how its route is other than MeshUI left it."""
    rows = sight.managed().filter(cluster__slug__in=slugs).exclude(drift="").order_by()
    places = rows.values_list("cluster__slug", "root_namespace", "root_service", "drift")
    return {ServiceKey(*place): drift for *place, drift in places if tuple(place[1:]) in names}


def _changes(sight: Sight, slugs: set[str], names: set[tuple[str, str]]) -> dict[ServiceKey, list[OpenChange]]:
    """Service → the change requests of it that are not over, the newest first."""
    rows = ChangeTarget.objects.filter(
        change__in=sight.changes().filter(state__in=OPEN).order_by(), cluster__slug__in=slugs
    ).order_by("-change__number")
    columns = ("cluster__slug", "namespace", "service", "change__number", "change__title", "change__state")
    found: dict[ServiceKey, dict[int, OpenChange]] = defaultdict(dict)
    for *place, number, title, state in rows.values_list(*columns)[:MOST_CHANGES]:
        if tuple(place[1:]) in names:
            found[ServiceKey(*place)][number] = OpenChange(number, title, state)
    return {key: list(changes.values()) for key, changes in found.items()}


# --- what it means ---------------------------------------------------------------------------------------------------


def main_rule(rules: Collection[Rule]) -> Rule | None:
    """The rule for all requests, else the last."""
    whole = [rule for rule in rules if not rule.matches]
    return (whole or list(rules))[-1] if rules else None


def _versions(
    key: ServiceKey, row: RouteRow, readings: Mapping[tuple[ServiceKey, str], Reading], around: Readiness | None
) -> tuple[Version, ...]:
    """The different backends of a route, in its order; of the same on two ports the one that the main rule names."""
    route = row.route
    rules = route.rules if route else ()
    main = main_rule(rules)
    weights = {item.backend.key: item.weight_bp for item in main.backends} if main else {}
    backends: dict[tuple[str, str, str], Backend] = {}
    for backend in sorted(
        (item.backend for rule in rules for item in rule.backends), key=lambda each: each.key not in weights
    ):
        backends.setdefault((backend.namespace, backend.service, backend.subset), backend)
    found = []
    for backend in backends.values():
        reading = readings.get((key, backend.key))
        health = Health(reading, tuple(_of_backend(backend, reading, around)))
        found.append(Version(backend, weights.get(backend.key), health))
    return tuple(found)


def _of_backend(backend: Backend, reading: Reading | None, around: Readiness | None) -> Iterator[Finding]:
    yield from _measured(reading)
    if around is None:
        return
    if backend.key in around.missing:
        yield Finding("warn", gettext("Its Service is not there"))
    elif backend.key in around.undefined:
        yield Finding("warn", gettext("Nothing defines this subset"))
    elif around.ready.get(backend.key) == 0:
        yield Finding("crit", gettext("No pod of it is ready"))


def _measured(reading: Reading | None) -> Iterator[Finding]:
    health = Health(reading)
    finding = error_finding(health.errors, health.rate)
    if finding is not None:
        yield finding
    elif health.rate is not None and health.rate <= 0:
        yield Finding("", gettext("No request reached it"))


def _targets(versions: Collection[Version], around: Readiness | None) -> Iterator[Finding]:
    """Targets of its route that are not there or not ready; worse where requests are sent to them."""
    if around is None:
        return
    gone = len(around.missing | around.undefined)
    if gone:
        yield Finding("warn", ngettext("%(n)s target is missing", "%(n)s targets are missing", gone) % {"n": gone})
    for each in versions:
        if each.weight_bp and around.ready.get(each.backend.key) == 0:
            yield Finding("crit", gettext("No pod of %(name)s is ready") % {"name": each.backend.name})


def _drifted(key: ServiceKey, drifts: Mapping[ServiceKey, str]) -> Iterator[Finding]:
    """How its route is other than MeshUI left it."""
    if key in drifts:
        words = {
            "gone": gettext("Its route was deleted outside of MeshUI"),
            "made": gettext("Its route was made again outside of MeshUI"),
        }
        url = f"{reverse('traffic:drift-list')}?{urlencode({'cluster': key.cluster})}"
        yield Finding("warn", words.get(drifts[key], gettext("Its route is not as MeshUI left it")), url)
