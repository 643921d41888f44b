"""Who may decide, and when it is decided. Read from grants under the lock, never from the session; superuser is nobody.

Until approval policies exist, the built-in rule stands, which nothing removes: two approvals where a target's cluster
is tagged `production`, else one; by distinct people, none of whom wrote the change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import Q

from accounts.models import User
from meshui.lib.rights import may
from traffic.errors import ChangeGoneError, DeniedError
from traffic.types import State

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.db.models import QuerySet

    from audit.types import Actor
    from meshui.lib.rights import Place
    from traffic.models import Change, Plan, Vote

POLICY = "built-in/1"
PRODUCTION = "production"


def rules_for(environments: Iterable[str]) -> list[dict[str, Any]]:
    """The approvals a plan needs, frozen into it: [{name, n}]."""
    needed = 2 if PRODUCTION in environments else 1
    return [{"name": "approvals", "n": needed}]


def require_right(actor: Actor, verb: str, change: Change) -> User:
    """The person behind `actor`, who has `verb` on every target. Raises DeniedError, naming the right."""
    return require_right_at(actor, verb, change.places)


def require_right_at(actor: Actor, verb: str, places: list[Place]) -> User:
    """The person behind `actor`, who has `verb` on every one of `places`. Raises DeniedError, naming the right."""
    user = person_of(actor)
    if not may(actor, verb, places):
        raise DeniedError(
            f"You have no grant of “{verb}” that covers every target.", mend="Ask an Access admin for it."
        )
    return user


def person_of(actor: Actor) -> User:
    """The live account of a person, or of a token's owner; services and the system never act here.

    A token is held to its own rights wherever one is asked for, and has none to vote. Raises DeniedError.
    """
    user = (
        User.objects.filter(pk=actor.user_id).first() if actor.kind in {"person", "token"} and actor.user_id else None
    )
    if user is None or not user.is_active:
        raise DeniedError("Only a signed-in person may do this.")
    return user


def writers_of(change: Change) -> set[str]:
    """Ids of all accounts of everybody who wrote a revision of this change, and of its author. Two queries.

    Accounts with one e-mail address, or one subject of an identity provider, are one person.
    """
    ids = {*change.revisions.values_list("editor_id", flat=True), change.author_id}
    known = User.objects.filter(pk__in=ids)
    by_mail = Q(email__in=known.exclude(email="").values("email"))
    by_subject = Q(idp_sub__in=known.exclude(idp_sub="").values("idp_sub"))
    return {str(pk) for pk in (*ids, *User.objects.filter(by_mail | by_subject).values_list("pk", flat=True))}


def require_vote(actor: Actor, plan: Plan) -> User:
    """The person, if their vote on `plan` counts (change-control §4.4). Under the lock. Raises DeniedError."""
    change = plan.change
    if str(person_of(actor).pk) in writers_of(change):
        raise DeniedError("You wrote this change: someone else has to decide on it.")
    user = require_right(actor, "change.vote", change)
    if change.state == State.IN_REVIEW and change.current_plan_id != plan.pk:
        raise ChangeGoneError("This change is being planned again.", mend="Wait for the new plan, then decide.")
    return user


def standing(plan: Plan) -> QuerySet[Vote]:
    """Votes on `plan` that are neither revoked nor voided."""
    return plan.votes.filter(revoked_at__isnull=True, voided_at__isnull=True)


def counting(plan: Plan) -> list[Vote]:
    """Approvals that count now: standing, on this very digest, by active people who still may and did not write it."""
    writers = writers_of(plan.change)
    places = plan.change.places
    return [
        vote
        for vote in standing(plan).filter(decision="approve").select_related("voter")
        if vote.digest == plan.digest
        and str(vote.voter_id) not in writers
        and vote.voter.is_active
        and may(vote.voter, "change.vote", places)
    ]


def lost_votes(plan: Plan) -> list[tuple[Vote, str]]:
    """Standing approvals of people who may not give one any more, each with why."""
    places = plan.change.places
    lost = []
    for vote in standing(plan).filter(decision="approve").select_related("voter"):
        if not vote.voter.is_active:
            lost.append((vote, f"{vote.voter_name} is no longer active."))
        elif not may(vote.voter, "change.vote", places):
            lost.append((vote, f"{vote.voter_name} may no longer vote on every target."))
    return lost


def is_met(plan: Plan) -> bool:
    """Enough distinct approvals on this digest and no standing denial."""
    if standing(plan).filter(decision="deny").exists():
        return False
    people = {vote.voter_id for vote in counting(plan)}
    return all(len(people) >= rule["n"] for rule in plan.rules)
