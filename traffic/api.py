"""/api/v1/changes/: reading them, proposing one, and every verb, each about the ETag that was read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from django.urls import URLPattern, URLResolver, path, reverse
from rest_framework.response import Response

from accounts.selectors import actor_of, signed_in
from accounts.types import READ
from meshui.lib.errors import StaleError
from meshui.rest.serializers import Body, EmptyBody
from meshui.rest.views import ApiDetailView, ApiListView, ApiView
from traffic import selectors
from traffic.conditions import AGAIN, is_unchanged, once_of, require_plan, seen_by
from traffic.filters import ChangeFilter
from traffic.models import Change
from traffic.proposals import AskedShares, proposal_of
from traffic.serializers import ChangeDetailSerializer, ChangeSerializer, CommentBody, ProposeBody, ReasonBody
from traffic.services import apply, approve, hold, plan, rollback
from traffic.services.propose import propose_change
from traffic.types import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.db.models import QuerySet
    from rest_framework.request import Request

    from accounts.models import User
    from audit.types import Actor
    from traffic.models import Plan, PlanTarget, TargetStep, Vote
    from traffic.types import Once, Seen


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


def face_of(change: Change) -> ChangeFace:
    """A change of selectors.get_change with its plan, votes and steps. At most three queries."""
    found = change.current_plan
    shown = PlanFace(found, list(selectors.list_plan_targets(found))) if found else None
    return ChangeFace(change, shown, list(selectors.list_votes(change)), list(selectors.list_steps(change)))


def answer_with(user: User, number: int, status: int = 200) -> Response:
    """The change as it is now, with its ETag."""
    face = face_of(selectors.get_change(user, number))
    headers = {"ETag": face.change.etag}
    if status == 201:
        headers["Location"] = reverse("api:change-detail", args=[number])
    return Response(ChangeDetailSerializer(face).data, status, headers=headers)


class ChangeListView(ApiListView[Change]):
    """/api/v1/changes/: Changes, newest first."""

    needs = READ
    tag = "changes"
    is_scoped = True
    filterset_class = ChangeFilter
    serializer_class = ChangeSerializer
    order = ("-number",)
    takes_key = True
    body_class = ProposeBody
    posts_as = "change_propose"
    posts_needs = "change.propose"
    posts_class = ChangeDetailSerializer
    posts_etag = True

    def get_queryset(self) -> QuerySet[Change]:
        """All that the reader may see."""
        return selectors.list_changes(signed_in(self.request))

    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Propose other weights for a service: a draft, which has yet to be planned."""
        self.require(self.posts_needs)
        user, data = signed_in(request), self.body_of(request)
        once = once_of(request, data)
        number = selectors.earlier_result(user, once)
        if number is None:
            proposal = proposal_of(user, AskedShares(**data | {"clusters": tuple(data["clusters"])}))
            number = propose_change(actor=actor_of(request), proposal=proposal, once=once).number
        return answer_with(user, number, 201)


class ChangeDetailView(ApiDetailView):
    """/api/v1/changes/<n>/: One change: targets, plan, findings, votes, how far it is."""

    needs = READ
    tag = "changes"
    serializer_class = ChangeDetailSerializer
    has_etag = True

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """It, or 304 where nothing of it can have moved under the ETag that the reader has."""
        user = signed_in(request)
        change = selectors.get_change(user, kwargs["number"])
        etag = change.etag
        if is_unchanged(request, etag) and selectors.is_told_by_etag(change):
            return Response(status=304, headers={"ETag": etag})
        return Response(ChangeDetailSerializer(face_of(change)).data, headers={"ETag": etag})


class VerbView(ApiView):
    """POST /api/v1/changes/<n>/<verb>/ with If-Match: the change as it is then, with its new ETag.

    `compares_plan`: the verb itself refuses another plan than the one that was read.
    """

    tag = "changes"
    serializer_class = ChangeDetailSerializer
    has_etag = True
    is_conditional = True
    body_class: ClassVar[type[Body]] = EmptyBody
    compares_plan: ClassVar[bool] = False

    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """404 comes first, then 428, 412 and 422; the verb then says 412, 409 or 403 under its lock.

        What is sent again under its key is answered before anything is compared: the plan may have moved since.
        """
        user, number = signed_in(request), kwargs["number"]
        now = selectors.seen_now(user, number)
        once = once_of(request, self.body_of(request)) if self.takes_key else None
        if selectors.earlier_result(user, once) is None:
            try:
                seen = seen_by(request, now)
                if not self.compares_plan:
                    require_plan(seen, now)
                number = self.act(actor_of(request), seen, self.body_of(request), once) or number
            except StaleError as stale:
                stale.mend = AGAIN
                raise
        return answer_with(user, number, 200 if number == kwargs["number"] else 201)

    def act(self, actor: Actor, seen: Seen, data: dict[str, Any], once: Once | None) -> int:
        """The verb; the number of another change that came of it, else 0."""
        raise NotImplementedError


class ChangePlanView(VerbView):
    """POST /api/v1/changes/<n>/plan/: Dry-run every target; the plan is there when the state is draft again."""

    needs = "change.plan"

    def act(self, actor: Actor, seen: Seen, data: dict[str, Any], once: Once | None) -> int:
        """C3."""
        plan.request_plan(actor=actor, seen=seen)
        return 0


class ChangeSubmitView(VerbView):
    """POST /api/v1/changes/<n>/submit/: Ask for approval of the plan."""

    needs = "change.submit"
    compares_plan = True

    def act(self, actor: Actor, seen: Seen, data: dict[str, Any], once: Once | None) -> int:
        """C5."""
        approve.submit_change(actor=actor, seen=seen)
        return 0


