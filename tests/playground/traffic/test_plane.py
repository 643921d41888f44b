"""What is written to the emulated API is what clients get from a real Envoy, counted at the client."""

from __future__ import annotations

import re
import statistics
import time
import urllib.request
from typing import TYPE_CHECKING

import pytest

from playground import parts, south
from tests.servers import wait_until

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable

    from playground.apiserver.jsontypes import Json
    from tests.playground.traffic.conftest import Site

POINTS = 0.03  # of a share; with 3,000 requests that is about four standard deviations
MANY = 3_000
LIVE_SECONDS = 2.0  # within which a write must be what clients get
VIRTUAL_SERVICES = "/apis/networking.istio.io/v1/namespaces/shop/virtualservices"
HTTP_ROUTES = "/apis/gateway.networking.k8s.io/v1/namespaces/shop/httproutes"
HTTP_ROUTES_KIND = "httproutes.gateway.networking.k8s.io"
WEIGHT = "/spec/http/0/route/{}/weight"
BACKEND = "/spec/rules/0/backendRefs/{}/weight"


def _shares(answers: Counter[tuple[str, int]]) -> dict[str, float]:
    assert {status for _, status in answers} == {200}
    return {workload: number / answers.total() for (workload, _), number in answers.items()}


def _weights(path: str, weights: Iterable[int]) -> list[Json]:
    """The JSON Patch that replaces those at `path`."""
    return [{"op": "replace", "path": path.format(n), "value": value} for n, value in enumerate(weights)]


def _seconds_to_live(site: Site, path: str, operations: list[Json]) -> float:
    began = time.monotonic()
    site.patch(path, *operations)
    return time.monotonic() - began


def test_istio__weights_patched__live_within_two_seconds(istio: Site) -> None:
    patches = [_weights(WEIGHT, weights) for weights in ((60, 40), (55, 45), (50, 50))]

    took = [_seconds_to_live(istio, f"{VIRTUAL_SERVICES}/checkout", operations) for operations in patches]

    assert statistics.median(took) < LIVE_SECONDS


def test_linkerd__weights_patched__live_within_two_seconds(linkerd: Site) -> None:
    patches = [_weights(BACKEND, weights) for weights in ((60, 40), (55, 45), (50, 50))]

    took = [_seconds_to_live(linkerd, f"{HTTP_ROUTES}/checkout", operations) for operations in patches]

    assert statistics.median(took) < LIVE_SECONDS


@pytest.mark.parametrize("weights", [(80, 20), (0, 100)])
def test_istio__weights_patched__are_shares_at_the_client(istio: Site, weights: tuple[int, int]) -> None:
    istio.patch(f"{VIRTUAL_SERVICES}/checkout", *_weights(WEIGHT, weights))

    shares = _shares(istio.ask("shop/checkout", MANY))
    wanted = {f"checkout-v{n + 1}": value / 100 for n, value in enumerate(weights) if value}
    assert shares == pytest.approx(wanted, abs=POINTS)


@pytest.mark.parametrize("weights", [(80, 20), (0, 100)])
def test_linkerd__weights_patched__are_shares_at_the_client(linkerd: Site, weights: tuple[int, int]) -> None:
    linkerd.patch(f"{HTTP_ROUTES}/checkout", *_weights(BACKEND, weights))

    shares = _shares(linkerd.ask("shop/checkout", MANY))
    wanted = {f"checkout-v{n + 1}": value / 100 for n, value in enumerate(weights) if value}
    assert shares == pytest.approx(wanted, abs=POINTS)


def test_linkerd__weights_of_its_older_kind__are_shares_at_the_client(linkerd: Site) -> None:
    path = "/apis/policy.linkerd.io/v1beta3/namespaces/shop/httproutes/search"
    operations = [
        {"op": "replace", "path": f"/spec/rules/1/backendRefs/{n}/weight", "value": value}
        for n, value in enumerate((1, 4))
    ]

    linkerd.patch(path, *operations)

    assert _shares(linkerd.ask("shop/search", MANY)) == pytest.approx({"search-v1": 0.2, "search-v2": 0.8}, abs=POINTS)


def test_istio__http_route_of_the_gateway_api__counts(istio: Site) -> None:
    path = "/apis/gateway.networking.k8s.io/v1/namespaces/media/httproutes/encoder"

    istio.patch(path, *_weights(BACKEND, (1, 4)))

    assert _shares(istio.ask("media/encoder", MANY)) == pytest.approx(
        {"encoder-v1": 0.2, "encoder-v2": 0.8}, abs=POINTS
    )


def test_istio__header_matched__goes_where_the_rule_says(istio: Site) -> None:
    assert istio.ask("shop/catalog", 50, x_user_group="beta") == {("catalog-v2", 200): 50}
    assert istio.ask("shop/catalog", 50, x_user_group="gamma") == {("catalog-v1", 200): 50}
    assert istio.ask("shop/catalog", 50) == {("catalog-v1", 200): 50}


def test_linkerd__header_matched__goes_where_the_rule_says(linkerd: Site) -> None:
    assert linkerd.ask("shop/search", 50, x_user_group="beta") == {("search-v2", 200): 50}
    assert {workload for workload, _ in linkerd.ask("shop/search", 200)} == {"search-v1", "search-v2"}


def test_linkerd__service_profile__its_overrides_win_over_the_route(linkerd: Site) -> None:
    assert linkerd.ask("payments/payments", 50) == {("payments-v1", 200): 50}


def test_linkerd__no_rule_matches__not_found(linkerd: Site) -> None:
    rule = south.split({"cart": 1}, matches=[south.BETA])

    linkerd.cluster.load([south.http_route("cart", [rule])])
    linkerd.plane.settle()

    assert linkerd.ask("shop/cart", 20) == {("-", 404): 20}
    assert linkerd.ask("shop/cart", 20, x_user_group="beta") == {("cart-v1", 200): 20}


