"""Watched clusters, with a real HTTP server: what is edited there is in the inventory at once; what breaks is told."""

from __future__ import annotations

import statistics
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from clusters.models import Cluster
from meshes.models import MtlsMode, Namespace, Route, Service, Sync, Workload
from meshes.selectors import cluster_inventory
from meshes.services import due_syncs, request_sync, sync_cluster, watching
from meshui.lib import clock
from playground import worlds
from tests.meshes.conftest import add, read
from tests.meshes.watching import (
    ROUTES,
    SPLIT,
    is_watched,
    own_stocks,  # noqa: F401 - fixture
    quick_watches,  # noqa: F401 - fixture
    set_weights,
    shares,
    watch_fixture,  # noqa: F401 - fixture
    watched,
)
from tests.people import as_actor
from tests.servers import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from accounts.models import User
    from meshes.services.watchers import Watchers
    from playground.cluster import EmulatedCluster

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.walks]


def lists(emulated: EmulatedCluster, plural: str = "") -> int:
    """How many lists were asked for, of a kind or of any."""
    return sum(
        request.method == "GET" and "limit" in request.query and request.path.endswith(f"/{plural}" if plural else "")
        for request in emulated.server.requests
    )


def seconds_to_follow(emulated: EmulatedCluster, shown: Callable[[], list[int]], *, v2: int) -> float:
    """From an edit of the split until it is what is shown."""
    began = time.monotonic()
    emulated.edit(*SPLIT, set_weights(100 - v2, v2))
    wait_until(lambda: shown()[-2:] == [10_000 - v2 * 100, v2 * 100], seconds=10, what="the edit in the inventory")
    return time.monotonic() - began


def usual_seconds(emulated: EmulatedCluster, shown: Callable[[], list[int]]) -> float:
    """Of three edits, those of the one in the middle."""
    return statistics.median(seconds_to_follow(emulated, shown, v2=v2) for v2 in (40, 35, 30))


def test_watch__edited_by_another_hand__on_the_page_within_two_seconds(
    eu_west: EmulatedCluster, added: Callable[..., Cluster], watch: Callable[[], Watchers], viewer: User
) -> None:
    watch()
    cluster = watched(added(eu_west))

    assert usual_seconds(eu_west, shares) < 2
    inventory = cluster_inventory(viewer, cluster.slug)
    assert inventory.sync == "in_sync"


def test_watch__policies_come_and_go__who_takes_plaintext_is_known_at_once(
    eu_west: EmulatedCluster, added: Callable[..., Cluster], watch: Callable[[], Watchers]
) -> None:
    watch()
    watched(added(eu_west))
    modes = MtlsMode.objects.filter(namespace="payments").values_list("mode", flat=True)
    before = modes.get()

    eu_west.load([worlds.peer_authentication("payments", "own", "DISABLE")])
    wait_until(lambda: modes.get() == "disabled", seconds=10, what="the policy of the namespace")
    eu_west.delete("PeerAuthentication", "own", "payments")
    wait_until(lambda: modes.get() == "strict", seconds=10, what="the policy of the mesh")

    assert before == "strict"


def test_watch__made_deleted_and_made_anew__each_is_followed(
    eu_west: EmulatedCluster, added: Callable[..., Cluster], watch: Callable[[], Watchers]
) -> None:
    watch()
    watched(added(eu_west))
    old = Route.objects.get(namespace="shop", name="checkout")
    body = eu_west.get(*SPLIT)

    eu_west.delete(*SPLIT)
    wait_until(lambda: shares() == [], seconds=10, what="the deletion")
    eu_west.load([{**body, "metadata": {"name": "checkout", "namespace": "shop"}}])
    eu_west.load(
        [
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": "new", "labels": {"istio-injection": "enabled"}},
            }
        ]
    )

    wait_until(lambda: shares() != [], seconds=10, what="the new one")
    wait_until(lambda: Namespace.objects.filter(name="new", injection="injected").exists(), seconds=10)
    old.refresh_from_db()
    assert old.gone_at is not None
    assert Route.objects.filter(namespace="shop", name="checkout").count() == 2


