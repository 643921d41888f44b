"""Measured calls in the topology, and the requests of now on the fleet."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from accounts.rights import Held
from meshes.models import MtlsMode, Service, Workload
from meshui.lib.clock import now
from metrics.types import Span
from tests.people import make_person
from tests.traffic.calling import make_calls, make_services
from tests.traffic.factories import make_cluster, make_route
from tests.traffic.measuring import draw, measure, measure_edge
from traffic.calls import all_calls, measured_calls
from traffic.sight import Sight

if TYPE_CHECKING:
    from django.test import Client

    from accounts.models import User
    from clusters.models import Cluster

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_by_one", "mid_minute")]


@pytest.fixture
def eu() -> Cluster:
    """web, cart and pay, each with a Deployment; web has two."""
    cluster = make_cluster()
    make_services(cluster, "web", "cart", "pay")
    for service in Service.objects.filter(cluster=cluster):
        Service.objects.filter(pk=service.pk).update(selector={"app": service.name})
    for name, app in (("web-v1", "web"), ("web-v2", "web"), ("cart", "cart"), ("lost", "nobody")):
        Workload.objects.create(
            cluster=cluster,
            kind="Deployment",
            namespace="shop",
            name=name,
            uid=name,
            labels={"app": app},
            content_hash="",
            read_at=now(),
        )
    return cluster


def calls(user: User) -> list[tuple[str, str, float | None, float | None]]:
    found = all_calls(Sight(Held(user)), ["eu-west"])
    return [(call.caller.name, call.callee.name, call.rate, call.error_share) for call in found]


def test_calls__two_versions_of_a_caller__one_call_of_its_service(eu: Cluster, viewer: User) -> None:
    measure_edge(eu, "shop/web-v1", "cart", 30.0, success=1.0)
    measure_edge(eu, "shop/web-v2", "cart", 10.0, success=0.8)

    ((caller, callee, rate, errors),) = calls(viewer)

    assert (caller, callee, rate) == ("web", "cart", 40.0)
    assert errors == pytest.approx(0.05)


def test_calls__named_by_a_route_and_measured__once_with_both(eu: Cluster, viewer: User) -> None:
    make_calls(eu, "web", {"cart": 9000, "pay": 1000})
    measure_edge(eu, "shop/web-v1", "cart", 30.0)

    found = {call.callee.name: call for call in all_calls(Sight(Held(viewer)), ["eu-west"])}

    assert (found["cart"].rate, found["cart"].weight_bp, found["cart"].by_route) == (30.0, 9000, True)
    assert found["pay"].rate is None


def test_calls__success_not_known__no_error_share(eu: Cluster, viewer: User) -> None:
    measure_edge(eu, "shop/web-v1", "cart", 30.0, success=None)

    assert calls(viewer) == [("web", "cart", 30.0, None)]


def test_calls__no_service_before_the_source__left_out(eu: Cluster, viewer: User) -> None:
    measure_edge(eu, "shop/lost", "cart", 30.0)

    assert measured_calls(Sight(Held(viewer)), ["eu-west"]) == []


def test_calls__other_scope__not_told(eu: Cluster) -> None:
    measure_edge(eu, "shop/web-v1", "cart", 30.0)
    other = make_person("other", ["viewer"], scope={"cluster": ["us-east"]})

    assert measured_calls(Sight(Held(other)), ["eu-west"]) == []


def test_calls__reader_of_one_namespace__those_within_it(eu: Cluster) -> None:
    measure_edge(eu, "shop/web-v1", "cart", 30.0)
    scopes = {"bank": {"namespace": ["bank"]}, "shop": {"namespace": ["shop"]}}
    people = {name: make_person(name, ["viewer"], scope=scope) for name, scope in scopes.items()}

    found = {name: measured_calls(Sight(Held(person)), ["eu-west"]) for name, person in people.items()}

    assert (len(found["bank"]), len(found["shop"])) == (0, 1)


@pytest.mark.parametrize(
    ("modes", "expected"),
    [
        ({"istio": "strict"}, False),
        ({"istio": "disabled"}, True),
        ({"istio": "permissive"}, None),
        ({"istio": "mixed"}, None),
        ({"istio": "unknown"}, None),
        ({"istio": "strict", "linkerd": "strict"}, False),
        ({"istio": "strict", "linkerd": "permissive"}, None),
        ({}, None),
    ],
)
def test_calls__policies_of_who_is_called__say_whether_in_plaintext(
    eu: Cluster, viewer: User, modes: dict[str, str], expected: object
) -> None:
    measure_edge(eu, "shop/web-v1", "cart", 30.0)
    for kind, mode in modes.items():
        made = {"cluster": eu, "content_hash": "", "read_at": now(), "base": mode, "scope": "mesh"}
        MtlsMode.objects.create(namespace="shop", mesh_kind=kind, mode=mode, **made)

    sight = Sight(Held(viewer))

    assert [call.is_plaintext for call in all_calls(sight, ["eu-west"])] == [expected]
    before = Span(5, now() - dt.timedelta(seconds=1))
    assert all(call.is_plaintext is None for call in all_calls(sight, ["eu-west"], before))


def test_fleet_signals__measured__sums_with_how_many(client: Client, viewer: User) -> None:
    for slug, rate in (("eu-west", 30.0), ("us-east", 10.0)):
        cluster = make_cluster(slug)
        make_route(cluster)
        draw(measure(cluster, rate, success=1.0 if slug == "eu-west" else 0.6), [rate, rate])
    client.force_login(viewer)

    page = client.get("/fleet/signals/").content.decode()

    assert "40<small>requests/s</small>" in page
    assert "90.00<small>%</small>" in page
    assert "2 of 2 services measured" in page


def test_fleet_signals__other_scope__not_counted(client: Client) -> None:
    cluster = make_cluster()
    make_route(cluster)
    measure(cluster, 30.0)
    client.force_login(make_person("other", ["viewer"], scope={"cluster": ["us-east"]}))

    page = client.get("/fleet/signals/").content.decode()

    assert "nothing is measured now" in page
    assert "30<small>" not in page


def test_fleet_signals__reader_of_one_namespace__its_services(client: Client) -> None:
    cluster = make_cluster()
    make_route(cluster)
    measure(cluster, 30.0)
    client.force_login(make_person("shopper", ["viewer"], scope={"namespace": ["shop"]}))

    assert "30<small>requests/s</small>" in client.get("/fleet/signals/").content.decode()


def test_fleet_table__measured_and_not__rate_or_no_data(client: Client, viewer: User) -> None:
    measured, _ = make_cluster(), make_cluster("us-east")
    make_route(measured)
    measure(measured, 30.0)
    client.force_login(viewer)

    page = client.get("/").content.decode()

    assert "30/s" in page
    assert page.count("no data") == 1
