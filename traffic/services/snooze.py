"""Let one need rest for a while, for oneself; others are told of it as before."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from accounts.selectors import get_user, person_of
from audit.services import record, verb
from meshui.lib.clock import read_db_now
from meshui.lib.errors import MissingError
from traffic.models import Snooze

if TYPE_CHECKING:
    from audit.types import Actor
    from traffic.attention import Need

REST: Final = timedelta(hours=8)
"""A shift."""
PEOPLE_ALONE: Final = "Only people can snooze what needs attention."


@verb("traffic.need.snoozed")
def snooze_need(*, actor: Actor, need: Need) -> Snooze:
    """Hide `need` from `actor` for eight hours, unless it begins anew. Raises DeniedError for whoever is no person."""
    user, now = get_user(person_of(actor, PEOPLE_ALONE)), read_db_now()
    Snooze.objects.filter(user=user, until__lte=now).delete()
    made, _ = Snooze.objects.update_or_create(
        user=user,
        mark=need.mark,
        defaults={
            "words": need.words[:200],
            "place": need.place[:200],
            "since": need.since,
            "until": now + REST,
        },
    )
    record("traffic.need.snoozed", actor=actor, target=made, until=made.until.isoformat())
    return made


@verb("traffic.need.woken")
def wake_need(*, actor: Actor, mark: str) -> None:
    """Be told of it again. Raises MissingError if it does not rest, DeniedError for whoever is no person."""
    snooze = Snooze.objects.filter(user_id=person_of(actor, PEOPLE_ALONE), mark=mark).first()
    if snooze is None:
        raise MissingError("That is not snoozed any more.", mend="Look at what needs attention.")
    record("traffic.need.woken", actor=actor, target=snooze)
    snooze.delete()
