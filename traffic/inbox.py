"""What waits for one person: nothing that they may not see, nothing that they cannot act on.

One selector for the inbox and for the card of the fleet. A change on n targets needs the right on all of them.
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Final

from django.db.models import Exists, OuterRef, Q

from accounts.models import User
from accounts.types import READ
from meshui.lib.clock import db_now
from meshui.lib.rights import in_each_scope, in_scope
from traffic.models import Change, ChangeTarget, Revision, TargetStep, Vote
from traffic.selectors import listed
from traffic.types import STEP_BAD, State

if TYPE_CHECKING:
    from django.db.models import QuerySet

RIGHTS: Final = (
    "change.vote",
    "change.execute",
    "change.resume",
    "change.rollback",
    "change.submit",
    "change.propose",
)
GROUPS: Final = {
    "review": (State.IN_REVIEW,),
    "start": (State.APPROVED,),
    "held": (State.PAUSED, State.ROLLING_BACK),
    "mine": (State.DRAFT, State.REJECTED),
}
"""What a person is waited for, as the states of what waits."""
ANSWERED: Final = (State.APPROVED, State.REJECTED, State.APPLIED, State.ROLLED_BACK, State.FAILED, State.PARTIAL)
LATELY: Final = 7 * 24 * 3600.0
"""Seconds for which a rejection is news to its author."""


def list_waiting_for(user: User) -> QuerySet[Change]:
    """Changes that wait for `user`, longest first; each with was_voted, is_void, may_resume and may_roll_back.

    One query now, for the grants; one for the rows, none for whoever may do nothing: slice and narrow them freely.
    """
    scoped = in_each_scope(Change.objects.order_by(), user, RIGHTS)
    vote, execute, resume, roll_back, submit, propose = scoped
    kinds = (
        _to_vote_on(vote, user),
        execute.filter(state=State.APPROVED),
        resume.filter(state=State.PAUSED),
        _to_roll_back(roll_back),
        _to_mend(submit, user),
        _rejected(propose, user),
    )
    held = [changes for changes in kinds if not changes.query.is_empty()]
    if not held:
        return Change.objects.none()
    waiting = reduce(or_, (Q(pk__in=changes.values("pk")) for changes in held))
    earlier = Vote.objects.filter(change=OuterRef("pk"), voter=user).exclude(plan=OuterRef("current_plan"))
    return (
        listed(Change.objects.filter(waiting))
        .annotate(
            was_voted=Exists(earlier),
            is_void=Exists(_void_votes()),
            may_resume=Q(pk__in=resume.values("pk")),
            may_roll_back=Q(pk__in=roll_back.values("pk")),
        )
        .order_by("state_changed_at", "pk")
    )


def list_decided_lately(user: User, limit: int) -> list[Change]:
    """The last changes in scope on which `user` voted, or that are theirs and were answered, newest first."""
    seen = in_scope(Change.objects.order_by(), user, READ)
    voted = Vote.objects.filter(change=OuterRef("pk"), voter=user)
    answered = Q(author=user, state__in=ANSWERED)
    return list(listed(seen.filter(Exists(voted) | answered)).order_by("-state_changed_at", "-pk")[:limit])


def in_group(changes: QuerySet[Change], group: str) -> QuerySet[Change]:
    """Those that wait for this: a word of GROUPS."""
    return changes.filter(state__in=GROUPS.get(group, ()))


def in_place(changes: QuerySet[Change], text: str) -> QuerySet[Change]:
    """Those with a target in a cluster or an environment whose name holds `text`."""
    cleaned = text.strip()[:100]
    named = ChangeTarget.objects.filter(change=OuterRef("pk"))
    found = Q(cluster__slug__icontains=cleaned) | Q(cluster__environment__icontains=cleaned)
    return changes.filter(Exists(named.filter(found))) if cleaned else changes


def _to_vote_on(changes: QuerySet[Change], user: User) -> QuerySet[Change]:
    """In review, written by somebody else, without a vote of `user` on the plan in force.

    Accounts with one e-mail address, or one subject of an identity provider, are one person, as for the vote itself.
    A vote that was voided cannot be given again on the same plan, so it does not wait either.
    """
    same = Q(pk=user.pk)
    if user.email:
        same |= Q(email=user.email)
    if user.idp_sub:
        same |= Q(idp_sub=user.idp_sub)
    accounts = User.objects.filter(same).values("pk")
    wrote = Revision.objects.filter(change=OuterRef("pk"), editor__in=accounts)
    voted = Vote.objects.filter(plan=OuterRef("current_plan"), voter=user, revoked_at__isnull=True)
    in_review = changes.filter(state=State.IN_REVIEW, current_plan__isnull=False)
    return in_review.exclude(author__in=accounts).exclude(Exists(wrote)).exclude(Exists(voted))


def _to_roll_back(changes: QuerySet[Change]) -> QuerySet[Change]:
    """Paused, or rolling back with a target that waits for a person."""
    stuck = TargetStep.objects.filter(change=OuterRef("pk"), direction="restore", state__in=STEP_BAD)
    return changes.filter(Q(state=State.PAUSED) | Q(Exists(stuck), state=State.ROLLING_BACK))


def _to_mend(changes: QuerySet[Change], user: User) -> QuerySet[Change]:
    """Own drafts that stopped short: votes were voided, the plan is too old or has errors, or planning did not end."""
    stopped = (
        Q(Exists(_void_votes()))
        | Q(current_plan__expires_at__lt=db_now())
        | Q(current_plan__is_sound=False)
        | (Q(current_plan__isnull=True) & ~Q(state_cause=""))
    )
    return changes.filter(stopped, author=user, state=State.DRAFT)


def _rejected(changes: QuerySet[Change], user: User) -> QuerySet[Change]:
    """Own changes that were rejected lately: their author may propose the same again, otherwise."""
    return changes.filter(author=user, state=State.REJECTED, ended_at__gt=db_now(plus=-LATELY))


def _void_votes() -> QuerySet[Vote]:
    return Vote.objects.filter(change=OuterRef("pk"), voided_at__isnull=False)
