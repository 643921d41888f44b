"""Faults on purpose: what was applied, what the client saw, what the log says."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest
from urllib3.exceptions import HTTPError, IncompleteRead, ProtocolError

from playground import worlds
from playground.apiserver.faults import on
from tests.contract.objects import config_map, splitting

if TYPE_CHECKING:
    from collections.abc import Callable

    from playground.apiserver.messages import Request
    from playground.cluster import EmulatedCluster
    from tests.contract.api import Api

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


def _exists(cluster: EmulatedCluster, name: str) -> bool:
    return any(each["metadata"]["name"] == name for each in cluster.list("ConfigMap", "default"))


def test_drop_reply__create__applied_and_no_answer(cluster: EmulatedCluster, api: Api) -> None:
    cluster.server.faults.drop_reply("POST", "configmaps")

    with pytest.raises(ProtocolError):
        api.create(CONFIG_MAPS, config_map("one"))

    assert _exists(cluster, "one")
    assert (cluster.server.requests[-1].method, cluster.server.requests[-1].status) == ("POST", 0)


def test_drop_request__create__not_applied(cluster: EmulatedCluster, api: Api) -> None:
    cluster.server.faults.drop_request("POST", "configmaps")

    with pytest.raises(ProtocolError):
        api.create(CONFIG_MAPS, config_map("one"))

    assert not _exists(cluster, "one")
    assert api.create(CONFIG_MAPS, config_map("one")).status == 201


def test_answer__two_times__then_as_ever(cluster: EmulatedCluster, api: Api) -> None:
    cluster.server.faults.answer(429, "GET", "configmaps", 2, retry_after=3)

    first, second, third = (api.get(CONFIG_MAPS) for _ in range(3))

    assert first.refusal() == (429, "TooManyRequests", "injected fault 429")
    assert first.headers["Retry-After"] == "3"
    assert (second.status, third.status) == (429, 200)
    assert cluster.server.faults.pending == 0


@pytest.mark.parametrize("status", [500, 503])
def test_answer__server_error__nothing_applied(cluster: EmulatedCluster, api: Api, status: int) -> None:
    cluster.server.faults.answer(status, "POST")

    refused = api.create(CONFIG_MAPS, config_map("one"))

    assert refused.status == status
    assert not _exists(cluster, "one")


def test_redirect__get__sends_elsewhere(cluster: EmulatedCluster, api: Api) -> None:
    cluster.server.faults.redirect("https://elsewhere.example.com/")

    sent = api.get("/version")

    assert (sent.status, sent.headers["Location"]) == (302, "https://elsewhere.example.com/")


def test_cut_body__list__half_of_what_was_promised(cluster: EmulatedCluster, api: Api) -> None:
    cluster.server.faults.cut_body("GET", "namespaces")

    with pytest.raises((IncompleteRead, ProtocolError)):
        api.get("/api/v1/namespaces")

    assert api.get("/api/v1/namespaces").status == 200


def test_delay__get__comes_late(cluster: EmulatedCluster, api: Api) -> None:
    cluster.server.faults.delay(0.3, "GET", "/version")
    began = time.monotonic()

    found = api.get("/version")

    assert found.status == 200
    assert time.monotonic() - began >= 0.3


def test_black_hole__get__silence_until_the_server_stops(cluster: EmulatedCluster, api: Api) -> None:
    cluster.server.faults.black_hole("GET", "/version")
    failures: list[HTTPError] = []

    def ask() -> None:
        try:
            api.get("/version")
        except HTTPError as error:
            failures.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join(0.3)
    waits = thread.is_alive()
    cluster.stop()
    thread.join(10)

    assert waits
    assert len(failures) == 1


def test_call__patch__another_hand_comes_between(cluster: EmulatedCluster, api: Api) -> None:
    made = api.create(CONFIG_MAPS, config_map("one", a="1"))

    def edit(_: Request) -> None:
        cluster.edit("ConfigMap", "one", "default", lambda obj: obj["data"].update(a="2"))

    cluster.server.faults.call(edit, "PATCH")
    test = {"op": "test", "path": "/metadata/resourceVersion", "value": made.version}
    refused = api.patch(f"{CONFIG_MAPS}/one", [test, {"op": "replace", "path": "/data/a", "value": "3"}])

    assert refused.status == 422
    assert cluster.get("ConfigMap", "one", "default")["data"] == {"a": "2"}


def test_predicate__dry_run_only__others_pass(cluster: EmulatedCluster, api: Api) -> None:
    cluster.server.faults.answer(503, "POST", lambda request: "dryRun" in request.query)

    wet = api.create(CONFIG_MAPS, config_map("one"))
    dry = api.create(f"{CONFIG_MAPS}?dryRun=All", config_map("two"))

    assert (wet.status, dry.status) == (201, 503)


def test_clear__faults_waiting__gone(cluster: EmulatedCluster, api: Api) -> None:
    cluster.server.faults.answer(503, times=5)

    cluster.server.faults.clear()

    assert cluster.server.faults.pending == 0
    assert api.get("/version").status == 200


ROUTES = "/apis/networking.istio.io/v1/namespaces/default/virtualservices"
TO_HALVES = [{"op": "replace", "path": "/spec/http/0/route/0/weight", "value": 50}]


def _weight(cluster: EmulatedCluster, name: str = "checkout") -> int:
    return int(cluster.get("VirtualService", name, "default")["spec"]["http"][0]["route"][0]["weight"])


def test_on__next_patch_of_a_kind__dry_run_and_other_kinds_pass(cluster: EmulatedCluster, api: Api) -> None:
    api.create(ROUTES, splitting("checkout", v1=90, v2=10))
    cluster.faults.drop_reply("PATCH", on("VirtualService"))

    assert api.patch(f"{ROUTES}/checkout?dryRun=All", TO_HALVES).status == 200
    assert api.create(CONFIG_MAPS, config_map("one")).status == 201
    with pytest.raises(ProtocolError):
        api.patch(f"{ROUTES}/checkout", TO_HALVES)

    assert _weight(cluster) == 50
    assert api.patch(f"{ROUTES}/checkout", TO_HALVES).status == 200


def test_on__create_of_one_name__that_one_is_lost(cluster: EmulatedCluster, api: Api) -> None:
    cluster.faults.drop_request("POST", on("virtualservices.networking.istio.io", "search", "default"))

    assert api.create(ROUTES, splitting("checkout", v1=90, v2=10)).status == 201
    with pytest.raises(ProtocolError):
        api.create(ROUTES, splitting("search", v1=90, v2=10))

    assert [each["metadata"]["name"] for each in cluster.list("VirtualService")] == ["checkout"]


@pytest.mark.parametrize("way", ["?dryRun=All", ""])
def test_on__delete__dry_run_by_query_or_body_is_told_apart(cluster: EmulatedCluster, api: Api, way: str) -> None:
    api.create(ROUTES, splitting("checkout", v1=90, v2=10))
    cluster.faults.drop_reply("DELETE", on("VirtualService"))

    tried = api.delete(f"{ROUTES}/checkout{way}", None if way else {"dryRun": ["All"]})
    with pytest.raises(ProtocolError):
        api.delete(f"{ROUTES}/checkout")

    assert tried.status == 200
    assert cluster.list("VirtualService") == []


def test_on__dry_runs_only__the_write_passes(cluster: EmulatedCluster, api: Api) -> None:
    cluster.faults.answer(500, "POST", on("VirtualService", dry_run=True))

    assert api.create(f"{ROUTES}?dryRun=All", splitting("checkout", v1=90, v2=10)).status == 500
    assert api.create(ROUTES, splitting("checkout", v1=90, v2=10)).status == 201


def test_answer__forbidden__reason_is_told(cluster: EmulatedCluster, api: Api) -> None:
    cluster.faults.answer(403, "POST", on("ConfigMap"))

    assert api.create(CONFIG_MAPS, config_map("one")).refusal() == (403, "Forbidden", "injected fault 403")


def test_trickle__get__whole_answer_slowly(cluster: EmulatedCluster, api: Api) -> None:
    cluster.faults.trickle(2000, "GET", "/version")

    begun = time.monotonic()
    found = api.get("/version")

    assert found.status == 200
    assert time.monotonic() - begun >= 0.1


def test_trickle__server_stops__does_not_wait_for_it(cluster: EmulatedCluster, api: Api) -> None:
    cluster.faults.trickle(1, "GET", "/version")

    def ask() -> None:
        with pytest.raises(HTTPError):
            api.get("/version")

    client = threading.Thread(target=ask)
    client.start()

    begun = time.monotonic()
    cluster.stop()
    client.join(20)

    assert time.monotonic() - begun < 15
    assert not client.is_alive()


def test_become_another__same_address__every_uid_is_new_and_tokens_are_good(
    cluster: EmulatedCluster, sign_in: Callable[[str], Api]
) -> None:
    cluster.load(worlds.many_services(2))
    cluster.settle()
    uid, owned = cluster.uid, cluster.list("EndpointSlice", "bulk")[0]
    token = cluster.service_account_kubeconfig("default", "meshui")

    cluster.server.become_another()

    now = cluster.list("EndpointSlice", "bulk")[0]["metadata"]
    (owner,) = now["ownerReferences"]
    assert cluster.uid != uid
    assert now["uid"] != owned["metadata"]["uid"]
    assert owner["uid"] == cluster.get("Service", owner["name"], "bulk")["metadata"]["uid"]
    assert sign_in(token).get("/api").status == 200


def test_unreachable__block__refused_then_back_on_the_same_address(cluster: EmulatedCluster, api: Api) -> None:
    url = cluster.url

    with cluster.unreachable(), pytest.raises(HTTPError):
        api.get("/version")

    assert cluster.url == url
    assert api.get("/version").status == 200
