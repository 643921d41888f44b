"""Whom to ask: as it was set, else a Prometheus found in the cluster, else the proxies."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from clusters.clients import ClusterError
from meshes.types import Grain
from meshui.lib.errors import UnavailableError
from metrics.models import Collector
from metrics.selectors import get_signals, source_face
from metrics.services import SourceSettings, set_source, watch_service
from metrics.services.asking import ask, candidates
from metrics.services.places import places_of
from metrics.types import Name
from tests.clusters.makers import registrar
from tests.metrics.conftest import add_mesh, add_service, is_rate, istio_text, later, round_of
from tests.metrics.front import vector
from tests.people import as_actor

if TYPE_CHECKING:
    from clusters.models import Cluster
    from tests.metrics.front import Answer, Front

pytestmark = pytest.mark.django_db
SERVICE = Name("shop", "checkout", Grain.SERVICE)
NAMES = [("shop", "checkout")]


def knows_checkout(path: str, query: dict[str, str]) -> Answer:
    """A Prometheus in the cluster that has 40 requests a second of checkout, of which 38 went well."""
    if (
        'reporter="destination"' not in query["query"]
        or "sum by (destination_service_namespace, destination_service_name)" not in query["query"]
    ):
        return 200, vector()
    labels = {"destination_service_namespace": "shop", "destination_service_name": "checkout"}
    return 200, vector((labels, "38" if "response_code" in query["query"] else "40"))


def test_candidates__services_of_the_inventory__in_order(shop: Cluster) -> None:
    assert candidates(shop) == []
    add_service(shop, "prometheus-operated", "monitoring")
    add_service(shop, "prometheus", "istio-system")
    add_service(shop, "prometheus", "shop")

    assert candidates(shop) == [("istio-system", "prometheus", 9090), ("monitoring", "prometheus-operated", 9090)]


def test_ask__prometheus_in_the_cluster__through_the_service_proxy(shop: Cluster, front: Front) -> None:
    add_service(shop, "prometheus", "istio-system")
    front.queries = knows_checkout

    asked = ask(shop, places_of(shop, NAMES), step=15)

    golden = asked.measured.found[SERVICE]
    assert (golden.rate, golden.success, golden.p99_ms) == (40.0, 0.95, None)
    assert asked.measured.source == "Prometheus istio-system/prometheus:9090"
    prefix = "/api/v1/namespaces/istio-system/services/http:prometheus:9090/proxy/api/v1/query?query=sum"
    assert all(path.startswith(prefix) for path in front.asked)
    assert len(front.asked) == len(set(front.asked)) <= 12


@pytest.mark.parametrize("answer", [(200, vector()), (500, b"{}"), (200, b"<html>")], ids=["empty", "broken", "page"])
def test_round__prometheus_of_no_use__proxies_are_asked_and_it_is_left_alone(
    shop: Cluster, front: Front, answer: Answer
) -> None:
    add_service(shop, "prometheus", "istio-system")
    front.queries = lambda *_: answer
    watch_service(shop, "shop", "checkout", seconds=900)
    tried = []
    for total in (100, 400):
        front.texts |= {f"checkout-{v}-a": istio_text(v, total) for v in ("v1", "v2")}
        round_of(shop, minute=True)
        later(15)
        tried.append(len([path for path in front.asked if "/services/" in path]))

    assert get_signals(shop, "shop", "checkout").service.source == "2 of 2 proxies"
    assert tried[0] == tried[1] > 0
    later(400)
    round_of(shop)
    assert len([path for path in front.asked if "/services/" in path]) > tried[1]


def test_round__idle_service_looked_at__prometheus_goes_on_for_the_others(shop: Cluster, front: Front) -> None:
    add_service(shop, "prometheus", "istio-system")
    add_service(shop, "idle")
    front.queries = knows_checkout
    watch_service(shop, "shop", "idle", seconds=900)

    for _ in range(3):
        round_of(shop)
        later(15)
    round_of(shop, minute=True)

    assert get_signals(shop, "shop", "checkout").service.source == "Prometheus istio-system/prometheus:9090"
    row = Collector.objects.get(pk=shop.pk)
    assert (row.found_again_at, row.problem) == (None, "")


def test_round__service_that_prometheus_does_not_know__its_proxies_are_asked_beside(
    shop: Cluster, front: Front
) -> None:
    add_service(shop, "prometheus", "istio-system")
    add_service(shop, "cart")
    front.add_pod("cart-v1-a", workload="cart-v1", app="cart")
    front.queries = knows_checkout
    for name in ("checkout", "cart"):
        watch_service(shop, "shop", name, seconds=900)

    began = time.monotonic()
    for total in (100, 400):
        front.texts["cart-v1-a"] = istio_text("v1", total, service="cart")
        round_of(shop)
        later(15)

    checkout, cart = (get_signals(shop, "shop", name).service for name in ("checkout", "cart"))
    assert checkout.golden is not None
    assert checkout.golden.rate == 40.0
    assert cart.golden is not None
    assert is_rate(cart.golden.rate, 300, 15, began)
    assert cart.source == "Prometheus istio-system/prometheus:9090, 1 of 1 proxies"
    assert front.scraped() == ["cart-v1-a"] * 2


def test_round__proxies_may_not_be_asked_beside__no_problem_of_the_prometheus(shop: Cluster, front: Front) -> None:
    add_service(shop, "prometheus", "istio-system")
    add_service(shop, "cart")
    front.queries, front.refuses = knows_checkout, "/pods"
    for name in ("checkout", "cart"):
        watch_service(shop, "shop", name)

    round_of(shop)

    assert Collector.objects.get(pk=shop.pk).problem == ""


def test_ask__no_mesh_known__says_so(shop: Cluster) -> None:
    shop.meshes.all().delete()

    with pytest.raises(UnavailableError, match="No mesh"):
        ask(shop, places_of(shop, NAMES), step=15)


def test_ask__service_that_was_set__not_found_again_in_the_proxies(shop: Cluster, front: Front) -> None:
    set_source(
        actor=as_actor(registrar()),
        cluster_id=shop.pk,
        wanted=SourceSettings("service", namespace="obs", service="prom", port=80, labels={"cluster": "eu-west"}),
    )
    front.queries = knows_checkout

    found = ask(shop, places_of(shop, NAMES), step=15).measured

    assert found.source == "Prometheus obs/prom:80"
    assert all("cluster%3D%22eu-west%22" in path for path in front.asked)
    front.queries = lambda *_: (502, b"{}")
    with pytest.raises(ClusterError):
        ask(shop, places_of(shop, NAMES), step=15)


def test_round__switched_off__nothing_is_asked_and_the_reason_stands_there(shop: Cluster, front: Front) -> None:
    set_source(actor=as_actor(registrar()), cluster_id=shop.pk, wanted=SourceSettings("none"))
    watch_service(shop, "shop", "checkout")

    round_of(shop)

    assert front.asked == []
    assert "switched off" in get_signals(shop, "shop", "checkout").why
    assert source_face(shop).kind == "none"


def test_round__both_meshes__each_by_its_own_words(shop: Cluster, front: Front) -> None:
    add_mesh(shop, "linkerd")
    add_service(shop, "prometheus", "istio-system")
    seen: list[str] = []

    def note(path: str, query: dict[str, str]) -> Answer:
        seen.append(query["query"])
        return knows_checkout(path, query)

    front.queries = note
    watch_service(shop, "shop", "checkout")
    round_of(shop)

    assert any("istio_requests_total" in query for query in seen)
    own = 'response_total{direction="inbound",route_name!="probe",target_port!="4191",namespace="shop",deployment=~'
    assert any(own in query for query in seen)
    assert Collector.objects.get(pk=shop.pk).source == "Prometheus istio-system/prometheus:9090"
