"""Watched clusters on a real API server: what another hand does is in the rows at once; nothing is lost or made up."""

from __future__ import annotations

import json
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import urllib3

from clusters.kubeconfig import parse_kubeconfig
from clusters.models import Cluster
from clusters.services import NewCluster, add_cluster
from lab.samples import deploy_shop
from meshes.models import Route, Sync
from meshes.services import sync_cluster, watching
from meshes.services.reading import Reading
from tests.meshes.conftest import read
from tests.meshes.watching import (
    ROUTES,
    SPLIT,
    is_watched,
    own_stocks,  # noqa: F401 - fixture
    set_weights,
    shares,
    watch_fixture,  # noqa: F401 - fixture
    watched,
)
from tests.people import as_actor
from tests.servers import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from accounts.models import User
    from lab.cluster import Cluster as LabCluster
    from lab.sessions import Lab
    from meshes.services.watchers import Watchers

pytestmark = [pytest.mark.lab, pytest.mark.django_db(transaction=True)]
READS = {"apiGroups": ["*"], "resources": ["*"]}


@pytest.fixture
def east(lab: Lab) -> Iterator[LabCluster]:
    """A real cluster whose shop/checkout stands at 90/10, now and after the test."""
    cluster = next(each for each in lab.clusters if each.name == "east")
    deploy_shop(cluster)
    cluster.edit(*SPLIT, set_weights(90, 10))
    yield cluster
    deploy_shop(cluster)
    cluster.edit(*SPLIT, set_weights(90, 10))


def known(real: LabCluster, admin: User, config: str = "") -> Cluster:
    """A cluster of the product that was read once; `config`: its kubeconfig, else the administrator's."""
    parsed = parse_kubeconfig((config or real.admin_kubeconfig()).encode())
    new = NewCluster(real.name, real.name, "staging", parsed)
    cluster = add_cluster(actor=as_actor(admin), new=new)
    assert read(cluster)
    return cluster


def anew(body: dict[str, Any]) -> dict[str, Any]:
    """The same object, to be made again."""
    metadata = {name: body["metadata"][name] for name in ("name", "namespace")}
    return {**{name: body[name] for name in ("apiVersion", "kind", "spec")}, "metadata": metadata}


def is_at(first: int) -> bool:
    """Whether the rows say that v1 gets `first` percent."""
    return shares() == [first * 100, 10_000 - first * 100]


def compact(cluster: LabCluster) -> int:
    """Let etcd forget everything but the newest revision; which one that is."""
    option = "--etcd-servers="
    server = next(str(part) for part in cluster.api_server.command if str(part).startswith(option))
    url, http = server.removeprefix(option), urllib3.PoolManager(retries=False)
    found = http.request("POST", f"{url}/v3/kv/range", body=json.dumps({"key": "AA=="}))
    revision = int(found.json()["header"]["revision"])
    asked = json.dumps({"revision": str(revision), "physical": True})
    assert http.request("POST", f"{url}/v3/kv/compaction", body=asked).status == 200
    http.clear()
    return revision


def test_watch__edited_by_another_hand__in_the_rows_within_two_seconds(
    east: LabCluster, admin: User, watch: Callable[[], Watchers]
) -> None:
    cluster = known(east, admin)
    watch()
    watched(cluster)

    took = []
    for first in (60, 25, 80):
        began = time.monotonic()
        east.edit(*SPLIT, set_weights(first, 100 - first))
        wait_until(partial(is_at, first), seconds=10, what="the edit in the rows")
        took.append(time.monotonic() - began)

    assert max(took) < 2, took


