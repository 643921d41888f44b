"""What people do about themselves, and Access admins about their accounts and sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError

from accounts import sessions
from accounts.models import Grant, UserSession
from accounts.rights import has
from accounts.selectors import get_user, person_of
from accounts.services.shared import end_sessions, require_access_admin, require_another_admin, set_password
from audit.services import about, record, verb
from meshui.lib.errors import DeniedError, InvalidError, MissingError

if TYPE_CHECKING:
    from uuid import UUID

    from accounts.models import User
    from audit.types import Actor


@verb("accounts.password.set")
def change_password(*, actor: Actor, old: str, new: str, session_key: str = "") -> User:
    """One's own, by whoever knows the old one; every other session ends. Raises InvalidError, DeniedError."""
    user = _oneself(actor)
    if not user.check_password(old):
        raise DeniedError(
            "This is not your present password.", mend="Type it again, or ask an Access admin for a link."
        )
    set_password(user, new)
    user.save(update_fields=["password"])
    record("accounts.password.set", actor=actor, target=user)
    end_sessions(actor, user, "The password was changed.", but=session_key)
    return user


@verb("accounts.profile.changed")
def change_profile(*, actor: Actor, display_name: str, time_zone: str) -> User:
    """One's own name and time zone. Raises InvalidError, DeniedError."""
    user = _oneself(actor)
    before = {"display_name": user.display_name, "time_zone": user.time_zone}
    user.display_name, user.time_zone = display_name.strip(), time_zone
    try:
        user.full_clean()
    except ValidationError as error:
        raise InvalidError(" ".join(error.messages)) from error
    user.save(update_fields=["display_name", "time_zone"])
    record("accounts.profile.changed", actor=actor, target=user, before=before, time_zone=user.time_zone)
    return user


@verb("accounts.user.closed")
def close_account(*, actor: Actor, user_id: UUID | str, reason: str) -> User:
    """Nobody signs in to it any more; sessions and tokens end at once. History keeps the name.

    Raises DeniedError without access.manage, InvalidError for one's own, GoneError for the last Access admin.
    """
    user = get_user(user_id)
    about(user)
    require_access_admin(actor)
    if actor.user_id == str(user.pk):
        raise InvalidError("Nobody closes his own account.", mend="Ask another Access admin.")
    if user.is_active:
        require_another_admin(Grant.objects.filter(user=user).values_list("pk", flat=True))
        user.is_active = False
        user.save(update_fields=["is_active"])
        record("accounts.user.closed", actor=actor, target=user, reason=reason)
        end_sessions(actor, user, "The account was closed.")
    return user


@verb("accounts.user.opened")
def open_account(*, actor: Actor, user_id: UUID | str) -> User:
    """It may be signed in to again, with the grants it has. Raises DeniedError without access.manage."""
    user = get_user(user_id)
    about(user)
    require_access_admin(actor)
    if not user.is_active:
        user.is_active = True
        user.save(update_fields=["is_active"])
        record("accounts.user.opened", actor=actor, target=user)
    return user


@verb("accounts.session.ended")
def end_session(*, actor: Actor, session_id: UUID | str) -> UserSession:
    """One's own, or anybody's as an Access admin. Raises MissingError for somebody else's, alike for none."""
    row = UserSession.objects.select_related("user").filter(pk=session_id).first()
    if row is None or not (str(row.user_id) == actor.user_id or has(actor, "access.manage")):
        raise MissingError("There is no such session.", mend="It may be over; look at the list.")
    about(row)
    if sessions.end(UserSession.objects.filter(pk=row.pk), f"{actor.name} ended it."):
        record("accounts.session.ended", actor=actor, target=row, user=row.user.username)
    return row


@verb("accounts.session.ended")
def end_other_sessions(*, actor: Actor, session_key: str) -> int:
    """All of one's own but this one. How many."""
    user = _oneself(actor)
    return end_sessions(actor, user, f"{actor.name} ended it.", but=session_key)


def _oneself(actor: Actor) -> User:
    """The person who acts. Raises DeniedError for a token."""
    user = get_user(person_of(actor, "Only a person may do this.", mend="Sign in on the pages."))
    about(user)
    return user
