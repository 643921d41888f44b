"""The history of changes in sentences: one per event, with an icon and a tone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext_lazy

from traffic import selectors

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from django.utils.functional import _StrPromise

    from audit.selectors import EventIndex


@dataclass(frozen=True, slots=True)
class Saying:
    """How an action reads after the name of who did it."""

    words: str | _StrPromise
    icon: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of a timeline."""

    who: str
    words: str
    icon: str
    tone: str
    detail: str
    when: dt.datetime
    number: int
    name: str


def _(words: str, icon: str, tone: str = "") -> Saying:
    return Saying(gettext_lazy(words), icon, tone)


SAYINGS: Final = {
    "traffic.change.proposed": _("proposed it", "git-pull-request-arrow", "acc"),
    "traffic.change.edited": _("edited it: every approval is void", "pencil"),
    "traffic.change.plan_started": _("asked for a plan", "list-checks"),
    "traffic.change.planned": _("checked it: the dry run passed", "circle-check", "ok"),
    "traffic.change.plan_failed": _("checked it: the plan has errors", "circle-x", "crit"),
    "traffic.change.submitted": _("asked for approval", "user-check", "acc"),
    "traffic.change.approved": _("counted the approvals: enough", "circle-check", "ok"),
    "traffic.change.rejected": _("rejected it", "ban", "crit"),
    "traffic.change.invalidated": _("sent it back to review: every approval is void", "equal-not", "warn"),
    "traffic.change.queued": _("started it", "play", "acc"),
    "traffic.change.started": _("began to write", "loader", "acc"),
    "traffic.change.waited": _("had to wait", "hourglass"),
    "traffic.change.paused": _("paused it", "circle-pause", "warn"),
    "traffic.change.resumed": _("resumed it", "play", "acc"),
    "traffic.change.rollback_started": _("rolled it back", "undo-2", "warn"),
    "traffic.change.applied": _("applied it to every target", "circle-check", "ok"),
    "traffic.change.rolled_back": _("restored every target", "undo-2", "warn"),
    "traffic.change.failed": _("stopped: nothing was written", "circle-x", "crit"),
    "traffic.change.partial_accepted": _("accepted that the clusters differ", "triangle-alert", "crit"),
    "traffic.change.cancelled": _("cancelled it", "circle-slash"),
    "traffic.change.expired": _("let it expire: it waited too long", "clock-alert"),
    "traffic.change.superseded": _("ended it: there was nothing left to do", "copy-x"),
    "traffic.change.rechecked": _("had the targets checked again", "refresh-cw"),
    "traffic.vote.cast": _("voted", "check", "ok"),
    "traffic.vote.revoked": _("took the approval back", "ban"),
    "traffic.vote.voided": _("voided a vote", "ban", "warn"),
    "traffic.rollout.created": _("prepared the run", "list-checks"),
    "traffic.write.intended": _("is about to send", "loader"),
    "traffic.write.settled": _("sent", "circle-dot"),
    "traffic.step.accepted": _("wrote", "circle-dot"),
    "traffic.step.verified": _("read back and found as written", "circle-check", "ok"),
    "traffic.step.conflicted": _("found another state than expected and left it alone", "equal-not", "crit"),
    "traffic.step.unknown": _("got no answer and reads back", "circle-question-mark", "warn"),
    "traffic.step.unreachable": _("could not reach the cluster", "unplug", "crit"),
    "traffic.step.failed": _("was refused by the cluster", "circle-x", "crit"),
    "traffic.step.skipped": _("found it already so: nothing was sent", "circle-minus"),
    "traffic.step.retried": _("tries again", "refresh-cw"),
    "traffic.step.reverted": _("restored and read back", "undo-2", "warn"),
    "traffic.step.rollback_conflicted": _("could not restore: somebody else changed it", "equal-not", "crit"),
}
TRIED: Final = {
    "traffic.change.edited": gettext_lazy("tried to edit it and was refused"),
    "traffic.change.plan_started": gettext_lazy("tried to have it planned and was refused"),
    "traffic.change.submitted": gettext_lazy("tried to ask for approval and was refused"),
    "traffic.vote.cast": gettext_lazy("tried to approve it and was refused"),
    "traffic.change.rejected": gettext_lazy("tried to reject it and was refused"),
    "traffic.vote.revoked": gettext_lazy("tried to take an approval back and was refused"),
    "traffic.change.queued": gettext_lazy("tried to start it and was refused"),
    "traffic.change.paused": gettext_lazy("tried to pause it and was refused"),
    "traffic.change.resumed": gettext_lazy("tried to resume it and was refused"),
    "traffic.change.rollback_started": gettext_lazy("tried to roll it back and was refused"),
    "traffic.change.partial_accepted": gettext_lazy("tried to accept what is there and was refused"),
    "traffic.change.cancelled": gettext_lazy("tried to cancel it and was refused"),
    "traffic.change.rechecked": gettext_lazy("tried to have it checked again and was refused"),
    "traffic.change.proposed": gettext_lazy("tried to restore what it found and was refused"),
}


def moments(events: Sequence[EventIndex]) -> list[Moment]:
    """The events as lines, people by the name they are known by; a refusal says that it was one. One query."""
    names = selectors.names_of({event.actor_id for event in events if event.actor_kind == "person"})
    return [_moment(event, names.get(event.actor_id, event.actor_name)) for event in events]


def _moment(event: EventIndex, who: str) -> Moment:
    saying = SAYINGS.get(event.action)
    if event.outcome == "denied":
        words, icon, tone = str(TRIED.get(event.action, event.action)), "ban", "crit"
    elif saying is None:
        words, icon, tone = event.action, "info", ""
    else:
        words, icon, tone = str(saying.words), saying.icon, saying.tone
    place = f"{event.cluster_name}: " if event.object_kind == "step" and event.cluster_name else ""
    return Moment(
        who=who,
        words=words,
        icon=icon,
        tone=tone,
        detail=f"{place}{event.reason}".removesuffix(": "),
        when=event.time,
        number=event.change_number or 0,
        name=event.object_name,
    )
