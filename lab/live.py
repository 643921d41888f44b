"""A shop that answers: on a real API server, behind real sidecars that the real istiod configures.

`live_shop` has it in a network of its own (lab.network), where the addresses that kwok gives to pods are local and
each pod has its sidecar. `loopback_shop` needs none: a ServiceEntry names endpoints on loopback in place of the
Service's, and only who calls has a sidecar.
"""

import json
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field

from lab import agent
from lab.client import Object
from lab.cluster import Cluster
from lab.envoys import APP_PORT, Pod, Sidecar, start_applications, start_sidecar
from lab.istiod import SYSTEM
from lab.network import Network
from lab.processes import Place, Server, start_on_free_ports
from lab.prometheus import Prometheus, start_open_prometheus, start_prometheus
from lab.samples import SHOP, deploy_shop, is_available
from lab.servers import LOCALHOST, POD_RANGE, answers
from lab.sessions import Lab, session

CALLER = "web"
"""The workload whose pod calls checkout."""
PROMETHEUS, PROMETHEUS_PORT = "prometheus", 9090


@dataclass(frozen=True, kw_only=True)
class LiveShop:
    """checkout v1 (two pods) and v2 (one), and who calls it. Use it while `entered`.

    `pages`: host and port of what tells the metrics of each sidecar.
    """

    network: Network | None
    cluster: Cluster
    place: Place = field(repr=False)
    pods: tuple[Pod, ...]
    sidecars: tuple[Sidecar, ...]
    pages: tuple[str, ...]

    def entered(self) -> AbstractContextManager[None]:
        """This thread, and what it starts, reaches the shop while the block runs."""
        return self.network.entered() if self.network else nullcontext()

    @property
    def caller(self) -> Sidecar:
        """The sidecar of the pod that calls."""
        return next(sidecar for sidecar in self.sidecars if sidecar.pod.workload == CALLER)

    def workload(self, pod: str) -> str:
        """The Deployment of the pod called so."""
        return next(each.workload for each in self.pods if each.name == pod)

    def start_prometheus(self) -> Prometheus:
        """One that scrapes the pages of all sidecars each second, from now on."""
        place = self.place.inside("prometheus")
        return start_prometheus(place, place.folder / "data", jobs=[self._job()])

    def start_prometheus_inside(self) -> tuple[Server, str]:
        """The same, in the place of a pod behind the Service istio-system/prometheus; and its URL there.

        Pods have to answer.
        """
        self.cluster.load(_prometheus_objects())
        self.cluster.wait("Deployment", PROMETHEUS, SYSTEM, is_available, seconds=60)
        (pod,) = [body for body in self.cluster.list("Pod", SYSTEM) if body["metadata"]["labels"]["app"] == PROMETHEUS]
        place = self.place.inside("prometheus-inside")
        listen = f"{pod['status']['podIP']}:{PROMETHEUS_PORT}"
        server = start_open_prometheus(place, place.folder / "data", listen, [self._job()])
        return server, f"http://{listen}"

    def take_prometheus_away(self) -> None:
        """Its objects; end the server before."""
        self.cluster.delete("Deployment", PROMETHEUS, SYSTEM)
        self.cluster.delete("Service", PROMETHEUS, SYSTEM)

    def _job(self) -> dict[str, object]:
        return {
            "job_name": "istio-proxies",
            "metrics_path": agent.PATH,
            "scrape_interval": "1s",
            "scrape_timeout": "1s",
            "static_configs": [{"targets": list(self.pages)}],
        }


@contextmanager
def live_shop() -> Iterator[LiveShop]:
    """The shop whose pods answer, split 90/10. Raises NoNetworkError, FileNotFoundError, ServerError."""
    with ExitStack() as stack:
        network = Network(POD_RANGE)
        stack.callback(network.close)
        with network.entered():
            shop = _started(stack.enter_context(session(clusters=0)), network, stack)
        yield shop


@contextmanager
def loopback_shop() -> Iterator[LiveShop]:
    """The shop on loopback, split 90/10. Raises FileNotFoundError, ServerError."""
    with ExitStack() as stack:
        yield _started(stack.enter_context(session(clusters=0)), None, stack)


def _started(lab: Lab, network: Network | None, stack: ExitStack) -> LiveShop:
    cluster = lab.add_cluster("live")
    deploy_shop(cluster)
    cluster.load(_around())
    cluster.wait("Deployment", CALLER, SHOP, is_available, seconds=60)
    pods = [Pod.read(body) for body in cluster.list("Pod", SHOP)]
    place = lab.place.inside("sidecars")
    called = [pod for pod in pods if pod.workload != CALLER]
    server, where = start_applications(called, place, on_loopback=network is None)
    stack.callback(server.stop)
    if network is None:
        _name_endpoints(cluster, [(pod, where[pod.name][1]) for pod in called])
    sidecars = _start_sidecars(cluster, [pod for pod in pods if network or pod not in called], place, stack)
    pages = _start_agent(sidecars, place, stack, on_loopback=network is None)
    return LiveShop(
        network=network, cluster=cluster, place=place, pods=tuple(pods), sidecars=sidecars, pages=tuple(pages)
    )


