"""What a credential of a few namespaces may do, and what is seen by metadata alone."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest

from lab.waiting import until
from tests.contract.api import PARTIAL, PARTIAL_LIST
from tests.contract.kinds import VIRTUAL_SERVICE
from tests.contract.objects import namespace, widget

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.contract.api import Api
    from tests.contract.conftest import Server

GROUP, PLURAL = "networking.istio.io", "virtualservices"
VERBS = ("get", "list", "watch", "create", "patch", "delete", "update", "deletecollection")
GRANTED = {"get", "list", "watch", "create", "patch", "delete"}
TO_75 = [{"op": "replace", "path": VIRTUAL_SERVICE.weight, "value": 75}]


def _may(api: Api, verb: str, where: str) -> bool:
    attributes = {"verb": verb, "group": GROUP, "resource": PLURAL} | ({"namespace": where} if where else {})
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
    asked = {**review, "spec": {"resourceAttributes": attributes}}
    made = api.create("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", asked)
    assert made.status == 201, made.body
    return bool(made.body["status"]["allowed"])


@pytest.fixture
def elsewhere(api: Api) -> Iterator[str]:
    """A namespace in which nothing was granted."""
    name = f"t-{secrets.token_hex(4)}"
    api.create("/api/v1/namespaces", namespace(name))
    yield name
    api.delete(f"/api/v1/namespaces/{name}")


@pytest.fixture
def writer(server: Server, place: str) -> Api:
    """A service account that writes routes in one namespace by a Role."""
    rules = [{"apiGroups": [GROUP], "resources": [PLURAL], "verbs": sorted(GRANTED)}]
    kubeconfig = server.cluster.service_account_kubeconfig(place, "writer")
    server.cluster.grant("writer", rules, namespace=place, service_account_namespace=place)
    writer = server.api_with(kubeconfig)
    until(lambda: _may(writer, "patch", place), seconds=15, what="the rights to be known")
    return writer


def test_access_review__role_of_one_namespace__there_and_nowhere_else(writer: Api, place: str, elsewhere: str) -> None:
    here, there, everywhere = ({v for v in VERBS if _may(writer, v, where)} for where in (place, elsewhere, ""))

    assert (here, there, everywhere) == (GRANTED, set(), set())


def test_role__of_one_namespace__does_what_its_reviews_say(writer: Api, api: Api, place: str, elsewhere: str) -> None:
    kind = VIRTUAL_SERVICE
    api.create(kind.path(elsewhere), kind.object())

    made = writer.create(kind.path(place), kind.object())
    patched = writer.patch(f"{kind.path(place)}/{kind.name}", TO_75)
    deleted = writer.delete(f"{kind.path(place)}/{kind.name}", {"preconditions": {"uid": made.uid}})
    refused = [
        writer.create(kind.path(elsewhere), kind.object()),
        writer.patch(f"{kind.path(elsewhere)}/{kind.name}", TO_75),
        writer.delete(f"{kind.path(elsewhere)}/{kind.name}"),
        writer.get(f"/apis/{GROUP}/v1/{PLURAL}"),
    ]

    assert (made.status, patched.status, deleted.status) == (201, 200, 200)
    assert [answer.refusal()[:2] for answer in refused] == [(403, "Forbidden")] * 4


def test_role__dry_run__needs_the_same_right(writer: Api, elsewhere: str) -> None:
    refused = writer.create(f"{VIRTUAL_SERVICE.path(elsewhere)}?dryRun=All", VIRTUAL_SERVICE.object())

    assert refused.refusal()[:2] == (403, "Forbidden")


def test_metadata_list__pages__same_snapshot_and_no_spec(api: Api, widgets: str) -> None:
    for number in range(5):
        api.create(widgets, widget(f"w{number}"))

    first = api.get(f"{widgets}?limit=3", accept=PARTIAL_LIST)
    api.create(widgets, widget("late"))
    rest = api.get(f"{widgets}?limit=3&continue={first.body['metadata']['continue']}", accept=PARTIAL_LIST)

    assert first.names + rest.names == [f"w{number}" for number in range(5)]
    assert (first.version, first.body["kind"]) == (rest.version, "PartialObjectMetadataList")
    assert not any("spec" in item for item in first.body["items"] + rest.body["items"])


def test_metadata_watch__changes__each_event_is_metadata_alone(api: Api, widgets: str) -> None:
    version = api.get(widgets, accept=PARTIAL_LIST).version

    with api.watch(f"{widgets}?watch=1&resourceVersion={version}", accept=PARTIAL) as events:
        api.create(widgets, widget("one"))
        api.patch(f"{widgets}/one", [{"op": "replace", "path": "/spec/size", "value": 2}])
        api.delete(f"{widgets}/one")
        seen = [next(events) for _ in range(3)]

    assert [event["type"] for event in seen] == ["ADDED", "MODIFIED", "DELETED"]
    assert {event["object"]["kind"] for event in seen} == {"PartialObjectMetadata"}
    assert [event["object"]["metadata"]["generation"] for event in seen[:2]] == [1, 2]
    assert not any("spec" in event["object"] for event in seen)


def test_metadata_watch__bookmarks_allowed__in_the_same_form(api: Api, widgets: str) -> None:
    version = api.get(widgets, accept=PARTIAL_LIST).version
    query = f"?watch=1&resourceVersion={version}&allowWatchBookmarks=true&timeoutSeconds=4"

    with api.watch(widgets + query, accept=PARTIAL) as events:
        bookmarks = [event["object"] for event in events if event["type"] == "BOOKMARK"]

    assert bookmarks
    assert {each["kind"] for each in bookmarks} == {"PartialObjectMetadata"}
    assert all(int(each["metadata"]["resourceVersion"]) >= int(version) for each in bookmarks)
