"""Emulated clusters and clients for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from playground.cluster import EmulatedCluster
from tests.contract.api import Api

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def cluster() -> Iterator[EmulatedCluster]:
    """A running cluster with nothing in it."""
    with EmulatedCluster("test") as cluster:
        yield cluster


@pytest.fixture
def sign_in() -> Iterator[Callable[[str], Api]]:
    """Make clients from kubeconfigs; all are closed at the end."""
    clients: list[Api] = []

    def signed_in(kubeconfig: str) -> Api:
        clients.append(Api(kubeconfig))
        return clients[-1]

    yield signed_in
    for client in clients:
        client.close()


@pytest.fixture
def api(cluster: EmulatedCluster, sign_in: Callable[[str], Api]) -> Api:
    """A client that may do everything in `cluster`."""
    return sign_in(cluster.admin_kubeconfig())
