"""`with session(clusters=2) as lab:` -- real clusters while the block runs, and nothing left after it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from lab.client import Client
from lab.cluster import Cluster
from lab.definitions import load_definitions
from lab.istiod import load_istio_crds, start_istiod
from lab.processes import Keeper, Place, Server
from lab.recipes import find_file
from lab.servers import Files, start_api_server, start_controllers, start_etcd, start_kwok, start_scheduler

NAMES = ("east", "west", "north", "south")
_NODE = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {
        "name": "lab-node",
        "labels": {"kubernetes.io/hostname": "lab-node", "kubernetes.io/os": "linux"},
        "annotations": {"kwok.x-k8s.io/node": "fake"},
    },
    "status": {
        "allocatable": {"cpu": "64", "memory": "256Gi", "pods": "500"},
        "capacity": {"cpu": "64", "memory": "256Gi", "pods": "500"},
    },
}


@dataclass(eq=False)
class Lab:
    """Running clusters over one etcd."""

    place: Place
    clusters: tuple[Cluster, ...] = ()
    _etcd: tuple[Server, int] | None = None
    _helpers: list[Server] = field(default_factory=list)
    _api_servers: list[Server] = field(default_factory=list)
    _clients: list[Client] = field(default_factory=list)

    def add_cluster(self, name: str, *, istiod: bool = True, kwok: bool = True) -> Cluster:
        """Start one more cluster; see `add_clusters`."""
        return self.add_clusters([name], istiod=istiod, kwok=kwok)[0]

    def add_clusters(self, names: list[str], *, istiod: bool = True, kwok: bool = True) -> list[Cluster]:
        """Start clusters side by side: Istio's CRDs, those of lab.definitions and a controller manager always.

        Raises ServerError, or FileNotFoundError where `make lab` was never run.
        """
        find_file("kube-apiserver")  # a missing lab is said at once
        if self._etcd is None:
            self._etcd = start_etcd(self.place.inside("etcd"))
        etcd_port = self._etcd[1]
        with ThreadPoolExecutor(max(1, len(names))) as pool:
            added = list(pool.map(lambda name: self._start(name, etcd_port, istiod=istiod, kwok=kwok), names))
        self.clusters += tuple(added)
        return added

    def close(self) -> None:
        """End every server: what talks to an API server first, then the API servers, then etcd."""
        for client in self._clients:
            client.close()
        etcd = [self._etcd[0]] if self._etcd else []
        for tier in (self._helpers, self._api_servers, etcd):  # an API server without etcd hangs in its end
            for server in tier:
                server.ask_to_stop()
            for server in tier:
                server.stop()

    def servers(self) -> list[Server]:
        """Every server process of this lab."""
        return [*self._helpers, *self._api_servers, *([self._etcd[0]] if self._etcd else [])]

    def _start(self, name: str, etcd_port: int, *, istiod: bool, kwok: bool) -> Cluster:
        files = Files.write(name, self.place.inside(name))
        server, port, client = start_api_server(name, files, etcd_port)
        self._api_servers.append(server)
        self._clients.append(client)
        cluster = Cluster(
            name=name, port=port, authority=files.authority, client=client, api_server=server, istio=istiod
        )
        files.write_secret("kubeconfig", cluster.admin_kubeconfig().encode())
        for namespace in ("kube-system", "default"):  # the API server makes them a moment after it is ready
            cluster.wait("Namespace", namespace, "", bool)
        load_istio_crds(client)
        load_definitions(client)
        self._helpers.append(start_controllers(files))
        if kwok:
            self._helpers.append(start_scheduler(files))
            self._helpers.append(start_kwok(files))
            cluster.load([_NODE])
        if istiod:
            server, xds_port = start_istiod(name, files, client)
            self._helpers.append(server)
            cluster = replace(cluster, xds_port=xds_port)
        return cluster


@contextmanager
def session(*, clusters: int = 2, istiod: bool = True, kwok: bool = True) -> Iterator[Lab]:
    """A lab of `clusters` clusters that ends with the block. Raises as `Lab.add_clusters`."""
    with Keeper() as keeper:
        lab = Lab(keeper.place)
        try:
            if clusters:
                lab.add_clusters(list(NAMES[:clusters]), istiod=istiod, kwok=kwok)
            yield lab
        finally:
            lab.close()
