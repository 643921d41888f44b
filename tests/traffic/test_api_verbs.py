"""/api/v1/changes/<n>/<verb>/: each is about the ETag that was read, and refuses as the pages do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from zeal import zeal_ignore

from audit.selectors import list_events
from tests.api_client import Api
from tests.people import as_actor
from tests.traffic.factories import DIGEST, in_review, in_state, make_change, make_cluster, make_plan, make_route
from traffic.api import VERBS
from traffic.models import Change, IdempotencyKey, Vote
from traffic.services.approve import approve_change
from traffic.types import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.test import Client

    from accounts.models import User

pytestmark = pytest.mark.django_db
EVERYTHING = ["author", "approver", "executor", "responder"]


@pytest.fixture(autouse=True)
def several_requests() -> Iterator[None]:
    """A test makes rows and asks several times: not the N+1 that zeal looks for."""
    with zeal_ignore():
        yield


def etag(change: Change) -> str:
    """As the change answers it while its first plan is in force."""
    return f'"{change.version}-{DIGEST}"'


def post(api: Api, change: Change, verb: str, body: Any = None, **headers: str) -> Any:
    """POST the verb, by default about the change as it is."""
    return api.post(f"changes/{change.number}/{verb}/", body, **{"If_Match": etag(change)} | headers)


def approved(author: User, approver: User) -> Change:
    """Approved by somebody else."""
    change = in_review(author, [make_route(make_cluster())])
    approve_change(actor=as_actor(approver), change_id=change.pk, version=change.version, digest=DIGEST)
    return Change.objects.select_related("current_plan").get(pk=change.pk)


def test_approve__plan_that_was_read__counts_and_answers_the_new_etag(
    client: Client, author: User, approver: User
) -> None:
    change = in_review(author, [make_route(make_cluster())])

    answer = post(Api(client, approver), change, "approve", {"comment": "Fine."})

    assert answer.status_code == 200
    assert answer["ETag"] == f'"{change.version + 1}-{DIGEST}"'
    assert (answer.json()["state"], answer.json()["etag"]) == ("approved", answer["ETag"])
    assert Vote.objects.get().comment == "Fine."
    cast = list_events(action="traffic.vote.cast").get()
    assert (cast.origin, cast.actor_name) == ("api", approver.username)


def test_approve__again_with_the_old_etag__first_result(client: Client, author: User, approver: User) -> None:
    change = in_review(author, [make_route(make_cluster())])
    api = Api(client, approver)

    first, second = post(api, change, "approve"), post(api, change, "approve")

    assert (first.status_code, second.status_code) == (200, 200)
    assert first["ETag"] == second["ETag"]
    assert Vote.objects.count() == 1


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("given", ["", "*"])
def test_verb__without_if_match__428_and_nothing_moves(
    client: Client, author: User, person: Callable[..., User], verb: str, given: str
) -> None:
    change = in_review(author, [make_route(make_cluster())])
    api = Api(client, person("maria", EVERYTHING))

    answer = api.client.post(
        f"/api/v1/changes/{change.number}/{verb}/",
        "{}",
        content_type="application/json",
        headers={"If-Match": given} if given else {},
    )

    assert answer.status_code == 428
    assert answer["Content-Type"] == "application/problem+json"
    change.refresh_from_db()
    assert (change.state, change.version) == (State.IN_REVIEW, 1)


@pytest.mark.parametrize("verb", VERBS)
def test_verb__older_version__refusal_is_recorded(
    client: Client, author: User, person: Callable[..., User], verb: str
) -> None:
    change = in_state(in_review(author, [make_route(make_cluster())]), State.IN_REVIEW, version=7)
    api = Api(client, person("maria", EVERYTHING))

    post(api, change, verb, If_Match=f'"6-{"a" * 64}"')

    denied = list_events(outcome="denied").get()
    assert (denied.object_name, denied.origin, denied.actor_name) == (str(change), "api", "maria")


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    "stale", ['"6-{digest}"', '"7-' + "a" * 64 + '"', '"7-"', '"x"', 'W/"7-{digest}"'], ids=list("vdnow")
)
def test_verb__stale__412_and_nothing_moves(
    client: Client, author: User, person: Callable[..., User], verb: str, stale: str
) -> None:
    change = in_state(in_review(author, [make_route(make_cluster())]), State.IN_REVIEW, version=7)
    api = Api(client, person("maria", EVERYTHING))

    answer = post(api, change, verb, {"comment": "x"} if verb == "deny" else {}, If_Match=stale.format(digest=DIGEST))

    assert answer.status_code == 412, answer.content
    assert answer.json()["mend"] == "Read the change again and send its ETag as If-Match."
    change.refresh_from_db()
    assert (change.state, change.version) == (State.IN_REVIEW, 7)
    assert not Vote.objects.exists()


def test_verb__if_match_without_quotes__400(client: Client, author: User) -> None:
    change = in_review(author, [make_route(make_cluster())])

    assert post(Api(client, author), change, "cancel", If_Match="1-abc").status_code == 400


def test_verb__several_etags_with_the_right_one__is_done(client: Client, author: User) -> None:
    change = in_review(author, [make_route(make_cluster())])

    answer = post(Api(client, author), change, "cancel", If_Match=f'"0", "9-{DIGEST}", {etag(change)}')

    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")


@pytest.mark.parametrize("verb", VERBS)
def test_verb__state_is_gone__409(client: Client, author: User, person: Callable[..., User], verb: str) -> None:
    change = in_state(in_review(author, [make_route(make_cluster())]), State.REJECTED)
    api = Api(client, person("maria", EVERYTHING))

    answer = post(api, change, verb, {"deny": {"comment": "x"}, "accept-partial": {"reason": "x"}}.get(verb))

    assert answer.status_code == 409, answer.content
    assert answer.json()["type"] == "urn:meshui:problem:gone"


@pytest.mark.parametrize("verb", VERBS)
def test_verb__viewer__403_and_nothing_moves(client: Client, author: User, viewer: User, verb: str) -> None:
    change = in_review(author, [make_route(make_cluster())])

    answer = post(Api(client, viewer), change, verb)

    assert answer.status_code == 403, answer.content
    change.refresh_from_db()
    assert (change.state, change.version) == (State.IN_REVIEW, 1)


@pytest.mark.parametrize("verb", VERBS)
def test_verb__out_of_scope__404_as_if_missing(
    client: Client, author: User, person: Callable[..., User], verb: str
) -> None:
    change = in_review(author, [make_route(make_cluster())])
    api = Api(client, person("maria", EVERYTHING, scope={"environment": ["production"]}))

    hidden = api.client.post(f"/api/v1/changes/{change.number}/{verb}/", "{}", content_type="application/json")
    missing = api.client.post(f"/api/v1/changes/99999/{verb}/", "{}", content_type="application/json")

    assert hidden.status_code == missing.status_code == 404
    assert hidden.json() | {"instance": ""} == missing.json() | {"instance": ""}


def test_approve__by_the_author__403_and_recorded(client: Client, author: User) -> None:
    change = in_review(author, [make_route(make_cluster())])

    answer = post(Api(client, author), change, "approve")

    assert answer.status_code == 403
    assert "You wrote this change" in answer.json()["detail"]
    assert list_events(action="traffic.vote.cast", outcome="denied").get().origin == "api"


def test_draft__planned_and_submitted__waits_for_approval(client: Client, author: User) -> None:
    change = make_change(author, [make_route(make_cluster())])
    api = Api(client, author)

    planning = api.post(f"changes/{change.number}/plan/", If_Match='"1-"')
    assert (planning.status_code, planning.json()["state"]) == (200, "planning")
    in_state(change, State.DRAFT)
    make_plan(change)
    answer = post(api, change, "submit")

    assert (answer.status_code, answer.json()["state"]) == (200, "in_review")


def test_submit__before_the_first_plan__409(client: Client, author: User) -> None:
    change = make_change(author, [make_route(make_cluster())])

    answer = Api(client, author).post(f"changes/{change.number}/submit/", If_Match='"1-"')

    assert (answer.status_code, answer.json()["mend"]) == (409, "Plan it first.")


def test_deny__without_comment__422(client: Client, author: User, approver: User) -> None:
    change = in_review(author, [make_route(make_cluster())])
    api = Api(client, approver)

    assert post(api, change, "deny").status_code == 422
    assert post(api, change, "deny", {"comment": "Not today."}).json()["state"] == "rejected"


@pytest.mark.parametrize("verb", ["approve", "deny"])
def test_vote__secret_in_the_comment__422_and_nothing_kept(
    client: Client, author: User, approver: User, verb: str
) -> None:
    change = in_review(author, [make_route(make_cluster())])

    answer = post(Api(client, approver), change, verb, {"comment": "Seen with Bearer canary-token-0123."})

    assert answer.status_code == 422
    assert "stands in the comment" in answer.json()["detail"]
    assert "canary" not in answer.content.decode()
    assert not Vote.objects.exists()


def test_revoke__own_approval__in_review_again(client: Client, author: User, approver: User) -> None:
    change = approved(author, approver)

    answer = post(Api(client, approver), change, "revoke", {"reason": "I misread it."})

    assert (answer.status_code, answer.json()["state"]) == (200, "in_review")


def test_start__approved__queued(client: Client, author: User, approver: User) -> None:
    change = approved(author, approver)

    answer = post(Api(client, author), change, "start")

    assert (answer.status_code, answer.json()["state"]) == (200, "queued")


def test_start__again_under_the_same_key__first_result(client: Client, author: User, approver: User) -> None:
    change = approved(author, approver)
    api = Api(client, author)

    first = post(api, change, "start", Idempotency_Key="k-1")
    second = post(api, change, "start", Idempotency_Key="k-1")
    other = post(api, change, "start", If_Match=first["ETag"], Idempotency_Key="k-1")

    assert (first.status_code, second.status_code, other.status_code) == (200, 200, 422)
    assert first["ETag"] == second["ETag"]
    assert IdempotencyKey.objects.get().number == change.number


def test_start__again_under_the_same_key_after_a_new_plan__first_result(
    client: Client, author: User, approver: User
) -> None:
    change = approved(author, approver)
    api = Api(client, author)
    read = etag(change)
    post(api, change, "start", Idempotency_Key="k-1")
    make_plan(change, digest="a" * 64)

    again = post(api, change, "start", If_Match=read, Idempotency_Key="k-1")
    without = post(api, change, "start", If_Match=read)

    assert (again.status_code, without.status_code) == (200, 412)


def test_start__refused__gives_the_key_back(client: Client, author: User, approver: User) -> None:
    change = in_review(author, [make_route(make_cluster())])
    api = Api(client, author)

    answer = post(api, change, "start", Idempotency_Key="k-1")

    assert answer.status_code == 409
    assert not IdempotencyKey.objects.exists()


@pytest.mark.parametrize("verb", VERBS)
def test_verb__unknown_field__422_by_name(client: Client, author: User, verb: str) -> None:
    change = in_review(author, [make_route(make_cluster())])

    answer = post(Api(client, author), change, verb, {"colour": "red"})

    assert (answer.status_code, list(answer.json()["errors"])) == (422, ["colour"])


def test_pause_and_resume__running__holds_and_goes_on(client: Client, author: User, approver: User) -> None:
    change = approved(author, approver)
    api = Api(client, author)
    started = post(api, change, "start")
    change = in_state(change, State.APPLYING)

    paused = post(api, change, "pause", {"reason": "Wait."})
    stopped = post(api, change, "accept-partial", {"reason": "No."}, If_Match=paused["ETag"])
    resumed = post(api, change, "resume", If_Match=paused["ETag"])

    assert started.status_code == 200
    assert (paused.status_code, paused.json()["state"]) == (200, "paused")
    assert stopped.status_code in {403, 409, 422}
    assert resumed.status_code == 200, resumed.content


def test_roll_back__applied__201_and_the_change_that_restores(client: Client, author: User) -> None:
    change = in_state(in_review(author, [make_route(make_cluster())]), State.APPLIED, has_writes=True)

    answer = post(Api(client, author), change, "roll-back", {"reason": "Errors."})

    made = answer.json()
    assert answer.status_code == 201
    assert made["restores"] == change.number
    assert answer["Location"] == f"/api/v1/changes/{made['number']}/"
    assert answer["ETag"] == made["etag"] != etag(change)


@pytest.mark.parametrize(
    ("state", "verb", "after"),
    [
        (State.PAUSED, "accept-partial", "partial"),
        (State.PAUSED, "roll-back", "rolling_back"),
        (State.ROLLING_BACK, "recheck", "rolling_back"),
        (State.ROLLING_BACK, "accept-partial", "partial"),
    ],
)
def test_verb__of_a_run_that_has_written__moves_it(
    client: Client, author: User, approver: User, state: State, verb: str, after: str
) -> None:
    api = Api(client, author)
    change = approved(author, approver)
    post(api, change, "start")
    change = in_state(change, state, has_writes=True)

    answer = post(api, change, verb, {} if verb == "recheck" else {"reason": "It is well."})

    assert (answer.status_code, answer.json()["state"]) == (200, after)
