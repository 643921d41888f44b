"""Which verbs a person sees on a change, and why one that they see cannot be used now. The verb itself decides."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy

from audit.types import Actor
from meshui.lib import rights
from meshui.lib.errors import RefusedError
from traffic import policy
from traffic.types import State, StepState

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

    from accounts.models import User
    from traffic.models import Change, TargetStep, Vote


@dataclass(frozen=True, slots=True)
class Look:
    """How a verb is drawn. `asks`: the label of the text it takes, empty for none; `must_ask`: it has to be given.

    `confirm`: it asks before it acts, and this is what it says beside how to undo it; empty: it acts at once.
    """

    label: str | _StrPromise
    icon: str
    css: str
    right: str
    asks: str | _StrPromise = ""
    effect: str | _StrPromise = ""
    must_ask: bool = False
    confirm: str | _StrPromise = ""


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb on one change. `why_not` empty: it can be used."""

    key: str
    url: str
    look: Look
    why_not: str = ""


LOOKS: Final = {
    "edit": Look(gettext_lazy("Edit"), "pencil", "", "change.edit"),
    "plan": Look(gettext_lazy("Plan again"), "refresh-cw", "", "change.plan"),
    "submit": Look(gettext_lazy("Ask for approval"), "git-pull-request-arrow", "pri", "change.submit"),
    "approve": Look(gettext_lazy("Approve"), "check", "ok", "change.vote"),
    "deny": Look(gettext_lazy("Reject"), "x", "crit", "change.vote"),
    "revoke": Look(gettext_lazy("Take back my approval"), "undo-2", "", "change.vote"),
    "start": Look(gettext_lazy("Start"), "play", "pri", "change.execute"),
    "pause": Look(
        gettext_lazy("Pause"),
        "pause",
        "",
        "change.pause",
        asks=gettext_lazy("Why do you pause it?"),
        effect=gettext_lazy("No further cluster is begun. What was written stays as it is."),
    ),
    "resume": Look(gettext_lazy("Resume"), "play", "pri", "change.resume"),
    "recheck": Look(
        gettext_lazy("Check again"),
        "refresh-cw",
        "pri",
        "change.rollback",
        effect=gettext_lazy("Targets that could not be restored are read again; those that are as before are done."),
    ),
    "accept-partial": Look(
        gettext_lazy("Accept what is there"),
        "circle-slash",
        "crit",
        "change.accept_partial",
        asks=gettext_lazy("Why may it stay so?"),
        effect=gettext_lazy("Nothing further is written. The change ends, and its clusters differ."),
        must_ask=True,
    ),
    "cancel": Look(
        gettext_lazy("Cancel"),
        "circle-slash",
        "",
        "change.cancel",
        asks=gettext_lazy("Why do you cancel it?"),
        effect=gettext_lazy("It ends here: nothing was written, and nothing will be."),
    ),
    "roll-back": Look(
        gettext_lazy("Roll back"),
        "undo-2",
        "crit",
        "change.rollback",
        asks=gettext_lazy("Why do you roll back?"),
        effect=gettext_lazy(
            "The weights recorded before this change are restored, without another approval. "
            "A cluster that somebody else changed meanwhile is left alone and named."
        ),
        confirm=gettext_lazy("A cluster that somebody else changed meanwhile is left alone and named."),
    ),
}

BY_STATE: Final[dict[str, tuple[str, ...]]] = {
    State.DRAFT: ("submit", "plan", "edit", "cancel"),
    State.PLANNING: ("cancel",),
    State.IN_REVIEW: ("approve", "deny", "revoke", "edit", "cancel"),
    State.APPROVED: ("start", "deny", "revoke", "edit", "cancel"),
    State.QUEUED: ("revoke", "cancel"),
    State.APPLYING: ("pause", "roll-back"),
    State.PAUSED: ("resume", "roll-back", "accept-partial"),
    State.ROLLING_BACK: ("recheck", "accept-partial"),
    State.APPLIED: ("roll-back",),
}
STUCK: Final = frozenset({StepState.ROLLBACK_CONFLICT, StepState.UNREACHABLE, StepState.FAILED})
"""States of a restore step that wait for a person."""


def reader(user: User) -> Actor:
    """`user` as the rights see them: enough to ask what they may, nothing that could act."""
    return Actor(kind="person", name=user.username, user_id=str(user.pk))


@dataclass(frozen=True)
class Desk:
    """One change before one reader. `writers`: ids of those who wrote it."""

    actor: Actor
    change: Change
    writers: frozenset[str]
    votes: tuple[Vote, ...]
    steps: tuple[TargetStep, ...]

    def verbs(self) -> list[Verb]:
        """The verbs to draw, in order.

        Whoever has the right for one nowhere does not see it; writers see that they may not decide.
        """
        held = rights.evaluator().verbs(self.actor)
        shown = [key for key in BY_STATE.get(self.change.state, ()) if self.shows(key, held)]
        return [Verb(key, self.url(key), LOOKS[key], self.why_not(key)) for key in shown]

    def shows(self, key: str, held: frozenset[str]) -> bool:
        """Whether the reader sees this verb at all."""
        if key == "revoke":
            return self._own_vote is not None
        if key in {"approve", "deny"}:
            own = self._own_vote
            if own is not None and own.decision == "approve" and key == "approve":
                return False
            return "change.vote" in held or self.actor.user_id in self.writers
        return LOOKS[key].right in held and not self._is_pointless(key)

    def _is_pointless(self, key: str) -> bool:
        """Whether this change can never take it, whoever asks."""
        if key in {"edit", "cancel"} and self.change.has_writes:
            return True
        if self.change.state == State.ROLLING_BACK and not self._is_stuck:
            return True
        return key == "edit" and self.change.kind != "route"

    def url(self, key: str) -> str:
        """Where it posts."""
        return reverse(f"traffic:change-{key}", args=[self.change.number])

    def why_not(self, key: str) -> str:
        """Why it cannot be used now; empty if it can."""
        if key in {"approve", "deny"}:
            return self._why_no_vote
        right = LOOKS[key].right
        if not rights.may(self.actor, right, self.change.places):
            return gettext("You have no grant of “%(right)s” that covers every target.") % {"right": right}
        return self._why_not_now(key)

    @cached_property
    def _own_vote(self) -> Vote | None:
        plan = self.change.current_plan_id
        mine = (v for v in self.votes if v.plan_id == plan and str(v.voter_id) == self.actor.user_id)
        return next((vote for vote in mine if vote.is_standing), None)

    @cached_property
    def _why_no_vote(self) -> str:
        plan = self.change.current_plan
        if plan is None:
            return gettext("It is being planned again: wait for the new plan, then decide.")
        if self.actor.user_id in self.writers:
            return gettext("You wrote this change: someone else has to decide on it.")
        try:
            policy.require_vote(self.actor, plan)
        except RefusedError as refused:
            return str(refused)
        return ""

    def _why_not_now(self, key: str) -> str:
        if key == "submit":
            plan = self.change.current_plan
            if plan is None:
                return gettext("It has no plan yet: plan it first.")
            if not plan.is_sound:
                return gettext("The plan has errors: mend what is named below, then plan again.")
        if key == "accept-partial" and not self.change.has_writes:
            return gettext("Nothing was written: there is nothing to accept. Resume, or roll back.")
        return ""

    @cached_property
    def _is_stuck(self) -> bool:
        """Whether a target could not be restored, so that a person has to decide."""
        return any(step.direction == "restore" and step.state in STUCK for step in self.steps)
