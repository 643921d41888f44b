"""Approve: submit for review, vote on the exact plan, deny, take back, and what makes votes void."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit.services import about, record, verb
from audit.types import SYSTEM, Evidence
from meshui.lib.clock import db_now, read_db_now
from meshui.lib.queue import enqueue
from traffic import policy
from traffic.errors import (
    ChangeGoneError,
    ChangeMissingError,
    DeniedError,
    InvalidChangeError,
    StaleChangeError,
    StalePlanError,
)
from traffic.models import Change, Plan, Vote
from traffic.transitions import APPROVE, DENY, HOLD, INVALIDATE, REOPEN, SUBMIT, transition
from traffic.types import BEFORE_WRITE, State
from traffic.words import require_no_secret

if TYPE_CHECKING:
    from uuid import UUID

    from audit.types import Actor
    from traffic.transitions import Move
    from traffic.types import Seen


@verb("traffic.change.submitted")
def submit_change(*, actor: Actor, seen: Seen) -> Change:
    """C5: ask for review of the plan in force.

    Raises StaleChangeError, StalePlanError, InvalidChangeError, DeniedError.
    """
    change, plan = get_planned(seen)
    policy.require_right(actor, "change.submit", change)
    if change.kind != "route" and change.state != State.DRAFT:
        raise ChangeGoneError("This change is already on its way.")
    if not plan.is_sound:
        raise InvalidChangeError("The plan has errors.", mend="Mend what the checks name, then plan again.")
    if plan.expires_at < read_db_now():
        raise StalePlanError(seen=plan.digest, current="")
    change.submitted_at = read_db_now()
    change.save(update_fields=["submitted_at"])
    transition(change, SUBMIT, actor=actor, cause=change.reason, rules=plan.rules, policy=plan.policy)
    return change


@verb("traffic.vote.cast")
def approve_change(*, actor: Actor, change_id: UUID, version: int, digest: str, comment: str = "") -> Vote:
    """C6, C7: count `actor`'s approval of the plan with `digest`; the last vote needed makes the change approved.

    The same person's same vote again answers the first one. Raises StaleChangeError or StalePlanError if it moved
    since it was read, ChangeGoneError, DeniedError if the actor may not vote.
    """
    plan = _voting_plan(change_id, digest)
    user = policy.require_vote(actor, plan)  # under the lock: a right checked before it may be gone by now
    earlier = plan.votes.filter(voter=user, revoked_at__isnull=True).first()
    if earlier is not None and earlier.decision == "approve" and earlier.is_standing:
        return earlier
    _require_moment(plan, version, (State.IN_REVIEW,))
    if earlier is not None:
        raise DeniedError("You have already voted on this plan.", mend="Take that vote back first.")
    vote = _cast(plan, actor, "approve", comment)
    if policy.is_met(plan):
        names = [v.voter_name for v in policy.counting(plan)]
        transition(plan.change, APPROVE, actor=SYSTEM, cause=f"Approved by {', '.join(names)}", voters=names)
    return vote


@verb("traffic.change.rejected")
def deny_change(*, actor: Actor, change_id: UUID, version: int, digest: str, comment: str) -> Vote:
    """C8: one denial, with its reason, rejects the change; one that has written something is held.

    Raises as approve_change; InvalidChangeError without a reason.
    """
    plan = _voting_plan(change_id, digest)
    user = policy.require_vote(actor, plan)
    _require_moment(plan, version, (State.IN_REVIEW, State.APPROVED))
    if not comment.strip():
        raise InvalidChangeError("Say why you reject it: the author has to know what to do.")
    plan.votes.filter(voter=user, revoked_at__isnull=True).update(revoked_at=db_now())
    vote = _cast(plan, actor, "deny", comment)
    if plan.change.has_writes:
        transition(plan.change, HOLD, actor=actor, cause=comment)  # what was written ends by a roll back or by hand
    else:
        transition(plan.change, DENY, actor=actor, cause=comment)
    return vote


@verb("traffic.vote.revoked")
def revoke_vote(*, actor: Actor, seen: Seen, reason: str = "") -> Change:
    """C9: take back one's own approval before the first write; an approved change is in review again."""
    change, plan = get_planned(seen)
    user = policy.require_right(actor, "change.vote", change)
    if change.state not in BEFORE_WRITE:
        raise ChangeGoneError("It has already begun: a vote is not taken back any more.", mend="Pause or roll back.")
    vote = policy.standing(plan).filter(voter=user).first()
    if vote is None:
        raise ChangeGoneError("You have no vote on this plan to take back.")
    Vote.objects.filter(pk=vote.pk).update(revoked_at=db_now())
    record("traffic.vote.revoked", actor=actor, target=change, reason=reason, vote=str(vote.pk), digest=vote.digest)
    if change.state != State.IN_REVIEW and not policy.is_met(plan):
        transition(change, REOPEN, actor=actor, cause=f"{user} took back the approval. {reason}".strip())
    return change