def test_watch__deleted_and_made_anew__a_new_row_beside_the_gone_one(
    east: LabCluster, admin: User, watch: Callable[[], Watchers]
) -> None:
    cluster = known(east, admin)
    watch()
    watched(cluster)
    old, body = Route.objects.get(namespace="shop", name="checkout"), east.get(*SPLIT)

    east.delete(*SPLIT)
    wait_until(lambda: shares() == [], seconds=10, what="the deletion")
    east.load([anew(body)])
    wait_until(lambda: shares() == [9000, 1000], seconds=10, what="the new one")

    old.refresh_from_db()
    new = Route.objects.get(namespace="shop", name="checkout", gone_at=None)
    assert old.gone_at is not None
    assert new.uid == east.get(*SPLIT)["metadata"]["uid"] != old.uid


def test_watch__history_compacted_while_the_server_was_away__410_and_the_list_anew(
    east: LabCluster, lab: Lab, admin: User, watch: Callable[[], Watchers], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "MOST_WAIT", 0.2)
    west = next(each for each in lab.clusters if each.name == "west")
    deploy_shop(west)
    cluster = known(east, admin)
    watch()
    watched(cluster)
    relisted: list[str] = []
    read_kind = Reading.read_kind

    def noting(reading: Reading, resource: Any) -> bool:
        relisted.append(resource.plural)
        return read_kind(reading, resource)

    monkeypatch.setattr(Reading, "read_kind", noting)
    before = int(Sync.objects.get(resource=ROUTES).resource_version)

    east.stop_api_server()
    west.edit(*SPLIT, set_weights(55, 45))  # one etcd for all: its revision moves for east, too
    forgotten = compact(east)
    east.start_api_server()
    east.edit(*SPLIT, set_weights(35, 65))

    wait_until(lambda: shares() == [3500, 6500], seconds=60, what="what was edited after the cut")
    wait_until(lambda: "virtualservices" in relisted, seconds=60, what="the list anew")
    wait_until(is_watched, seconds=30, what="the watch again")
    assert before < forgotten < int(east.get(*SPLIT)["metadata"]["resourceVersion"])
    east.edit(*SPLIT, set_weights(45, 55))
    wait_until(lambda: shares() == [4500, 5500], seconds=10, what="an edit by the new watch")


def test_watch__no_right_to_watch__scheduled_reading_sees_the_edit(
    east: LabCluster, admin: User, watch: Callable[[], Watchers]
) -> None:
    east.grant("lister", [{**READS, "verbs": ["get", "list"]}])
    cluster = known(east, admin, east.kubeconfig("lister"))

    watch()
    given_back = Cluster.objects.filter(pk=cluster.pk, lease_owner="", lease_fence__gte=2)
    wait_until(given_back.exists, seconds=60, what="the cluster given back to the readers")
    refused = Sync.objects.get(resource=ROUTES)
    east.edit(*SPLIT, set_weights(15, 85))
    Cluster.objects.filter(pk=cluster.pk).update(next_sync_at=cluster.created_at)

    assert sync_cluster(cluster.pk)

    assert refused.watched_since is None
    assert "watch" in refused.watch_error
    assert shares() == [1500, 8500]


def test_watch__no_right_to_watch_one_kind__the_others_are_watched(
    east: LabCluster, admin: User, watch: Callable[[], Watchers]
) -> None:
    groups = ["", "apps", "gateway.networking.k8s.io", "admissionregistration.k8s.io", "linkerd.io"]
    groups.append("policy.linkerd.io")
    istio = {"apiGroups": ["networking.istio.io"]}
    rules = [
        {"apiGroups": groups, "resources": ["*"], "verbs": ["get", "list", "watch"]},
        {**istio, "resources": ["destinationrules"], "verbs": ["get", "list", "watch"]},
        {**istio, "resources": ["virtualservices"], "verbs": ["get", "list"]},
    ]
    east.grant("half-watcher", rules)
    known(east, admin, east.kubeconfig("half-watcher"))

    watch()

    refused = Sync.objects.filter(resource=ROUTES, watched_since=None, watch_error__contains="watch")
    wait_until(refused.exists, seconds=60, what="the refusal")
    wait_until(lambda: is_watched("services"), seconds=30, what="the others")
