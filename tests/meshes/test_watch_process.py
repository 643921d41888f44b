"""`manage.py watch` beside Celery: a process of its own follows the clusters, and gives them back at its end."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest
from django.core.management import CommandError, call_command

from clusters.models import Cluster
from meshes.models import Sync
from tests.meshes.watching import SPLIT, set_weights, shares, watched
from tests.servers import Process, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_django import Settings

    from playground.cluster import EmulatedCluster

SAYS = "MeshUI watches its clusters"


@pytest.fixture
def start_watch(product_environment: dict[str, str], broker: str, tmp_path: Path) -> Iterator[Callable[[], Process]]:
    """`start_watch()` runs `manage.py watch` on the database of this test."""
    running: list[Process] = []

    def start() -> Process:
        env = dict(os.environ) | product_environment | {"MESHUI_BROKER_URL": broker}
        log = tmp_path / f"watch{len(running)}.log"
        running.append(Process([sys.executable, "manage.py", "watch"], log=log, env=env))
        running[-1].wait_for_output(SAYS, seconds=60)
        return running[-1]

    yield start
    for process in running:
        process.stop()


def is_held() -> bool:
    """Whether somebody has the cluster."""
    return Cluster.objects.exclude(lease_owner="").exists()


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_watch__told_to_end__follows_until_then_and_gives_the_clusters_back(
    start_watch: Callable[[], Process], eu_west: EmulatedCluster, added: Callable[..., Cluster]
) -> None:
    process = start_watch()
    watched(added(eu_west))
    eu_west.edit(*SPLIT, set_weights(60, 40))
    wait_until(lambda: shares()[-2:] == [6000, 4000], seconds=30, what="the edit in the inventory")

    code = process.stop()

    assert code == 0, process.output()
    assert not is_held()
    assert not Sync.objects.filter(watched_since__isnull=False).exists()
    assert "Traceback" not in process.output()


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_watch__one_of_two_killed__the_other_goes_on_with_its_clusters(
    start_watch: Callable[[], Process], eu_west: EmulatedCluster, added: Callable[..., Cluster]
) -> None:
    first = start_watch()
    cluster = watched(added(eu_west))
    owner = cluster.lease_owner
    start_watch()

    first.kill()
    eu_west.edit(*SPLIT, set_weights(30, 70))

    wait_until(lambda: shares()[-2:] == [3000, 7000], seconds=120, what="the edit, by the other process")
    cluster.refresh_from_db()
    assert cluster.lease_owner not in {"", owner}


@pytest.mark.parametrize(
    ("switched", "said"),
    [
        ({"BROKER_URL": ""}, "Without a broker `manage.py serve` watches"),
        ({"BROKER_URL": "redis://127.0.0.1:1/0", "WATCH": False}, "MESHUI_WATCH is off"),
    ],
)
def test_watch__nothing_for_it_to_do__refused_with_the_reason(
    settings: Settings, switched: dict[str, object], said: str
) -> None:
    for name, value in switched.items():
        setattr(settings, name, value)

    with pytest.raises(CommandError, match=said):
        call_command("watch")
