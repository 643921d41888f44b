"""A change as the API shows it, and as it tells of it to whoever is refused because it moved."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.urls import reverse
from rest_framework.response import Response

from meshui.lib.errors import GoneError, StaleError
from meshui.rest.views import KEPT
from traffic import selectors
from traffic.cards import conflicts_of
from traffic.conditions import AGAIN
from traffic.serializers import ChangeDetailSerializer, CurrentSerializer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from accounts.models import User
    from traffic.cards import Conflict
    from traffic.models import Change, Plan, PlanTarget, TargetStep, Vote


@dataclass(frozen=True, slots=True)
class PlanFace:
    """The plan in force with its targets."""

    plan: Plan
    targets: Sequence[PlanTarget]


@dataclass(frozen=True, slots=True)
class ChangeFace:
    """Everything that is shown of one change."""

    change: Change
    plan: PlanFace | None
    votes: Sequence[Vote]
    steps: Sequence[TargetStep]


@dataclass(frozen=True, slots=True)
class CurrentFace:
    """How a change stands, and where somebody else came between."""

    change: Change
    conflicts: Sequence[Conflict]


def face_of(change: Change) -> ChangeFace:
    """A change of selectors.get_change with its plan, votes and steps. At most three queries."""
    found = change.current_plan
    shown = PlanFace(found, list(selectors.list_plan_targets(found))) if found else None
    return ChangeFace(change, shown, list(selectors.list_votes(change)), list(selectors.list_steps(change)))


def answer_with(user: User, number: int, status: int = 200) -> Response:
    """The change as it is now, with its ETag."""
    face = face_of(selectors.get_change(user, number))
    headers = {"ETag": face.change.etag, **KEPT}
    if status == 201:
        headers["Location"] = reverse("api:change-detail", args=[number])
    return Response(ChangeDetailSerializer(face).data, status, headers=headers)


def conflicts_now(change: Change) -> list[Conflict]:
    """Where somebody else came between. At most four queries."""
    targets = list(selectors.list_plan_targets(change.current_plan)) if change.current_plan else []
    return conflicts_of(change, targets, list(selectors.list_steps(change)))


@contextmanager
def told_what_is_now(user: User, number: int) -> Iterator[None]:
    """A refusal because the change moved says how it stands, and how to go on where there is no page to look at."""
    try:
        yield
    except (StaleError, GoneError) as refused:
        change = selectors.get_change(user, number)
        refused.more["current"] = CurrentSerializer(CurrentFace(change, conflicts_now(change))).data
        if isinstance(refused, StaleError):
            refused.mend = AGAIN
        raise
