"""Faults on purpose: what was applied, what the client saw, what the log says."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest
from urllib3.exceptions import HTTPError, IncompleteRead, ProtocolError

from tests.contract.objects import config_map

if TYPE_CHECKING:
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
