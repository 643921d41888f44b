"""What each person may know of changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from zeal import zeal_ignore

from accounts.rights import Held
from tests.people import as_actor
from tests.traffic.factories import DIGEST, in_review, in_state, make_change, make_cluster, make_route
from traffic import inbox, selectors
from traffic.errors import ChangeMissingError
from traffic.services.approve import approve_change, revoke_vote
from traffic.sight import Sight
from traffic.types import Seen, State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from accounts.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def several_acts() -> Iterator[None]:
    """A test makes rows one by one: not the N+1 that zeal looks for."""
    with zeal_ignore():
        yield


def test_get_change__every_target_in_scope__found(author: User, person: Callable[..., User]) -> None:
    change = make_change(author, [make_route(make_cluster())])

    found = selectors.get_change(person("maria", ["viewer"], scope={"environment": ["staging"]}), change.number)

    assert found == change


@pytest.mark.parametrize("roles", [["viewer"], []])
def test_get_change__out_of_scope__missing(author: User, person: Callable[..., User], roles: list[str]) -> None:
    change = make_change(author, [make_route(make_cluster())])
    maria = person("maria", roles, scope={"environment": ["production"]})

    with pytest.raises(ChangeMissingError):
        selectors.get_change(maria, change.number)
    with pytest.raises(ChangeMissingError):
        selectors.change_id(maria, change.number)
    assert list(selectors.list_changes(maria)) == []


def test_list_waiting_for__right_and_not_the_author__oldest_first(author: User, approver: User) -> None:
    route = make_route(make_cluster())
    first, second = in_review(author, [route], digest="1" * 64), in_review(author, [route], digest="2" * 64)

    waiting = list(inbox.list_waiting_for(approver))

    assert waiting == [first, second]
    assert list(inbox.list_waiting_for(author)) == []


def test_list_waiting_for__author_may_vote_too__still_not_theirs(person: Callable[..., User]) -> None:
    maria = person("maria", ["author", "approver"])
    in_review(maria, [make_route(make_cluster())])

    assert list(inbox.list_waiting_for(maria)) == []


def test_list_waiting_for__vote_taken_back__waits_again(author: User, approver: User) -> None:
    change = in_review(author, [make_route(make_cluster())], needed=2)
    approve_change(actor=as_actor(approver), change_id=change.pk, version=change.version, digest=DIGEST)
    assert list(inbox.list_waiting_for(approver)) == []

    revoke_vote(actor=as_actor(approver), seen=Seen(change.pk, change.version, DIGEST))

    assert list(inbox.list_waiting_for(approver)) == [change]


def test_list_changes__annotations__count_what_a_row_shows(author: User, approver: User) -> None:
    routes = [make_route(make_cluster(slug)) for slug in ("eu-west", "us-east")]
    change = in_review(author, routes, needed=2)
    approve_change(actor=as_actor(approver), change_id=change.pk, version=change.version, digest=DIGEST)

    row = vars(selectors.list_changes(approver).get())

    shown = {name: row[name] for name in ("target_count", "service", "approvals", "step_count")}
    assert shown == {"target_count": 2, "service": "checkout", "approvals": 1, "step_count": 0}


def test_list_related__open_only_and_in_scope(author: User, person: Callable[..., User]) -> None:
    route = make_route(make_cluster())
    mine, other = make_change(author, [route]), make_change(author, [route], title="Other")
    in_state(make_change(author, [route], title="Over"), State.REJECTED)
    maria = person("maria", ["viewer"], scope={"environment": ["production"]})

    assert selectors.list_related(author, mine) == [other]
    assert selectors.list_related(maria, mine) == []


def test_timeline_of__change__newest_first(author: User) -> None:
    change = in_review(author, [make_route(make_cluster())])

    events = selectors.timeline_of(change)

    assert [event.action for event in events] == ["traffic.change.proposed"]


def test_recent_activity__only_moves_in_scope(author: User, person: Callable[..., User]) -> None:
    change = make_change(author, [make_route(make_cluster())])
    maria = person("maria", ["viewer"], scope={"environment": ["production"]})

    assert [event.change_number for event in selectors.recent_activity(Sight(Held(author)).changes(), 5)] == [
        change.number
    ]
    assert selectors.recent_activity(Sight(Held(maria)).changes(), 5) == []
    assert selectors.recent_activity(Sight(Held(author), "nowhere").changes(), 5) == []


def test_names_of__ids__display_names(author: User) -> None:
    assert selectors.names_of({str(author.pk), ""}) == {str(author.pk): "Author"}
