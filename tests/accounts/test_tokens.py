"""S12: API tokens. A copied database opens nothing; what is over, revoked, leaked or its owner's no more is dead."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from zeal import zeal_ignore

from accounts import secrets as token_secrets
from accounts.models import Grant, Token, User
from accounts.services import grant_role
from accounts.tokens import FAILURES, NewToken, make_token, revoke_token
from accounts.types import TOKEN_VERBS, VERB_LABELS, Scope
from audit.selectors import list_events
from audit.types import SYSTEM
from meshui.lib import clock
from meshui.lib.errors import DeniedError, InvalidError, MissingError
from tests.people import as_actor, make_person
from tests.traffic.factories import in_state, make_change, make_cluster, make_plan, make_route
from traffic.models import Change
from traffic.services.approve import approve_change
from traffic.types import State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test import Client
    from pytest_django import Settings

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _many_requests(repeated_queries: None) -> Iterator[None]:
    """Several requests in one test: no loop that zeal looks for."""
    with zeal_ignore():
        yield


def made(owner: User, *verbs: str, **more: Any) -> tuple[Token, str]:
    """A token of `owner` and its text."""
    new = NewToken("pipeline", verbs, more.pop("lasts", timedelta(days=1)), **more)
    found = make_token(actor=as_actor(owner), new=new)
    return found.token, found.text


def ask(client: Client, text: str, at: str = "me/", **more: Any) -> Any:
    """The answer to GET with the token in the header."""
    return client.get(f"/api/v1/{at}", headers={"Authorization": f"Bearer {text}"}, **more)


def send(client: Client, text: str, at: str, body: Any, **headers: str) -> Any:
    """The answer to POST with the token in the header; no session, no CSRF token."""
    words = {"Authorization": f"Bearer {text}"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post(f"/api/v1/{at}", body, content_type="application/json", headers=words)


def test_token__header__is_its_owner_with_what_it_was_given(client: Client, author: User) -> None:
    token, text = made(author, "change.propose")

    answer = ask(client, text)

    assert answer.status_code == 200
    assert answer.json() == {
        "username": "author",
        "display_name": "Author",
        "time_zone": "UTC",
        "verbs": ["change.propose", "inventory.read"],
        "token": {
            "name": "pipeline",
            "key": token.key,
            "scope": {},
            "expires_at": answer.json()["token"]["expires_at"],
        },
    }
    assert "Set-Cookie" not in answer.headers


def test_s12_token__copied_database__opens_nothing(client: Client, author: User, settings: Settings) -> None:
    token, text = made(author)
    secret = text.rpartition(".")[2]
    row = Token.objects.filter(pk=token.pk).values().get()

    kept = " ".join(str(value) for value in row.values())
    assert secret not in kept
    for guess in (row["digest"], f"{row['digest']}{row['digest']}"[:43], secret[::-1]):
        assert ask(client, f"meshui_{token.key}.{guess}").status_code == 401
    settings.TOKEN_PEPPERS = ["another pepper"]
    assert ask(client, text).status_code == 401


def test_s12_token__pepper_rotated__old_ones_work_until_it_is_dropped(
    client: Client, author: User, settings: Settings
) -> None:
    _, old = made(author)
    settings.TOKEN_PEPPERS = ["new pepper", *settings.TOKEN_PEPPERS]
    _, new = made(author)

    assert [ask(client, each).status_code for each in (old, new)] == [200, 200]
    settings.TOKEN_PEPPERS = ["new pepper"]
    assert [ask(client, each).status_code for each in (old, new)] == [401, 200]


def test_s12_token__dead__refused_alike(client: Client, author: User) -> None:
    revoked, revoked_text = made(author)
    revoke_token(actor=as_actor(author), token_id=revoked.pk)
    over, over_text = made(author)
    Token.objects.filter(pk=over.pk).update(expires_at=clock.now() - timedelta(seconds=1))
    _, from_elsewhere = made(author, cidrs=["10.0.0.0/8"])
    unknown = token_secrets.mint().text

    answers = [ask(client, text) for text in (revoked_text, over_text, from_elsewhere, unknown, "meshui_x.y", "")]

    assert {answer.status_code for answer in answers} == {401}
    bodies = {answer.content.replace(answer.json()["instance"].encode(), b"") for answer in answers}
    assert len(bodies) == 1
    assert answers[0]["WWW-Authenticate"] == 'Bearer realm="MeshUI"'


def test_s12_token__owner_gone__dead_at_once(client: Client, author: User) -> None:
    _, text = made(author)
    assert ask(client, text).status_code == 200

    User.objects.filter(pk=author.pk).update(is_active=False)

    assert ask(client, text).status_code == 401


def test_s12_token__grant_taken__right_gone_at_once(client: Client) -> None:
    owner = make_person("owner", ["author"])
    make_cluster("eu-west")
    _, text = made(owner, "change.propose")
    assert len(ask(client, text, "clusters/").json()["items"]) == 1

    Grant.objects.filter(user=owner).delete()

    assert ask(client, text).json()["verbs"] == []
    assert ask(client, text, "clusters/").status_code == 403


def test_s12_token__narrow_scope__sees_and_does_nothing_beyond(client: Client, author: User) -> None:
    mine, other = make_route(make_cluster("eu-west")), make_route(make_cluster("us-east"))
    numbers = [make_change(author, [route]).number for route in (mine, other)]
    _, text = made(author, "change.cancel", scope={"cluster": ["eu-west"]})

    assert [item["slug"] for item in ask(client, text, "clusters/").json()["items"]] == ["eu-west"]
    assert [item["number"] for item in ask(client, text, "changes/").json()["items"]] == numbers[:1]
    assert ask(client, text, f"changes/{numbers[1]}/").status_code == 404
    assert send(client, text, f"changes/{numbers[1]}/cancel/", {"reason": "No."}, If_Match='"1-"').status_code == 404


def test_s12_token__verb_it_was_not_given__denied(client: Client, author: User) -> None:
    change = make_change(author, [make_route(make_cluster("eu-west"))])
    _, text = made(author, "change.propose")

    answer = send(client, text, f"changes/{change.number}/cancel/", {"reason": "No."}, If_Match=f'"{change.version}-"')

    assert answer.status_code == 403


def test_s12_token__may_never_vote__even_if_its_row_says_so(client: Client, author: User) -> None:
    owner = make_person("both", ["author", "approver"])
    change = make_change(author, [make_route(make_cluster("eu-west"))])
    plan = make_plan(change)
    token, text = made(owner)
    Token.objects.filter(pk=token.pk).update(verbs=["change.vote", "inventory.read"])
    change.state = "IN_REVIEW"
    change.save(update_fields=["state"])
    etag = f'"{change.version}-{plan.digest}"'

    answer = send(client, text, f"changes/{change.number}/approve/", {"comment": "Mine."}, If_Match=etag)

    assert answer.status_code == 403
    assert not change.votes.exists()
    with pytest.raises(InvalidError, match=r"change\.vote"):
        made(owner, "change.vote")


def test_s12_change__of_a_token__is_its_owners_who_cannot_vote_on_it(client: Client) -> None:
    owner = make_person("both", ["author", "approver"])
    make_route(make_cluster("eu-west"))
    token, text = made(owner, "change.propose")
    wanted = {"namespace": "shop", "name": "checkout", "clusters": ["eu-west"], "shares": {"v1": 7500, "v2": 2500}}

    answer = send(client, text, "changes/", {**wanted, "title": "Shift checkout", "reason": "The pipeline says so."})

    assert answer.status_code == 201, answer.content
    change = Change.objects.get(number=answer.json()["number"])
    plan = make_plan(change)
    in_state(change, State.IN_REVIEW)
    assert change.author == owner
    with pytest.raises(DeniedError, match="You wrote this change"):
        approve_change(
            actor=as_actor(owner), change_id=change.pk, version=change.version, digest=plan.digest, comment="Mine."
        )
    event = list_events(action="traffic.change.proposed")[0]
    assert (event.actor_kind, event.actor_name) == ("token", token.name)


def test_s12_token__in_an_address__refused_and_revoked(client: Client, author: User) -> None:
    token, text = made(author)

    for address in (f"/api/v1/me/?token={text}", f"/changes/?q={text.replace('_', '%5F')}", f"/services/{text}/"):
        answer = client.get(address)
        assert answer.status_code == 400
        assert text not in answer.content.decode()

    token.refresh_from_db()
    assert token.revoked_why == "It was sent in an address."
    assert ask(client, text).status_code == 401
    assert [event.action for event in list_events(action="accounts.token.revoked")] == ["accounts.token.revoked"]


def test_s12_token__guessed_secret_in_an_address__revokes_nothing(client: Client, author: User) -> None:
    token, text = made(author)

    assert client.get(f"/?t=meshui_{token.key}.{'A' * 43}").status_code == 400

    assert ask(client, text).status_code == 200


def test_s12_token__unknown_key__as_much_work_as_a_known_one(
    client: Client, author: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, _ = made(author)
    worked: list[str] = []
    digest = token_secrets._digest

    def counted(pepper: str, key: str, secret: str) -> str:
        worked.append(key)
        return digest(pepper, key, secret)

    monkeypatch.setattr(token_secrets, "_digest", counted)
    for key in (token.key, "A" * 12):
        ask(client, f"meshui_{key}.{'B' * 43}")

    assert worked == [token.key, "A" * 12]


def test_s12_token__flood_of_wrong_ones__held_off_for_that_address_alone(client: Client, author: User) -> None:
    _, text = made(author)
    wrong = [ask(client, token_secrets.mint().text).status_code for _ in range(FAILURES)]
    assert set(wrong) == {401}

    held = ask(client, text)
    assert (held.status_code, held["Retry-After"]) == (429, "60")
    assert ask(client, text, REMOTE_ADDR="192.0.2.9").status_code == 200
    clock.shift_for_tests(timedelta(seconds=61))
    assert ask(client, text).status_code == 200


def test_s12_token__used__noted_once_a_minute(client: Client, author: User) -> None:
    token, text = made(author)
    ask(client, text)
    token.refresh_from_db()
    first = token.last_used_at
    assert first is not None

    with CaptureQueriesContext(
        connection,
    ) as queries:
        ask(client, text)

    assert [query["sql"] for query in queries if not query["sql"].startswith("SELECT")] == []
    clock.shift_for_tests(timedelta(seconds=61))
    ask(client, text)
    token.refresh_from_db()
    assert token.last_used_at is not None
    assert token.last_used_at > first


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"lasts": timedelta(days=366)}, "a year at most"),
        ({"lasts": timedelta()}, "a year at most"),
        ({"cidrs": ["10.0.0.1/8"]}, "no network"),
        ({"scope": {"team": ["a"]}}, "no axis"),
    ],
)
def test_make_token__bad_input__said(author: User, words: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidError, match=says):
        made(author, **words)


def test_make_token__right_the_owner_has_not__denied(viewer: User) -> None:
    with pytest.raises(DeniedError, match=r"change\.propose"):
        made(viewer, "change.propose")


def test_s12_make_token__by_a_token__denied(client: Client, author: User) -> None:
    _, text = made(author)

    for url in ("/me/tokens/", "/access/tokens/"):
        answer = client.get(url, headers={"Authorization": f"Bearer {text}"})
        assert answer.status_code == 302
        assert answer["Location"].startswith("/sign-in/")


def test_revoke_token__of_another__as_if_it_were_not_there_but_for_access_admins(author: User, viewer: User) -> None:
    token, _ = made(author)
    with pytest.raises(MissingError):
        revoke_token(actor=as_actor(viewer), token_id=token.pk)
    admin = make_person("root", [])
    grant_role(actor=SYSTEM, user_id=admin.pk, role="access_admin")

    revoke_token(actor=as_actor(admin), token_id=token.pk)
    revoke_token(actor=as_actor(admin), token_id=token.pk)

    assert len(list_events(action="accounts.token.revoked")) == 2  # the one that was refused, and the one that was done


def test_scope_within__axes_of_both__names_of_both() -> None:
    staging = Scope(environment=("staging",), cluster=("a", "b"))

    assert staging.within(Scope(cluster=("b", "c"), namespace=("shop",))) == Scope(
        environment=("staging",), cluster=("b",), namespace=("shop",)
    )
    assert staging.within(Scope(environment=("production",))) is None
    assert staging.within(Scope()) == staging


def test_verbs_of_tokens__all_have_words() -> None:
    assert set(VERB_LABELS) == TOKEN_VERBS


def test_my_tokens__made_on_the_page__shown_once_then_revoked(client: Client, author: User) -> None:
    client.force_login(author)
    assert "You have no token" in client.get("/me/tokens/").content.decode()

    answer = client.post("/me/tokens/", {"name": "pipeline", "verbs": ["change.propose"], "days": "30"})

    token = Token.objects.get()
    assert answer.status_code == 201
    shown = token_secrets.FORM.search(answer.content.decode())
    assert shown is not None
    assert ask(client, shown[0]).json()["token"]["name"] == "pipeline"
    again = client.get("/me/tokens/").content.decode()
    assert token_secrets.FORM.search(again) is None
    assert "Propose changes" in again
    client.post(f"/me/tokens/{token.pk}/revoke/")
    assert "Revoked" in client.get("/me/tokens/").content.decode()


def test_my_tokens__bad_form__kept_and_said(client: Client, author: User) -> None:
    client.force_login(author)

    answer = client.post("/me/tokens/", {"name": "pipeline", "days": "30", "cidrs": "10.0.0.1/8"})

    assert answer.status_code == 422
    assert "10.0.0.1/8 is no network" in answer.content.decode()
    assert 'value="pipeline"' in answer.content.decode()


def test_tokens__access_admin__sees_everybodys(client: Client, author: User, admin: User) -> None:
    made(author)
    client.force_login(admin)

    assert "Author" in client.get("/access/tokens/").content.decode()
    client.force_login(author)
    assert client.get("/access/tokens/").status_code == 403


def test_api__more_than_the_rate__429_and_when_to_come_back(
    client: Client, author: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rest_framework.throttling import UserRateThrottle  # noqa: PLC0415 - reads settings when it is imported

    monkeypatch.setattr(UserRateThrottle, "THROTTLE_RATES", {"user": "3/min"})
    _, text = made(author)

    answers = [ask(client, text) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[3]["Content-Type"] == "application/problem+json"
    assert 0 < int(answers[3]["Retry-After"]) <= 60
