"""PUT and PATCH /api/v1/changes/<n>/, and proposals in edits: whatever the split form can express."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from zeal import zeal_ignore

from audit.selectors import list_events
from clusters.models import Cluster
from meshes.models import Service
from meshes.types import HeaderMatch
from meshui.lib import clock
from tests.api_client import Api
from tests.people import as_actor
from tests.traffic.factories import checkout_route, in_review, in_state, make_change, make_cluster, make_route
from traffic.models import Change, Vote
from traffic.services.approve import approve_change
from traffic.types import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.test import Client

    from accounts.models import User
    from meshes.models import Route

pytestmark = pytest.mark.django_db
WORDS = {"title": "Shift checkout", "reason": "v2 was good for a day."}


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
    """Something of shop/checkout in eu-west."""
    return {"namespace": "shop", "name": "checkout", "clusters": ["eu-west"], **WORDS, **more}


def shares(change: dict[str, Any]) -> list[tuple[str, list[int]]]:
    """What a change that was answered wants, rule by rule."""
    return [(rule["rule"], [each["weight_bp"] for each in rule["backends"]]) for rule in change["desired"]]


def extra_version(name: str = "checkout-v3") -> None:
    """A further version of checkout that a split could have: a Service of its own."""
    cluster = Cluster.objects.get(slug="eu-west")
    read = {"content_hash": "", "read_at": clock.now()}
    Service.objects.create(
        cluster=cluster, namespace="shop", name=name, uid=name, ports=[{"name": "http", "port": 80}],
        selector={"app": "checkout", "version": "v3"}, **read,
    )  # fmt: skip


def test_propose__rule_for_chosen_callers__stands_before_the_rule(client: Client, author: User, route: Route) -> None:
    edit = {"do": "add-rule", "rule": "primary", "header": {"name": "X-Beta", "value": "1"}, "backend": "v2"}

    answer = Api(client, author).post("changes/", asked(edits=[edit]))

    assert answer.status_code == 201, answer.content
    change = Change.objects.get()
    assert change.current_revision is not None
    first, second = change.current_revision.route.rules
    assert first.matches[0].headers == (HeaderMatch("x-beta", "exact", "1"),)
    assert [(item.backend.name, item.weight_bp) for item in first.backends] == [("v2", 10000)]
    assert second.name == "primary"


def test_propose__edits_in_order__each_sees_those_before(client: Client, author: User, route: Route) -> None:
    header = {"name": "x-beta", "value": "1"}
    api = Api(client, author)
    first = {"do": "add-rule", "rule": "primary", "header": header, "backend": "v2"}
    made = api.post("changes/", asked(edits=[first])).json()
    name = made["desired"][0]["rule"]
    other = {"do": "edit-rule", "rule": name, "header": {"name": "x-beta", "type": "present"}}

    edited = api.patch(f"changes/{made['number']}/", {"edits": [other]}, If_Match=made["etag"])
    gone = api.patch(
        f"changes/{made['number']}/",
        {"edits": [{"do": "remove-rule", "rule": name}], "shares": {"v1": 5000, "v2": 5000}},
        If_Match=edited["ETag"],
    )

    assert [status.status_code for status in (edited, gone)] == [200, 200], (edited.content, gone.content)
    assert shares(gone.json()) == [("primary", [5000, 5000])]
    assert gone.json()["revision"] == 3


def test_propose__backend_removed__its_share_goes_to_the_others(client: Client, author: User, route: Route) -> None:
    edit = {"do": "remove-backend", "rule": "primary", "backend": "v2"}

    answer = Api(client, author).post("changes/", asked(edits=[edit]))

    assert answer.status_code == 201, answer.content
    assert shares(answer.json()) == [("primary", [10000])]


def test_propose__backend_added__with_the_share_that_is_given(client: Client, author: User, route: Route) -> None:
    extra_version()
    edit = {"do": "add-backend", "rule": "primary", "backend": "v3"}

    answer = Api(client, author).post("changes/", asked(edits=[edit], shares={"v1": 8000, "v2": 1000, "v3": 1000}))

    assert answer.status_code == 201, answer.content
    assert shares(answer.json()) == [("primary", [8000, 1000, 1000])]


def test_propose__route_by_its_id_under_a_key__that_one_and_once(client: Client, author: User, route: Route) -> None:
    other = make_route(route.cluster, name="checkout-b")
    body = asked(route=str(other.pk), shares={"v1": 7500, "v2": 2500})
    api = Api(client, author)

    first, again = (api.post("changes/", body, Idempotency_Key="k-1") for _ in range(2))

    assert (first.status_code, again.status_code) == (201, 201), first.content
    assert first.json()["number"] == again.json()["number"]
    assert [target["name"] for target in first.json()["targets"]] == ["checkout-b"]


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        ({"do": "add-backend", "rule": "primary", "backend": "v9"}, "No backend goes by “v9”"),
        ({"do": "add-backend", "rule": "primary", "backend": "v2"}, "twice in one rule"),
        ({"do": "remove-rule", "rule": "primary"}, "not for callers with a header alone"),
        ({"do": "remove-backend", "rule": "other", "backend": "v2"}, "There is no rule “other”"),
        ({"do": "add-backend", "rule": "primary"}, "backend: This edit needs it."),
        ({"do": "add-rule", "rule": "primary", "backend": "v2"}, "header: This edit needs it."),
        ({"do": "add-rule", "rule": "primary", "backend": "v2", "header": {"name": "a b", "value": "1"}}, "no name"),
        ({"do": "explode", "rule": "primary"}, "edits"),
        ({"do": "remove-rule", "rule": "primary", "colour": 1}, "colour"),
    ],
)
def test_propose__edit_that_cannot_be__422_says_which(
    client: Client, author: User, route: Route, edit: dict[str, Any], said: str
) -> None:
    answer = Api(client, author).post("changes/", asked(edits=[edit]))

    assert answer.status_code == 422, answer.content
    assert said in answer.json()["detail"]
    assert not Change.objects.exists()


def test_propose__end__of_a_route_that_is_not_ours_is_refused_in_words(
    client: Client, author: User, route: Route
) -> None:
    answer = Api(client, author).post("changes/", asked(action="end"))
    both = Api(client, author).post("changes/", asked(action="end", shares={"v1": 10000, "v2": 0}))

    assert (answer.status_code, both.status_code) in {(201, 422), (422, 422)}
    if answer.status_code == 201:
        assert answer.json()["targets"][0]["action"] == "end"
    assert "A split that ends has none." in both.json()["detail"]


def test_revise__draft__a_new_revision_from_the_route_as_it_is(client: Client, author: User, route: Route) -> None:
    change = make_change(author, [route])
    make_route(make_cluster("us-east"))
    body = {**WORDS, "title": "Other words", "clusters": ["all"], "shares": {"v1": 6000, "v2": 4000}}

    answer = Api(client, author).put(f"changes/{change.number}/", body, If_Match=change.etag)

    assert answer.status_code == 200, answer.content
    found = answer.json()
    assert (found["title"], found["revision"], found["state"]) == ("Other words", 2, "draft")
    assert [target["cluster"] for target in found["targets"]] == ["eu-west", "us-east"]
    assert shares(found) == [("primary", [6000, 4000])]
    assert answer["ETag"] == '"2-"'
    assert list_events(action="traffic.change.edited").get().origin == "api"


def test_amend__words_alone__wish_and_places_stay(client: Client, author: User, route: Route) -> None:
    change = make_change(author, [route])

    answer = Api(client, author).patch(f"changes/{change.number}/", {"ticket": "OPS-7"}, If_Match=change.etag)

    found = answer.json()
    assert (answer.status_code, found["ticket"], found["title"]) == (200, "OPS-7", change.title)
    assert shares(found) == [("primary", [7500, 2500])]
    assert [target["cluster"] for target in found["targets"]] == ["eu-west"]


def test_amend__in_review__votes_are_void(client: Client, author: User, approver: User, route: Route) -> None:
    change = in_review(author, [route], needed=2)
    digest = change.current_plan.digest if change.current_plan else ""
    approve_change(actor=as_actor(approver), change_id=change.pk, version=change.version, digest=digest)
    change = Change.objects.select_related("current_plan").get()

    answer = Api(client, author).patch(
        f"changes/{change.number}/", {"shares": {"v1": 5000, "v2": 5000}}, If_Match=change.etag
    )

    assert (answer.status_code, answer.json()["state"]) == (200, "draft"), answer.content
    assert Vote.objects.get().voided_at is not None
    assert answer.json()["plan"] is None


def test_edit__conditions__428_412_and_409_say_what_is_now(client: Client, author: User, route: Route) -> None:
    change = make_change(author, [route])
    api, at = Api(client, author), f"changes/{change.number}/"
    first = api.patch(at, {"ticket": "A"}, If_Match=change.etag)

    without = api.patch(at, {"ticket": "B"})
    stale = api.patch(at, {"ticket": "B"}, If_Match=change.etag)
    in_state(Change.objects.get(), State.QUEUED)
    gone = api.patch(at, {"ticket": "B"}, If_Match=first["ETag"])

    assert [answer.status_code for answer in (without, stale, gone)] == [428, 412, 409], gone.content
    assert stale.json()["current"]["etag"] == first["ETag"] == '"2-"'
    assert stale.json()["current"]["revision"] == 2
    assert gone.json()["current"]["state"] == "queued"
    assert "below" not in stale.json()["mend"]
    assert Change.objects.get().ticket == "A"


def test_edit__other_persons_scope__404_and_reader_403(
    client: Client, author: User, viewer: User, route: Route, person: Callable[..., User]
) -> None:
    change = make_change(author, [route])
    outside = person("maria", ["author"], scope={"environment": ["production"]})
    at, body = f"changes/{change.number}/", {"ticket": "B"}

    hidden = Api(client, outside).patch(at, body, If_Match=change.etag)
    missing = Api(client, outside).patch("changes/99999/", body, If_Match=change.etag)
    reader = Api(client, viewer).patch(at, body, If_Match=change.etag)

    assert (hidden.status_code, missing.status_code, reader.status_code) == (404, 404, 403)
    assert hidden.json() | {"instance": ""} == missing.json() | {"instance": ""}


def test_preview__shares__diffs_and_findings_and_nothing_is_kept(client: Client, viewer: User, route: Route) -> None:
    body = {"namespace": "shop", "name": "checkout", "clusters": ["eu-west"], "shares": {"v1": 7500, "v2": 2500}}

    answer = Api(client, viewer).post("changes/preview/", body)

    assert answer.status_code == 200, answer.content
    (target,) = answer.json()["targets"]
    moved = [(row["name"], row["before_bp"], row["after_bp"]) for row in target["rules"][0]["shares"]]
    assert moved == [("v1", 9000, 7500), ("v2", 1000, 2500)]
    assert "weight: 90" in target["writes"][0]["before"]
    assert "weight: 75" in target["writes"][0]["after"]
    assert "No grant of yours" in target["fault"]
    assert not Change.objects.exists()


def test_preview__of_an_edit__the_change_does_not_stand_in_its_own_way(
    client: Client, author: User, route: Route
) -> None:
    change = make_change(author, [route])
    body = {"namespace": "shop", "name": "checkout", "clusters": ["eu-west"], "shares": {"v1": 7500, "v2": 2500}}
    api = Api(client, author)

    alone, beside = api.post("changes/preview/", {**body, "change": change.number}), api.post("changes/preview/", body)

    found = [[each["id"] for each in answer.json()["targets"][0]["findings"]] for answer in (alone, beside)]
    assert alone.json()["targets"][0]["fault"] == ""
    assert len(found[0]) < len(found[1])


def test_preview__no_such_change_or_service__404(client: Client, author: User, route: Route) -> None:
    body = {"namespace": "shop", "name": "checkout", "clusters": ["eu-west"], "shares": {"v1": 7500, "v2": 2500}}
    api = Api(client, author)

    statuses = [api.post("changes/preview/", body | more).status_code for more in ({"change": 999}, {"name": "no"})]

    assert statuses == [404, 404]


def test_parts__of_a_change_in_review__page_by_page(client: Client, author: User, viewer: User) -> None:
    routes = [make_route(make_cluster(f"eu-{number}")) for number in range(3)]
    change = in_review(author, routes)
    api, at = Api(client, viewer), f"changes/{change.number}"

    assert [each["cluster"] for each in api.walk(f"{at}/targets/?limit=1")] == ["eu-0", "eu-1", "eu-2"]
    diffs = api.walk(f"{at}/diffs/?limit=2")
    assert [each["cluster"] for each in diffs] == ["eu-0", "eu-1", "eu-2"]
    assert [row["after_bp"] for row in diffs[0]["rules"][0]["shares"]] == [7500, 2500]
    assert "weight: 75" in diffs[0]["after"]
    assert [each["action"] for each in api.walk(f"{at}/timeline/?limit=1")] == ["traffic.change.proposed"]
    assert api.walk(f"{at}/votes/") == api.walk(f"{at}/steps/") == api.get(f"{at}/conflicts/")["items"] == []
    assert [each["number"] for each in api.walk(f"{at}/revisions/")] == [1]
    assert checkout_route().rules[0].name == api.walk(f"{at}/revisions/")[0]["desired"][0]["rule"]


@pytest.mark.parametrize("part", ["targets", "diffs", "timeline", "votes", "steps", "revisions", "conflicts"])
def test_parts__other_scope__404_as_if_missing(
    client: Client, author: User, route: Route, person: Callable[..., User], part: str
) -> None:
    change = in_review(author, [route])
    api = Api(client, person("maria", ["viewer"], scope={"environment": ["production"]}))

    hidden, missing = api.get(f"changes/{change.number}/{part}/", 404), api.get(f"changes/999/{part}/", 404)

    assert hidden | {"instance": ""} == missing | {"instance": ""}
