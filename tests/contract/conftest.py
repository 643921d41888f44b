"""One suite, two servers: the emulator always, a real kube-apiserver under the marker `lab`."""

from __future__ import annotations

import base64
import json
import os
import secrets
from typing import TYPE_CHECKING, Any

import pytest
import urllib3

from lab.definitions import VARIABLE
from lab.pytest_plugin import lab_cluster  # noqa: F401 - a fixture
from lab.waiting import until
from playground.cluster import EmulatedCluster
from playground.definitions import definitions
from tests.contract.api import Api
from tests.contract.objects import GROUP, namespace, widget_definition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


class Server:
    """What the suite needs of a server beside its API."""

    def __init__(self, cluster: Any, compact: Callable[[], None]) -> None:
        """`cluster` is an EmulatedCluster or a lab Cluster: both have the same methods."""
        self.cluster = cluster
        self.compact = compact
        self.is_emulator = isinstance(cluster, EmulatedCluster)
        self._open: list[Api] = []

    def api(self, user: str = "admin", groups: Sequence[str] = ("system:masters",)) -> Api:
        """Return a client that is signed in as a user."""
        return self.api_with(self.cluster.kubeconfig(user, groups))

    def api_with(self, kubeconfig: str) -> Api:
        """Return a client for a kubeconfig."""
        api = Api(kubeconfig)
        self._open.append(api)
        return api

    def expire(self, token: str) -> str:
        """Return a continue token as if it were very old, with the history of its time gone.

        A real server still knows recent versions from its cache when etcd has forgotten them; hence the old version.
        """
        self.compact()
        value = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        aged = json.dumps({**value, "rv": 2}).encode()
        return base64.urlsafe_b64encode(aged).rstrip(b"=").decode()

    def eventually_unauthorized(self, api: Api) -> bool:
        """Wait until a user is known no more: a real server remembers good tokens for some seconds."""
        until(lambda: api.get("/version").status == 401, seconds=30, what="the token to be refused")
        return True

    def wait_for_endpoints(self, api: Api, namespace: str, service: str, count: int) -> None:
        """Wait until a service has as many ready endpoints as it should."""
        path = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
        selector = f"?labelSelector=kubernetes.io%2Fservice-name%3D{service}"

        def are_ready() -> bool:
            slices = api.get(path + selector).body["items"]
            endpoints = [each for found in slices for each in found.get("endpoints") or ()]
            return sum(bool(each["conditions"]["ready"]) for each in endpoints) == count

        until(are_ready, seconds=60, what=f"{count} endpoints of {service}")

    def close(self) -> None:
        """Close all clients."""
        for api in self._open:
            api.close()


def _emulator() -> Iterator[Server]:
    with EmulatedCluster("contract") as cluster:
        cluster.load(definitions("linkerd"))  # its kinds alone: the real server has no controller of Linkerd either
        server = Server(cluster, cluster.server.compact)
        yield server
        server.close()


def _real(cluster: Any) -> Iterator[Server]:
    command = [str(part) for part in cluster.api_server.command]
    etcd = next(part.partition("=")[2] for part in command if part.startswith("--etcd-servers="))

    def compact() -> None:
        with urllib3.PoolManager() as pool:
            status = pool.request("POST", f"{etcd}/v3/maintenance/status", json={}).json()
            revision = status["header"]["revision"]
            answer = pool.request("POST", f"{etcd}/v3/kv/compaction", json={"revision": revision, "physical": True})
            assert answer.status == 200, answer.data

    server = Server(cluster, compact)
    yield server
    server.close()


@pytest.fixture(scope="session", params=["emulator", pytest.param("real", marks=pytest.mark.lab)])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """The server under test, with the definition of Widget installed."""
    is_real = request.param == "real"
    yield from map(_with_widgets, _real(request.getfixturevalue("lab_cluster")) if is_real else _emulator())


def _with_widgets(server: Server) -> Server:
    assert server.api().create(DEFINITIONS, widget_definition()).status in {201, 409}
    until(lambda: is_served(server), seconds=30, what="widgets to be served")
    return server


def is_served(server: Server, path: str = f"/apis/{GROUP}/v1/widgets") -> bool:
    """Tell whether a kind can be listed yet."""
    api = server.api()
    return api.get(path).status == 200


DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@pytest.fixture(scope="session")
def api(server: Server) -> Api:
    """A client that may do everything."""
    return server.api()


@pytest.fixture(scope="session")
def other_kinds(server: Server) -> None:
    """The server must know the Gateway API and Linkerd; a real one does if their definitions are at hand."""
    if not server.is_emulator and not os.environ.get(VARIABLE):
        pytest.skip(f"the real definitions are in the folder that {VARIABLE} names, and it names none")


@pytest.fixture
def place(api: Api) -> Iterator[str]:
    """A namespace of its own."""
    name = f"t-{secrets.token_hex(4)}"
    assert api.create("/api/v1/namespaces", namespace(name)).status == 201
    yield name
    api.delete(f"/api/v1/namespaces/{name}")


@pytest.fixture
def widgets(place: str) -> str:
    """The path of Widgets in that namespace."""
    return f"/apis/{GROUP}/v1/namespaces/{place}/widgets"


@pytest.fixture
def config_maps(place: str) -> str:
    """The path of ConfigMaps in that namespace."""
    return f"/api/v1/namespaces/{place}/configmaps"


@pytest.fixture
def virtual_services(place: str) -> str:
    """The path of VirtualServices in that namespace."""
    return f"/apis/networking.istio.io/v1/namespaces/{place}/virtualservices"
