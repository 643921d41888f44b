"""Bringing clusters through the API, and every verb of one: the same as the pages, and no credential comes back."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pytest
from zeal import zeal_ignore

from accounts.tokens import NewToken, make_token
from audit.selectors import list_events
from clusters.models import Cluster, Credential, Health
from clusters.services.rates import INTAKES, TESTS
from tests.api_client import Api
from tests.clusters.makers import SERVER, TOKEN, kubeconfig, pair, register, without_context
from tests.people import as_actor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.test import Client

    from accounts.models import User

pytestmark = pytest.mark.django_db
NAMES = {"name": "EU West", "slug": "eu-west", "environment": "staging"}
SEVERAL = json.dumps({**json.loads(without_context(kubeconfig())), "current-context": ""})


@pytest.fixture(autouse=True)
def several_requests() -> Iterator[None]:
    """A test makes rows and asks several times: not the N+1 that zeal looks for."""
    with zeal_ignore():
        yield


def ways() -> dict[str, dict[str, Any]]:
    """What opens a cluster, said in each way that needs no pod."""
    return {
        "kubeconfig": {"kubeconfig": kubeconfig()},
        "address": {"address": {"server": SERVER, "ca": pair("ca")[0].decode(), "token": TOKEN}},
    }


@pytest.mark.parametrize("way", ["kubeconfig", "address"])
def test_register__each_way__made_and_tested_and_nothing_of_it_comes_back(
    client: Client, admin: User, way: str
) -> None:
    answer = Api(client, admin).post("clusters/", {**NAMES, **ways()[way], "writes": True, "namespaces": ["shop"]})

    assert answer.status_code == 201, answer.content
    assert answer["Location"] == "/api/v1/clusters/eu-west/"
    found = answer.json()
    assert (found["slug"], found["is_observe_only"], found["namespaces"]) == ("eu-west", False, ["shop"])
    assert TOKEN not in answer.content.decode()
    assert [row.role for row in Credential.objects.order_by("role")] == ["reader", "writer"]
    assert list_events(action="clusters.cluster.added").get().origin == "api"


def test_register__several_contexts_and_none_named__400_names_them(client: Client, admin: User) -> None:
    api = Api(client, admin)

    unclear = api.post("clusters/", {**NAMES, "kubeconfig": SEVERAL})
    clear = api.post("clusters/", {**NAMES, "kubeconfig": SEVERAL, "context": "good"})

    assert unclear.status_code == 400
    assert "name one of good, bad (" in unclear.json()["errors"]["context"][0]
    assert clear.status_code == 201, clear.content


@pytest.mark.parametrize(
    ("body", "field", "said"),
    [
        ({}, "kubeconfig", "Give one of kubeconfig, address and in_cluster."),
        ({**ways()["kubeconfig"], **ways()["address"]}, "kubeconfig", "Give one of"),
        ({"kubeconfig": "nothing"}, "kubeconfig", ""),
        ({"kubeconfig": kubeconfig(user={"exec": {"command": "canary-command"}})}, "kubeconfig", "exec"),
        ({"address": {"server": "https://x:6443", "token": "two words"}}, "address", "token"),
        ({"in_cluster": True}, "in_cluster", "does not run in a pod"),
        ({**ways()["kubeconfig"], "slug": "Not A Slug"}, "slug", ""),
        ({**ways()["kubeconfig"], "colour": "red"}, "colour", "no such field"),
    ],
)
def test_register__cannot_be_taken__422_by_field_without_what_was_sent(
    client: Client, admin: User, body: dict[str, Any], field: str, said: str
) -> None:
    answer = Api(client, admin).post("clusters/", {**NAMES, **body})

    assert answer.status_code == 422, answer.content
    assert said in json.dumps(answer.json()["errors"][field])
    assert TOKEN not in answer.content.decode()
    assert "canary-command" not in answer.content.decode()
    assert not Cluster.objects.exists()


def test_register__address_that_is_forbidden__refused_and_recorded(client: Client, admin: User) -> None:
    address = {"server": "https://169.254.169.254", "token": TOKEN, "ca": pair("ca")[0].decode()}

    answer = Api(client, admin).post("clusters/", {**NAMES, "address": address})

    assert answer.status_code in {400, 403, 422}
    assert list_events(action="clusters.address.refused").get().outcome == "denied"


def test_register__no_right__403_and_taken_name_422(client: Client, admin: User, viewer: User) -> None:
    register("eu-west")

    reader = Api(client, viewer).post("clusters/", {**NAMES, **ways()["kubeconfig"]})
    again = Api(client, admin).post("clusters/", {**NAMES, **ways()["kubeconfig"]})

    assert (reader.status_code, again.status_code) == (403, 422)
    assert "eu-west is taken" in again.json()["detail"]


def test_register__eleventh_within_a_minute__429_with_when(client: Client, admin: User) -> None:
    api = Api(client, admin)
    for _ in range(INTAKES):
        assert api.post("clusters/", {**NAMES, "kubeconfig": "no"}).status_code == 422

    answer = api.post("clusters/", {**NAMES, **ways()["kubeconfig"]})

    assert (answer.status_code, answer["Content-Type"]) == (429, "application/problem+json")
    assert 0 < int(answer["Retry-After"]) <= 60
    assert not Cluster.objects.exists()


def test_check__seventh_within_a_minute__429_with_when(client: Client, admin: User) -> None:
    register("eu-west")
    api = Api(client, admin)

    codes = [api.post("clusters/eu-west/check/").status_code for _ in range(TESTS)]
    answer = api.post("clusters/eu-west/check/")

    assert set(codes) == {200}
    assert answer.status_code == 429
    assert 0 < int(answer["Retry-After"]) <= 60


def test_writes_and_namespaces__set__shown_and_recorded(client: Client, admin: User) -> None:
    register("eu-west", writes=True)
    api = Api(client, admin)

    forbidden = api.post("clusters/eu-west/forbid-writes/").json()
    allowed = api.post("clusters/eu-west/allow-writes/").json()
    narrowed = api.post("clusters/eu-west/namespaces/", {"namespaces": ["shop", "payments"]}).json()

    assert (forbidden["is_observe_only"], allowed["is_observe_only"]) == (True, False)
    assert narrowed["namespaces"] == ["payments", "shop"]
    actions = ("clusters.writes.forbidden", "clusters.writes.allowed", "clusters.namespaces.set")
    assert [list_events(action=action).get().origin for action in actions] == ["api"] * 3


def test_adopt__identity_as_it_was_seen__or_refused(client: Client, admin: User) -> None:
    cluster = register("eu-west")
    Cluster.objects.filter(pk=cluster.pk).update(
        health=Health.IDENTITY_CHANGED, identity_uid="old", found_uid="new-uid"
    )
    api = Api(client, admin)
    seen = api.get("clusters/eu-west/")["found_uid"]

    other = api.post("clusters/eu-west/adopt/", {"uid": "another", "reason": "Rebuilt."})
    mute = api.post("clusters/eu-west/adopt/", {"uid": seen})
    done = api.post("clusters/eu-west/adopt/", {"uid": seen, "reason": "Rebuilt."})

    assert other.status_code in {409, 412, 422}
    assert (mute.status_code, done.status_code) == (422, 200), done.content
    assert Cluster.objects.get().identity_uid == "new-uid"


def test_credential__replaced__and_never_of_another_server(client: Client, admin: User) -> None:
    register("eu-west")
    before = Credential.objects.get().pk
    api = Api(client, admin)

    done = api.post("clusters/eu-west/credential/", {"role": "reader", **ways()["address"]})
    other = api.post(
        "clusters/eu-west/credential/",
        {"role": "reader", "kubeconfig": kubeconfig(server="https://127.0.0.1:7443")},
    )

    assert (done.status_code, other.status_code) == (200, 422), done.content
    assert TOKEN not in done.content.decode()
    assert Credential.objects.get().pk != before
    assert "another server" in other.json()["detail"]


def test_remove__with_a_reason__204_and_then_404(client: Client, admin: User) -> None:
    register("eu-west")
    api = Api(client, admin)

    mute = api.post("clusters/eu-west/remove/")
    done = api.post("clusters/eu-west/remove/", {"reason": "Torn down."})

    assert (mute.status_code, done.status_code, done.content) == (422, 204, b"")
    api.get("clusters/eu-west/", 404)
    assert list_events(action="clusters.cluster.removed").get().reason == "Torn down."


VERBS = ["check", "allow-writes", "forbid-writes", "adopt", "namespaces", "credential", "remove", "sync"]


@pytest.mark.parametrize("verb", VERBS)
def test_verb__other_scope_404_as_if_missing__reader_refused(
    client: Client, viewer: User, person: Callable[..., User], verb: str
) -> None:
    register("eu-west")
    body = {
        "adopt": {"uid": "x", "reason": "Because."},
        "namespaces": {"namespaces": []},
        "remove": {"reason": "Because."},
        "credential": {"role": "reader", **ways()["kubeconfig"]},
    }.get(verb, {})
    api = Api(client, person("maria", ["cluster_admin"], scope={"environment": ["production"]}))

    hidden, missing = api.post(f"clusters/eu-west/{verb}/", body), api.post(f"clusters/nowhere/{verb}/", body)
    reader = Api(client, viewer).post(f"clusters/eu-west/{verb}/", body)

    assert hidden.status_code == missing.status_code == 404
    assert hidden.json() | {"instance": ""} == missing.json() | {"instance": ""}
    assert reader.status_code == (200 if verb == "sync" else 403), reader.content


@pytest.mark.parametrize("at", ["clusters/", "clusters/eu-west/credential/"])
def test_credential__by_a_token__refused_before_anything_is_looked_at(client: Client, admin: User, at: str) -> None:
    register("eu-west")
    before = set(Credential.objects.values_list("pk", flat=True))
    new = NewToken("pipeline", ["cluster.manage"], dt.timedelta(days=1))
    headers = {"Authorization": f"Bearer {make_token(actor=as_actor(admin), new=new).text}"}
    body = json.dumps({**NAMES, "slug": "us-east", "role": "reader", **ways()["kubeconfig"]})

    answer = client.post(f"/api/v1/{at}", body, content_type="application/json", headers=headers)
    managed = client.post("/api/v1/clusters/eu-west/check/", "{}", content_type="application/json", headers=headers)

    assert (answer.status_code, managed.status_code) == (403, 200), managed.content
    assert "not a token" in answer.json()["detail"]
    assert set(Credential.objects.values_list("pk", flat=True)) == before
