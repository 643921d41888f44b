"""People, grants and one-time links."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Final, cast

from django.core.exceptions import ValidationError

from accounts.models import Grant, OneTimeLink, User
from accounts.selectors import get_link, get_user, hash_of, is_unclaimed
from accounts.services.shared import end_sessions, require_access_admin, require_another_admin, set_password
from accounts.types import FIRST_ADMINISTRATOR, NEVER_TO_ONESELF, ROLE_LABELS, ROLES, Scope
from audit.services import about, record, verb
from meshui.lib.clock import db_now, read_db_now
from meshui.lib.errors import DeniedError, GoneError, InvalidError, MissingError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable
    from uuid import UUID

    from audit.types import Actor


FIRST_LINK_LASTS: Final = timedelta(minutes=30)
INVITATION_LASTS: Final = timedelta(hours=24)


@verb("accounts.user.created")
def create_user(
    *, actor: Actor, username: str, display_name: str, password: str | None = None, time_zone: str = "UTC"
) -> User:
    """A person without any right. Without `password` they cannot sign in until a one-time link set one.

    Raises DeniedError without access.manage (the system may: commands and seeds), InvalidError for bad input.
    """
    require_access_admin(actor)
    user = _new_user(username, display_name, password, time_zone)
    record("accounts.user.created", actor=actor, target=user, display_name=user.display_name)
    return user


@verb("accounts.grant.created")
def grant_role(
    *,
    actor: Actor,
    user_id: UUID | str,
    role: str,
    scope: dict[str, list[str]] | None = None,
    expires_at: dt.datetime | None = None,
) -> Grant:
    """Give a person a role within `scope` (everywhere if None), until `expires_at` (for good if None).

    Raises DeniedError without access.manage, for vote and execute to oneself; InvalidError for unknown roles or scopes.
    """
    user = get_user(user_id)
    about(user)
    require_access_admin(actor)
    return _grant(actor, user, role, scope, expires_at)


@verb("accounts.grant.revoked")
def revoke_grant(*, actor: Actor, grant_id: UUID | str) -> None:
    """Take a grant away; whatever it allowed is gone at the next question.

    Raises DeniedError without access.manage, MissingError, GoneError for the last Access admin's grant.
    """
    grant = Grant.objects.select_related("user").filter(pk=grant_id).first()
    if grant is None:
        raise MissingError("There is no such grant.", mend="It may have been revoked already; look at the list.")
    about(grant)
    require_access_admin(actor)
    require_another_admin([grant.pk])
    record("accounts.grant.revoked", actor=actor, target=grant, user=grant.user.username, role=grant.role)
    grant.delete()
    end_sessions(actor, grant.user, f"The grant {grant} was taken.")


@verb("accounts.user.created")
def invite_person(*, actor: Actor, username: str, display_name: str, roles: Iterable[str]) -> str:
    """A person with `roles` everywhere; the token of the one-time link with which they set their password.

    The token is returned once and kept nowhere. Raises as create_user and grant_role do.
    """
    require_access_admin(actor)
    user = _new_user(username, display_name, None, "UTC")
    about(user)
    record("accounts.user.created", actor=actor, target=user, display_name=user.display_name)
    for role in sorted(set(roles)):
        _grant(actor, user, role, None, None)
    return _new_link(actor, user, INVITATION_LASTS)


@verb("accounts.link.created")
def make_first_administrator_link(*, actor: Actor) -> str:
    """The token of a link that makes the first administrator: 30 minutes, only while there is no user.

    An earlier link stops working. Raises GoneError once somebody exists.
    """
    _require_unclaimed()
    OneTimeLink.objects.filter(user__isnull=True, used_at__isnull=True).update(used_at=db_now())
    return _new_link(actor, None, FIRST_LINK_LASTS)


@verb("accounts.administrator.created")
def create_first_administrator(*, actor: Actor, token: str, username: str, display_name: str, password: str) -> User:
    """Use the link up: a person who is Access, Cluster and Policy admin, and can vote on nothing.

    Raises GoneError for a bad link or once somebody exists, InvalidError for bad input.
    """
    _require_unclaimed()
    _use_up(get_link(token, is_invitation=False))
    user = _new_user(username, display_name, password, "UTC")
    record("accounts.administrator.created", actor=actor, target=user, display_name=user.display_name)
    for role in FIRST_ADMINISTRATOR:
        _grant(actor, user, role, None, None)
    return user


@verb("accounts.password.set")
def set_first_password(*, actor: Actor, token: str, password: str) -> User:
    """Use the link up: its person can sign in with `password`. Raises GoneError, InvalidError."""
    link = get_link(token, is_invitation=True)
    user = cast("User", link.user)
    about(user)
    _use_up(link)
    set_password(user, password)
    user.save(update_fields=["password"])
    record("accounts.password.set", actor=actor, target=user)
    end_sessions(actor, user, "The password was set.")
    return user


def _require_unclaimed() -> None:
    if not is_unclaimed():
        raise GoneError("MeshUI has users already.", mend="Ask an Access admin to invite you.")


def _new_user(username: str, display_name: str, password: str | None, time_zone: str) -> User:
    user = User(username=username, display_name=display_name or username, time_zone=time_zone)
    if User.objects.filter(username__iexact=username).exists():
        raise InvalidError(f"The name {username} is taken.", mend="Choose another.")
    if password is None:
        user.set_unusable_password()
    else:
        set_password(user, password)
    try:
        user.full_clean()
    except ValidationError as error:
        raise InvalidError(" ".join(error.messages)) from error
    user.save(force_insert=True)
    return user


def _grant(
    actor: Actor, user: User, role: str, scope: dict[str, list[str]] | None, expires_at: dt.datetime | None
) -> Grant:
    if role not in ROLES:
        raise InvalidError(f"{role} is no role.", mend=f"Use one of {', '.join(ROLE_LABELS)}.")
    try:
        bounds = Scope.parsed(scope or {})
    except ValueError as error:
        raise InvalidError(str(error)) from error
    if actor.user_id == str(user.pk) and ROLES[role] & NEVER_TO_ONESELF:
        raise DeniedError(
            f"Nobody makes himself {ROLE_LABELS[role]}.", mend="Ask another Access admin to grant it to you."
        )
    grant = Grant.objects.create(
        user=user,
        role=role,
        scope=bounds.as_json(),
        expires_at=expires_at,
        created_by_id=actor.user_id,
        created_by_name=actor.name,
    )
    record("accounts.grant.created", actor=actor, target=grant, user=user.username, role=role, scope=bounds.as_json())
    return grant


def _new_link(actor: Actor, user: User | None, lasts: timedelta) -> str:
    """256 random bits; only their hash is kept."""
    token = secrets.token_urlsafe(32)
    expires_at = read_db_now() + lasts
    link = OneTimeLink.objects.create(token_hash=hash_of(token), user=user, expires_at=expires_at)
    record(
        "accounts.link.created", actor=actor, target=user, link=str(link.pk), minutes=int(lasts.total_seconds()) // 60
    )
    return token


def _use_up(link: OneTimeLink) -> None:
    """By compare-and-swap: of two at once only one gets it."""
    if not OneTimeLink.objects.filter(pk=link.pk, used_at__isnull=True).update(used_at=db_now()):
        raise GoneError("This link was just used.", mend="Ask for a new one.")