def _around() -> list[Object]:
    """Beside the shop: who calls, sidecars that let requests in without redirected packets, and no certificates."""
    deployment = _one_pod({"app": CALLER, "version": "v1"}, CALLER, "istio-proxy")
    port = {"number": 8080, "protocol": "HTTP", "name": "http"}
    ingress = [{"port": port, "defaultEndpoint": f"0.0.0.0:{APP_PORT}"}]  # of its own pod
    sidecar = {"workloadSelector": {"labels": {"app": "checkout"}}, "ingress": ingress}
    return [
        _object("apps/v1", "Deployment", CALLER, deployment),
        _object("networking.istio.io/v1", "Sidecar", "checkout", sidecar),
        _object("security.istio.io/v1", "PeerAuthentication", "default", {"mtls": {"mode": "DISABLE"}}),
    ]


def _name_endpoints(cluster: Cluster, pods: Iterable[tuple[Pod, int]]) -> None:
    """In place of the pods behind checkout: the ports of loopback where their applications are.

    An EndpointSlice may not name loopback; a ServiceEntry of the same host may, and istiod takes both together.
    """
    cluster.edit("Service", "checkout", SHOP, lambda service: service["spec"].pop("selector"))
    for body in cluster.list("EndpointSlice", SHOP):
        cluster.delete("EndpointSlice", body["metadata"]["name"], SHOP)
    endpoints = [{"address": LOCALHOST, "ports": {"http": port}, "labels": pod.labels} for pod, port in pods]
    entry = {
        "hosts": [f"checkout.{SHOP}.svc.cluster.local"],
        "location": "MESH_INTERNAL",
        "ports": [{"name": "http", "number": 80, "protocol": "HTTP"}],
        "resolution": "STATIC",
        "endpoints": endpoints,
    }
    cluster.load([_object("networking.istio.io/v1", "ServiceEntry", "checkout", entry)])


def _prometheus_objects() -> list[Object]:
    labels = {"app": PROMETHEUS}
    service = {"selector": labels, "ports": [{"name": "http", "port": PROMETHEUS_PORT}]}
    return [
        _object("apps/v1", "Deployment", PROMETHEUS, _one_pod(labels, PROMETHEUS), namespace=SYSTEM),
        _object("v1", "Service", PROMETHEUS, service, namespace=SYSTEM),
    ]


def _one_pod(labels: dict[str, str], *containers: str) -> Object:
    """The spec of a Deployment."""
    pod = {"containers": [{"name": name, "image": f"example/{name}:v1"} for name in containers]}
    template = {"metadata": {"labels": labels}, "spec": pod}
    return {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}


def _object(api_version: str, kind: str, name: str, spec: Object, *, namespace: str = SHOP) -> Object:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def _start_sidecars(cluster: Cluster, pods: list[Pod], place: Place, stack: ExitStack) -> tuple[Sidecar, ...]:
    def start(pod: Pod) -> Sidecar:
        sidecar = start_sidecar(pod, cluster=cluster.name, xds_port=cluster.xds_port, place=place)
        stack.callback(sidecar.server.stop)
        return sidecar

    with ThreadPoolExecutor(len(pods)) as pool:
        return tuple(pool.map(start, pods))


def _start_agent(sidecars: Iterable[Sidecar], place: Place, stack: ExitStack, *, on_loopback: bool) -> list[str]:
    """In place of pilot-agent in each pod: where the pages are. On loopback there is one sidecar alone."""
    pages: list[str] = []

    def make(ports: tuple[int, ...]) -> Server:
        told = [
            _told(each, *((LOCALHOST, ports[0]) if on_loopback else (each.pod.address, agent.PORT)))
            for each in sidecars
        ]
        pages[:] = [f"{each['address']}:{each['port']}" for each in told]
        file = place.folder / "pods.json"
        file.write_text(json.dumps(told))
        return Server(name="agent", command=(sys.executable, "-I", "-S", agent.__file__, file), place=place)

    def is_ready(_: tuple[int, ...]) -> bool:
        return all(answers(f"http://{page}{agent.PATH}") for page in pages)

    stack.callback(start_on_free_ports(1, make, is_ready)[0].stop)
    return pages


def _told(sidecar: Sidecar, address: str, port: int) -> dict[str, str]:
    """As lab.agent takes it."""
    pod = sidecar.pod
    return {
        "address": address,
        "port": str(port),
        "page": f"http://{LOCALHOST}:{sidecar.admin_port}/stats?format=prometheus&usedonly",
        "namespace": pod.namespace,
        "workload": pod.workload,
        "service": "" if pod.workload == CALLER else pod.labels["app"],
        "version": pod.labels.get("version", ""),
    }
