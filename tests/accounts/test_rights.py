"""The one evaluator: grants add up, axes and-ed, values or-ed, nothing by being superuser."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from django.db import connection, models
from django.http import HttpRequest, HttpResponse
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from accounts import rights
from accounts.middleware import GrantsMiddleware
from accounts.models import Grant, User
from accounts.selectors import actor_for
from accounts.types import ROLES, Scope
from audit.types import SYSTEM
from meshui.lib import clock
from meshui.lib.rights import AXES, Place, ScopeColumns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test import RequestFactory

pytestmark = pytest.mark.django_db


def person(name: str = "ann", **fields: Any) -> User:
    return User.objects.create(username=name, display_name=name, **fields)


def grant(user: User, role: str, scope: dict[str, list[str]] | None = None, **fields: Any) -> Grant:
    return Grant.objects.create(user=user, role=role, scope=scope or {}, created_by_name="test", **fields)


def test_has__superuser_without_grant__nothing() -> None:
    root = person(is_superuser=True, is_staff=True)

    assert not rights.has(root, "inventory.read")
    assert rights.verbs(root) == frozenset()
    assert not rights.may(root, "change.vote", [Place()])


def test_has__inactive_or_expired__nothing() -> None:
    sleeper = person("sleeper", is_active=False)
    grant(sleeper, "viewer")
    guest = person("guest")
    grant(guest, "viewer", expires_at=clock.now() - timedelta(seconds=1))
    member = person("member")
    grant(member, "viewer", expires_at=clock.now() + timedelta(hours=1))

    assert [rights.has(user, "inventory.read") for user in (sleeper, guest, member)] == [False, False, True]
    User.objects.filter(pk=member.pk).update(is_active=False)
    assert not rights.has(member, "inventory.read")


def test_has__actor__by_the_account_behind_it() -> None:
    user = person()
    grant(user, "approver")

    assert rights.has(actor_for(user), "change.vote")
    assert not rights.has(SYSTEM, "change.vote")
    assert actor_for(user).roles == ("approver",)


def test_may__every_place_must_be_covered__by_any_grant() -> None:
    user = person()
    grant(user, "approver", {"environment": ["production"], "namespace": ["shop", "blog"]})
    grant(user, "approver", {"environment": ["staging"]})
    shop = Place(environment="production", namespace="shop")

    assert rights.may(user, "change.vote", [shop, Place(environment="staging", namespace="any")])
    assert not rights.may(user, "change.vote", [shop, Place(environment="production", namespace="bank")])
    assert not rights.may(user, "change.vote", [Place(environment="production")])
    assert not rights.may(user, "change.vote", [])
    assert not rights.may(user, "change.execute", [shop])


def test_may__stored_scope_is_broken__gives_nothing() -> None:
    user = person()
    grant(user, "viewer", {"environmnet": ["production"]})

    assert not rights.may(user, "inventory.read", [Place()])


@pytest.mark.parametrize(
    "value",
    [
        [],
        "x",
        {"team": ["a"]},
        {"cluster": []},
        {"cluster": "a"},
        {"cluster": ["a*"]},
        {"cluster": [1]},
        {"cluster": [""]},
    ],
)
def test_scope__not_exact_names_on_known_axes__refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"scope|axis|list|exact"):
        Scope.parsed(value)


def test_roles__separation__admins_carry_no_change_verb_and_everyone_reads() -> None:
    for role, verbs in ROLES.items():
        assert "inventory.read" in verbs
        if role.endswith("admin"):
            assert not any(verb.startswith("change.") for verb in verbs)
    assert "change.vote" not in ROLES["author"] | ROLES["executor"] | ROLES["responder"]


class Shelf(models.Model):
    """A thing whose place is that of all its books."""

    SCOPE = ScopeColumns(every="books", environment="env", namespace="ns")

    class Meta:
        app_label = "accounts"
        managed = False

    objects: ClassVar[models.Manager[Shelf]] = models.Manager()

    def __str__(self) -> str:
        return f"shelf {self.pk}"


class Book(models.Model):
    """A thing with a place of its own, without a service."""

    SCOPE = ScopeColumns(environment="env", namespace="ns")

    shelf = models.ForeignKey(Shelf, models.CASCADE, related_name="books")
    env = models.CharField(max_length=9)
    ns = models.CharField(max_length=9)

    class Meta:
        app_label = "accounts"
        managed = False

    objects: ClassVar[models.Manager[Book]] = models.Manager()

    def __str__(self) -> str:
        return f"{self.env}/{self.ns}"


@pytest.fixture
def _library(db: None) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE accounts_shelf (id integer PRIMARY KEY)")
        cursor.execute(
            "CREATE TEMPORARY TABLE accounts_book"
            " (id integer PRIMARY KEY, shelf_id integer, env varchar(9), ns varchar(9))"
        )
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE accounts_book")
        cursor.execute("DROP TABLE accounts_shelf")


@pytest.mark.usefixtures("_library")
def test_in_scope__every__all_rows_inside_and_at_least_one() -> None:
    for number, books in enumerate([[("p", "a"), ("p", "b")], [("p", "a"), ("s", "a")], [], [("s", "a")]], start=1):
        shelf = Shelf.objects.create(pk=number)
        for offset, (env, ns) in enumerate(books):
            Book.objects.create(pk=number * 10 + offset, shelf=shelf, env=env, ns=ns)
    user = person()
    grant(user, "viewer", {"environment": ["p"]})

    def seen() -> list[int]:
        rows = rights.in_scope(Shelf.objects.all(), user, "inventory.read")
        return list(rows.order_by("pk").values_list("pk", flat=True))

    assert seen() == [1]
    grant(user, "viewer", {"environment": ["s"], "namespace": ["a"]})
    assert seen() == [1, 2, 4]
    grant(user, "viewer")
    assert seen() == [1, 2, 4]
    assert not rights.in_scope(Shelf.objects.all(), user, "change.vote").exists()


@pytest.mark.usefixtures("_library")
def test_in_scope__restricted_axis_without_column__sees_nothing() -> None:
    Book.objects.create(pk=1, shelf=Shelf.objects.create(pk=1), env="p", ns="a")
    user = person()
    grant(user, "viewer", {"service": ["checkout"]})

    assert not rights.in_scope(Book.objects.all(), user, "inventory.read").exists()
    grant(user, "viewer", {"namespace": ["a"]})
    assert rights.in_scope(Book.objects.all(), user, "inventory.read").count() == 1


@pytest.mark.usefixtures("_library")
def test_in_scope__model_without_scope__only_for_unrestricted_grants() -> None:
    user = person()
    grant(user, "viewer", {"environment": ["p"]})

    assert not rights.in_scope(User.objects.all(), user, "inventory.read").exists()
    grant(user, "viewer")
    assert rights.in_scope(User.objects.all(), user, "inventory.read").exists()


NAMES = st.sampled_from(["a", "b", "c"])
SCOPES = st.dictionaries(
    st.sampled_from(["environment", "namespace", "service"]), st.lists(NAMES, min_size=1), max_size=3
)


@pytest.mark.usefixtures("_library")
@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(scopes=st.lists(SCOPES, max_size=3), places=st.lists(st.tuples(NAMES, NAMES), max_size=4))
def test_in_scope__any_grants_and_rows__agrees_with_may(
    scopes: list[dict[str, list[str]]], places: list[tuple[str, str]]
) -> None:
    for model in (Book, Shelf, Grant, User):
        model._default_manager.all().delete()
    user, shelf = person(), Shelf.objects.create(pk=1)
    for scope in scopes:
        grant(user, "viewer", scope)
    for number, (env, ns) in enumerate(places):
        Book.objects.create(pk=number, shelf=shelf, env=env, ns=ns)

    seen = set(rights.in_scope(Book.objects.all(), user, "inventory.read").values_list("pk", flat=True))

    wanted = [Place(environment=env, namespace=ns) for env, ns in places]
    assert seen == {n for n, place in enumerate(wanted) if rights.may(user, "inventory.read", [place])}
    all_seen = rights.in_scope(Shelf.objects.all(), user, "inventory.read").exists()
    assert all_seen == rights.may(user, "inventory.read", wanted)


@given(scope=SCOPES)
def test_scope__json__comes_back_the_same(scope: dict[str, list[str]]) -> None:
    parsed = Scope.parsed(scope)

    assert Scope.parsed(parsed.as_json()) == parsed
    assert set(parsed.axes()) <= set(AXES)


def test_read_once__several_questions__one_query_each_person_and_anew_outside() -> None:
    ann, bob = person(), person("bob")
    given = grant(ann, "viewer")
    everybody = User.objects.all()

    with rights.read_once():
        with CaptureQueriesContext(connection) as sent:
            assert rights.has(ann, "inventory.read")
            assert rights.verbs(ann) == ROLES["viewer"]
            assert rights.may(ann, "inventory.read", [Place()])
            rights.in_scope(everybody, ann, "inventory.read")
            rights.in_each_scope(everybody, ann, ["inventory.read", "change.vote"])
            assert rights.Held(ann).verbs == ROLES["viewer"]
            assert not rights.has(bob, "inventory.read")
        given.delete()
        assert rights.has(ann, "inventory.read")

    assert len(sent) == 2
    assert not rights.has(ann, "inventory.read")


@pytest.mark.parametrize(
    ("method", "is_known"),
    [("GET", 1), ("HEAD", 1), ("POST", 0), ("PUT", 0), ("PATCH", 0), ("DELETE", 0)],
)
def test_middleware__request_that_changes_something__asks_anew(rf: RequestFactory, method: str, is_known: int) -> None:
    user = person()
    given = grant(user, "viewer")
    answers: list[bool] = []

    def view(request: HttpRequest) -> HttpResponse:
        answers.append(rights.has(user, "inventory.read"))
        given.delete()
        answers.append(rights.has(user, "inventory.read"))
        return HttpResponse()

    GrantsMiddleware(view)(rf.generic(method, "/"))

    assert answers == [True, bool(is_known)]
    assert not rights.has(user, "inventory.read")
