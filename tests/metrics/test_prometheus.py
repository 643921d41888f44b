"""What a Prometheus answers, whole or in part: what was found stays, what was not is said."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from clusters.clients import BadAnswerError, OutcomeUnknownError
from meshes.adapters.istio import IstioAdapter
from meshes.types import Grain
from metrics.providers.prometheus import AT_ONCE, MOST_SERIES, PrometheusProvider, parse_vector
from metrics.types import Name, Place
from tests.metrics.front import vector

if TYPE_CHECKING:
    from collections.abc import Callable

PLACES = [Place("shop", f"s{number:03}") for number in range(2 * AT_ONCE)]
Labels = dict[str, str]


@dataclass
class Server:
    """Has ten requests a second of every place that is asked for, from `callers` each; `fails` is asked before."""

    callers: int = 1
    fails: Callable[[str], bytes | None] = lambda _: None
    more: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def ask(self, path: str) -> bytes:
        """GET a path of its API."""
        (query,) = parse_qs(urlsplit(path).query)["query"]
        self.asked.append(query)
        failed = self.fails(query)
        if failed is not None:
            return failed
        if 'reporter="destination"' not in query or "destination_version" in query:
            return vector()
        places = [place.service for place in PLACES if place.service in query]
        rows = [self._labels(name, n) for name in places for n in range(self.callers if "source_" in query else 1)]
        return vector(*((row, "10") for row in rows), **self.more)

    def _labels(self, name: str, caller: int) -> Labels:
        of = {"destination_service_namespace": "shop", "destination_service_name": name}
        return {**of, "source_workload_namespace": "shop", "source_workload": f"w{caller}"}

    def provider(self) -> PrometheusProvider:
        """Of it, in a cluster with Istio."""
        return PrometheusProvider(self.ask, "Prometheus x", [IstioAdapter.signals], 60)


def grains(found: dict[Name, Any]) -> Counter[Grain]:
    """How many of each."""
    return Counter(name.grain for name in found)


def test_measure__callers_of_all_at_once_too_many_series__asked_in_halves() -> None:
    server = Server(callers=MOST_SERIES // AT_ONCE + 1)

    found = server.provider().measure(PLACES[:AT_ONCE], step=60)

    assert {name.service for name in found.found if name.grain is Grain.EDGE} == {p.service for p in PLACES[:AT_ONCE]}
    assert found.problems == ()


def test_measure__callers_of_one_too_many_series__that_is_said_and_the_rest_stays() -> None:
    server = Server(callers=MOST_SERIES + 1)

    found = server.provider().measure(PLACES[:2], step=60)

    assert grains(dict(found.found)) == {Grain.SERVICE: 2}
    assert len(found.problems) == 2
    assert found.problems[0].startswith("shop/s000, by edge: It sends too much")


def test_measure__time_is_over_on_the_way__what_was_found_stays() -> None:
    def fails(query: str) -> bytes | None:
        if "source_" in query:
            raise OutcomeUnknownError("It did not answer in time.")
        return None

    found = Server(fails=fails).provider().measure(PLACES, step=60)

    assert grains(dict(found.found)) == {Grain.SERVICE: len(PLACES)}
    assert found.problems == ("It did not answer in time.",)


def test_measure__services_before_their_callers__over_all_batches() -> None:
    server = Server()

    server.provider().measure(PLACES, step=60)

    first_edge = next(n for n, query in enumerate(server.asked) if "source_" in query)
    assert all("source_" in query for query in server.asked[first_edge:])
    assert any(PLACES[-1].service in query for query in server.asked[:first_edge])


@pytest.mark.parametrize("body", [b"{", b'{"status":"error","error":"bad"}'], ids=["cut", "error"])
def test_measure__nothing_found__raises_the_first_reason(body: bytes) -> None:
    with pytest.raises(BadAnswerError):
        Server(fails=lambda _: body).provider().measure(PLACES[:1], step=60)


def test_measure__not_reached__asked_once_and_raised() -> None:
    def fails(_: str) -> bytes:
        raise OutcomeUnknownError("It did not answer in time.")

    server = Server(fails=fails)

    with pytest.raises(OutcomeUnknownError):
        server.provider().measure(PLACES, step=60)
    assert len(server.asked) == 1


def test_measure__warned_of_a_partial_answer__said_once() -> None:
    server = Server(more={"warnings": ["store 10.0.0.1 is down"]})

    found = server.provider().measure(PLACES, step=60)

    assert found.problems == ("Prometheus warns: store 10.0.0.1 is down",)
    assert found.found


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"{", "not one that Prometheus"),
        (b"[]", "not one that Prometheus"),
        (b'{"status":"error","error":"query timed out"}', "query timed out"),
        (b'{"status":"success","data":{"resultType":"matrix","result":[]}}', "refused"),
        (vector(({"a": "b"}, "x")), "no number"),
        (b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":["1",2]}]}}', "not one"),
        (vector(*(({"a": str(number)}, "1") for number in range(MOST_SERIES + 1))), "10,000"),
        (b"[" * 100_000, "not one"),
    ],
    ids=["cut", "list", "error", "matrix", "text", "types", "too many", "deep"],
)
def test_parse__answer_that_is_none__refused(data: bytes, why: str) -> None:
    with pytest.raises(BadAnswerError, match=why):
        parse_vector(data, ("a",))


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf", "1e300", "-1e16"])
def test_parse__not_finite_or_absurd__no_data(value: str) -> None:
    assert parse_vector(vector(({"a": "1"}, value), ({"a": "2"}, "0.5"), ({}, "7")), ("a",)) == {
        ("2",): 0.5,
        ("",): 7.0,
    }