def get_planned(seen: Seen) -> tuple[Change, Plan]:
    """The change, locked, and its plan, if both are as `seen`; inside a verb.

    Raises ChangeMissingError, StaleChangeError, StalePlanError, ChangeGoneError (no plan).
    """
    try:
        change = Change.objects.locked(seen.change_id)
    except Change.DoesNotExist as error:
        raise ChangeMissingError from error
    about(change)
    if change.version != seen.version:
        raise StaleChangeError(seen=seen.version, current=change.version)
    plan = change.current_plan
    if plan is None:
        raise ChangeGoneError("There is no plan yet.", mend="Plan it first.")
    if plan.digest != seen.digest:
        raise StalePlanError(seen=seen.digest, current=plan.digest)
    plan.change = change
    return change, plan


def void_votes(change: Change, *, actor: Actor, cause: str) -> int:
    """Every standing vote of every plan of `change` is void, each with its event; how many. Inside a verb."""
    votes = list(change.votes.filter(revoked_at__isnull=True, voided_at__isnull=True))
    for vote in votes:
        void_vote(change, vote, actor=actor, cause=cause)
    return len(votes)


def void_vote(change: Change, vote: Vote, *, actor: Actor, cause: str) -> None:
    """One vote is void, with its event. Inside a verb."""
    Vote.objects.filter(pk=vote.pk).update(voided_at=db_now(), void_cause=cause[:2000])
    record(
        "traffic.vote.voided",
        actor=actor,
        target=change,
        reason=cause,
        vote=str(vote.pk),
        voter=vote.voter_name,
        digest=vote.digest,
    )


def invalidate(change: Change, *, cause: str, evidence: Evidence | None = None, move: Move = INVALIDATE) -> None:
    """C10: votes void, the plan out of force, the same revision planned again. The change is locked; in a verb."""
    replan(change, move=move, actor=SYSTEM, cause=cause, evidence=evidence)


def replan(change: Change, *, move: Move, actor: Actor, cause: str, evidence: Evidence | None = None) -> None:
    """As invalidate, by `move`, whoever asked for it."""
    void_votes(change, actor=actor, cause=cause)
    change.current_plan = None
    change.attempts = 0
    change.save(update_fields=["current_plan", "attempts"])
    transition(change, move, actor=actor, cause=cause, evidence=evidence)
    enqueue("traffic.tasks.plan_change", change.pk)


def _voting_plan(change_id: UUID, digest: str) -> Plan:
    try:
        change = Change.objects.locked(change_id)
    except Change.DoesNotExist as error:
        raise ChangeMissingError from error
    about(change)
    plan = change.current_plan
    if plan is None or plan.digest != digest:
        raise StalePlanError(seen=digest, current=plan.digest if plan else "")
    plan.change = change
    return plan


def _require_moment(plan: Plan, version: int, states: tuple[State, ...]) -> None:
    change = plan.change
    if change.state not in states:
        raise ChangeGoneError(f"{change} is no longer waiting for a decision.", mend="Reload the page to see what is.")
    if change.version != version:
        raise StaleChangeError(seen=version, current=change.version)
    if plan.expires_at < read_db_now():
        raise StalePlanError(seen=plan.digest, current="")


def _cast(plan: Plan, actor: Actor, decision: str, comment: str) -> Vote:
    require_no_secret(comment=comment)
    voter = policy.person_of(actor)
    vote = Vote.objects.create(
        plan=plan,
        change=plan.change,
        voter=voter,
        voter_name=str(voter),
        decision=decision,
        digest=plan.digest,
        auth_methods=list(actor.auth.methods),
        session_hash=actor.auth.session_hash,
        comment=comment,
        created_at=read_db_now(),
    )
    record(
        "traffic.vote.cast",
        actor=actor,
        target=plan.change,
        reason=comment,
        decision=decision,
        digest=plan.digest,
        vote=str(vote.pk),
    )
    return vote
