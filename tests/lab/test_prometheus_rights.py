"""On a real API server: the manifest with metrics lets the reader ask proxies, and without it nobody may."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clusters.clients import ClusterError, ForbiddenError
from clusters.connect import proxied_for
from clusters.manifests import HOME, READER, Wish, rbac_manifest
from lab.client import ApiError, parse_yaml
from lab.samples import SHOP, deploy_shop
from lab.waiting import until
from meshes.adapters.istio_signals import PROXY_PAGE
from tests.clusters.makers import b64, kubeconfig, register

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from lab.cluster import Cluster as LabCluster
    from lab.sessions import Lab

pytestmark = [pytest.mark.lab, pytest.mark.django_db]


def applied(cluster: LabCluster, wish: Wish) -> list[Any]:
    """As `kubectl apply`: of what cannot be made (its namespace is not there) nothing is said. What was made."""
    items: list[Any] = parse_yaml(rbac_manifest(wish))
    made = []
    for item in sorted(items, key=lambda found: found["kind"] != "Namespace"):
        try:
            made.append(cluster.client.create(item))
        except ApiError as error:
            if error.status not in {404, 409}:
                raise
    return made


@pytest.fixture(params=[False, True], ids=["without metrics", "with metrics"])
def granted(request: pytest.FixtureRequest, lab: Lab) -> Iterator[tuple[LabCluster, bool]]:
    """A real cluster with the shop, and with the manifest as long as the test lasts."""
    cluster = min(lab.clusters, key=lambda found: found.name)
    deploy_shop(cluster)
    made = applied(cluster, Wish(meshes=("istio",), metrics=request.param))
    yield cluster, request.param
    for item in made:
        if item["kind"] != "Namespace":
            cluster.delete(item["kind"], item["metadata"]["name"], item["metadata"].get("namespace", ""))


def refused(ask: Callable[[], object]) -> bool:
    """Whether the rights are missing; behind them nothing answers here, as no pod of kwok runs."""
    try:
        ask()
    except ForbiddenError:
        return True
    except ClusterError:
        return False
    return False


def test_proxies__by_the_manifest__asked_only_with_metrics(granted: tuple[LabCluster, bool]) -> None:
    server, has_metrics = granted
    text = kubeconfig(
        server=server.url,
        cluster={"certificate-authority-data": b64(server.ca_pem)},
        user={"token": server.token(HOME, READER)},
    )
    proxied = proxied_for(register(server.name, text=text))
    page = (PROXY_PAGE.port, PROXY_PAGE.path)

    until(lambda: refused(lambda: proxied.pods(SHOP, {})) != has_metrics, seconds=10, what="the grant")

    assert refused(lambda: proxied.pod_text(SHOP, "nobody", *page)) != has_metrics
    assert refused(lambda: proxied.service_bytes("istio-system", "prometheus", 9090, "/api/v1/query")) != has_metrics
    assert refused(lambda: proxied.service_bytes("istio-system", "prometheus", 9091, "/api/v1/query"))
    assert refused(lambda: proxied.service_bytes(SHOP, "checkout", 80, "/"))
    if has_metrics:
        pods = proxied.pods(SHOP, {"app": "checkout"})
        assert {pod.workload for pod in pods} == {"checkout-v1", "checkout-v2"}
        token = server.token(HOME, READER)
        path = f"/api/v1/namespaces/{SHOP}/pods/{pods[0].name}:{PROXY_PAGE.port}/proxy/quitquitquit"
        assert server.request("POST", path, token=token).status == 403
