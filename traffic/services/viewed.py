"""Mark what one person has read of a plan. It decides nothing: a vote counts without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accounts.types import READ
from audit.services import about, record, verb
from meshui.lib.clock import read_db_now
from traffic import policy
from traffic.errors import ChangeMissingError, StalePlanError
from traffic.models import Change, ViewedTarget

if TYPE_CHECKING:
    from audit.types import Actor
    from traffic.types import Seen


@verb("traffic.target.viewed")
def mark_viewed(*, actor: Actor, seen: Seen, target: str, is_viewed: bool) -> None:
    """Keep, or take away, `actor`'s mark on one target of the plan with the digest of `seen`; asked again it stays.

    Raises ChangeMissingError, StalePlanError if another plan is in force, DeniedError without the right to read it.
    """
    change = Change.objects.filter(pk=seen.change_id).select_related("current_plan", "current_revision").first()
    if change is None:
        raise ChangeMissingError
    about(change)
    user = policy.require_right(actor, READ, change)
    digest = change.current_plan.digest if change.current_plan else ""
    if not digest or digest != seen.digest:
        raise StalePlanError(seen=seen.digest, current=digest)
    marks = ViewedTarget.objects.filter(change=change, viewer=user, digest=digest, target=target)
    if marks.exists() == is_viewed:
        return
    if is_viewed:
        ViewedTarget.objects.create(change=change, viewer=user, digest=digest, target=target, viewed_at=read_db_now())
    else:
        marks.delete()
    record("traffic.target.viewed", actor=actor, target=change, digest=digest, viewed=is_viewed, mark=target)
