"""/api/v1/changes/<n>/<verb>/: every verb of a change, each about the ETag that was read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from accounts.selectors import actor_of, signed_in
from meshui.rest.serializers import Body, EmptyBody
from meshui.rest.views import ApiView
from traffic import selectors
from traffic.api.faces import answer_with, told_what_is_now
from traffic.bodies import CommentBody, ReasonBody
from traffic.conditions import once_of, require_plan, seen_by
from traffic.serializers import ChangeDetailSerializer
from traffic.services import apply, approve, hold, plan, rollback
from traffic.types import State

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.response import Response

    from audit.types import Actor
    from traffic.types import Once, Seen


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
            with told_what_is_now(user, number):
                seen = seen_by(request, now)
                if not self.compares_plan:
                    require_plan(seen, now)
                number = self.act(actor_of(request), seen, self.body_of(request), once) or number
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
