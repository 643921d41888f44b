"""The log and the evidence of a change: which lines, under which numbers, what an auditor can take away."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from zeal import zeal_ignore

from audit.selectors import linked, list_events
from playground import worlds
from tests.people import as_actor, make_person
from tests.traffic.conftest import weights
from tests.traffic.factories import DIGEST, in_review, in_state, make_cluster, make_route
from traffic import selectors
from traffic.services.approve import approve_change
from traffic.types import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.test import Client

    from accounts.models import User
    from playground.cluster import EmulatedCluster
    from tests.traffic.conftest import Way
    from traffic.models import Change

HTMX: Final = {"HX-Request": "true", "HX-Request-Type": "partial"}


@pytest.fixture(autouse=True)
def several_requests() -> Iterator[None]:
    """A test makes rows and asks several times: not the N+1 that zeal looks for. Queries are counted below."""
    with zeal_ignore():
        yield


@pytest.fixture
def applied(way: Callable[..., Way], emulate: Callable[..., EmulatedCluster]) -> Change:
    """A change that was applied on two clusters."""
    clusters = [emulate(name, worlds.eu_west()) for name in ("eu-north", "eu-west")]
    change = way(*clusters).to_applied(75, 25)
    assert [weights(cluster) for cluster in clusters] == [[75, 25], [75, 25]]
    return change


def numbers(client: Client, change: Change, query: str = "") -> list[int]:
    """The lines that the page shows."""
    return [line.number for line in client.get(f"/changes/{change.number}/log/{query}").context["lines"]]


def test_log__applied_on_two__each_step_of_the_machine_once_in_order(
    client: Client, applied: Change, viewer: User
) -> None:
    client.force_login(viewer)

    found = numbers(client, applied)

    events = list(list_events(change_id=str(applied.pk)).order_by("seq"))
    steps = [event.seq for event in events if event.object_kind == "step"]
    assert found == sorted(set(found))
    assert set(steps) <= set(found)
    assert len(steps) >= 4
    assert {event.action for event in events if event.seq not in found} <= {
        "traffic.change.proposed",
        "traffic.change.plan_started",
        "traffic.change.planned",
        "traffic.change.submitted",
        "traffic.vote.cast",
        "traffic.change.approved",
    }


def test_log__after_a_line__what_comes_behind_it_and_no_more(client: Client, applied: Change, viewer: User) -> None:
    client.force_login(viewer)
    everything = numbers(client, applied)

    for at in (0, 2, len(everything) - 1):
        assert numbers(client, applied, f"?after={everything[at]}") == everything[at + 1 :]
    for nonsense in ("x", "-1", "9" * 40, "²"):
        assert numbers(client, applied, f"?after={nonsense}") == everything


def test_log__one_cluster__its_steps_and_the_moves_of_the_whole(client: Client, applied: Change, viewer: User) -> None:
    client.force_login(viewer)

    lines = client.get(f"/changes/{applied.number}/log/?cluster=eu-north").context["lines"]

    assert {line.cluster for line in lines} == {"", "eu-north"}


def test_log__file__the_same_lines(client: Client, applied: Change, viewer: User) -> None:
    client.force_login(viewer)

    answer = client.get(f"/changes/{applied.number}/log/text/")

    assert answer["Content-Type"] == "application/octet-stream"
    assert "attachment" in answer["Content-Disposition"]
    lines = answer.content.decode().splitlines()[1:]
    assert [int(line.split(" UTC ")[1].split(" ")[0]) for line in lines] == numbers(client, applied)


@pytest.mark.django_db
def test_log__nothing_new_in_a_run_that_goes_on__204_and_over__says_so(
    client: Client, author: User, viewer: User
) -> None:
    change = in_review(author, [make_route(make_cluster())])
    client.force_login(viewer)
    url = f"/changes/{change.number}/log/"

    with CaptureQueriesContext(connection) as asked:
        waiting = client.get(url, headers=HTMX)
    in_state(change, State.CANCELLED)
    over = client.get(url, headers=HTMX)

    assert waiting.status_code == 204
    assert len(asked) <= 6
    assert "nothing was ever begun" in over.content.decode()
    assert "hx-trigger" not in over.content.decode()


def test_evidence__applied__plan_votes_levels_and_events_that_give_their_hashes(
    client: Client, applied: Change, viewer: User
) -> None:
    client.force_login(viewer)
    assert applied.current_plan is not None

    text = client.get(f"/changes/{applied.number}/evidence/").content.decode()

    assert text.count(applied.current_plan.digest) == 2  # of the plan, and of the vote that is bound to it
    assert "Wrote this change: cannot decide on it" in text
    assert "Level L" in text
    assert "Its text does not give its hash" not in text
    assert "/audit/" not in text[text.index("<main") :]


def test_evidence__auditor__links_into_the_log(client: Client, applied: Change) -> None:
    client.force_login(make_person("aud", ["auditor"]))

    page = client.get(f"/changes/{applied.number}/evidence/")

    first = page.context["events"][0][0].seq
    assert f'href="/audit/{first}/"' in page.content.decode()


def test_evidence__file__whole_digests_hashes_and_times(client: Client, applied: Change, viewer: User) -> None:
    client.force_login(viewer)

    answer = client.get(f"/changes/{applied.number}/evidence/json/")
    pack: dict[str, Any] = json.loads(answer.content)

    assert answer["Content-Type"] == "application/octet-stream"
    assert applied.current_plan is not None
    assert pack["plan"]["digest"] == applied.current_plan.digest
    assert [vote["digest"] for vote in pack["votes"]] == [applied.current_plan.digest]
    assert [event["seq"] for event in pack["events"]] == [row.seq for row in selectors.events_of(applied)]
    assert all(event["is_linked"] and len(event["hash"]) == 64 for event in pack["events"])
    assert {target["cluster"]: target["rules"][0]["after_bp"] for target in pack["targets"]} == {
        slug: {"v1": 7500, "v2": 2500} for slug in ("eu-north", "eu-west")
    }
    assert pack["could_not_vote"] == [{"person": "Author", "why": "Wrote this change: cannot decide on it"}]
    assert len(pack["verification"]) == 2


@pytest.mark.django_db
def test_evidence__void_vote__told_with_its_cause(client: Client, author: User, approver: User, viewer: User) -> None:
    change = in_review(author, [make_route(make_cluster())], needed=2)
    vote = approve_change(actor=as_actor(approver), change_id=change.pk, version=change.version, digest=DIGEST)
    type(vote).objects.update(voided_at=vote.created_at, void_cause="It was edited.")
    client.force_login(viewer)

    text = client.get(f"/changes/{change.number}/evidence/").content.decode()
    pack = json.loads(client.get(f"/changes/{change.number}/evidence/json/").content)

    assert "It was edited." in text
    assert (pack["votes"][0]["stands_as"], pack["votes"][0]["note"]) == ("voided", "It was edited.")


@pytest.mark.django_db
def test_evidence__two_and_twenty_targets__same_queries(client: Client, author: User, viewer: User) -> None:
    routes = [make_route(make_cluster(f"c-{number}")) for number in range(20)]
    changes = in_review(author, routes[:2]), in_review(author, routes)
    client.force_login(viewer)
    asked = []

    for change in changes:
        with CaptureQueriesContext(connection) as captured:
            client.get(f"/changes/{change.number}/evidence/")
        asked.append(len(captured))

    assert asked[0] == asked[1] <= 20


@pytest.mark.django_db
@pytest.mark.parametrize("part", ["log/", "log/text/", "evidence/", "evidence/json/"])
def test_log_and_evidence__out_of_scope__404(client: Client, author: User, part: str) -> None:
    change = in_review(author, [make_route(make_cluster())])
    client.force_login(make_person("maria", ["viewer"], scope={"environment": ["production"]}))

    assert client.get(f"/changes/{change.number}/{part}").status_code == 404


@pytest.mark.django_db
def test_linked__nothing_or_missing__no_answer_for_it(author: User) -> None:
    first = list_events().order_by("seq")[0].seq

    assert linked([]) == {}
    assert set(linked([first, 10**9])) == {first}
