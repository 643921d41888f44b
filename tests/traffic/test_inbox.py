"""What waits for whom: by right, by target, by who wrote it; the page of it, and its card."""

from __future__ import annotations

from datetime import timedelta
from itertools import product
from typing import TYPE_CHECKING, Final

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from zeal import zeal_ignore

from accounts.services import grant_role
from audit.types import SYSTEM
from meshui.lib.clock import now
from meshui.lib.rights import may
from tests.people import as_actor, make_person
from tests.traffic.factories import (
    DIGEST,
    in_review,
    in_state,
    make_change,
    make_cluster,
    make_plan,
    make_route,
    many_changes,
)
from traffic import inbox
from traffic.models import Change, Plan, Vote
from traffic.services.approve import approve_change, revoke_vote
from traffic.types import Seen, State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test import Client

    from accounts.models import User
    from meshes.models import Route

pytestmark = pytest.mark.django_db
HTMX: Final = {"HX-Request": "true", "HX-Request-Type": "partial"}
NEEDS: Final = {
    State.IN_REVIEW: ("change.vote",),
    State.APPROVED: ("change.execute",),
    State.PAUSED: ("change.resume", "change.rollback"),
}
"""Any one of these rights, on every target."""
SCOPES: Final = (
    None,
    {"environment": ["staging"]},
    {"cluster": ["eu-west"]},
    {"environment": ["staging", "production"]},
)


@pytest.fixture(autouse=True)
def several_requests() -> Iterator[None]:
    """A test makes rows and asks several times: not the N+1 that zeal looks for. Queries are counted below."""
    with zeal_ignore():
        yield


@pytest.fixture
def routes() -> list[Route]:
    """One in staging, one in production."""
    return [make_route(make_cluster()), make_route(make_cluster("us-east", environment="production"))]


def waiting(user: User) -> list[Change]:
    """What waits for `user`."""
    return list(inbox.list_waiting_for(user))


def test_list_waiting_for__roles_by_scope_by_targets__as_the_evaluator_says(author: User, routes: list[Route]) -> None:
    changes = [
        in_state(in_review(author, targets, title=f"{state} on {len(targets)}", digest=f"{number}" * 64), state)
        for number, (state, targets) in enumerate(product(NEEDS, [routes[:1], routes[1:], routes]))
    ]
    roles = ("viewer", "approver", "executor", "responder", "auditor")

    for role, scope in product(roles, SCOPES):
        reader = make_person(f"{role}-{SCOPES.index(scope)}", [role], scope=scope)
        found = {change.pk for change in waiting(reader)}
        allowed = {
            change.pk
            for change in changes
            if any(may(reader, verb, change.places) for verb in NEEDS[State(change.state)])
        }
        assert found == allowed, (role, scope)


def test_list_waiting_for__two_grants_that_cover_a_target_each__the_whole_change(
    author: User, routes: list[Route]
) -> None:
    change = in_review(author, routes)
    both = make_person("both", ["approver"], scope={"environment": ["staging"]})
    one = make_person("one", ["approver"], scope={"environment": ["staging"]})
    assert waiting(both) == []

    grant_role(actor=SYSTEM, user_id=both.pk, role="approver", scope={"cluster": ["us-east"]})

    assert waiting(both) == [change]
    assert waiting(one) == []


def test_list_waiting_for__other_account_of_the_author__may_not_vote_so_nothing_waits(routes: list[Route]) -> None:
    maria, other = make_person("maria", ["author"]), make_person("maria-2", ["approver"])
    for account in (maria, other):
        account.email = "maria@example.org"
        account.save()
    in_review(maria, routes)

    assert waiting(other) == []


def test_list_waiting_for__vote_was_voided_on_this_plan__cannot_be_given_again_so_it_does_not_wait(
    author: User, approver: User, routes: list[Route]
) -> None:
    change = in_review(author, routes, needed=2)
    vote_of(approver, change)
    Vote.objects.update(voided_at=now(), void_cause="The right was gone for a while.")

    assert waiting(approver) == []


def test_list_waiting_for__plan_moved_since_my_vote__waits_again_and_says_so(
    author: User, approver: User, routes: list[Route]
) -> None:
    change = in_review(author, routes, needed=2)
    vote_of(approver, change)
    assert waiting(approver) == []
    make_plan(change, needed=2, digest="b" * 64)

    found = waiting(approver)

    assert [row.was_voted for row in found] == [True]  # type: ignore[attr-defined]  # annotated


def test_list_waiting_for__taken_back__waits_again(author: User, approver: User, routes: list[Route]) -> None:
    change = in_review(author, routes, needed=2)
    vote_of(approver, change)
    change.refresh_from_db()
    revoke_vote(actor=as_actor(approver), seen=Seen(change.pk, change.version, DIGEST), reason="Too early.")

    assert waiting(approver) == [change]


@pytest.mark.parametrize(
    ("case", "is_there"),
    [("fresh", False), ("old", True), ("errors", True), ("void", True), ("unplanned", False), ("plan-failed", True)],
)
def test_list_waiting_for__own_drafts__only_those_that_stopped_short(
    author: User, routes: list[Route], case: str, *, is_there: bool
) -> None:
    change = make_change(author, routes)
    if case not in {"unplanned", "plan-failed"}:
        make_plan(change, is_sound=case != "errors")
    if case == "old":
        Plan.objects.update(expires_at=now() - timedelta(hours=1))
    if case == "void":
        Vote.objects.create(
            plan=Plan.objects.get(),
            change=change,
            voter=make_person("approver"),
            decision="approve",
            created_at=now(),
            voided_at=now(),
        )
    if case == "plan-failed":
        in_state(change, State.DRAFT, state_cause="eu-west did not answer.")

    assert (waiting(author) == [change]) is is_there
    assert waiting(make_person("colleague", ["author"])) == []


