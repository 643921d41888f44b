"""The product against a real Prometheus, by its address: over TLS, signed in, with queries that it parses as meant."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest

from clusters.clients import CredentialRejectedError, NotSentError
from clusters.secrets import Secret
from lab.processes import Keeper
from lab.prometheus import PASSWORD, USER, make_blocks, start_prometheus
from meshes.adapters.istio import IstioAdapter
from meshes.adapters.linkerd import LinkerdAdapter
from meshes.types import Grain
from metrics.promql import rate_query
from metrics.samples import SampledRates
from metrics.selectors import get_signals, list_in_span, source_face
from metrics.services import SourceSettings, set_source, watch_service
from metrics.services.asking import ask
from metrics.services.places import places_of
from metrics.signals import measure
from metrics.types import Span
from tests.clusters.makers import registrar
from tests.metrics.conftest import front, round_of, shop
from tests.metrics.recorded import END, ISTIO_PLACE, WINDOW, istio_proxies, name, openmetrics
from tests.people import as_actor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clusters.models import Cluster
    from lab.prometheus import Prometheus
    from tests.metrics.front import Front

MATCHER = re.compile(r'[a-z_]+(?:=~|!~|!=|=)"(?:[^"\\]|\\.)*"')
__all__ = ["front", "shop"]
pytestmark = [pytest.mark.lab, pytest.mark.django_db]


@pytest.fixture(scope="module")
def prometheus(lab_prometheus: Path) -> Iterator[Prometheus]:
    """One that was asked until now."""
    with Keeper() as keeper:
        data = make_blocks(openmetrics(istio_proxies(), shift=int(time.time()) - END), keeper.place)
        running = start_prometheus(keeper.place, data)
        yield running
        running.server.stop()


def by_address(prometheus: Prometheus, *, secret: str = f"{USER}:{PASSWORD}", ca_pem: str = "") -> SourceSettings:
    """As an administrator would set it."""
    ca = ca_pem or prometheus.ca_pem.decode()
    return SourceSettings("url", url=prometheus.url, auth="basic", secret=Secret(secret), ca_pem=ca)


def test_round__real_prometheus__what_it_holds_is_shown(prometheus: Prometheus, shop: Cluster) -> None:
    set_source(actor=as_actor(registrar()), cluster_id=shop.pk, wanted=by_address(prometheus))
    watch_service(shop, "shop", "checkout")

    round_of(shop)

    found = get_signals(shop, "shop", "checkout")
    sampled = SampledRates([proxy.target() for proxy in istio_proxies()], END, WINDOW, order=())
    expected = measure(IstioAdapter.signals, sampled, [ISTIO_PLACE])
    golden = found.service.golden
    assert golden is not None
    assert golden.rate == pytest.approx(expected[name(ISTIO_PLACE, Grain.SERVICE)].rate, rel=0.2)  # a moment later
    assert golden.success == pytest.approx(expected[name(ISTIO_PLACE, Grain.SERVICE)].success, rel=0.05)
    assert set(found.backends) == {"shop/checkout#v1", "shop/checkout#v2"}
    assert {reading.name.part for _, reading in list_in_span([shop], Span(), [Grain.EDGE])} == {"shop/web"}
    assert source_face(shop).source == f"Prometheus {prometheus.url}"
    assert source_face(shop).problem == ""


def test_ask__wrong_password__rejected(prometheus: Prometheus, shop: Cluster) -> None:
    wanted = by_address(prometheus, secret=f"{USER}:wrong")
    set_source(actor=as_actor(registrar()), cluster_id=shop.pk, wanted=wanted)

    with pytest.raises(CredentialRejectedError):
        ask(shop, places_of(shop, [("shop", "checkout")]), step=15)


def test_ask__certificate_of_somebody_else__not_called(prometheus: Prometheus, shop: Cluster, front: Front) -> None:
    wanted = by_address(prometheus, ca_pem=front.ca_pem)
    set_source(actor=as_actor(registrar()), cluster_id=shop.pk, wanted=wanted)

    with pytest.raises(NotSentError):
        ask(shop, places_of(shop, [("shop", "checkout")]), step=15)


def test_s15_query__as_the_real_parser_reads_it__one_selector_with_every_matcher(prometheus: Prometheus) -> None:
    names = {"namespace": {"shop", "a.b-c"}, "service": {"checkout"}, "workload": {"x.y"}}
    for adapter in (IstioAdapter(), LinkerdAdapter()):
        for spec in adapter.signals.values():
            for way in (way for ways in spec.ways.values() for way in ways):
                wanted = {key: names[key] for key, _ in way.keys if key in names}
                query = rate_query(way, wanted, window=60, good=True, fixed={"cluster": "eu-west"})

                read = str(prometheus.get("/api/v1/format_query", query=query)["data"])

                assert parts_of(read) == parts_of(query.replace("[60s]", "[1m]"))
                assert 'cluster="eu-west"' in parts_of(read)[1]


def parts_of(query: str) -> tuple[str, list[str]]:
    """(what stands around the only selector, its matchers sorted: the parser orders them)."""
    around, inside, after = re.fullmatch(r"([^{]*)\{(.*)\}([^}]*)", "".join(query.split())).groups()  # type: ignore[union-attr]
    return f"{around}{{}}{after}", sorted(MATCHER.findall(inside))