def test_watch__workloads_and_services__counted_as_they_move(
    eu_west: EmulatedCluster, added: Callable[..., Cluster], watch: Callable[[], Watchers]
) -> None:
    watch()
    watched(added(eu_west))

    eu_west.edit("Deployment", "checkout-v2", "shop", lambda body: body["spec"].update(replicas=5))
    eu_west.edit("Service", "checkout", "shop", lambda body: body["spec"]["selector"].update(tier="web"))
    eu_west.delete("Service", "cart", "shop")

    moved = Workload.objects.filter(name="checkout-v2", replicas=5, ready=5)
    wait_until(moved.exists, seconds=20, what="five ready pods")
    wait_until(lambda: Service.objects.get(name="checkout").selector.get("tier") == "web", seconds=10)
    wait_until(lambda: Service.objects.get(name="cart").gone_at is not None, seconds=10)


def test_watch__a_watched_cluster__is_not_read_by_others_and_lists_nothing(
    eu_west: EmulatedCluster, added: Callable[..., Cluster], watch: Callable[[], Watchers]
) -> None:
    watch()
    cluster = watched(added(eu_west))
    before = lists(eu_west)

    eu_west.edit(*SPLIT, set_weights(30, 70))
    wait_until(lambda: shares()[-2:] == [3000, 7000], seconds=10)
    Cluster.objects.filter(pk=cluster.pk).update(next_sync_at=clock.db_now(plus=60))

    assert not sync_cluster(cluster.pk)
    assert not due_syncs().exists()
    assert lists(eu_west) == before


def test_watch__read_now__the_watch_reads_and_is_no_longer_due(
    eu_west: EmulatedCluster, added: Callable[..., Cluster], watch: Callable[[], Watchers], viewer: User
) -> None:
    watch()
    cluster = watched(added(eu_west))
    before = lists(eu_west, "virtualservices")
    clock.shift_for_tests(timedelta(seconds=6))

    request_sync(actor=as_actor(viewer), cluster_id=cluster.pk)

    later = Cluster.objects.filter(pk=cluster.pk, next_sync_at__gt=clock.db_now())
    wait_until(later.exists, seconds=20, what="the reading")
    assert lists(eu_west, "virtualservices") == before + 1


def test_watch__history_cut_off__lists_again_and_misses_nothing(
    eu_west: EmulatedCluster, added: Callable[..., Cluster], watch: Callable[[], Watchers]
) -> None:
    watch()
    watched(added(eu_west))
    before = lists(eu_west, "virtualservices")

    eu_west.server.expire_watches()
    eu_west.edit(*SPLIT, set_weights(20, 80))

    wait_until(lambda: shares()[-2:] == [2000, 8000], seconds=20, what="the edit after the cut")
    wait_until(lambda: lists(eu_west, "virtualservices") > before, seconds=10, what="the list anew")
    wait_until(is_watched, seconds=10, what="the watch again")


@pytest.mark.usefixtures("quick_watches")
def test_watch__bookmarks__move_the_stored_version_and_the_age(
    eu_west: EmulatedCluster, added: Callable[..., Cluster], watch: Callable[[], Watchers]
) -> None:
    eu_west.server.bookmark_seconds = 0.05
    watch()
    cluster = watched(added(eu_west))
    version = int(Sync.objects.get(resource=ROUTES).resource_version)
    before = cluster.last_synced_at
    assert before is not None

    eu_west.edit("Service", "cart", "shop", lambda body: body["metadata"]["labels"].update(a="b"))

    wait_until(
        lambda: int(Sync.objects.get(resource=ROUTES).resource_version) > version,
        seconds=20,
        what="the version of the bookmark",
    )
    younger = Cluster.objects.filter(pk=cluster.pk, last_synced_at__gt=before)
    wait_until(younger.exists, seconds=20, what="the age")


