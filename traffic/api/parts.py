"""/api/v1/changes/<n>/…/: what belongs to one change, page by page; its page shows the same."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from django.db.models import Model

from accounts.selectors import signed_in
from accounts.types import READ
from audit.selectors import EventIndex, list_events
from meshui.rest.views import ApiDetailView, ApiListView
from traffic import selectors
from traffic.api.faces import conflicts_now
from traffic.cards import cards_of
from traffic.models import Change, ChangeTarget, PlanTarget, Revision, TargetStep, Vote
from traffic.serializers import (
    ConflictsSerializer,
    DiffSerializer,
    MomentSerializer,
    RevisionSerializer,
    StepSerializer,
    TargetSerializer,
    VoteSerializer,
)
from traffic.timeline import moments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.db.models import QuerySet

    from traffic.timeline import Moment

M = TypeVar("M", bound=Model)


class PartListView(ApiListView[M]):
    """Rows of one change; whoever may see it may see them."""

    needs = READ
    tag = "changes"
    is_scoped = True

    @cached_property
    def change(self) -> Change:
        """The change of the URL. Raises ChangeMissingError, also where out of scope."""
        return selectors.get_change(signed_in(self.request), self.kwargs["number"])


class ChangeTargetListView(PartListView[ChangeTarget]):
    """/api/v1/changes/<n>/targets/: The routes that it goes to."""

    serializer_class = TargetSerializer
    order = ("cluster__slug", "namespace", "name", "pk")

    def get_queryset(self) -> QuerySet[ChangeTarget]:
        """Of the revision in force."""
        return selectors.list_targets(self.change)


class ChangeDiffListView(PartListView[PlanTarget]):
    """/api/v1/changes/<n>/diffs/: Every object of the plan in force, before and after, in neutral and native words."""

    serializer_class = DiffSerializer
    order = ("cluster__slug", "namespace", "name", "pk")

    def get_queryset(self) -> QuerySet[PlanTarget]:
        """Of the plan in force; none before there is one."""
        plan = self.change.current_plan
        return selectors.list_plan_targets(plan) if plan else selectors.no_plan_targets()

    def faces(self, rows: list[PlanTarget]) -> Sequence[Any]:
        """A card for each object."""
        plan = self.change.current_plan
        return [card for row in rows for card in cards_of([row], is_sound=plan is not None and plan.is_sound)]


class ChangeVoteListView(PartListView[Vote]):
    """/api/v1/changes/<n>/votes/: Every vote on every plan of it, newest first."""

    serializer_class = VoteSerializer
    order = ("-created_at", "-pk")

    def get_queryset(self) -> QuerySet[Vote]:
        """Standing, revoked and voided ones."""
        return selectors.list_votes(self.change)


class ChangeStepListView(PartListView[TargetStep]):
    """/api/v1/changes/<n>/steps/: What is written, object by object, and how far that is."""

    serializer_class = StepSerializer
    order = ("cluster__slug", "direction", "position", "pk")

    def get_queryset(self) -> QuerySet[TargetStep]:
        """Of the run of the plan in force; none before there was a run."""
        return selectors.list_steps(self.change)


class ChangeRevisionListView(PartListView[Revision]):
    """/api/v1/changes/<n>/revisions/: Every edit of it, newest first."""

    serializer_class = RevisionSerializer
    order = ("-number", "pk")

    def get_queryset(self) -> QuerySet[Revision]:
        """What was wanted, and by whom."""
        return selectors.list_revisions(self.change)


@dataclass(frozen=True, slots=True)
class Happened:
    """An event and how it reads."""

    event: EventIndex
    moment: Moment


class ChangeTimelineView(PartListView[EventIndex]):
    """/api/v1/changes/<n>/timeline/: What happened to it, newest first; refusals, too."""

    serializer_class = MomentSerializer
    order = ("-seq",)

    def get_queryset(self) -> QuerySet[EventIndex]:
        """Events of the change: whoever may see it may see them."""
        return list_events(change_id=str(self.change.pk))

    def faces(self, rows: list[EventIndex]) -> Sequence[Any]:
        """In sentences."""
        return [Happened(event, moment) for event, moment in zip(rows, moments(rows), strict=True)]


class ChangeConflictsView(ApiDetailView):
    """/api/v1/changes/<n>/conflicts/: Targets that somebody else changed: as planned from, as now, as wanted."""

    needs = READ
    tag = "changes"
    serializer_class = ConflictsSerializer

    def get_object(self, **kwargs: Any) -> Any:
        """In its run, else since people voted; as its page shows them."""
        return {"items": conflicts_now(selectors.get_change(signed_in(self.request), kwargs["number"]))}
