"""Proxies asked through the API server: which, how many, and what is made of answers that are none."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from clusters.clients import ForbiddenError
from clusters.connect import proxied_for
from clusters.proxied import PAGE_BYTES, Pod, Proxied
from meshes.adapters.istio import IstioAdapter
from meshes.adapters.linkerd import LinkerdAdapter
from meshes.types import Grain
from metrics.models import ProxyScrape
from metrics.providers import proxies
from metrics.providers.proxies import ProxiesProvider, sampled
from metrics.types import BackendPlace, Name, Place
from tests.metrics.conftest import is_rate, istio_text, later
from tests.metrics.recorded import series

if TYPE_CHECKING:
    from clusters.models import Cluster
    from metrics.types import Measurement
    from tests.metrics.front import Front

pytestmark = pytest.mark.django_db
CHECKOUT = Place("shop", "checkout", frozenset({"checkout-v1", "checkout-v2"}), (("app", "checkout"),))
SERVICE = Name("shop", "checkout", Grain.SERVICE)


def provider(cluster: Cluster) -> ProxiesProvider:
    """Of both meshes."""
    return ProxiesProvider(cluster, proxied_for(cluster), [IstioAdapter(), LinkerdAdapter()], 60)


def two(cluster: Cluster, front: Front, totals: dict[str, tuple[float, float]], *, step: int = 15) -> Measurement:
    """What two rounds 15 s apart find, where each pod told these totals."""

    def told(turn: int) -> Measurement:
        front.texts |= {pod: istio_text("v1", total[turn]) for pod, total in totals.items()}
        return provider(cluster).measure([CHECKOUT], step=step)

    told(0)
    later(15)
    return told(1)


def pods(count: int, owner: str = "rs") -> list[Pod]:
    """Pods of one ReplicaSet."""
    return [
        Pod("shop", f"{owner}-{number:03}", f"{owner}-{number}", owner, owner, frozenset()) for number in range(count)
    ]


def test_sampled__many_pods__one_of_each_replica_set_before_two_of_any() -> None:
    chosen = sampled([*pods(50, "stable"), *pods(1, "canary")], 3)

    assert [pod.name for pod in chosen] == ["canary-000", "stable-000", "stable-001"]
    assert sampled([*pods(50, "stable"), *pods(1, "canary")], 3) == chosen


def test_sampled__more_replica_sets_than_pods_allowed__one_of_each() -> None:
    chosen = sampled([pod for owner in "abcd" for pod in pods(2, owner)], 2)

    assert [pod.owner for pod in chosen] == ["a", "b", "c", "d"]


def test_measure__some_of_many_pods__scaled_up_and_said_so(shop: Cluster, front: Front) -> None:
    front.pods.clear()
    for number in range(24):
        front.add_pod(f"checkout-v1-{number:02}", workload="checkout-v1", app="checkout")

    began = time.monotonic()
    found = two(shop, front, {f"checkout-v1-{number:02}": (100.0, 250.0) for number in range(24)})

    assert len(set(front.scraped())) == proxies.PODS_WHEN_WATCHED == 6
    assert found.shares == {("shop", "checkout"): 0.25}
    assert found.source == "6 of 24 proxies"
    assert is_rate(found.found[SERVICE].rate, 24 * 150, 15, began)


@pytest.mark.parametrize("turns", [1, 2])
def test_measure__asked_for_the_first_time__rate_of_the_time_that_is_known(
    shop: Cluster, front: Front, turns: int
) -> None:
    began = time.monotonic()
    for turn in range(turns):
        front.texts |= {"checkout-v1-a": istio_text("v1", 1_000 + 150.0 * turn), "checkout-v2-a": (503, b"")}
        provider(shop).measure([CHECKOUT], step=15)
        later(15)
    front.texts["checkout-v1-a"] = istio_text("v1", 1_000 + 150.0 * turns)

    found = provider(shop).measure([CHECKOUT], step=15)

    assert is_rate(found.found[SERVICE].rate, 150.0 * turns, 15 * turns, began)


def backend(version: str, *, own: bool = False) -> BackendPlace:
    """A backend of checkout: a subset, or a Service of its own."""
    name = f"checkout-{version}"
    if own:
        return BackendPlace(f"shop/{name}", "shop", name, workloads=frozenset({name}), selector=(("app", name),))
    chosen = (("app", "checkout"), ("version", version))
    key, behind = f"shop/checkout#{version}", frozenset({name})
    return BackendPlace(key, "shop", "checkout", is_subset=True, version=version, workloads=behind, selector=chosen)


@pytest.mark.parametrize(
    ("answer", "rate"), [("go_goroutines 12\n", 0.0), ((503, b"no"), None)], ids=["no requests", "not told"]
)
def test_measure__backend_without_requests__0_if_its_proxies_told_and_else_not_known(
    shop: Cluster, front: Front, answer: str | tuple[int, bytes], rate: float | None
) -> None:
    place = replace(CHECKOUT, backends=(backend("v1"), backend("v2")))
    front.texts |= {"checkout-v1-a": istio_text("v1", 0.0), "checkout-v2-a": answer}
    provider(shop).measure([place], step=15)
    later(15)
    front.texts["checkout-v1-a"] = istio_text("v1", 150.0)

    found = provider(shop).measure([place], step=15)

    told = found.found.get(Name("shop", "checkout", Grain.BACKEND, "shop/checkout#v2"))
    assert (told.rate if told else None) == rate
    assert found.found[Name("shop", "checkout", Grain.BACKEND, "shop/checkout#v1")].rate > 0


def test_measure__backend_that_is_a_service_of_its_own__its_pods_are_asked_too(shop: Cluster, front: Front) -> None:
    front.add_pod("checkout-v3-a", workload="checkout-v3", app="checkout-v3")
    place = replace(CHECKOUT, backends=(backend("v1"), backend("v3", own=True)))

    found = provider(shop).measure([place], step=15)

    assert "checkout-v3-a" in front.scraped()
    assert len([path for path in front.asked if path.partition("?")[0].endswith("/pods")]) == 2
    assert found.source == "0 of 3 proxies"


def test_measure__pod_without_proxy__not_asked_and_said_so(shop: Cluster, front: Front) -> None:
    front.add_pod("checkout-v1-bare", workload="checkout-v1", containers=("app",), app="checkout")

    found = two(shop, front, {"checkout-v1-a": (0.0, 10.0), "checkout-v2-a": (0.0, 5.0)})

    assert "checkout-v1-bare" not in front.scraped()
    assert found.problems == ("1 pods of shop/checkout have no proxy.",)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((503, b"dial tcp: connection refused"), "503"),
        ((200, b"istio_requests_total{a"), "cut"),
        ((200, b"x" * (PAGE_BYTES + 1)), "too much"),
        ((200, b"\xff\xfe\n"), "not text"),
        ((302, b""), "redirects"),
        ((200, b'istio_requests_total{reporter="destination"} NaNN\n'), "no number"),
    ],
    ids=["unreachable", "cut", "huge", "binary", "redirect", "no number"],
)
def test_measure__answer_that_is_none__that_pod_is_a_problem_and_the_others_count(
    shop: Cluster, front: Front, answer: tuple[int, bytes], why: str
) -> None:
    front.texts["checkout-v2-a"] = answer

    found = two(shop, front, {"checkout-v1-a": (0.0, 150.0)})

    assert found.found[SERVICE].rate > 0
    assert found.shares == {("shop", "checkout"): 0.5}
    [problem] = found.problems
    assert problem.startswith("shop/checkout-v2-a did not tell its metrics")
    assert why in problem
    assert why in ProxyScrape.objects.get(pod="checkout-v2-a").error


def test_measure__proxies_forbidden__says_what_to_apply(shop: Cluster, front: Front) -> None:
    front.refuses = "/proxy/"

    found = provider(shop).measure([CHECKOUT], step=15)

    assert found.found == {}
    assert "manifest with metrics" in found.problems[0]


def test_measure__pods_forbidden__refused(shop: Cluster, front: Front) -> None:
    front.refuses = "/pods"

    with pytest.raises(ForbiddenError):
        provider(shop).measure([CHECKOUT], step=15)


@pytest.mark.parametrize("budget", [1, 2])
def test_measure__many_services__budget_holds_and_is_said(
    shop: Cluster, front: Front, monkeypatch: pytest.MonkeyPatch, budget: int
) -> None:
    monkeypatch.setattr(proxies, "MOST_A_ROUND", budget)
    places = [CHECKOUT, *(Place("shop", f"s{number}", selector=(("app", "cart"),)) for number in range(5))]

    found = provider(shop).measure(places, step=60)

    assert len(front.scraped()) == budget
    assert found.problems[0].startswith("5 services were not asked")


def test_measure__linkerd_proxies__asked_on_their_port_with_labels_of_the_pod(shop: Cluster, front: Front) -> None:
    front.pods.clear()
    front.add_pod("checkout-v1-b", workload="checkout-v1", containers=("linkerd-proxy", "app"), app="checkout")
    name = series("response_total", direction="inbound", classification="success")
    front.texts["checkout-v1-b"] = f"{name} 100\n"
    provider(shop).measure([CHECKOUT], step=15)
    later(15)
    front.texts["checkout-v1-b"] = f"{name} 250\n"

    found = provider(shop).measure([CHECKOUT], step=15)

    assert front.asked[-1] == "/api/v1/namespaces/shop/pods/checkout-v1-b:4191/proxy/metrics"
    assert found.found[SERVICE].success == 1.0


def test_proxied__istio_pod__asked_on_its_port_for_text(shop: Cluster, front: Front) -> None:
    front.texts["checkout-v1-a"] = "a 1\n"

    assert proxied_for(shop).pod_text("shop", "checkout-v1-a", 15020, "/stats/prometheus") == "a 1\n"
    assert front.asked[-1] == "/api/v1/namespaces/shop/pods/checkout-v1-a:15020/proxy/stats/prometheus"
    assert front.headers[-1]["Accept"] == "text/plain"


@pytest.mark.parametrize("name", ["a/../../secrets", "a b", "A", "", "a\n", "a%2f", "../x", "a" * 254])
def test_proxied__name_that_is_none__never_in_a_path(shop: Cluster, front: Front, name: str) -> None:
    proxied: Proxied = proxied_for(shop)

    for ask in (
        lambda: proxied.pods(name, {}),
        lambda: proxied.pod_text(name, "a", 1, "/"),
        lambda: proxied.pod_text("shop", name, 1, "/"),
        lambda: proxied.service_bytes("shop", name, 1, "/"),
    ):
        with pytest.raises(ValueError, match="not a name"):
            ask()
    assert front.asked == []


def test_measure__proxies_that_drip__round_ends_in_time(
    shop: Cluster, front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxies, "ROUND_SECONDS", -1.0)

    found = provider(shop).measure([CHECKOUT], step=15)

    assert front.asked == []
    assert found.problems == ("1 services were not asked: a round has -1 s.",)


def test_measure__words_of_a_hostile_cluster__do_not_break_the_rows(shop: Cluster, front: Front) -> None:
    hostile = '{"kind":"Status","message":"no\\u0000 way"}'
    front.texts["checkout-v1-a"] = (400, hostile.encode())
    front.add_pod("checkout-v1-b", workload="checkout-v1", app="checkout")
    front.pods[-1]["metadata"]["uid"] = "a\0b"

    found = provider(shop).measure([CHECKOUT], step=15)

    assert "no\0 way" in found.problems[0]
    assert "no  way" in ProxyScrape.objects.get(pod="checkout-v1-a").error
    assert "checkout-v1-b" not in front.scraped()
