"""What time and others do to changes that wait: plans and approvals grow old, voters lose their rights, targets move.

Database only; idempotent; each move in its own transaction under the lock. What moved is seen in the inventory, which
the watch keeps: nothing is asked of a cluster here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.db.models import F, Q

from audit.services import about, verb
from audit.types import SYSTEM, Evidence
from meshui.lib.clock import db_now
from traffic import policy
from traffic.models import Change, PlanTarget
from traffic.services.approve import invalidate, void_vote, void_votes
from traffic.services.leasing import release_all
from traffic.transitions import EXPIRE, HOLD, transition
from traffic.types import BEFORE_WRITE, State

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet

    from audit.types import Actor
    from traffic.models import Vote

BATCH = 200
HOUR = 3600.0


def age_changes() -> int:
    """Every timed or noticed move that is due; how many changes were looked at closely. Four queries when none is."""
    expired = list(due_to_expire().values_list("pk", flat=True)[:BATCH])
    for pk in expired:
        expire_change(actor=SYSTEM, change_id=pk)
    old = list(with_old_plan().values_list("pk", flat=True)[:BATCH])
    for pk in old:
        renew_plan(actor=SYSTEM, change_id=pk)
    moved = list(dict.fromkeys(moved_targets().values_list("plan__change_id", flat=True)[:BATCH]))
    for pk in moved:
        notice_drift(actor=SYSTEM, change_id=pk)
    voted = list(with_votes().values_list("pk", flat=True)[:BATCH])
    for pk in voted:
        if _lost(Change.objects.select_related("current_plan").get(pk=pk)):
            void_lost_votes(actor=SYSTEM, change_id=pk)
    return len(expired) + len(old) + len(moved) + len(voted)


def due_to_expire() -> QuerySet[Change]:
    """Sent for review too long ago, or drafts that nobody touched."""
    sent = Q(state__in=BEFORE_WRITE, submitted_at__lt=db_now(plus=-settings.APPROVAL_TTL_HOURS * HOUR))
    untouched = Q(state=State.DRAFT, state_changed_at__lt=db_now(plus=-settings.DRAFT_TTL_HOURS * HOUR))
    return Change.objects.filter(sent | untouched)


def with_old_plan() -> QuerySet[Change]:
    """Waiting on a plan that is too old to be decided on."""
    return Change.objects.filter(state__in=BEFORE_WRITE, current_plan__expires_at__lt=db_now())


def moved_targets() -> QuerySet[PlanTarget]:
    """Objects of waiting plans that read otherwise by now than when they were planned, or are gone."""
    waiting = PlanTarget.objects.filter(
        plan__change__state__in=BEFORE_WRITE,
        plan__change__current_plan=F("plan"),
        op="patch",
        target__route__isnull=False,
        target__route__kind=F("kind"),
        target__route__name=F("name"),
    )
    differs = ~Q(target__route__projection_hash=F("base_hash")) & ~Q(target__route__projection_hash="")
    later = Q(target__route__read_at__gt=F("plan__created_at"))
    return waiting.filter(later & differs | Q(target__route__gone_at__gt=F("plan__created_at")))


def with_votes() -> QuerySet[Change]:
    """Waiting with an approval that stands."""
    standing = Q(votes__revoked_at__isnull=True, votes__voided_at__isnull=True, votes__decision="approve")
    return Change.objects.filter(standing, state__in=BEFORE_WRITE, current_plan__isnull=False).distinct()


@verb("traffic.change.expired")
def expire_change(*, actor: Actor, change_id: UUID) -> None:
    """C11: nobody decided or started in time; one that has written something is held instead."""
    change = Change.objects.locked(change_id)
    about(change)
    if not due_to_expire().filter(pk=change.pk).exists():
        return
    cause = "It waited too long: what was decided then may not hold now. Propose it again."
    void_votes(change, actor=actor, cause=cause)
    if change.has_writes:
        transition(change, HOLD, actor=actor, cause=cause)
    else:
        release_all(change)
        transition(change, EXPIRE, actor=actor, cause=cause)


@verb("traffic.change.invalidated")
def renew_plan(*, actor: Actor, change_id: UUID) -> None:
    """C10: the plan is too old; it is made again."""
    change = Change.objects.locked(change_id)
    about(change)
    if with_old_plan().filter(pk=change.pk).exists():
        invalidate(change, cause="The plan grew too old.")


@verb("traffic.change.invalidated")
def notice_drift(*, actor: Actor, change_id: UUID) -> None:
    """C10: a target was changed while the change waited; what it was and what it is are kept."""
    change = Change.objects.locked(change_id)
    about(change)
    found = moved_targets().filter(plan__change_id=change.pk).select_related("target__route", "cluster")
    moved = list(found)
    if not moved:
        return
    words = [f"{t.ref} was changed in {t.cluster.slug} since the plan was made." for t in moved]
    first = moved[0]
    route = first.target.route if first.target else None
    invalidate(
        change, cause=" ".join(words), evidence=Evidence(before=first.snapshot, after=route.body if route else None)
    )


@verb("traffic.vote.voided")
def void_lost_votes(*, actor: Actor, change_id: UUID) -> None:
    """The votes of people who may not vote any more are void; an approved change that lacks them is reviewed again."""
    change = Change.objects.locked(change_id)
    about(change)
    lost = _lost(change)
    for vote, why in lost:
        void_vote(change, vote, actor=actor, cause=why)
    plan = change.current_plan
    if lost and plan is not None and change.state != State.IN_REVIEW and not policy.is_met(plan):
        invalidate(change, cause=" ".join(why for _, why in lost))


def _lost(change: Change) -> list[tuple[Vote, str]]:
    plan = change.current_plan
    if plan is None or change.state not in BEFORE_WRITE:
        return []
    plan.change = change
    return policy.lost_votes(plan)
