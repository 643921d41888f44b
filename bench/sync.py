"""Reading a cluster of n objects into an empty inventory, again without a change, and with 1 % changed.

The API server is the emulator in a process of its own: its time is in "wall", not in "cpu".
"""

from __future__ import annotations

import multiprocessing
import resource
import time
from typing import TYPE_CHECKING

from django.core.management import call_command

from accounts.selectors import actor_for
from accounts.services import create_user, grant_role
from audit.types import SYSTEM
from bench.emulated import serve
from clusters.kubeconfig import parse_kubeconfig
from clusters.models import Cluster
from clusters.services import NewCluster, add_cluster
from meshes.models import Route, Service, Sync
from meshes.services import sync_cluster
from meshui.lib.clock import db_now

if TYPE_CHECKING:
    from collections.abc import Callable

PER_SERVICE = 3  # a Service, a DestinationRule, a VirtualService


def measure(objects: int) -> None:
    """Print one line for each reading."""
    call_command("migrate", interactive=False, verbosity=0)
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs, objects // PER_SERVICE))
    server.start()
    theirs.close()
    cluster = _added(ours.recv())
    kinds = (Service, Route)
    _timed("first reading", lambda: _read(cluster))
    rows = sum(model.objects.count() for model in kinds)
    _timed("nothing changed", lambda: _read(cluster))
    ours.send("edit")
    changed = ours.recv()
    _timed(f"{changed} routes changed", lambda: _read(cluster))
    ours.send("end")
    server.join(30)
    listed = sum(sync.count for sync in Sync.objects.all())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{listed} objects listed, {rows} rows of services and routes, peak {peak:.0f} MB")


def _added(config: str) -> Cluster:
    admin = create_user(actor=SYSTEM, username="bench", display_name="Bench")
    grant_role(actor=SYSTEM, user_id=admin.pk, role="cluster_admin")
    new = NewCluster("bench", "bench", "staging", parse_kubeconfig(config.encode()))
    return add_cluster(actor=actor_for(admin), new=new)


def _read(cluster: Cluster) -> None:
    Cluster.objects.filter(pk=cluster.pk).update(next_sync_at=db_now())
    if not sync_cluster(cluster.pk) or Sync.objects.exclude(error="").exists():
        raise SystemExit("The cluster could not be read.")


def _timed(what: str, act: Callable[[], None]) -> None:
    wall, cpu = time.perf_counter(), time.process_time()
    act()
    print(f"{what:24} {time.perf_counter() - wall:6.2f} s wall {time.process_time() - cpu:6.2f} s cpu")
