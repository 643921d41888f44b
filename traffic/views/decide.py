"""POST: the verbs on a change. Each carries the version and digest that were read; the verb decides and records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.urls import reverse
from django.utils.translation import gettext

from accounts.selectors import actor_of, signed_in
from meshui.ui.htmx import go_to
from meshui.ui.views import ActionView
from traffic import selectors
from traffic.forms import CommentForm, ReasonForm, SeenForm, seen_in
from traffic.services import apply, approve, hold, plan, rollback
from traffic.types import State
from traffic.views.board import board_of

if TYPE_CHECKING:
    from django.http import HttpResponse

    from audit.types import Actor
    from traffic.types import Seen


class VerbView(ActionView):
    """One verb on the change of the URL. A refusal draws the change anew, its plan too, with the text kept."""

    form_class = SeenForm
    form_template = "traffic/change_detail.html#body"
    needs_digest: ClassVar[bool] = True

    def perform(self, data: dict[str, Any], **kwargs: Any) -> HttpResponse:
        """Call the verb, then on to the change."""
        pk = selectors.change_id(signed_in(self.request), kwargs["number"])
        seen = seen_in(data, pk, needs_digest=self.needs_digest)
        said, number = self.act(actor_of(self.request), seen, data)
        return go_to(self.request, reverse("traffic:change-detail", args=[number or kwargs["number"]]), said=said)

    def act(self, actor: Actor, seen: Seen, data: dict[str, Any]) -> tuple[str, int]:
        """The verb; what to say, and the number of another change to go to (0: this one)."""
        raise NotImplementedError

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The page of the change as it is now, with what was written."""
        user = signed_in(self.request)
        change = selectors.get_change(user, kwargs["number"])
        written = {name: self.request.POST.get(name, "")[:4000] for name in ("comment", "reason")}
        return super().get_context_data(**board_of(user, change, self.request.GET), **written, **kwargs)


class ChangePlanView(VerbView):
    """POST /changes/<n>/plan/."""

    needs = "change.plan"
    needs_digest = False

    def act(self, actor: Actor, seen: Seen, data: dict[str, Any]) -> tuple[str, int]:
        """C3."""
        plan.request_plan(actor=actor, seen=seen)
        return gettext("The dry run is under way."), 0


class ChangeSubmitView(VerbView):
    """POST /changes/<n>/submit/."""

    needs = "change.submit"

    def act(self, actor: Actor, seen: Seen, data: dict[str, Any]) -> tuple[str, int]:
        """C5."""
        approve.submit_change(actor=actor, seen=seen)
        return gettext("Approval was asked for."), 0


class ChangeApproveView(VerbView):
    """POST /changes/<n>/approve/."""

    needs = "change.vote"
    form_class = CommentForm

    def act(self, actor: Actor, seen: Seen, data: dict[str, Any]) -> tuple[str, int]:
        """C6, C7."""
        approve.approve_change(
            actor=actor, change_id=seen.change_id, version=seen.version, digest=seen.digest, comment=data["comment"]
        )
        return gettext("Approved."), 0


class ChangeDenyView(VerbView):
    """POST /changes/<n>/deny/."""

    needs = "change.vote"
    form_class = CommentForm

    def act(self, actor: Actor, seen: Seen, data: dict[str, Any]) -> tuple[str, int]:
        """C8."""
        approve.deny_change(
            actor=actor, change_id=seen.change_id, version=seen.version, digest=seen.digest, comment=data["comment"]
        )
        return gettext("Rejected."), 0


class ChangeRevokeView(VerbView):
    """POST /changes/<n>/revoke/."""

    needs = "change.vote"
    form_class = ReasonForm

    def act(self, actor: Actor, seen: Seen, data: dict[str, Any]) -> tuple[str, int]:
        """C9."""
        approve.revoke_vote(actor=actor, seen=seen, reason=data["reason"])
        return gettext("Your approval was taken back."), 0


class ChangeStartView(VerbView):
    """POST /changes/<n>/start/."""

    needs = "change.execute"

    def act(self, actor: Actor, seen: Seen, data: dict[str, Any]) -> tuple[str, int]:
        """C12."""
        apply.start_change(actor=actor, seen=seen)
        return gettext("Started: it begins as soon as every target is free."), 0


class ChangePauseView(VerbView):
    """POST /changes/<n>/pause/."""

    needs = "change.pause"
    form_class = ReasonForm

    def act(self, actor: Actor, seen: Seen, data: dict[str, Any]) -> tuple[str, int]:
        """C16."""
        hold.pause_change(actor=actor, seen=seen, reason=data["reason"])
        return gettext("Paused: no further cluster is begun."), 0


class ChangeResumeView(VerbView):
    """POST /changes/<n>/resume/."""

    needs = "change.resume"

    def act(self, actor: Actor, seen: Seen, data: dict[str, Any]) -> tuple[str, int]:
        """C17, C17b."""
        change = hold.resume_change(actor=actor, seen=seen)
        if change.state == State.IN_REVIEW:
            return gettext("What is left is planned again, and has to be approved anew."), 0
        return gettext("Resumed."), 0


class ChangeRollBackView(VerbView):
    """POST /changes/<n>/roll-back/: a running change at once; an applied one by a change that restores it."""

    needs = "change.rollback"
    form_class = ReasonForm

    def act(self, actor: Actor, seen: Seen, data: dict[str, Any]) -> tuple[str, int]:
        """C18, C22."""
        if selectors.state_of(seen.change_id) == State.APPLIED:
            restoring = rollback.propose_rollback(actor=actor, seen=seen, reason=data["reason"])
            return gettext("The recorded weights are being restored."), restoring.number
        rollback.roll_back_running(actor=actor, seen=seen, reason=data["reason"])
        return gettext("Rolling back: the recorded weights are restored."), 0


class ChangeRecheckView(VerbView):
    """POST /changes/<n>/recheck/: look again at what could not be restored."""

    needs = "change.rollback"

    def act(self, actor: Actor, seen: Seen, data: dict[str, Any]) -> tuple[str, int]:
        """C18."""
        hold.recheck_change(actor=actor, seen=seen)
        return gettext("The targets are read again."), 0


class ChangeCancelView(VerbView):
    """POST /changes/<n>/cancel/."""

    needs = "change.cancel"
    needs_digest = False
    form_class = ReasonForm

    def act(self, actor: Actor, seen: Seen, data: dict[str, Any]) -> tuple[str, int]:
        """C11."""
        hold.cancel_change(actor=actor, seen=seen, reason=data["reason"])
        return gettext("Cancelled: nothing was written."), 0


class ChangeAcceptPartialView(VerbView):
    """POST /changes/<n>/accept-partial/."""

    needs = "change.accept_partial"
    form_class = ReasonForm

    def act(self, actor: Actor, seen: Seen, data: dict[str, Any]) -> tuple[str, int]:
        """C20."""
        hold.accept_partial(actor=actor, seen=seen, reason=data["reason"])
        return gettext("Accepted as it is: the clusters differ."), 0
