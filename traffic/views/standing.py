"""Where a change stands, in words: what a reader must know first, why, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext, gettext_lazy, ngettext

from traffic.types import STEP_GOOD, State, StepState

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator, Sequence

    from django.utils.functional import _StrPromise

    from traffic.models import Change, TargetStep, Vote

RUNNING: Final = frozenset({State.PLANNING, State.QUEUED, State.APPLYING, State.ROLLING_BACK})
WATCHED: Final = frozenset({State.IN_REVIEW, State.APPROVED, State.PAUSED})
"""Other people may move it while it is read."""
NEXT: Final[dict[str, str | _StrPromise]] = {
    State.DRAFT: gettext_lazy("It is a draft: it needs a plan without errors before anybody can approve it."),
    State.PLANNING: gettext_lazy("The dry run is under way."),
    State.IN_REVIEW: gettext_lazy("Somebody who did not write it decides on the plan below."),
    State.APPROVED: gettext_lazy("It is approved. An executor starts it; nothing was written yet."),
    State.QUEUED: gettext_lazy("It begins by itself as soon as every target is free."),
    State.APPLYING: gettext_lazy("It is being written, target by target, and read back."),
    State.PAUSED: gettext_lazy("Nothing further is written until somebody decides how to go on."),
    State.ROLLING_BACK: gettext_lazy("What was recorded before this change is being restored."),
    State.APPLIED: gettext_lazy("It is applied: every target was read back as written."),
    State.ROLLED_BACK: gettext_lazy("It is over: every target is as it was before."),
    State.FAILED: gettext_lazy("It is over: nothing was written. Mend what refused it, then propose it again."),
    State.REJECTED: gettext_lazy("It is over: it was rejected. A new proposal can take up the reason."),
    State.PARTIAL: gettext_lazy("It is over, and its clusters differ. A new proposal brings them together."),
    State.EXPIRED: gettext_lazy("It is over: it waited too long. Propose it again if it is still wanted."),
    State.CANCELLED: gettext_lazy("It is over: it was cancelled, and nothing was written."),
    State.SUPERSEDED: gettext_lazy("It is over: there is nothing left for it to do."),
}
HEADS: Final[dict[str, tuple[str, str | _StrPromise]]] = {
    State.PLANNING: ("info", gettext_lazy("Every target is being read and dry-run by its own API server")),
    State.QUEUED: ("info", gettext_lazy("Queued: it begins as soon as every target is free")),
    State.PAUSED: ("warn", gettext_lazy("Paused")),
    State.FAILED: ("crit", gettext_lazy("Failed: nothing was written")),
    State.REJECTED: ("crit", gettext_lazy("Rejected")),
    State.ROLLING_BACK: ("warn", gettext_lazy("What was recorded before is being restored")),
    State.ROLLED_BACK: ("warn", gettext_lazy("Rolled back: every target is as it was before")),
    State.PARTIAL: ("crit", gettext_lazy("Partial: the clusters differ, and somebody accepted that")),
    State.EXPIRED: ("info", gettext_lazy("Expired: nothing was written")),
    State.CANCELLED: ("info", gettext_lazy("Cancelled: nothing was written")),
    State.SUPERSEDED: ("info", gettext_lazy("Superseded: nothing was written by it")),
}
NEXT_OF: Final[dict[StepState, str | _StrPromise]] = {
    StepState.CONFLICT: gettext_lazy(
        "%(where)s: somebody else changed it meanwhile. Resume plans what is left again, to be approved anew; or roll "
        "back what was written; or accept what is there."
    ),
    StepState.UNREACHABLE: gettext_lazy(
        "%(where)s: could not be reached. Resume tries it again; rolling back restores the others."
    ),
    StepState.FAILED: gettext_lazy(
        "%(where)s: refused the write. Mend there what it names, then resume; or roll back."
    ),
    StepState.ROLLBACK_CONFLICT: gettext_lazy(
        "%(where)s: somebody else changed it, so it was not restored. Put it back there and check again, or accept "
        "what is there."
    ),
}
BROUGHT: Final[dict[str, str | _StrPromise]] = {
    StepState.VERIFIED: gettext_lazy("as this change wants it"),
    StepState.SKIPPED: gettext_lazy("as this change wants it: it was so already"),
    StepState.REVERTED: gettext_lazy("as it was before"),
    StepState.PENDING: gettext_lazy("as it was before: nothing was sent"),
    StepState.UNREACHABLE: gettext_lazy("not reached: as it was when it was last read"),
    StepState.FAILED: gettext_lazy("as it was before: it refused the write"),
    StepState.CONFLICT: gettext_lazy("as somebody else left it"),
    StepState.ROLLBACK_CONFLICT: gettext_lazy("as somebody else left it"),
}


@dataclass(frozen=True, slots=True)
class Standing:
    """The banner on top: what is, why, and what to do; `tone` as of a notice."""

    tone: str
    head: str
    text: str = ""
    todo: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Voided:
    """Votes that an edit, a drift or their age made void at once."""

    count: int
    cause: str
    when: dt.datetime

    @property
    def head(self) -> str:
        """`2 approvals are void`."""
        return ngettext("%(n)d approval is void", "%(n)d approvals are void", self.count) % {"n": self.count}

    @property
    def mend(self) -> str:
        """What to do about it."""
        return gettext("It has to be approved anew: ask for it once the plan is there.")


def standing_of(change: Change, steps: Sequence[TargetStep]) -> Standing | None:
    """What a reader must know first; None: nothing beyond the state."""
    plan = change.current_plan
    if change.state == State.IN_REVIEW:
        return _in_review(change)
    if change.state == State.DRAFT and change.state_cause and (plan is None or not plan.is_sound):
        if plan is None:
            return Standing("warn", gettext("Planning did not end"), change.state_cause)
        return Standing("crit", gettext("The plan has errors: nothing can be approved"), change.state_cause)
    tone, words = HEADS.get(change.state, ("", ""))
    return (
        Standing(tone, _head(change, steps) or str(words), _why(change), tuple(_todo(change, steps))) if tone else None
    )


def _head(change: Change, steps: Sequence[TargetStep]) -> str:
    """Of a run that stands still: how far it came, or that it waits for a person. Empty: the word of its state."""
    applied = [step for step in steps if step.direction == "apply"]
    if change.state == State.PAUSED and applied:
        good = sum(step.state in STEP_GOOD for step in applied)
        return gettext("Paused: %(n)d of %(total)d objects are as this change wants them") % {
            "n": good,
            "total": len(applied),
        }
    if change.state == State.ROLLING_BACK and any(
        step.state in NEXT_OF and step.direction != "apply" for step in steps
    ):
        return gettext("Rolling back needs a person: not every target could be restored")
    return ""


def _in_review(change: Change) -> Standing | None:
    if change.current_plan is None:
        wait = gettext("It is being planned again. Wait for the new plan, then approve that one.")
        head = gettext("It moved since it was planned: every approval is void")
        return Standing("warn", head, change.state_cause, (wait,))
    if change.state_cause and change.state_cause != change.reason:
        read = gettext("Whoever approves reads the new plan below and decides on that one.")
        head = gettext("It was planned again: every earlier approval is void")
        return Standing("warn", head, change.state_cause, (read,))
    return None


def _why(change: Change) -> str:
    if change.state == State.PLANNING:
        return gettext("This page follows by itself.")
    if change.state == State.QUEUED:
        return change.rollout.phase_cause if hasattr(change, "rollout") else ""
    return change.state_cause


def _todo(change: Change, steps: Sequence[TargetStep]) -> Iterator[str]:
    """What to do, one line a cause; of an end with differences: what each cluster holds."""
    if change.state == State.PARTIAL:
        yield from _brought(steps)
    if change.state not in {State.PAUSED, State.ROLLING_BACK}:
        return
    found = [(state, words) for state, words in NEXT_OF.items() if any(step.state == state for step in steps)]
    for state, words in found:
        yield str(words) % {"where": ", ".join(clusters_in(steps, state))}
    if not found and change.state == State.PAUSED:
        yield gettext("Resume goes on with the next target; rolling back restores what was written.")


def clusters_in(steps: Iterable[TargetStep], state: str) -> list[str]:
    """The clusters with a step in `state`."""
    return sorted({step.cluster.slug for step in steps if step.state == state})


def _brought(steps: Sequence[TargetStep]) -> Iterator[str]:
    """What each cluster holds at the end; a step that was put back says it for the one that wrote."""
    last = {(step.cluster.slug, step.plan_target_id): step for step in sorted(steps, key=lambda s: s.direction)}
    for (slug, _), step in sorted(last.items(), key=lambda item: item[0][0]):
        words = BROUGHT.get(step.state)
        target = step.plan_target
        if words:
            yield f"{slug}, {target.kind} {target.namespace}/{target.name}: {words}"


def voided_of(change: Change, votes: Iterable[Vote]) -> Voided | None:
    """The votes that were made void last, while the change still needs others."""
    if change.state not in {State.DRAFT, State.PLANNING, State.IN_REVIEW}:
        return None
    found = [vote for vote in votes if vote.voided_at is not None and vote.decision == "approve"]
    last = max(found, key=lambda vote: vote.voided_at, default=None)  # type: ignore[arg-type,return-value]  # none is None
    if last is None or last.voided_at is None:
        return None
    alike = [vote for vote in found if vote.void_cause == last.void_cause]
    return Voided(len(alike), last.void_cause, last.voided_at)


def next_words(change: Change) -> str:
    """What comes next, in one sentence."""
    if change.state == State.IN_REVIEW and change.current_plan is None:
        return gettext("It is being planned again. Then it has to be approved anew.")
    if change.state == State.DRAFT and change.current_plan is not None and change.current_plan.is_sound:
        return gettext("It is checked. The author asks for approval; nothing is written before.")
    return str(NEXT.get(change.state, ""))


def is_running(change: Change) -> bool:
    """Whether something moves by itself, so that the page looks again at once."""
    is_planned_again = change.state == State.IN_REVIEW and change.current_plan_id is None
    return change.state in RUNNING or is_planned_again


def pulse_of(change: Change) -> str:
    """How often the page looks again, as htmx says it; empty: never."""
    if is_running(change):
        return "every 1s"
    return "every 5s" if change.state in WATCHED else ""
