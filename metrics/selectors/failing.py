"""Services that fail now: more of their requests than is tolerated, and enough of them that it is no accident."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.db.models import F, Min, OuterRef, Subquery
from django.db.models.functions import Coalesce

from meshes.types import Grain
from metrics.models import Point, Series
from metrics.selectors.latest import live

if TYPE_CHECKING:
    import datetime as dt
    from uuid import UUID

    from django.db.models import QuerySet

TOLERATED: Final = 0.01
"""Share of failed requests above which a service fails; the graph of calls draws its lines by the same one."""
FEWEST_FAILED: Final = 5
"""Failed requests of one window (METRICS_WINDOW_SECONDS) below which it may have been an accident."""


@dataclass(frozen=True, slots=True)
class Failing:
    """`errors`: share of failed requests, 0 to 1; `since`: of the first minute of which that is true without a break.

    `worst`: the key of the backend that fails most, `worst_errors` its share; empty and 0.0: no backend is measured.
    `beside`: what the caller annotated.
    """

    cluster_id: UUID
    cluster: str
    namespace: str
    service: str
    errors: float
    rate: float
    since: dt.datetime
    worst: str
    worst_errors: float
    beside: Any


def list_failing(rows: QuerySet[Series], most: int) -> list[Failing]:
    """Services of `rows` that fail now, the worst first, at most `most`. One query.

    The caller has narrowed `rows` to what may be seen, and annotated each with `beside`.
    """
    minutes = Point.objects.filter(series=OuterRef("pk"), step=60)
    good = minutes.filter(success__gte=1 - TOLERATED).order_by("-at").values("at")[:1]
    bad = Point.objects.filter(series=OuterRef("pk"), step=60, success__lt=1 - TOLERATED)
    first = bad.filter(at__gt=OuterRef("good_at")).order_by().values("series").annotate(first=Min("at")).values("first")
    ever = bad.order_by().values("series").annotate(first=Min("at")).values("first")
    same = {name: OuterRef(name) for name in ("cluster", "namespace", "service")}
    backends = Series.objects.filter(live(), grain=Grain.BACKEND, success__isnull=False, rate__gt=0, **same)
    worst = backends.order_by("success", "part")
    found = (
        rows.filter(live(), grain=Grain.SERVICE, success__lt=1 - TOLERATED)
        .annotate(failed=F("rate") * (1 - F("success")) * F("share") * settings.METRICS_WINDOW_SECONDS)
        .filter(failed__gte=FEWEST_FAILED)
        .annotate(good_at=Subquery(good))
        .annotate(
            since=Coalesce(Subquery(first), Subquery(ever), F("at")),
            worst=Subquery(worst.values("part")[:1]),
            worst_success=Subquery(worst.values("success")[:1]),
        )
        .order_by("success", "-rate", "pk")
    )
    columns = ("cluster", "cluster__slug", "namespace", "service", "success", "rate", "since", "worst", "worst_success")
    return [
        Failing(pk, slug, namespace, service, 1 - good, rate, since, worst or "", _failed(least), beside)
        for pk, slug, namespace, service, good, rate, since, worst, least, beside in found.values_list(
            *columns, "beside"
        )[:most]
    ]


def _failed(success: float | None) -> float:
    return 0.0 if success is None else 1 - success
