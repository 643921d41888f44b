"""Services that fail now: more of their requests than is tolerated, and enough of them that it is no accident."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.db.models import F, OuterRef, Subquery, Value
from django.db.models.functions import Coalesce

from meshes.types import Grain
from meshui.ui.graphs import CRIT_SHARE
from metrics.models import Point, Series
from metrics.selectors.latest import live

if TYPE_CHECKING:
    from django.db.models import QuerySet

GOOD: Final = 1 - CRIT_SHARE
"""The least success rate of a service that does not fail; a graph draws its lines by the same one."""
NEVER: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
FEWEST_FAILED: Final = 5
"""Failed requests of one window (METRICS_WINDOW_SECONDS) below which it may have been an accident."""


@dataclass(frozen=True, slots=True)
class Failing:
    """`errors`: share of failed requests, 0 to 1; `since`: of the first minute of which that is true without a break.

    `worst`: the key of the backend that fails most, `worst_errors` its share; empty and 0.0: no backend is measured.
    `beside`: what the caller annotated.
    """

    cluster: str
    namespace: str
    service: str
    errors: float
    since: dt.datetime
    worst: str
    worst_errors: float
    beside: Any


def list_failing(rows: QuerySet[Series], most: int) -> list[Failing]:
    """Services of `rows` that fail now, the worst first, at most `most`. One query.

    The caller has narrowed `rows` to what may be seen, and annotated each with `beside`.
    """
    minutes = Point.objects.filter(series=OuterRef("pk"), step=60)
    good = minutes.filter(success__gte=GOOD).order_by("-at").values("at")[:1]
    bad = minutes.filter(success__lt=GOOD, at__gt=OuterRef("good_at")).order_by("at").values("at")[:1]
    same = {name: OuterRef(name) for name in ("cluster", "namespace", "service")}
    backends = Series.objects.filter(live(), grain=Grain.BACKEND, success__isnull=False, rate__gt=0, **same)
    worst = backends.order_by("success", "part")
    found = (
        rows.filter(live(), grain=Grain.SERVICE, success__lt=GOOD)
        .annotate(failed=F("rate") * (1 - F("success")) * F("share") * settings.METRICS_WINDOW_SECONDS)
        .filter(failed__gte=FEWEST_FAILED)
        .annotate(good_at=Coalesce(Subquery(good), Value(NEVER)))
        .annotate(
            since=Coalesce(Subquery(bad), F("at")),
            worst=Subquery(worst.values("part")[:1]),
            worst_success=Subquery(worst.values("success")[:1]),
        )
        .order_by("success", "-rate", "pk")
    )
    columns = ("cluster__slug", "namespace", "service", "success", "since", "worst", "worst_success", "beside")
    return [
        Failing(slug, namespace, service, 1 - success, since, worst or "", _failed(least), beside)
        for slug, namespace, service, success, since, worst, least, beside in found.values_list(*columns)[:most]
    ]


def _failed(success: float | None) -> float:
    return 0.0 if success is None else 1 - success