def test_istio__malformed_route__keeps_the_old_one_and_holds_nobody_else_up(istio: Site) -> None:
    def spoil(obj: dict[str, object]) -> None:
        rule = {"match": [{"uri": {"regex": "("}}], "route": [{"destination": {"host": "cart", "subset": "v9"}}]}
        obj["spec"] = {"hosts": ["cart"], "http": [rule]}

    istio.cluster.edit("VirtualService", "cart", "shop", spoil)  # past istiod, which would refuse it
    istio.cluster.edit("VirtualService", "thumbs", "media", lambda obj: obj["spec"]["http"][0]["route"].pop(0))
    istio.plane.settle()

    assert istio.ask("shop/cart", 20) == {("cart-v1", 200): 20}
    assert istio.ask("media/thumbs", 20) == {("thumbs-v2", 200): 20}


def test_linkerd__route_that_makes_no_sense__keeps_the_old_one(linkerd: Site) -> None:
    nonsense = {"filters": [{"type": "RequestRedirect"}], **south.split({"catalog-v1": 1})}

    route = south.http_route("catalog", [nonsense])
    linkerd.cluster.server.core.store.put(HTTP_ROUTES_KIND, route)  # past the schema, which would refuse it
    linkerd.plane.settle()

    assert {workload for workload, _ in linkerd.ask("shop/catalog", 100)} == {"catalog-v1", "catalog-v2"}


def test_istio__subset_whose_pods_cannot_run__nobody_answers(istio: Site) -> None:
    route = istio.cluster.get("VirtualService", "archive-first", "media")["spec"]["http"][0]["route"]
    istio.cluster.load([parts.service("media", "ghost")])
    route[0]["destination"] = {"host": "ghost"}

    istio.cluster.edit(
        "VirtualService", "archive-first", "media", lambda obj: obj["spec"]["http"][0].update(route=route[:1])
    )
    istio.plane.settle()

    assert istio.ask("media/archive", 20) == {("-", 503): 20}


def test_istio__more_pods__share_the_requests(istio: Site) -> None:
    before = istio.pods("payments/ledger-v1")

    istio.cluster.edit("Deployment", "ledger-v1", "payments", lambda obj: obj["spec"].update(replicas=4))
    istio.cluster.settle()
    istio.plane.settle()

    answers = istio.plane.link.send("payments/ledger", 400, source=istio.caller)
    assert len(before) == 2
    assert {status for _, status in answers} == {200}
    assert {pod for pod, _ in answers} == set(istio.pods("payments/ledger-v1"))
    assert len(istio.pods("payments/ledger-v1")) == 4


def test_istio__version_made_to_fail__its_share_of_errors_at_the_client(istio: Site) -> None:
    istio.patch(f"{VIRTUAL_SERVICES}/search", *_weights(WEIGHT, (20, 80)))
    istio.plane.link.profile("shop/search-v2", error_percent=5.0)

    answers = istio.ask("shop/search", MANY)

    failed, good = answers["search-v2", 503], answers["search-v2", 200]
    assert failed / (failed + good) == pytest.approx(0.05, abs=0.02)
    assert answers["search-v1", 503] == 0
    istio.plane.link.profile("shop/search-v2", error_percent=0.0)
    assert ("search-v2", 503) not in istio.ask("shop/search", 400)


def test_istio__retries__the_called_count_each_attempt_and_the_caller_one(istio: Site) -> None:
    retries = {"op": "replace", "path": "/spec/http/0/retries", "value": {"attempts": 1, "retryOn": "5xx"}}
    istio.patch(f"{VIRTUAL_SERVICES}/checkout", retries)
    for version in ("v1", "v2"):
        istio.plane.link.profile(f"shop/checkout-{version}", error_percent=100.0)
    failed = {"response_code": "503", "destination_service_name": "checkout"}

    assert {status for _, status in istio.ask("shop/checkout", 30)} == {503}

    def counted() -> list[float]:
        return [
            sum(each.value for each in istio.scrape_all("istio_requests_total", reporter=reporter, **failed))
            for reporter in ("source", "destination")
        ]

    wait_until(lambda: counted() == [30, 60], what="30 requests and 60 attempts")
    for version in ("v1", "v2"):
        istio.plane.link.profile(f"shop/checkout-{version}", error_percent=0.0)


def test_reach__application_port__answers_and_others_refuse(istio: Site) -> None:
    namespace, name = istio.caller.split("/")
    pod, service = f"/api/v1/namespaces/{namespace}/pods/{name}", f"/api/v1/namespaces/{namespace}/services/frontend"

    assert (istio.api.get(f"{pod}:8080/proxy/").status, istio.api.get(f"{pod}:8080/proxy/").body) == (200, "ok\n")
    assert istio.api.get(f"{service}:8080/proxy/").body == "ok\n"
    assert istio.api.get(f"{service}:http/proxy/").body == "ok\n"
    code, reason, message = istio.api.get(f"{pod}:4191/proxy/metrics").refusal()
    assert (code, reason) == (503, "ServiceUnavailable")
    assert re.fullmatch(
        r"error trying to reach service: dial tcp 10\.99\.\d+\.\d+:4191: connect: connection refused", message
    )
    assert istio.api.get(f"{pod}:15020/proxy/quitquitquit").status == 404


def test_listener__from_outside__on_loopback_alone(istio: Site) -> None:
    request = urllib.request.Request(f"http://127.0.0.1:{istio.plane.link.port}/")
    request.add_header("Host", "frontend.shop.svc.cluster.local")

    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - a URL of our own
        assert answer.read() == b"ok\n"
    assert istio.plane.link.folder.stat().st_mode & 0o077 == 0
