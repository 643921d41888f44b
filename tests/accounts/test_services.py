"""People and grants: who may give what to whom."""

from __future__ import annotations

from datetime import timedelta

import pytest

from accounts import rights
from accounts.models import Grant, OneTimeLink, User
from accounts.selectors import actor_for
from accounts.services import (
    create_first_administrator,
    create_user,
    grant_role,
    invite_person,
    make_first_administrator_link,
    revoke_grant,
    set_first_password,
)
from audit.selectors import get_event, list_events
from audit.types import SYSTEM, Actor
from meshui.lib import clock
from meshui.lib.errors import DeniedError, GoneError, InvalidError, MissingError

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"  # noqa: S105 - for tests
STRANGER = Actor(kind="person", name="someone")


def admin(name: str = "ada") -> Actor:
    user = create_user(actor=SYSTEM, username=name, display_name="Ada")
    grant_role(actor=SYSTEM, user_id=user.pk, role="access_admin")
    return actor_for(user)


def test_create_user__stranger__denied_and_recorded() -> None:
    with pytest.raises(DeniedError):
        create_user(actor=STRANGER, username="eve", display_name="Eve")

    assert not User.objects.exists()
    event = list_events(action="accounts.user.created").get()
    assert (event.outcome, event.actor_name) == ("denied", "someone")


@pytest.mark.parametrize(
    ("name", "password"),
    [("ada", PASSWORD), ("ADA", PASSWORD), ("bad name", PASSWORD), ("bob", "shrt"), ("", PASSWORD)],
)
def test_create_user__bad_input__refused_without_the_password(name: str, password: str) -> None:
    actor = admin()

    with pytest.raises(InvalidError) as caught:
        create_user(actor=actor, username=name, display_name="X", password=password)

    assert password not in str(caught.value)
    assert User.objects.count() == 1


def test_grant_role__works__recorded_with_scope() -> None:
    actor = admin()
    user = create_user(actor=actor, username="bob", display_name="Bob")

    grant = grant_role(actor=actor, user_id=user.pk, role="approver", scope={"environment": ["production"]})

    assert (grant.created_by_name, grant.created_by_id) == ("ada", actor.user_id)
    event = list_events(action="accounts.grant.created")[0]
    assert event.object_name == "Approver for bob (environment production)"
    assert get_event(event.seq).details == {"role": "approver", "scope": {"environment": ["production"]}, "user": "bob"}


@pytest.mark.parametrize("role", ["approver", "executor"])
def test_grant_role__vote_or_execute_to_oneself__denied_and_recorded(role: str) -> None:
    actor = admin()

    with pytest.raises(DeniedError, match="Nobody makes himself"):
        grant_role(actor=actor, user_id=actor.user_id, role=role)

    assert list_events(outcome="denied").get().object_name == "ada"
    assert rights.verbs(actor) == {"inventory.read", "access.manage"}


@pytest.mark.parametrize(("role", "scope"), [("root", None), ("viewer", {"team": ["a"]})])
def test_grant_role__unknown_role_or_axis__refused(role: str, scope: dict[str, list[str]] | None) -> None:
    actor = admin()

    with pytest.raises(InvalidError):
        grant_role(actor=actor, user_id=actor.user_id, role=role, scope=scope)


def test_revoke_grant__works__right_gone_twice_refused() -> None:
    actor = admin()
    user = create_user(actor=actor, username="bob", display_name="Bob")
    grant = grant_role(actor=actor, user_id=user.pk, role="viewer")

    revoke_grant(actor=actor, grant_id=grant.pk)

    assert not rights.has(user, "inventory.read")
    with pytest.raises(MissingError):
        revoke_grant(actor=actor, grant_id=grant.pk)


def test_revoke_grant__last_access_admin__refused() -> None:
    actor = admin()
    grant = Grant.objects.get(role="access_admin")

    with pytest.raises(GoneError, match="last Access admin"):
        revoke_grant(actor=actor, grant_id=grant.pk)

    admin("zoe")
    revoke_grant(actor=actor, grant_id=grant.pk)
    assert not rights.has(actor, "access.manage")


def test_invite_person__link__sets_the_password_once() -> None:
    token = invite_person(actor=admin(), username="bob", display_name="Bob", roles=["approver"])
    bob = User.objects.get(username="bob")

    assert not bob.has_usable_password()
    set_first_password(actor=STRANGER, token=token, password=PASSWORD)

    bob.refresh_from_db()
    assert bob.check_password(PASSWORD)
    assert rights.verbs(bob) == {"inventory.read", "change.vote"}
    with pytest.raises(GoneError):
        set_first_password(actor=STRANGER, token=token, password=PASSWORD)
    assert token not in str([get_event(event.seq).text for event in list_events()])
    assert not OneTimeLink.objects.filter(token_hash=token).exists()


def test_set_first_password__weak__refused_and_the_link_stays() -> None:
    token = invite_person(actor=admin(), username="bob", display_name="Bob", roles=[])

    with pytest.raises(InvalidError, match="too short"):
        set_first_password(actor=STRANGER, token=token, password="shrt")  # noqa: S106 - too short

    assert set_first_password(actor=STRANGER, token=token, password=PASSWORD).username == "bob"


def test_first_administrator__link__works_once_while_nobody_is_there() -> None:
    old = make_first_administrator_link(actor=SYSTEM)
    token = make_first_administrator_link(actor=SYSTEM)
    wanted = {"username": "ada", "display_name": "Ada", "password": PASSWORD}

    with pytest.raises(GoneError):
        create_first_administrator(actor=STRANGER, token=old, **wanted)
    user = create_first_administrator(actor=STRANGER, token=token, **wanted)

    assert {"access.manage", "cluster.manage", "policy.manage"} <= rights.verbs(user)
    assert not any(verb.startswith("change.") for verb in rights.verbs(user))
    assert not user.is_superuser
    with pytest.raises(GoneError, match="users already"):
        create_first_administrator(actor=STRANGER, token=token, username="b", display_name="B", password=PASSWORD)
    with pytest.raises(GoneError, match="users already"):
        make_first_administrator_link(actor=SYSTEM)


def test_first_administrator__after_30_minutes__refused() -> None:
    token = make_first_administrator_link(actor=SYSTEM)
    clock.shift_for_tests(timedelta(minutes=31))

    with pytest.raises(GoneError, match="expired"):
        create_first_administrator(actor=STRANGER, token=token, username="ada", display_name="Ada", password=PASSWORD)
