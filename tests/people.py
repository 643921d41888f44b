"""The people of tests, made by the product's own verbs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accounts.selectors import actor_for
from accounts.services import create_user, grant_role
from audit.types import SYSTEM

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from accounts.models import User
    from audit.types import Actor

PASSWORD = "correct-horse-battery-staple"  # noqa: S105 - of people who exist for one test
ROLES_OF: Mapping[str, tuple[str, ...]] = {
    "author": ("author", "executor"),
    "approver": ("approver",),
    "viewer": ("viewer",),
    "admin": ("cluster_admin", "access_admin", "policy_admin", "auditor"),
    "stranger": (),
}


def make_person(
    username: str, roles: Sequence[str] | None = None, *, scope: dict[str, list[str]] | None = None
) -> User:
    """A user with `roles` within `scope` (default: what ROLES_OF gives the name, everywhere), without a password."""
    user = create_user(actor=SYSTEM, username=username, display_name=username.title())
    for role in ROLES_OF.get(username, ()) if roles is None else roles:
        grant_role(actor=SYSTEM, user_id=user.pk, role=role, scope=scope)
    return user


def as_actor(user: User) -> Actor:
    """`user` as the actor of a verb, signed in on a page."""
    return actor_for(user, origin="ui")


def give_password(user: User) -> str:
    """Let `user` sign in with a password; it. Slow on purpose (Argon2), so only who signs in by the form gets one."""
    user.set_password(PASSWORD)
    user.save(update_fields=["password"])
    return PASSWORD
