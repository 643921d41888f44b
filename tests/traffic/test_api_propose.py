"""POST /api/v1/changes/: shares in one sentence, made by what the split form is made of."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
from zeal import zeal_ignore

from accounts.services import grant_role
from audit.selectors import list_events
from audit.types import SYSTEM
from meshes.models import SERVED, Mesh, Service, Sync
from meshes.types import Match, PathMatch, Rule
from meshui.lib import clock
from meshui.lib.errors import InvalidError
from tests.api_client import Api
from tests.people import as_actor
from tests.traffic.factories import checkout_route, make_cluster, make_route
from traffic import selectors
from traffic.models import Change, IdempotencyKey
from traffic.proposals import AskedShares, proposal_of
from traffic.services.once import KEPT_SECONDS
from traffic.services.propose import propose_change
from traffic.tasks import age
from traffic.types import Once

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.test import Client

    from accounts.models import User
    from meshes.models import Route

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def several_requests() -> Iterator[None]:
    """A test makes rows and asks several times: not the N+1 that zeal looks for."""
    with zeal_ignore():
        yield


@pytest.fixture
def route(db: None) -> Route:
    """shop/checkout in eu-west: 90/10."""
    return make_route(make_cluster())


def asked(**more: Any) -> dict[str, Any]:
    """75/25 in eu-west."""
    return {
        "namespace": "shop",
        "name": "checkout",
        "clusters": ["eu-west"],
        "shares": {"v1": 7500, "v2": 2500},
        "title": "Shift checkout",
        "reason": "v2 was good for a day.",
        **more,
    }


def shares_of(change: Change) -> list[int]:
    """What the change wants of its first rule."""
    assert change.current_revision is not None
    return [item.weight_bp for item in change.current_revision.route.rules[0].backends]


@pytest.mark.parametrize(
    "names", [("v1", "v2"), ("shop/checkout#v1", "shop/checkout#v2")], ids=["by version", "by key"]
)
def test_propose__shares__a_draft_with_its_address_and_etag(
    client: Client, author: User, route: Route, names: tuple[str, str]
) -> None:
    answer = Api(client, author).post("changes/", asked(shares=dict(zip(names, (7500, 2500), strict=True))))

    change = Change.objects.get()
    assert answer.status_code == 201
    assert answer["Location"] == f"/api/v1/changes/{change.number}/"
    assert answer["ETag"] == '"1-"'
    assert answer.json()["state"] == "draft"
    assert shares_of(change) == [7500, 2500]
    assert list_events(action="traffic.change.proposed").get().origin == "api"


@pytest.mark.parametrize(
    ("clusters", "where"),
    [
        (["all"], ["eu-west", "us-east"]),
        (["us-east"], ["us-east"]),
        (["us-east", "eu-west"], ["eu-west", "us-east"]),
    ],
)
def test_propose__clusters__those_and_no_others(
    client: Client, author: User, route: Route, clusters: list[str], where: list[str]
) -> None:
    make_route(make_cluster("us-east"))

    answer = Api(client, author).post("changes/", asked(clusters=clusters))

    assert [target["cluster"] for target in answer.json()["targets"]] == where


def test_propose__several_rules_split__the_named_one(client: Client, author: User) -> None:
    first = checkout_route().rules[0]
    second = Rule("beta", (Match(path=PathMatch("prefix", "/beta")),), first.backends)
    route = checkout_route()
    make_route(make_cluster(), type(route)(route.root, (second, first)))
    api = Api(client, author)

    unclear, clear = api.post("changes/", asked()), api.post("changes/", asked(rule="beta"))

    assert (unclear.status_code, unclear.json()["mend"]) == (422, "Name one that splits: “beta”, “primary”.")
    assert [rule["backends"][0]["weight_bp"] for rule in clear.json()["desired"]] == [7500, 9000]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"shares": {"v1": 7500, "v2": 2000}}, "add up to 95.00 %"),
        ({"shares": {"v1": 10000}}, "Give each backend"),
        ({"shares": {"v1": 5000, "v3": 5000}}, "Give each backend"),
        ({"shares": {"v1": 5000, "v2": 3000, "shop/checkout#v2": 2000}}, "Give each backend"),
        ({"shares": {"v1": 10001, "v2": -1}}, "shares.v1"),
        ({"shares": {}}, "shares"),
        ({"clusters": []}, "clusters"),
        ({"clusters": ["eu-west", "nowhere"]}, "is not in nowhere"),
        ({"title": " "}, "title"),
        ({"reason": "x" * 4001}, "reason"),
        ({"rule": "other"}, "Which rule is meant is not clear."),
        ({"colour": "red"}, "colour"),
        ({"title": "a\0b"}, "title"),
        ({"title": "\ud800"}, "title"),
        ({"shares": {"\ud800": 10000}}, "Give each backend"),
    ],
)
def test_propose__invalid__422_says_what(
    client: Client, author: User, route: Route, wrong: dict[str, Any], said: str
) -> None:
    answer = Api(client, author).post("changes/", asked(**wrong))

    assert answer.status_code == 422, answer.content
    assert said in answer.json()["detail"]
    assert not Change.objects.exists()


def test_propose__service_out_of_scope__404_as_if_missing(
    client: Client, route: Route, person: Callable[..., User]
) -> None:
    api = Api(client, person("maria", ["author"], scope={"environment": ["production"]}))

    hidden, missing = api.post("changes/", asked()), api.post("changes/", asked(name="nothing"))

    assert hidden.status_code == missing.status_code == 404
    assert hidden.json() | {"instance": ""} == missing.json() | {"instance": ""}


def test_propose__reader_who_may_not__403(
    client: Client, viewer: User, route: Route, person: Callable[..., User]
) -> None:
    elsewhere = person("maria", ["author"], scope={"environment": ["production"]})
    grant_role(actor=SYSTEM, user_id=elsewhere.pk, role="viewer", scope=None)

    nowhere = Api(client, viewer).post("changes/", asked())
    not_there = Api(client, elsewhere).post("changes/", asked())

    assert nowhere.status_code == not_there.status_code == 403
    assert "change.propose" in nowhere.json()["detail"]
    assert "eu-west" in not_there.json()["detail"]


def test_propose__observed_cluster__422(client: Client, author: User) -> None:
    make_route(make_cluster(is_observe_only=True))

    answer = Api(client, author).post("changes/", asked())

    assert answer.status_code == 422
    assert "only observes" in answer.json()["detail"]


def test_propose__same_key__the_first_change_even_where_the_world_moved(
    client: Client, author: User, route: Route
) -> None:
    api = Api(client, author)

    first = api.post("changes/", asked(), Idempotency_Key="k-1")
    type(route).objects.update(neutral=None)
    second = api.post("changes/", asked(), Idempotency_Key="k-1")

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["number"] == second.json()["number"]
    assert Change.objects.count() == 1


def test_propose__same_key_other_body__422(client: Client, author: User, route: Route) -> None:
    api = Api(client, author)
    api.post("changes/", asked(), Idempotency_Key="k-1")

    answer = api.post("changes/", asked(title="Another"), Idempotency_Key="k-1")

    assert answer.status_code == 422
    assert "Idempotency-Key" in answer.json()["detail"]
    assert Change.objects.count() == 1


def test_propose__same_key_of_somebody_else_or_another_key__changes_of_their_own(
    client: Client, author: User, route: Route, person: Callable[..., User]
) -> None:
    Api(client, author).post("changes/", asked(), Idempotency_Key="k-1")
    Api(client, author).post("changes/", asked(), Idempotency_Key="k-2")
    Api(client, person("maria", ["author"])).post("changes/", asked(), Idempotency_Key="k-1")

    assert Change.objects.count() == IdempotencyKey.objects.count() == 3


@pytest.mark.parametrize("key", ["", " ", "x" * 201, "ä"])
def test_propose__key_that_is_none__400(client: Client, author: User, route: Route, key: str) -> None:
    answer = Api(client, author).post("changes/", asked(), Idempotency_Key=key)

    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["Idempotency-Key"])


def test_verb__key_taken_between_look_and_lock__first_result_or_refused(author: User, route: Route) -> None:
    words = {**asked(), "clusters": ("eu-west",)}
    proposal = proposal_of(author, AskedShares(**words))
    first = propose_change(actor=as_actor(author), proposal=proposal, once=Once("k", "a" * 64))

    again = propose_change(actor=as_actor(author), proposal=proposal, once=Once("k", "a" * 64))

    assert again.pk == first.pk
    with pytest.raises(InvalidError, match="another request"):
        propose_change(actor=as_actor(author), proposal=proposal, once=Once("k", "b" * 64))


def test_keys__after_a_day__forgotten_by_the_sweep(author: User, route: Route) -> None:
    words = {**asked(), "clusters": ("eu-west",)}
    once = Once("k", "a" * 64)
    propose_change(actor=as_actor(author), proposal=proposal_of(author, AskedShares(**words)), once=once)

    clock.shift_for_tests(dt.timedelta(seconds=KEPT_SECONDS - 60))
    age()
    assert selectors.earlier_result(author, once) is not None
    clock.shift_for_tests(dt.timedelta(seconds=KEPT_SECONDS + 60))
    age()

    assert selectors.earlier_result(author, once) is None
    assert not IdempotencyKey.objects.exists()


def test_propose__route_without_words__422_says_so(client: Client, author: User, route: Route) -> None:
    type(route).objects.update(neutral=None)

    answer = Api(client, author).post("changes/", asked())

    assert answer.status_code == 422
    assert "has no words" in answer.json()["detail"]


def test_propose__no_split_yet__one_begins_between_the_named_versions(client: Client, author: User) -> None:
    cluster = make_cluster()
    read = {"content_hash": "", "read_at": clock.now()}
    Mesh.objects.create(cluster=cluster, kind="istio", trust_domain="cluster.local", **read)
    Sync.objects.create(cluster=cluster, resource=SERVED, found=["networking.istio.io/v1"], started_at=clock.now())
    for name in ("checkout", "checkout-v1", "checkout-v2"):
        row = {"cluster": cluster, "namespace": "shop", "name": name, "uid": name}
        Service.objects.create(**row, ports=[{"name": "http", "port": 80}], selector={"app": name}, **read)
    api = Api(client, author)

    made = api.post("changes/", asked())
    other = api.post("changes/", asked(shares={"v1": 5000, "v7": 5000}))

    assert made.status_code == 201, made.content
    assert [(target["action"], target["cluster"]) for target in made.json()["targets"]] == [("start", "eu-west")]
    assert [item["weight_bp"] for item in made.json()["desired"][0]["backends"]] == [7500, 2500]
    assert (other.status_code, "v1" in other.json()["mend"]) == (422, True)
