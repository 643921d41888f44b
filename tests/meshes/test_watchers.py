"""The watches of a process: taken, shared, given back, and lost with the cluster."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from django.db import connections

from clusters.models import Cluster
from clusters.services import remove_cluster
from meshes.models import CONNECTION, Route, Sync
from meshes.services.watchers import Watchers
from meshui.lib import clock
from tests.meshes.conftest import add, read
from tests.meshes.watching import (
    SPLIT,
    is_watched,
    names_of_threads,
    own_stocks,  # noqa: F401 - fixture
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
    from playground.cluster import EmulatedCluster

pytestmark = pytest.mark.django_db(transaction=True)


def test_watchers__two_processes__share_the_clusters_and_take_over_from_the_dead(
    eu_west: EmulatedCluster, added: Callable[..., Cluster], watch: Callable[[], Watchers]
) -> None:
    cluster = added(eu_west)
    rows = Cluster.objects.filter(pk=cluster.pk)
    rows.update(lease_owner="one that died", lease_until=clock.db_now(plus=1.5), lease_fence=7)

    first, second = watch(), watch()

    wait_until(lambda: rows.filter(lease_owner__in=[first.owner, second.owner]).exists(), seconds=20)
    watched(cluster)
    assert len([*first.watched(), *second.watched()]) == 1


def test_watchers__lease_given_to_another__nothing_more_is_written(
    eu_west: EmulatedCluster, added: Callable[..., Cluster], watch: Callable[[], Watchers]
) -> None:
    running = watch()
    cluster = watched(added(eu_west))
    Cluster.objects.filter(pk=cluster.pk).update(
        lease_owner="another", lease_fence=99, lease_until=clock.db_now(plus=60)
    )
    wait_until(lambda: not running.watched(), seconds=20, what="the watch given up")
    before = shares()

    eu_west.edit(*SPLIT, set_weights(1, 99))

    assert threading.Event().wait(0.3) is False
    assert shares() == before
    cluster.refresh_from_db()
    assert cluster.lease_owner == "another"


def test_watchers__cluster_removed__left_alone_and_nothing_is_there(
    eu_west: EmulatedCluster, added: Callable[..., Cluster], watch: Callable[[], Watchers], admin: User
) -> None:
    running = watch()
    cluster = watched(added(eu_west))

    remove_cluster(actor=as_actor(admin), cluster_id=cluster.pk, reason="It was torn down.")
    eu_west.edit(*SPLIT, set_weights(5, 95))

    wait_until(lambda: not running.watched(), seconds=20, what="the end of the watch")
    left = Cluster.everything.get(pk=cluster.pk)
    assert (left.next_sync_at, left.lease_owner) == (None, "")
    assert not is_watched()
    assert not Route.objects.filter(gone_at=None).exists()


@pytest.mark.parametrize("health", ["identity_changed", "healthy"])
def test_watchers__another_cluster_answers_or_silenced__left_alone(
    eu_west: EmulatedCluster, added: Callable[..., Cluster], watch: Callable[[], Watchers], health: str
) -> None:
    running = watch()
    cluster = watched(added(eu_west))

    Cluster.objects.filter(pk=cluster.pk).update(next_sync_at=None, health=health)

    wait_until(lambda: not running.watched(), seconds=20, what="the end of the watch")
    cluster.refresh_from_db()
    assert (cluster.next_sync_at, cluster.lease_owner) == (None, "")
    assert not is_watched()


def test_watchers__stopped__clusters_given_back_and_no_thread_left(
    eu_west: EmulatedCluster, added: Callable[..., Cluster], watch: Callable[[], Watchers]
) -> None:
    running = watch()
    cluster = watched(added(eu_west))

    running.stop()

    wait_until(lambda: not names_of_threads(), seconds=5, what="the end of all threads")
    cluster.refresh_from_db()
    assert cluster.lease_owner == ""
    assert not is_watched()


def test_watchers__never_read_or_open_breaker__not_taken(
    eu_west: EmulatedCluster, admin: User, watch: Callable[[], Watchers]
) -> None:
    cluster = add(eu_west, admin)
    Cluster.objects.filter(pk=cluster.pk).update(next_sync_at=clock.db_now(plus=60))
    running = Watchers()

    running.beat()
    assert running.watched() == []

    read(cluster)
    Cluster.objects.filter(pk=cluster.pk).update(next_try_at=clock.db_now(plus=60))
    running.beat()
    assert running.watched() == []
    assert not Sync.objects.filter(resource=CONNECTION).exclude(error="").exists()
    connections.close_all()
