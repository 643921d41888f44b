"""Emulated clusters that the product has added and read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from zeal import zeal_ignore

from clusters.kubeconfig import parse_kubeconfig
from clusters.models import Cluster
from clusters.services import NewCluster, add_cluster
from meshes.services import sync_cluster
from meshui.lib.clock import read_db_now
from tests.people import as_actor

if TYPE_CHECKING:
    from collections.abc import Callable

    from accounts.models import User
    from playground.cluster import EmulatedCluster


def add(emulated: EmulatedCluster, admin: User, *, environment: str = "staging", config: str = "") -> Cluster:
    """`emulated` as a cluster of the product, not read yet; `config` is its kubeconfig, else the administrator's."""
    parsed = parse_kubeconfig((config or emulated.admin_kubeconfig()).encode())
    new = NewCluster(emulated.name, emulated.name, environment, parsed)
    return add_cluster(actor=as_actor(admin), new=new)


def read(cluster: Cluster) -> bool:
    """Read it now, as if it were due: one act after another, not the loop that zeal looks for."""
    Cluster.objects.filter(pk=cluster.pk).update(next_sync_at=read_db_now())
    with zeal_ignore():
        return sync_cluster(cluster.pk)


@pytest.fixture
def added(admin: User) -> Callable[..., Cluster]:
    """`added(emulated, environment="staging")`: added and read."""

    def make(emulated: EmulatedCluster, **options: str) -> Cluster:
        cluster = add(emulated, admin, **options)
        assert read(cluster)
        return cluster

    return make
