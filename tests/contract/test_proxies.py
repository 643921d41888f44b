"""The proxies to pods and Services: who may, what is not there, what cannot be reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.waiting import until

if TYPE_CHECKING:
    from tests.contract.api import Api
    from tests.contract.conftest import Server

SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web"},
    "spec": {"selector": {"app": "nobody"}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]},
}
READ_PODS = {"apiGroups": [""], "resources": ["pods", "services"], "verbs": ["get", "list", "watch"]}
PROXY = {"apiGroups": [""], "resources": ["pods/proxy"], "verbs": ["get"]}
ONE = {**PROXY, "resourceNames": ["web-1:4191"]}


@pytest.fixture
def web(server: Server, api: Api, place: str) -> str:
    """A namespace with a Service that selects nobody.

    The real server looks into Endpoints: made here, unless their controller was quicker.
    """
    assert api.create(f"/api/v1/namespaces/{place}/services", SERVICE).status == 201
    if not server.is_emulator:
        nobody = {"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "web"}, "subsets": []}
        assert api.create(f"/api/v1/namespaces/{place}/endpoints", nobody).status in {201, 409}
    return f"/api/v1/namespaces/{place}"


@pytest.mark.parametrize(
    ("path", "code", "reason", "message"),
    [
        ("pods/web-1:15020/proxy/stats/prometheus", 404, "NotFound", 'pods "web-1" not found'),
        ("pods/web-1/proxy/", 404, "NotFound", 'pods "web-1" not found'),
        ("pods/http:web-1:15020/proxy/metrics", 404, "NotFound", 'pods "web-1" not found'),
        ("pods/a:b:c:d/proxy/", 400, "BadRequest", 'invalid pod request "a:b:c:d"'),
        ("services/shop:80/proxy/", 404, "NotFound", 'services "shop" not found'),
        ("services/web:80/proxy/", 503, "ServiceUnavailable", 'no endpoints available for service "web"'),
        ("services/web:http/proxy/", 503, "ServiceUnavailable", 'no endpoints available for service "web"'),
        ("services/web:9090/proxy/", 503, "ServiceUnavailable", 'no service port 9090 found for service "web"'),
        ("services/web:metrics/proxy/", 503, "ServiceUnavailable", 'no endpoints available for service "web"'),
        ("services/a:b:c:d/proxy/", 400, "BadRequest", 'invalid service request "a:b:c:d"'),
    ],
)
def test_proxy__what_cannot_be_reached__says_why(
    api: Api, web: str, path: str, code: int, reason: str, message: str
) -> None:
    assert api.get(f"{web}/{path}").refusal() == (code, reason, message)


def test_proxy__who_may_only_read__forbidden(server: Server, web: str) -> None:
    server.cluster.grant("reader", [READ_PODS])
    reader = server.api("reader", ())

    code, reason, message = reader.get(f"{web}/pods/web-1:15020/proxy/stats/prometheus").refusal()

    place = web.rpartition("/")[2]
    assert (code, reason) == (403, "Forbidden")
    assert message == (
        'pods "web-1:15020" is forbidden: User "reader" cannot get resource "pods/proxy" in API group "" '
        f'in the namespace "{place}"'
    )


def test_proxy__who_may_get_it__comes_through_and_may_not_post(server: Server, web: str) -> None:
    server.cluster.grant("scraper", [PROXY])
    scraper = server.api("scraper", ())
    path = f"{web}/pods/web-1:15020/proxy/stats/prometheus"

    until(lambda: scraper.get(path).status == 404, seconds=10, what="the rights to be known")
    assert scraper.create(f"{web}/pods/web-1:15020/proxy/quitquitquit", {}).status == 403
    assert scraper.get(f"{web}/services/web:80/proxy/").status == 403


def test_proxy__right_for_one_name__counts_with_its_port(server: Server, web: str) -> None:
    server.cluster.grant("narrow", [ONE])
    narrow = server.api("narrow", ())
    path = f"{web}/pods/web-1:4191/proxy/metrics"

    until(lambda: narrow.get(path).status == 404, seconds=10, what="the rights to be known")
    assert narrow.get(f"{web}/pods/web-1:15020/proxy/metrics").status == 403
    assert narrow.get(f"{web}/pods/web-1/proxy/metrics").status == 403


def test_discovery__proxies__are_subresources(api: Api) -> None:
    kinds = {each["name"]: each for each in api.get("/api/v1").body["resources"]}

    for kind in ("Pod", "Service"):
        found = kinds[f"{kind.lower()}s/proxy"]
        assert found == {
            "name": f"{kind.lower()}s/proxy",
            "singularName": "",
            "namespaced": True,
            "kind": f"{kind}ProxyOptions",
            "verbs": ["create", "delete", "get", "patch", "update"],
        }
