"""/api/v1/changes/: reading changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from zeal import zeal_ignore

from meshui.lib.clock import now
from tests.api_client import Api
from tests.people import as_actor
from tests.traffic.factories import (
    DIGEST,
    in_review,
    in_state,
    make_change,
    make_cluster,
    make_route,
    many_changes,
)
from traffic.models import Rollout, TargetStep, Vote
from traffic.services.approve import approve_change
from traffic.types import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from django.test import Client

    from accounts.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def several_requests() -> Iterator[None]:
    """A test makes rows and asks several times: not the N+1 that zeal looks for."""
    with zeal_ignore():
        yield


def test_list__newest_first__pages_each_once(client: Client, author: User, viewer: User) -> None:
    changes = many_changes(author, make_route(make_cluster()), 5)

    found = Api(client, viewer).walk("changes/?limit=2")

    assert [item["number"] for item in found] == sorted((change.number for change in changes), reverse=True)
    assert found[0]["title"] == "Change 4"
    assert found[0]["etag"] == f'"{changes[4].version}-{changes[4].current_plan.digest}"'  # type: ignore[union-attr]  # it has one


@pytest.mark.parametrize(("state", "count"), [("draft", 1), ("in_review", 1), ("open", 2), ("ended", 0), ("", 2)])
def test_list__state__narrows(client: Client, author: User, state: str, count: int) -> None:
    route = make_route(make_cluster())
    in_review(author, [route])
    make_change(author, [route], title="Another")

    assert len(Api(client, author).get(f"changes/?state={state}")["items"]) == count


def test_list__state_that_is_none__400(client: Client, viewer: User) -> None:
    assert list(Api(client, viewer).get("changes/?state=lost", 400)["errors"]) == ["state"]


def test_detail__in_review__targets_plan_findings_and_votes(client: Client, author: User, approver: User) -> None:
    finding = {"id": "TRF001", "severity": "warn", "where": "rules", "message": "Look.", "targets": ["eu-west"]}
    change = in_review(author, [make_route(make_cluster())], needed=2, findings=[finding])
    approve_change(actor=as_actor(approver), change_id=change.pk, version=change.version, digest=DIGEST, comment="Yes")
    api = Api(client, author)

    found = api.get(f"changes/{change.number}/")

    assert (found["state"], found["etag"]) == ("in_review", f'"{change.version}-{DIGEST}"')
    assert [(target["cluster"], target["action"]) for target in found["targets"]] == [("eu-west", "set")]
    assert found["plan"]["digest"] == DIGEST
    assert found["plan"]["findings"] == [finding]
    assert found["plan"]["rules"] == [{"name": "approvals", "n": 2}]
    (target,) = found["plan"]["targets"]
    assert [item["weight_bp"] for item in target["before"][0]["backends"]] == [9000, 1000]
    assert [item["weight_bp"] for item in target["after"][0]["backends"]] == [7500, 2500]
    assert found["desired"] == target["after"]
    assert [(vote["voter"], vote["decision"], vote["comment"]) for vote in found["votes"]] == [
        (str(approver), "approve", "Yes")
    ]


def test_detail__before_the_first_plan__etag_ends_with_a_dash(client: Client, author: User) -> None:
    change = make_change(author, [make_route(make_cluster())])

    answer = Api(client, author).client.get(f"/api/v1/changes/{change.number}/")

    assert answer["ETag"] == '"1-"'
    assert answer.json()["plan"] is None


def test_detail__running__its_steps(client: Client, author: User) -> None:
    change = in_review(author, [make_route(make_cluster())])
    plan = change.current_plan
    assert plan is not None
    run = Rollout.objects.create(
        change=change, plan=plan, executor_name="author", executor_id=str(author.pk), created_at=now()
    )
    target = plan.targets.get()
    TargetStep.objects.create(
        change=change, rollout=run, plan_target=target, cluster=target.cluster, state="written", state_changed_at=now()
    )
    in_state(change, State.APPLYING)

    (step,) = Api(client, author).get(f"changes/{change.number}/")["steps"]

    assert (step["cluster"], step["direction"], step["name"], step["state"]) == (
        "eu-west",
        "apply",
        "checkout",
        "written",
    )


@pytest.mark.parametrize("given", ['"{etag}"', 'W/"{etag}"', '"other", "{etag}"', "*"])
def test_detail__same_etag__304_without_a_body(client: Client, author: User, given: str) -> None:
    change = in_review(author, [make_route(make_cluster())])
    client.force_login(author)

    answer = client.get(
        f"/api/v1/changes/{change.number}/",
        headers={"If-None-Match": given.replace("{etag}", f"{change.version}-{DIGEST}")},
    )

    assert (answer.status_code, answer.content) == (304, b"")
    assert answer["ETag"] == f'"{change.version}-{DIGEST}"'


def test_detail__other_etag__200(client: Client, author: User) -> None:
    change = in_review(author, [make_route(make_cluster())])

    Api(client, author).get(f"changes/{change.number}/", If_None_Match=f'"{change.version + 1}-{DIGEST}"')


def test_detail__one_vote_of_two_or_running__never_304(client: Client, author: User, approver: User) -> None:
    change = in_review(author, [make_route(make_cluster())], needed=2)
    approve_change(actor=as_actor(approver), change_id=change.pk, version=change.version, digest=DIGEST)
    api, etag = Api(client, author), f'"{change.version}-{DIGEST}"'

    voted = api.get(f"changes/{change.number}/", If_None_Match=etag)
    in_state(change, State.APPLYING)
    running = api.get(f"changes/{change.number}/", If_None_Match=etag)

    assert Vote.objects.count() == len(voted["votes"]) == 1
    assert running["state"] == "applying"


def test_changes__other_scope__as_if_they_were_not_there(
    client: Client, author: User, person: Callable[..., User]
) -> None:
    change = in_review(author, [make_route(make_cluster())])
    api = Api(client, person("maria", ["viewer"], scope={"environment": ["production"]}))

    hidden, missing = api.get(f"changes/{change.number}/", 404), api.get("changes/99999/", 404)

    assert api.get("changes/")["items"] == []
    assert hidden | {"instance": ""} == missing | {"instance": ""}


@pytest.mark.parametrize("count", [1, 8])
def test_list_and_detail__any_number_of_rows__same_queries(
    client: Client, author: User, count: int, count_queries: Callable[[str], AbstractContextManager[None]]
) -> None:
    routes = [make_route(make_cluster(f"eu-{number}")) for number in range(count)]
    many_changes(author, routes[0], count - 1)
    change = in_review(author, routes)
    api = Api(client, author)
    api.get("changes/")

    with count_queries("api-changes"):
        assert len(api.get("changes/")["items"]) == count
    with count_queries("api-change"):
        assert len(api.get(f"changes/{change.number}/")["targets"]) == count
