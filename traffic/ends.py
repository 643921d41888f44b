"""Since when what a change wrote no longer stands: another change wrote there next, or somebody else did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Exists, Min, OuterRef, Q
from django.db.models.functions import Coalesce

from accounts.types import READ
from meshes.models import ManagedRoute
from meshui.lib.rights import in_scope
from traffic.models import Change, TargetStep
from traffic.types import StepState

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from accounts.models import User
    from traffic.models import PlanTarget

WROTE: Final = Q(attempts__outcome__outcome="written")


@dataclass(frozen=True, slots=True)
class End:
    """`number` of the change that wrote next, None: nobody through MeshUI. `is_open`: the reader may open that."""

    at: dt.datetime
    number: int | None = None
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class Written:
    """One object as a change wrote it, with the service that its route is of, as (namespace, name)."""

    target: PlanTarget
    root: tuple[str, str]
    since: dt.datetime

    @property
    def ref(self) -> tuple[object, ...]:
        """The object's cluster, kind and name."""
        return _ref(self.target.cluster_id, self.target.kind, self.target.namespace, self.target.name)

    @property
    def service(self) -> tuple[object, ...]:
        """The service with its cluster."""
        return (self.target.cluster_id, *self.root)


def ends_of(user: User, change: Change, found: Sequence[Written]) -> list[End | None]:
    """Of each of `found`, which `change` wrote: the first that came over it; None: it still stands. Two queries."""
    if not found:
        return []
    later = _later(user, change, found)
    drifts = _drifts(change, found)
    return [_first(written, later, drifts.get(written.ref)) for written in found]


def _first(written: Written, later: Sequence[tuple[End, Any]], drifted_at: dt.datetime | None) -> End | None:
    ends = [
        end for end, names in later if end.at > written.since and not names.isdisjoint((written.ref, written.service))
    ]
    if drifted_at is not None:
        ends.append(End(max(drifted_at, written.since)))
    return min(ends, key=lambda end: end.at, default=None)


def _later(user: User, change: Change, found: Sequence[Written]) -> list[tuple[End, frozenset[tuple[object, ...]]]]:
    """What other changes wrote since, each with the object and the service that it was of.

    A write counts from the moment the cluster took it, not from that of its check: requests follow it at once.
    """
    object_or_service = Q(plan_target__name__in={each.target.name for each in found}) | Q(
        plan_target__desired_route__root__service__in=sorted({each.root[1] for each in found})
    )
    opened = in_scope(Change.objects.filter(pk=OuterRef("change_id")), user, READ).order_by()
    rows = (
        TargetStep.objects.filter(object_or_service, cluster__in={each.target.cluster_id for each in found})
        .exclude(change=change)
        .order_by()
        .annotate(taken_at=Min("attempts__outcome__created_at", filter=WROTE), is_open=Exists(opened))
        .filter(Q(taken_at__isnull=False) | Q(state__in=(StepState.VERIFIED, StepState.REVERTED)))
        .annotate(at=Coalesce("taken_at", "state_changed_at"))
        .filter(at__gt=min(each.since for each in found))
    )
    columns = ("kind", "namespace", "name", "desired_route__root__namespace", "desired_route__root__service")
    values = rows.values_list(
        "at", "change__number", "is_open", "cluster_id", *(f"plan_target__{column}" for column in columns)
    )
    return [
        (End(at, number, is_open), frozenset({_ref(cluster, kind, namespace, name), (cluster, *root)}))
        for at, number, is_open, cluster, kind, namespace, name, *root in values
    ]


def _drifts(change: Change, found: Sequence[Written]) -> dict[tuple[object, ...], dt.datetime]:
    """Object → when it was first read otherwise than `change` left it."""
    rows = ManagedRoute.objects.filter(
        change_number=change.number,
        cluster__in={each.target.cluster_id for each in found},
        name__in={each.target.name for each in found},
        drifted_at__isnull=False,
    )
    values = rows.order_by().values_list("cluster_id", "kind", "namespace", "name", "drifted_at")
    return {_ref(cluster, kind, space, name): at for cluster, kind, space, name, at in values if at is not None}


def _ref(cluster: object, kind: str, namespace: str, name: str) -> tuple[object, ...]:
    return (cluster, kind, namespace, name)
