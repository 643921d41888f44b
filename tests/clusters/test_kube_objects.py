"""Whole objects: made where there is none, deleted while they are still the very ones; each refusal by its class."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from clusters.clients import (
    ForbiddenError,
    GuardedCreate,
    GuardedDelete,
    InvalidObjectError,
    LostRaceError,
    ObjectGoneError,
    ObjectRef,
    OutcomeUnknownError,
)
from clusters.kube import KubeWriter
from playground import worlds
from playground.cluster import EmulatedCluster
from tests.clusters.test_kube import ROUTES, transport_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshui.lib.jsontypes import JsonObject

PAYMENTS = ObjectRef(ROUTES, "shop", "payments")
KIND = ("VirtualService", "payments", "shop")


@pytest.fixture(scope="module")
def shared() -> Iterator[EmulatedCluster]:
    """One cluster for the tests of this module."""
    with EmulatedCluster("objects") as cluster:
        cluster.load(worlds.eu_west())
        cluster.settle()
        yield cluster


@pytest.fixture
def server(shared: EmulatedCluster) -> Iterator[EmulatedCluster]:
    """The cluster, without faults and without a route of payments."""
    yield shared
    shared.server.faults.clear()
    if stored(shared) is not None:
        shared.delete(*KIND)


@pytest.fixture
def writer(server: EmulatedCluster) -> Iterator[KubeWriter]:
    """A writer with all rights."""
    made = KubeWriter(transport_of(server), field_manager="meshui")
    yield made
    made.close()


def stored(server: EmulatedCluster) -> dict[str, Any] | None:
    """The route as the server holds it."""
    try:
        return server.get(*KIND)
    except KeyError:
        return None


def body(**spec: Any) -> JsonObject:
    """A VirtualService that sends everything to payments."""
    route: Any = [{"destination": {"host": "payments"}}]
    metadata: Any = {"name": "payments", "namespace": "shop", "labels": {"app.kubernetes.io/managed-by": "meshui"}}
    return {
        "apiVersion": ROUTES.api_version,
        "kind": ROUTES.kind,
        "metadata": metadata,
        "spec": {"hosts": ["payments"], "http": [{"route": route}], **spec},
    }


def made(writer: KubeWriter) -> GuardedDelete:
    """The route is there now; how it would be deleted."""
    answer: Any = writer.write(GuardedCreate(PAYMENTS, body()))
    metadata = answer["metadata"]
    return GuardedDelete(PAYMENTS, metadata["uid"], metadata["resourceVersion"])


def sent(server: EmulatedCluster, method: str) -> list[Any]:
    """Every request of one method."""
    return [request for request in server.server.requests if request.method == method]


def test_create__nothing_there__one_strict_post_with_our_manager(writer: KubeWriter, server: EmulatedCluster) -> None:
    before = len(sent(server, "POST"))

    answer: Any = writer.write(GuardedCreate(PAYMENTS, body()))

    posts = sent(server, "POST")[before:]
    found: Any = stored(server)
    assert [post.path for post in posts] == [ROUTES.path("shop")]
    assert posts[0].content_type == "application/json"
    assert posts[0].query == {"fieldManager": "meshui", "fieldValidation": "Strict"}
    assert json.loads(posts[0].body) == body()
    assert found["metadata"]["uid"] == answer["metadata"]["uid"]
    assert [entry["manager"] for entry in found["metadata"]["managedFields"]] == ["meshui"]


def test_create__dry_run__answers_and_stores_nothing(writer: KubeWriter, server: EmulatedCluster) -> None:
    answer: Any = writer.dry_run(GuardedCreate(PAYMENTS, body()))

    assert answer["spec"]["hosts"] == ["payments"]
    assert sent(server, "POST")[-1].query["dryRun"] == "All"
    assert stored(server) is None


@pytest.mark.parametrize("way", ["dry_run", "write"])
def test_create__one_is_there__lost_race_that_says_already_exists(
    way: str, writer: KubeWriter, server: EmulatedCluster
) -> None:
    made(writer)
    before = stored(server)

    with pytest.raises(LostRaceError, match="already exists") as lost:
        getattr(writer, way)(GuardedCreate(PAYMENTS, body(hosts=["other"])))

    assert (lost.value.status, lost.value.reason) == (409, "AlreadyExists")
    assert stored(server) == before


def test_create__unknown_field__invalid_and_names_it(writer: KubeWriter, server: EmulatedCluster) -> None:
    for send in (writer.dry_run, writer.write):
        with pytest.raises(InvalidObjectError, match="hosst"):
            send(GuardedCreate(PAYMENTS, body(hosst=["x"])))

    assert stored(server) is None


def test_create__namespace_not_there__gone_and_names_it(writer: KubeWriter) -> None:
    nowhere = ObjectRef(ROUTES, "nowhere", "payments")
    placed: Any = body()
    placed["metadata"]["namespace"] = "nowhere"

    with pytest.raises(ObjectGoneError, match="nowhere"):
        writer.write(GuardedCreate(nowhere, placed))


def test_create__reply_dropped__outcome_unknown_and_it_is_there(writer: KubeWriter, server: EmulatedCluster) -> None:
    server.server.faults.drop_reply(method="POST")

    with pytest.raises(OutcomeUnknownError):
        writer.write(GuardedCreate(PAYMENTS, body()))

    assert stored(server) is not None


def test_delete__still_the_very_one__gone_with_both_preconditions(writer: KubeWriter, server: EmulatedCluster) -> None:
    write = made(writer)

    answer = writer.write(write)

    request = sent(server, "DELETE")[-1]
    assert answer is None
    assert json.loads(request.body)["preconditions"] == {"uid": write.uid, "resourceVersion": write.resource_version}
    assert request.query == {}
    assert stored(server) is None


def test_delete__dry_run__stores_nothing(writer: KubeWriter, server: EmulatedCluster) -> None:
    write = made(writer)

    assert writer.dry_run(write) is None

    assert json.loads(sent(server, "DELETE")[-1].body)["dryRun"] == ["All"]
    assert stored(server) is not None


@pytest.mark.parametrize("way", ["dry_run", "write"])
@pytest.mark.parametrize("wrong", [{"uid": "11111111-2222-3333-4444-555555555555"}, {"resource_version": "1"}])
def test_delete__another_uid_or_version__lost_race_and_still_there(
    wrong: dict[str, Any], way: str, writer: KubeWriter, server: EmulatedCluster
) -> None:
    write = replace(made(writer), **wrong)
    before = stored(server)

    with pytest.raises(LostRaceError, match=r"[Pp]recondition") as lost:
        getattr(writer, way)(write)

    assert (lost.value.status, lost.value.reason) == (409, "Conflict")
    assert stored(server) == before


def test_delete__edited_by_another_hand__lost_race_and_the_edit_stays(
    writer: KubeWriter, server: EmulatedCluster
) -> None:
    write = made(writer)
    server.edit(*KIND, lambda found: found["spec"].update(hosts=["edited"]))

    with pytest.raises(LostRaceError):
        writer.write(write)

    found: Any = stored(server)
    assert found["spec"]["hosts"] == ["edited"]


def test_delete__made_anew_under_the_same_name__lost_race_and_the_new_one_stays(
    writer: KubeWriter, server: EmulatedCluster
) -> None:
    write = made(writer)
    server.delete(*KIND)
    again = made(writer)

    with pytest.raises(LostRaceError):
        writer.write(write)

    found: Any = stored(server)
    assert found["metadata"]["uid"] == again.uid


@pytest.mark.parametrize("way", ["dry_run", "write"])
def test_delete__not_there__object_gone(way: str, writer: KubeWriter) -> None:
    with pytest.raises(ObjectGoneError, match="payments"):
        getattr(writer, way)(GuardedDelete(PAYMENTS, "u", "1"))


def test_create_and_delete__without_right__forbidden_and_nothing_moves(server: EmulatedCluster) -> None:
    server.grant("patcher", [{"apiGroups": [ROUTES.group], "resources": [ROUTES.plural], "verbs": ["get", "patch"]}])
    poor = KubeWriter(transport_of(server, server.kubeconfig("patcher")), field_manager="meshui")

    with pytest.raises(ForbiddenError, match="create"):
        poor.write(GuardedCreate(PAYMENTS, body()))
    with pytest.raises(ForbiddenError, match="delete"):
        poor.write(GuardedDelete(ObjectRef(ROUTES, "shop", "checkout"), "u", "1"))

    poor.close()
    assert stored(server) is None
    assert server.get("VirtualService", "checkout", "shop")
