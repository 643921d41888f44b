"""What several verbs ask for and do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from accounts import sessions
from accounts.models import Grant
from accounts.rights import has
from audit.services import record
from meshui.lib.errors import DeniedError, GoneError, InvalidError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from accounts.models import User
    from audit.types import Actor


def require_access_admin(actor: Actor) -> None:
    if actor.kind != "system" and not has(actor, "access.manage"):
        raise DeniedError("Only an Access admin may change who may do what.", mend="Ask one of them.")


def require_another_admin(grants: Iterable[UUID]) -> None:
    """Raise GoneError if nobody could grant anything without these grants."""
    taken = set(grants)
    admins = set(Grant.objects.carrying("access.manage").select_for_update().values_list("pk", flat=True))
    live = set(Grant.objects.live().carrying("access.manage").values_list("pk", flat=True))
    if taken & admins and not live - taken:
        raise GoneError(
            "This is the last Access admin: nobody could grant anything any more.",
            mend="Make somebody else an Access admin first.",
        )


def set_password(user: User, password: str) -> None:
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise InvalidError(" ".join(error.messages), mend="Choose another password.") from error
    user.set_password(password)


def end_sessions(actor: Actor, user: User, why: str, *, but: str = "") -> int:
    ended = sessions.end_all_of(user.pk, why, but=but)
    if ended:
        record("accounts.session.ended", actor=actor, target=user, reason=why, sessions=ended)
    return ended
