"""The verbs on a change, over HTTP: what they carry, what they answer, what is kept."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from zeal import zeal_ignore

from tests.people import as_actor
from tests.traffic.factories import DIGEST, in_review, in_state, make_change, make_cluster, make_plan, make_route
from traffic.models import Change, Vote
from traffic.services.approve import approve_change
from traffic.types import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.http import HttpResponse
    from django.test import Client

    from accounts.models import User

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true", "HX-Request-Type": "partial"}

WITH_DIGEST = ("approve", "deny", "revoke", "submit", "start", "pause", "resume", "roll-back")


@pytest.fixture(autouse=True)
def several_requests() -> Iterator[None]:
    """A test makes rows and asks several times: not the N+1 that zeal looks for."""
    with zeal_ignore():
        yield


def seen(change: Change, **more: Any) -> dict[str, Any]:
    """What the form of the page carries."""
    return {"version": change.version, "digest": DIGEST, **more}


def post(client: Client, change: Change, verb: str, data: dict[str, Any], *, htmx: bool = False) -> HttpResponse:
    """POST /changes/<n>/<verb>/."""
    return client.post(f"/changes/{change.number}/{verb}/", data, headers=HTMX if htmx else {})  # type: ignore[return-value]


def test_approve__exact_plan__303_and_the_vote_stands(client: Client, author: User, approver: User) -> None:
    change = in_review(author, [make_route(make_cluster())])
    client.force_login(approver)

    answer = post(client, change, "approve", seen(change, comment="Fine."))

    assert answer.status_code == 303
    assert answer["Location"] == f"/changes/{change.number}/"
    assert Vote.objects.get().comment == "Fine."
    change.refresh_from_db()
    assert change.state == State.APPROVED


def test_approve__htmx__204_with_redirect(client: Client, author: User, approver: User) -> None:
    change = in_review(author, [make_route(make_cluster())])
    client.force_login(approver)

    answer = post(client, change, "approve", seen(change), htmx=True)

    assert answer.status_code == 204
    assert answer["HX-Redirect"] == f"/changes/{change.number}/"


@pytest.mark.parametrize("htmx", [True, False])
@pytest.mark.parametrize("stale", [{"version": 1, "digest": DIGEST}, {"digest": "a" * 64}], ids=["version", "digest"])
def test_approve__stale__412_with_the_new_card_and_the_comment(
    client: Client, author: User, approver: User, stale: dict[str, Any], *, htmx: bool
) -> None:
    change = in_review(author, [make_route(make_cluster())])
    change = in_state(change, State.IN_REVIEW, version=7)
    client.force_login(approver)

    answer = post(client, change, "approve", seen(change, comment="Watch eu-west") | stale, htmx=htmx)

    text = answer.content.decode()
    assert answer.status_code == 412
    assert "Watch eu-west</textarea>" in text
    assert 'id="diff"' in text  # nobody decides on a new plan beside the old one's diff
    assert 'name="version" value="7"' in text
    assert f'name="digest" value="{DIGEST}"' in text
    assert "Nothing was changed." in text
    assert ("<html" in text) is not htmx
    assert not Vote.objects.exists()


@pytest.mark.parametrize("verb", WITH_DIGEST)
@pytest.mark.parametrize("missing", ["version", "digest"])
def test_verb__without_version_or_digest__428(
    client: Client, author: User, approver: User, verb: str, missing: str
) -> None:
    change = in_review(author, [make_route(make_cluster())])
    client.force_login(approver)
    data = {name: value for name, value in seen(change, comment="x").items() if name != missing}

    answer = post(client, change, verb, data)

    assert answer.status_code == 428
    assert not Vote.objects.exists()


def test_plan__without_version__428(client: Client, author: User) -> None:
    change = make_change(author, [make_route(make_cluster())])
    client.force_login(author)

    assert post(client, change, "plan", {}).status_code == 428


def test_approve__by_the_author__403_and_no_vote(client: Client, author: User) -> None:
    change = in_review(author, [make_route(make_cluster())])
    client.force_login(author)

    answer = post(client, change, "approve", seen(change), htmx=True)

    assert answer.status_code == 403
    assert "You wrote this change" in answer.content.decode()
    assert not Vote.objects.exists()


@pytest.mark.parametrize("verb", ["plan", "submit", "approve", "start", "pause", "resume", "roll-back"])
def test_verb__viewer__refused_nothing_moves(client: Client, author: User, viewer: User, verb: str) -> None:
    change = in_review(author, [make_route(make_cluster())])
    client.force_login(viewer)

    answer = post(client, change, verb, seen(change))

    assert answer.status_code == 403
    change.refresh_from_db()
    assert change.state == State.IN_REVIEW


@pytest.mark.parametrize(
    "verb", ["plan", "submit", "approve", "deny", "revoke", "start", "pause", "resume", "roll-back"]
)
def test_verb__out_of_scope__404(client: Client, author: User, person: Callable[..., User], verb: str) -> None:
    change = in_review(author, [make_route(make_cluster())])
    client.force_login(person("maria", ["approver", "executor", "author"], scope={"environment": ["production"]}))

    there = post(client, change, verb, seen(change, comment="x"))
    missing = client.post(f"/changes/99999/{verb}/", seen(change, comment="x"))

    assert there.status_code == missing.status_code == 404


def test_deny__without_comment__422_asks_for_it(client: Client, author: User, approver: User) -> None:
    change = in_review(author, [make_route(make_cluster())])
    client.force_login(approver)

    answer = post(client, change, "deny", seen(change, comment=" "), htmx=True)

    assert answer.status_code == 422
    assert "Say why you reject it" in answer.content.decode()


def test_deny__with_comment__rejected(client: Client, author: User, approver: User) -> None:
    change = in_review(author, [make_route(make_cluster())])
    client.force_login(approver)

    answer = post(client, change, "deny", seen(change, comment="Not on a Friday."))

    assert answer.status_code == 303
    change.refresh_from_db()
    assert (change.state, change.state_cause) == (State.REJECTED, "Not on a Friday.")


def test_approve__change_is_gone_on__409(client: Client, author: User, approver: User) -> None:
    change = in_review(author, [make_route(make_cluster())])
    change = in_state(change, State.APPLIED)
    client.force_login(approver)

    assert post(client, change, "approve", seen(change)).status_code == 409


def test_revoke__own_approval__in_review_again(client: Client, author: User, approver: User) -> None:
    change = in_review(author, [make_route(make_cluster())])
    approve_change(actor=as_actor(approver), change_id=change.pk, version=change.version, digest=DIGEST)
    change.refresh_from_db()
    client.force_login(approver)

    answer = post(client, change, "revoke", seen(change))

    assert answer.status_code == 303
    change.refresh_from_db()
    assert change.state == State.IN_REVIEW


def test_submit__sound_plan__waits_for_approval(client: Client, author: User) -> None:
    change = make_change(author, [make_route(make_cluster())])
    make_plan(change)
    client.force_login(author)

    answer = post(client, change, "submit", seen(change))

    assert answer.status_code == 303
    change.refresh_from_db()
    assert change.state == State.IN_REVIEW


def test_plan__again__planning(client: Client, author: User) -> None:
    change = make_change(author, [make_route(make_cluster())])
    client.force_login(author)

    assert post(client, change, "plan", {"version": change.version}).status_code == 303
    change.refresh_from_db()
    assert change.state == State.PLANNING


def test_start__approved__queued(client: Client, author: User, approver: User) -> None:
    change = in_review(author, [make_route(make_cluster())])
    approve_change(actor=as_actor(approver), change_id=change.pk, version=change.version, digest=DIGEST)
    change.refresh_from_db()
    client.force_login(author)

    assert post(client, change, "start", seen(change)).status_code == 303
    change.refresh_from_db()
    assert change.state == State.QUEUED


def test_pause_resume_roll_back__running__each_moves(client: Client, author: User) -> None:
    change = in_review(author, [make_route(make_cluster())])
    client.force_login(author)
    states = []
    change = in_state(change, State.APPLYING)

    for verb in ("pause", "resume", "roll-back"):
        assert post(client, change, verb, seen(change, reason="by hand")).status_code == 303
        change.refresh_from_db()
        states.append(change.state)

    assert states == [State.PAUSED, State.APPLYING, State.ROLLING_BACK]


def test_roll_back__applied__goes_to_the_restoring_change(client: Client, author: User) -> None:
    change = in_state(in_review(author, [make_route(make_cluster())]), State.APPLIED)
    client.force_login(author)

    answer = post(client, change, "roll-back", seen(change))

    restoring = Change.objects.get(kind="rollback")
    assert answer["Location"] == f"/changes/{restoring.number}/"
    assert restoring.restores_id == change.pk


def test_roll_back__page__asks_first_and_names_objects_clusters_and_effect(client: Client, author: User) -> None:
    routes = [make_route(make_cluster(slug)) for slug in ("eu-west", "us-east")]
    change = in_state(in_review(author, routes), State.APPLIED)
    client.force_login(author)

    text = client.get(f"/changes/{change.number}/").content.decode()

    opener, dialog = re.findall(r'popovertarget="ask-roll-back"\s+data-dialog|<dialog.*?</dialog>', text, re.DOTALL)[:2]
    assert "data-dialog" in opener
    assert f"Roll back #{change.number}?" in dialog
    assert all(f"VirtualService shop/checkout · <b>{slug}</b>" in dialog for slug in ("eu-west", "us-east"))
    assert "Roll back restores v1 90" in dialog
    assert 'type="submit">Roll back</button>' in dialog


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("/changes/", ["no approval needed: it restores"]),
        ("/changes/{}/", ["not needed: it restores", "It restores what was recorded before another change."]),
        ("/changes/{}/evidence/", ["no approval needed: it restores"]),
    ],
)
def test_restoring_change__nobody_was_asked__no_page_counts_approvals(
    client: Client, author: User, url: str, words: list[str]
) -> None:
    change = in_review(author, [make_route(make_cluster())])
    client.force_login(author)
    asked = in_state(change, State.APPLIED, kind="rollback")
    assert not any(each in client.get(url.format(asked.number)).content.decode() for each in words)

    restoring = in_state(asked, State.APPLIED, submitted_at=None)
    text = client.get(url.format(restoring.number)).content.decode()

    assert all(each in text for each in words)
    assert not re.search(r"of 1 approvals|1 needed|one is enough|1 approval\b", text)


def test_approve__refused__stands_in_the_timeline(client: Client, author: User) -> None:
    change = in_review(author, [make_route(make_cluster())])
    client.force_login(author)

    post(client, change, "approve", seen(change))

    text = client.get(f"/changes/{change.number}/").content.decode()
    assert "tried to approve it and was refused" in text


def test_verb__get__not_allowed(client: Client, author: User) -> None:
    change = in_review(author, [make_route(make_cluster())])
    client.force_login(author)

    assert client.get(f"/changes/{change.number}/approve/").status_code == 405


def test_verb__signed_out__to_sign_in(client: Client, author: User) -> None:
    change = in_review(author, [make_route(make_cluster())])

    answer = post(client, change, "approve", seen(change))

    assert answer.status_code == 302
    assert "/sign-in/" in answer["Location"]
