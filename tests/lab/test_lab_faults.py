"""The proxy and the webhooks of the lab: what goes wrong, and that the real API server saw what it should."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from urllib3.exceptions import HTTPError, ProtocolError

from lab.cluster import Cluster
from lab.proxy import FaultProxy
from lab.samples import accept, deploy_linkerd_shop, ready_endpoints
from lab.webhooks import NAME, mutating, refusing
from playground.apiserver.faults import on
from tests.contract.api import Api
from tests.contract.objects import splitting

pytestmark = pytest.mark.lab
ROUTES = "/apis/networking.istio.io/v1/namespaces/default/virtualservices"
KIND = "virtualservices.networking.istio.io"
WEIGHT = "/spec/http/0/route/0/weight"
TO_75 = [{"op": "test", "path": WEIGHT, "value": 90}, {"op": "replace", "path": WEIGHT, "value": 75}]


@pytest.fixture
def proxy(lab_cluster: Cluster) -> Iterator[FaultProxy]:
    """Before the real API server, with a route behind it."""
    lab_cluster.load([splitting("proxied", v1=90, v2=10) | {"metadata": {"name": "proxied", "namespace": "default"}}])
    with FaultProxy(lab_cluster) as proxy:
        yield proxy
    lab_cluster.delete("VirtualService", "proxied", "default")


@pytest.fixture
def through(proxy: FaultProxy) -> Iterator[Api]:
    """A client that goes through it."""
    api = Api(proxy.admin_kubeconfig())
    yield api
    api.close()


def _route(proxy: FaultProxy) -> dict[str, Any]:
    return proxy.cluster.get("VirtualService", "proxied", "default")


def _weight(proxy: FaultProxy) -> int:
    return int(_route(proxy)["spec"]["http"][0]["route"][0]["weight"])


def test_proxy__no_fault__hands_through(proxy: FaultProxy, through: Api) -> None:
    patched = through.patch(f"{ROUTES}/proxied", TO_75)

    assert (patched.status, _weight(proxy)) == (200, 75)
    assert proxy.requests[-1].method == "PATCH"


def test_drop_reply__patch__applied_once_and_unanswered(proxy: FaultProxy, through: Api) -> None:
    before = _route(proxy)["metadata"]["generation"]
    proxy.faults.drop_reply("PATCH", on("VirtualService"))

    assert through.patch(f"{ROUTES}/proxied?dryRun=All", TO_75).status == 200
    with pytest.raises(ProtocolError):
        through.patch(f"{ROUTES}/proxied", TO_75)

    assert (_weight(proxy), _route(proxy)["metadata"]["generation"]) == (75, before + 1)


def test_drop_request__patch__not_applied(proxy: FaultProxy, through: Api) -> None:
    proxy.faults.drop_request("PATCH", on("VirtualService"))

    with pytest.raises(ProtocolError):
        through.patch(f"{ROUTES}/proxied", TO_75)

    assert _weight(proxy) == 90


def test_answer__throttled__nothing_applied(proxy: FaultProxy, through: Api) -> None:
    proxy.faults.answer(429, "PATCH", on("VirtualService"), retry_after=2)

    refused = through.patch(f"{ROUTES}/proxied", TO_75)

    assert (refused.status, refused.headers["Retry-After"], _weight(proxy)) == (429, "2", 90)


def test_unreachable__block__refused_then_back(proxy: FaultProxy, through: Api) -> None:
    with proxy.unreachable(), pytest.raises(HTTPError):
        through.get("/version")

    assert through.get("/version").status == 200


def test_watch__through_the_proxy__events_come_and_stop_ends_it(proxy: FaultProxy, through: Api) -> None:
    version = through.get(ROUTES).version

    with through.watch(f"{ROUTES}?watch=1&resourceVersion={version}") as events:
        through.patch(f"{ROUTES}/proxied", TO_75)
        event = next(events)
        proxy.stop()

    assert (event["type"], event["object"]["metadata"]["name"]) == ("MODIFIED", "proxied")


def test_refusing__patch__real_server_says_its_words(proxy: FaultProxy, through: Api) -> None:
    with refusing(proxy.cluster, KIND, message="frozen until Monday"):
        refused = through.patch(f"{ROUTES}/proxied?dryRun=All", TO_75)

    assert refused.refusal() == (400, "", f'admission webhook "{NAME}" denied the request: frozen until Monday')
    assert _weight(proxy) == 90


def test_mutating__patch__stored_otherwise_than_asked(proxy: FaultProxy, through: Api) -> None:
    with mutating(proxy.cluster, KIND, patch=[{"op": "replace", "path": WEIGHT, "value": 60}]):
        patched = through.patch(f"{ROUTES}/proxied", TO_75)

    assert (patched.status, _weight(proxy)) == (200, 60)


def test_linkerd_shop__deployed__pods_ready_and_status_by_hand(lab_crds: Path, lab_cluster: Cluster) -> None:
    kind = "HTTPRoute.gateway.networking.k8s.io"

    deploy_linkerd_shop(lab_cluster)
    accept(lab_cluster, kind, "checkout", "shop")

    assert list(lab_crds.glob("linkerd-*"))
    assert ready_endpoints(lab_cluster, "checkout") == 2
    parents = lab_cluster.get(kind, "checkout", "shop")["status"]["parents"]
    (answer,) = [each for each in parents if each["controllerName"] == "linkerd.io/policy-controller"]
    assert [(each["type"], each["status"]) for each in answer["conditions"]] == [
        ("Accepted", "True"),
        ("ResolvedRefs", "True"),
    ]
    assert "observedGeneration" not in answer["conditions"][0]
