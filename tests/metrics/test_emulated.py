"""Pods of an emulated cluster as MeshUI lists them to ask their proxies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clusters.connect import proxied_for
from tests.meshes.conftest import add

if TYPE_CHECKING:
    from accounts.models import User
    from playground.cluster import EmulatedCluster

pytestmark = pytest.mark.django_db


def test_pods__of_an_emulated_cluster__with_their_workloads_and_proxies(eu_west: EmulatedCluster, admin: User) -> None:
    pods = proxied_for(add(eu_west, admin)).pods("shop", {"app": "checkout"})

    assert {pod.workload for pod in pods} == {"checkout-v1", "checkout-v2"}
    assert all("istio-proxy" in pod.containers and pod.uid for pod in pods)