def test_watch__no_right_to_watch_one_kind__that_one_is_read_at_intervals(
    eu_west: EmulatedCluster, admin: User, watch: Callable[[], Watchers], settings: Any
) -> None:
    settings.SYNC_SECONDS = 0.3
    groups = ["", "apps", "gateway.networking.k8s.io", "admissionregistration.k8s.io"]
    istio = {"apiGroups": ["networking.istio.io"]}
    rules = [
        {"apiGroups": groups, "resources": ["*"], "verbs": ["get", "list", "watch"]},
        {**istio, "resources": ["destinationrules"], "verbs": ["get", "list", "watch"]},
        {**istio, "resources": ["virtualservices"], "verbs": ["get", "list"]},
    ]
    eu_west.grant("reader", rules)
    cluster = add(eu_west, admin, config=eu_west.kubeconfig("reader"))
    assert read(cluster)

    watch()
    refused = Sync.objects.filter(resource=ROUTES, watched_since=None, watch_error__contains="watch")
    wait_until(refused.exists, seconds=30, what="the refusal")
    wait_until(lambda: is_watched("services"), seconds=20, what="the others")
    eu_west.edit(*SPLIT, set_weights(10, 90))

    wait_until(lambda: shares()[-2:] == [1000, 9000], seconds=20, what="the edit by reading")


def test_watch__no_right_to_watch_at_all__given_back_to_the_readers(
    eu_west: EmulatedCluster, admin: User, watch: Callable[[], Watchers]
) -> None:
    eu_west.grant("reader", [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list"]}])
    cluster = add(eu_west, admin, config=eu_west.kubeconfig("reader"))
    assert read(cluster)

    watch()

    free = Cluster.objects.filter(pk=cluster.pk, lease_owner="", lease_fence=2)
    wait_until(free.exists, seconds=30, what="the cluster given back")
    assert "watch" in Sync.objects.get(resource=ROUTES).watch_error
    eu_west.edit(*SPLIT, set_weights(70, 30))
    assert read(cluster)
    assert shares()[-2:] == [7000, 3000]


def test_watch__server_goes_and_comes_back__read_and_watched_again(
    eu_west: EmulatedCluster,
    added: Callable[..., Cluster],
    watch: Callable[[], Watchers],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watching, "REST_SECONDS", 0.2)
    monkeypatch.setattr(watching, "MOST_WAIT", 0.2)
    watch()
    watched(added(eu_west))

    eu_west.restart()
    eu_west.edit(*SPLIT, set_weights(55, 45))

    wait_until(lambda: shares()[-2:] == [5500, 4500], seconds=20, what="what was edited meanwhile")
    eu_west.edit(*SPLIT, set_weights(50, 50))
    wait_until(lambda: shares()[-2:] == [5000, 5000], seconds=20, what="what was edited later")


def test_watch__one_cluster_dead_and_one_silent__the_third_is_not_slower(
    eu_west: EmulatedCluster,
    us_east: EmulatedCluster,
    emulate: Callable[..., EmulatedCluster],
    added: Callable[..., Cluster],
    watch: Callable[[], Watchers],
) -> None:
    silent = emulate("silent")
    for emulated in (silent, us_east, eu_west):
        added(emulated)
    silent.server.faults.black_hole(times=1000)
    us_east.stop()
    watch()
    here = Sync.objects.filter(cluster__slug="eu-west", resource=ROUTES, watched_since__isnull=False)
    wait_until(here.exists, seconds=30, what="the watch of the one that works")
    mine = Route.objects.filter(cluster__slug="eu-west", name="checkout", gone_at=None)

    assert usual_seconds(eu_west, lambda: [b.weight_bp for b in mine.get().backends.all()]) < 2
    assert Route.objects.filter(cluster__slug="us-east", gone_at=None).exists()