class ChangeApproveView(VerbView):
    """POST /api/v1/changes/<n>/approve/: Approve the plan; never one's own."""

    needs = "change.vote"
    compares_plan = True
    body_class = CommentBody

    def act(self, actor: Actor, seen: Seen, data: dict[str, Any], once: Once | None) -> int:
        """C6, C7."""
        approve.approve_change(
            actor=actor, change_id=seen.change_id, version=seen.version, digest=seen.digest, comment=data["comment"]
        )
        return 0


class ChangeDenyView(VerbView):
    """POST /api/v1/changes/<n>/deny/: Reject the change, and say why."""

    needs = "change.vote"
    compares_plan = True
    body_class = CommentBody

    def act(self, actor: Actor, seen: Seen, data: dict[str, Any], once: Once | None) -> int:
        """C8."""
        approve.deny_change(
            actor=actor, change_id=seen.change_id, version=seen.version, digest=seen.digest, comment=data["comment"]
        )
        return 0


class ChangeRevokeView(VerbView):
    """POST /api/v1/changes/<n>/revoke/: Take back one's own approval before anything was written."""

    needs = "change.vote"
    compares_plan = True
    body_class = ReasonBody

    def act(self, actor: Actor, seen: Seen, data: dict[str, Any], once: Once | None) -> int:
        """C9."""
        approve.revoke_vote(actor=actor, seen=seen, reason=data["reason"])
        return 0


class ChangeStartView(VerbView):
    """POST /api/v1/changes/<n>/start/: Start an approved change; it begins as soon as every target is free."""

    needs = "change.execute"
    compares_plan = True
    takes_key = True

    def act(self, actor: Actor, seen: Seen, data: dict[str, Any], once: Once | None) -> int:
        """C12."""
        apply.start_change(actor=actor, seen=seen, once=once)
        return 0


class ChangePauseView(VerbView):
    """POST /api/v1/changes/<n>/pause/: Begin no further cluster."""

    needs = "change.pause"
    body_class = ReasonBody

    def act(self, actor: Actor, seen: Seen, data: dict[str, Any], once: Once | None) -> int:
        """C16."""
        hold.pause_change(actor=actor, seen=seen, reason=data["reason"])
        return 0


class ChangeResumeView(VerbView):
    """POST /api/v1/changes/<n>/resume/: Go on; what moved meanwhile is planned again and has to be approved anew."""

    needs = "change.resume"

    def act(self, actor: Actor, seen: Seen, data: dict[str, Any], once: Once | None) -> int:
        """C17, C17b."""
        hold.resume_change(actor=actor, seen=seen)
        return 0


class ChangeRecheckView(VerbView):
    """POST /api/v1/changes/<n>/recheck/: Look again at what could not be restored."""

    needs = "change.rollback"

    def act(self, actor: Actor, seen: Seen, data: dict[str, Any], once: Once | None) -> int:
        """C18."""
        hold.recheck_change(actor=actor, seen=seen)
        return 0


class ChangeCancelView(VerbView):
    """POST /api/v1/changes/<n>/cancel/: End a change that has written nothing."""

    needs = "change.cancel"
    body_class = ReasonBody

    def act(self, actor: Actor, seen: Seen, data: dict[str, Any], once: Once | None) -> int:
        """C11."""
        hold.cancel_change(actor=actor, seen=seen, reason=data["reason"])
        return 0


class ChangeAcceptPartialView(VerbView):
    """POST /api/v1/changes/<n>/accept-partial/: End it as it is: its clusters differ. Say why."""

    needs = "change.accept_partial"
    body_class = ReasonBody

    def act(self, actor: Actor, seen: Seen, data: dict[str, Any], once: Once | None) -> int:
        """C20."""
        hold.accept_partial(actor=actor, seen=seen, reason=data["reason"])
        return 0


class ChangeRollBackView(VerbView):
    """POST /api/v1/changes/<n>/roll-back/: Restore what was there; of an applied change by another one."""

    needs = "change.rollback"
    body_class = ReasonBody
    also = {201: "Of an applied change: the change that restores what was there, at Location."}

    def act(self, actor: Actor, seen: Seen, data: dict[str, Any], once: Once | None) -> int:
        """C18, C22."""
        if selectors.state_of(seen.change_id) == State.APPLIED:
            return rollback.propose_rollback(actor=actor, seen=seen, reason=data["reason"]).number
        rollback.roll_back_running(actor=actor, seen=seen, reason=data["reason"])
        return 0


VERBS: dict[str, type[VerbView]] = {
    "plan": ChangePlanView,
    "submit": ChangeSubmitView,
    "approve": ChangeApproveView,
    "deny": ChangeDenyView,
    "revoke": ChangeRevokeView,
    "start": ChangeStartView,
    "pause": ChangePauseView,
    "resume": ChangeResumeView,
    "recheck": ChangeRecheckView,
    "cancel": ChangeCancelView,
    "accept-partial": ChangeAcceptPartialView,
    "roll-back": ChangeRollBackView,
}

urlpatterns: list[URLPattern | URLResolver] = [
    path("changes/", ChangeListView.as_view(), name="change-list"),
    path("changes/<int:number>/", ChangeDetailView.as_view(), name="change-detail"),
    *(path(f"changes/<int:number>/{verb}/", view.as_view(), name=f"change-{verb}") for verb, view in VERBS.items()),
]