@pytest.mark.parametrize(("days", "is_there"), [(6, True), (8, False)])
def test_list_waiting_for__rejected__news_to_its_author_for_a_week(
    author: User, routes: list[Route], days: int, *, is_there: bool
) -> None:
    change = in_state(in_review(author, routes), State.REJECTED, ended_at=now() - timedelta(days=days))

    assert (waiting(author) == [change]) is is_there


def test_inbox__each_reason__said_in_words(client: Client, author: User, approver: User, routes: list[Route]) -> None:
    change = in_review(author, routes[:1], needed=2, title="To review")
    in_state(in_review(author, routes[:1], title="To start", digest="c" * 64), State.APPROVED)
    paused = in_review(author, routes[:1], title="To resume", digest="d" * 64)
    in_state(paused, State.PAUSED, state_cause="eu-west was not reached")

    for_approver, for_author = page_of(client, approver), page_of(client, author)

    assert "You may approve or reject it" in for_approver
    assert "0 of 2 approvals" in for_approver
    assert f"/changes/{change.number}/#decision" in for_approver
    assert "You may start it" not in for_approver
    assert "You may start it" in for_author
    assert "You may resume it or roll it back" in for_author
    assert "eu-west was not reached" in for_author
    assert "To review" not in for_author
    assert "so they are not counted here" in for_author


def test_inbox__responder__told_that_they_may_roll_back_only(client: Client, author: User, routes: list[Route]) -> None:
    in_state(in_review(author, routes), State.PAUSED)

    text = page_of(client, make_person("rita", ["responder"]))

    assert "You may roll it back" in text
    assert "resume it" not in text


def test_inbox__changed_since_the_vote__says_review_again(
    client: Client, author: User, approver: User, routes: list[Route]
) -> None:
    change = in_review(author, routes, needed=2)
    vote_of(approver, change)
    make_plan(change, needed=2, digest="b" * 64)

    assert "Changed since you voted, review again" in page_of(client, approver)


@pytest.mark.parametrize(
    ("query", "is_found"),
    [
        ("need=review", True),
        ("need=start", False),
        ("need=nonsense", True),
        ("where=eu-w", True),
        ("where=STAGING", True),
        ("where=mars", False),
        ("q=checkout", True),
        ("q=payments", False),
    ],
)
def test_inbox__filters__narrow(
    client: Client, author: User, approver: User, routes: list[Route], query: str, *, is_found: bool
) -> None:
    in_review(author, routes[:1])

    assert ("Shift checkout" in page_of(client, approver, f"?{query}")) is is_found


def test_inbox__longest_waiting_first__and_the_next_page_goes_on(
    client: Client, author: User, approver: User, routes: list[Route]
) -> None:
    made = many_changes(author, routes[0], 30)
    for age, change in enumerate(made):
        in_state(change, State.IN_REVIEW, state_changed_at=now() - timedelta(minutes=age))
    client.force_login(approver)

    first = client.get("/inbox/?rows=25").context["rows"]
    second = client.get(f"/inbox/{first.next_query}").context["rows"]

    assert [row.number for row in (*first, *second)] == [change.number for change in reversed(made)]
    assert first.total == 30


def test_inbox__nothing__last_decided(client: Client, author: User, approver: User, routes: list[Route]) -> None:
    change = in_review(author, routes)
    vote_of(approver, change)

    text = page_of(client, approver)

    assert "Nothing waits for you" in text
    assert "Last decided" in text
    assert change.title in text


def test_inbox__no_right_to_read__403(client: Client, stranger: User) -> None:
    client.force_login(stranger)

    assert client.get("/inbox/").status_code == 403


def test_inbox__entry_in_the_side_bar__after_the_fleet(client: Client, viewer: User) -> None:
    text = page_of(client, viewer)

    assert text.index('data-key="f"') < text.index('data-key="i"') < text.index('data-key="k"')


def test_inbox__ten_and_two_hundred_rows__same_queries(
    client: Client, author: User, approver: User, routes: list[Route]
) -> None:
    many_changes(author, routes[0], 10)
    client.force_login(approver)
    client.get("/inbox/")
    with CaptureQueriesContext(connection) as few:
        client.get("/inbox/")
    many_changes(author, routes[0], 190)

    with CaptureQueriesContext(connection) as many:
        page = client.get("/inbox/?rows=200")

    assert page.content.decode().count("<tr data-row>") == 200
    assert len(few) == len(many) <= 12


def test_inbox_card__htmx__the_card_alone_others_a_page(
    client: Client, author: User, approver: User, routes: list[Route]
) -> None:
    many_changes(author, routes[0], 7)
    client.force_login(approver)

    with CaptureQueriesContext(connection) as asked:
        card = client.get("/inbox/card/", headers=HTMX)
    page = client.get("/inbox/card/").content.decode()

    text = card.content.decode()
    assert text.strip().startswith("<section")
    assert text.count("<li>") == 5
    assert "<html" in page
    assert len(asked) <= 6


def vote_of(voter: User, change: Change) -> None:
    """Approve what is in force."""
    approve_change(actor=as_actor(voter), change_id=change.pk, version=change.version, digest=DIGEST)


def page_of(client: Client, user: User, query: str = "") -> str:
    """The inbox as `user` sees it."""
    client.force_login(user)
    page = client.get(f"/inbox/{query}")
    assert page.status_code == 200
    return page.content.decode()
