"""For whom a change waits, in words: why a person finds it in their inbox, and who has to do what for everybody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.utils.translation import gettext, gettext_lazy

from traffic.types import State

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

    from traffic.models import Plan

BEFORE_APPROVAL: Final = frozenset({State.DRAFT, State.PLANNING})
OTHERS: Final[dict[str, str | _StrPromise]] = {
    State.PLANNING: gettext_lazy("nobody: the dry run is under way"),
    State.APPROVED: gettext_lazy("an executor, to start it"),
    State.QUEUED: gettext_lazy("its targets, to be free"),
    State.APPLYING: gettext_lazy("nobody: it is being written"),
    State.PAUSED: gettext_lazy("an executor, to resume it or roll it back"),
    State.ROLLING_BACK: gettext_lazy("nobody: it is being restored"),
}


@dataclass(frozen=True, slots=True)
class Why:
    """Why a change waits for its reader. `action`: what the link says."""

    head: str
    icon: str
    tone: str
    action: str
    note: str = ""


def needs_no_vote(change: Any) -> bool:
    """Whether it restores, and was queued without anybody's approval (change-control C22)."""
    return change.kind == "rollback" and change.submitted_at is None and change.state not in BEFORE_APPROVAL


def needed(plan: Plan | None) -> int:
    """How many approvals the plan needs."""
    return max((int(rule["n"]) for rule in plan.rules), default=0) if plan else 0


def why_me(change: Any) -> Why:
    """Why this row of traffic.inbox.list_waiting_for waits for its reader."""
    if change.state == State.IN_REVIEW:
        return _review(change)
    if change.state == State.APPROVED:
        return Why(
            gettext("You may start it"), "play", "ok", gettext("Start"), gettext("Approved, nothing is written.")
        )
    if change.state in {State.PAUSED, State.ROLLING_BACK}:
        return _held(change)
    if change.state == State.REJECTED:
        head = gettext("Your change was rejected")
        return Why(head, "ban", "crit", gettext("Read why"), change.state_cause)
    return _mine(change)


def _review(change: Any) -> Why:
    note = gettext("%(n)d of %(needed)d approvals") % {"n": change.approvals, "needed": needed(change.current_plan)}
    if change.was_voted:
        return Why(gettext("Changed since you voted, review again"), "equal-not", "warn", gettext("Review"), note)
    return Why(gettext("You may approve or reject it"), "user-check", "acc", gettext("Review"), note)


def _held(change: Any) -> Why:
    if change.state == State.ROLLING_BACK:
        head = gettext("A target could not be restored: you may check it again")
        return Why(head, "undo-2", "warn", gettext("Check again"), change.state_cause)
    if change.may_resume and change.may_roll_back:
        head = gettext("You may resume it or roll it back")
    elif change.may_resume:
        head = gettext("You may resume it")
    else:
        head = gettext("You may roll it back")
    return Why(head, "circle-pause", "warn", gettext("Decide"), change.state_cause)


def _mine(change: Any) -> Why:
    plan = change.current_plan
    if plan is None:
        return Why(gettext("Your change could not be planned"), "circle-x", "crit", gettext("Open"), change.state_cause)
    if not plan.is_sound:
        return Why(
            gettext("The plan of your change has errors"), "circle-x", "crit", gettext("Mend"), change.state_cause
        )
    if change.is_void:
        head = gettext("Your change lost its approvals: ask anew")
        return Why(head, "ban", "warn", gettext("Open"), change.state_cause)
    head = gettext("The plan of your draft is too old: plan it again")
    return Why(head, "clock-alert", "warn", gettext("Open"))


def waits_for(change: Any) -> str:
    """Whom or what a change waits for, for everybody who sees it; empty: it is over."""
    if change.state == State.DRAFT:
        return gettext("%(name)s, to ask for approval") % {"name": change.author_name}
    if change.state == State.IN_REVIEW:
        return _voters(change)
    return str(OTHERS.get(change.state, ""))


def _voters(change: Any) -> str:
    if change.current_plan is None:
        return gettext("nobody: it is planned again")
    missing = needed(change.current_plan) - change.approvals
    if missing > 1:
        return gettext("%(n)d approvers who did not write it") % {"n": missing}
    return gettext("an approver who did not write it")
