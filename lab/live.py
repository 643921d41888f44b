"""A shop whose pods answer: on a real API server, behind real sidecars that the real istiod configures.

It lives in a network of its own (lab.network), where the addresses that kwok gives to pods are local.
"""

import json
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from lab import agent
from lab.client import Object
from lab.cluster import Cluster
from lab.envoys import APP_PORT, Pod, Sidecar, start_applications, start_sidecar
from lab.network import Network
from lab.processes import Place, Server
from lab.prometheus import Prometheus, start_prometheus
from lab.samples import SHOP, deploy_shop, is_available
from lab.servers import LOCALHOST, POD_RANGE, answers
from lab.sessions import Lab, session

CALLER = "web"
"""The workload whose pod calls checkout."""


@dataclass(frozen=True, kw_only=True)
class LiveShop:
    """checkout v1 (two pods) and v2 (one), and who calls it. Use it inside `network.entered()`."""

    network: Network
    cluster: Cluster
    place: Place = field(repr=False)
    sidecars: tuple[Sidecar, ...]

    @property
    def caller(self) -> Sidecar:
        """The sidecar of the pod that calls."""
        return next(sidecar for sidecar in self.sidecars if sidecar.pod.workload == CALLER)

    def workload(self, pod: str) -> str:
        """The Deployment of the pod called so."""
        return next(sidecar.pod.workload for sidecar in self.sidecars if sidecar.pod.name == pod)

    def start_prometheus(self) -> Prometheus:
        """One that scrapes the pages of all sidecars each second, from now on."""
        targets = [f"{sidecar.pod.address}:{agent.PORT}" for sidecar in self.sidecars]
        job = {
            "job_name": "istio-proxies",
            "metrics_path": agent.PATH,
            "scrape_interval": "1s",
            "scrape_timeout": "1s",
            "static_configs": [{"targets": targets}],
        }
        place = self.place.inside("prometheus")
        return start_prometheus(place, place.folder / "data", jobs=[job])


@contextmanager
def live_shop() -> Iterator[LiveShop]:
    """The shop while the block runs, split 90/10. Raises NoNetworkError, FileNotFoundError, ServerError."""
    with ExitStack() as stack:
        network = Network(POD_RANGE)
        stack.callback(network.close)
        with network.entered():
            lab = stack.enter_context(session(clusters=0))
            shop = _started(lab, network, stack)
        yield shop


def _started(lab: Lab, network: Network, stack: ExitStack) -> LiveShop:
    cluster = lab.add_cluster("live")
    deploy_shop(cluster)
    cluster.load(_around())
    cluster.wait("Deployment", CALLER, SHOP, is_available, seconds=60)
    pods = [Pod.read(body) for body in cluster.list("Pod", SHOP)]
    place = lab.place.inside("sidecars")
    stack.callback(start_applications([pod for pod in pods if pod.workload != CALLER], place).stop)

    def start(pod: Pod) -> Sidecar:
        sidecar = start_sidecar(pod, cluster=cluster.name, xds_port=cluster.xds_port, place=place)
        stack.callback(sidecar.server.stop)
        return sidecar

    with ThreadPoolExecutor(len(pods)) as pool:
        sidecars = tuple(pool.map(start, pods))
    _start_agent(sidecars, place, stack)
    return LiveShop(network=network, cluster=cluster, place=place, sidecars=sidecars)


def _around() -> list[Object]:
    """Beside the shop: who calls, sidecars that let requests in without redirected packets, and no certificates."""
    labels = {"app": CALLER, "version": "v1"}
    containers = [{"name": name, "image": f"example/{name}:v1"} for name in (CALLER, "istio-proxy")]
    template = {"metadata": {"labels": labels}, "spec": {"containers": containers}}
    deployment = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    port = {"number": 8080, "protocol": "HTTP", "name": "http"}
    ingress = [{"port": port, "defaultEndpoint": f"0.0.0.0:{APP_PORT}"}]  # of its own pod
    sidecar = {"workloadSelector": {"labels": {"app": "checkout"}}, "ingress": ingress}
    return [
        _object("apps/v1", "Deployment", CALLER, deployment),
        _object("networking.istio.io/v1", "Sidecar", "checkout", sidecar),
        _object("security.istio.io/v1", "PeerAuthentication", "default", {"mtls": {"mode": "DISABLE"}}),
    ]


def _object(api_version: str, kind: str, name: str, spec: Object) -> Object:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": SHOP}, "spec": spec}


def _start_agent(sidecars: Iterable[Sidecar], place: Place, stack: ExitStack) -> None:
    """In place of pilot-agent in each pod."""
    file = place.folder / "pods.json"
    file.write_text(json.dumps({sidecar.pod.address: _told(sidecar) for sidecar in sidecars}))
    server = Server(name="agent", command=(sys.executable, "-I", "-S", agent.__file__, file), place=place)
    server.start()
    stack.callback(server.stop)
    pages = [f"http://{sidecar.pod.address}:{agent.PORT}{agent.PATH}" for sidecar in sidecars]
    server.wait_ready(lambda: all(answers(page) for page in pages))


def _told(sidecar: Sidecar) -> dict[str, str]:
    """As lab.agent takes it."""
    pod = sidecar.pod
    return {
        "page": f"http://{LOCALHOST}:{sidecar.admin_port}/stats?format=prometheus&usedonly",
        "namespace": pod.namespace,
        "workload": pod.workload,
        "service": "" if pod.workload == CALLER else pod.labels["app"],
        "version": pod.labels.get("version", ""),
    }
