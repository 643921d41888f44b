"""Before a change is written: what is measured of the backends that it would give more, held against guardrails."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.urls import reverse

from meshes.types import Route
from meshui.lib.clock import now
from meshui.ui.parts import series_class
from metrics.selectors import list_points, list_readings
from traffic.guardrails import Subject, guardrails_of, mean_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from uuid import UUID

    from metrics.types import Golden, Line, Reading
    from traffic.guardrails import Guardrail
    from traffic.models import PlanTarget

SPAN: Final = dt.timedelta(minutes=15)
MOST: Final = 6


@dataclass(frozen=True, slots=True)
class Outlook:
    """One service in one cluster. `reading` None: it was never measured there. `rises`: class, name, before, after."""

    cluster: str
    service: str
    url: str
    reading: Reading | None
    rises: tuple[tuple[str, str, int, int], ...]
    guardrails: tuple[Guardrail, ...]


def outlooks_of(targets: Iterable[PlanTarget]) -> list[Outlook]:
    """Of at most six services whose shares would move. Two queries for each, and one."""
    found = _routes(targets)
    names = {(route.root.namespace, route.root.service) for _, _, route in found}
    readings = list_readings([target.cluster for target, _, _ in found], names) if found else {}
    return [_outlook(target, live, desired, readings) for target, live, desired in found]


def _routes(targets: Iterable[PlanTarget]) -> list[tuple[PlanTarget, Route | None, Route]]:
    """Each service once, as it is and as it would be; none of a split that ends."""
    found: dict[tuple[str, str, str], tuple[PlanTarget, Route | None, Route]] = {}
    for target in targets:
        if target.desired_route is None:
            continue
        desired = Route.from_json(target.desired_route)
        live = Route.from_json(target.live_route) if target.live_route else None
        key = (target.cluster.slug, desired.root.namespace, desired.root.service)
        found.setdefault(key, (target, live, desired))
    return list(found.values())[:MOST]


def _outlook(
    target: PlanTarget, live: Route | None, desired: Route, readings: Mapping[tuple[UUID, str, str], Reading]
) -> Outlook:
    root, cluster = desired.root, target.cluster
    was = {item.backend.key: item.weight_bp for item in live.rules[-1].backends} if live and live.rules else {}
    lines = list_points(cluster, root.namespace, root.service, step=60, minutes=int(SPAN.total_seconds() // 60))
    by_part, end = {line.name.part: line for line in lines}, now()
    backends = list(enumerate(desired.rules[-1].backends if desired.rules else ()))
    rises = [(n, item) for n, item in backends if item.weight_bp > was.get(item.backend.key, 0)]
    means = {key: mean_of(line, end - SPAN, end) for key, line in by_part.items()}
    usual = means.get("")
    reading = readings.get((cluster.pk, root.namespace, root.service))
    share = reading.share if reading else 1.0
    return Outlook(
        cluster=cluster.slug,
        service=f"{root.namespace}/{root.service}",
        url=reverse("meshes:service-detail", args=[cluster.slug, root.namespace, root.service]),
        reading=reading,
        rises=tuple(
            (series_class(n), item.backend.name, was.get(item.backend.key, 0), item.weight_bp) for n, item in rises
        ),
        guardrails=guardrails_of(
            [_subject(item.backend.name, item.backend.key, means, by_part, share) for _, item in rises],
            usual_p99_ms=usual.p99_ms if usual else None,
        ),
    )


def _subject(
    name: str, key: str, means: Mapping[str, Golden | None], lines: Mapping[str, Line], share: float
) -> Subject:
    line = lines.get(key)
    requests = sum(rate for rate in line.rate if rate is not None) * line.step_seconds * share if line else 0.0
    return Subject(name, means.get(key), requests)
