"""The level of versions: backends as nodes of their own in the box of their service, lines from who really called."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from zeal import zeal_ignore

from accounts.rights import Held
from meshes.models import Service, Workload
from meshes.types import Grain
from meshui.lib.clock import now
from tests.people import make_person
from tests.traffic.calling import key, make_calls, make_services, measured
from tests.traffic.factories import make_cluster, make_route
from tests.traffic.measuring import V1, V2, make_series, measure, measure_edge
from traffic.calls import Call, Sent
from traffic.sight import Sight
from traffic.topology import Asked, around, linked, panel_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from accounts.models import User
    from clusters.models import Cluster
    from traffic.topology import Topology

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def several_rows() -> Iterator[None]:
    """A test makes rows one by one: not the N+1 that zeal looks for."""
    with zeal_ignore():
        yield


CHECKOUT, WEB = key("eu-west/shop/checkout"), key("eu-west/shop/web")
OF_V1, OF_V2 = f"{CHECKOUT.text}#{V1}", f"{CHECKOUT.text}#{V2}"


@pytest.fixture
def eu() -> Cluster:
    """shop/checkout is split 90/10, web calls it, pay is called."""
    cluster = make_cluster()
    make_services(cluster, "web", "pay")
    make_route(cluster)
    return cluster


def versions(user: User, *calls: Call) -> Topology:
    given = {"calls_of": measured(*calls)} if calls else {}
    return around(Sight(Held(user)), [CHECKOUT], Asked(by="version"), **given)


def ends(found: Topology) -> dict[tuple[str, str], float | None]:
    return {(edge.tail, edge.head): edge.rate for edge in found.graph.edges}


def test_versions__split_service__a_box_with_its_backends_and_what_each_got(eu: Cluster, viewer: User) -> None:
    measure(eu, 36.0, V1)
    measure(eu, 4.0, V2, success=0.9)

    found = versions(viewer)

    assert {(node.label, node.box) for node in found.graph.nodes} == {
        ("checkout", CHECKOUT.text),
        ("v1", CHECKOUT.text),
        ("v2", CHECKOUT.text),
    }
    assert [(box.key, box.within) for box in found.graph.boxes] == [("eu-west", ""), (CHECKOUT.text, "eu-west")]
    assert ends(found) == {(CHECKOUT.text, OF_V1): 36.0, (CHECKOUT.text, OF_V2): 4.0}
    by_label = {node.label: node for node in found.graph.nodes}
    assert by_label["v1"].note == "90\u202f% · 36/s"
    assert (by_label["v2"].tone, by_label["v2"].word) == ("crit", "At risk")


def test_versions__nothing_measured__no_data_and_no_share_of_anything(eu: Cluster, viewer: User) -> None:
    found = versions(viewer)

    assert ends(found) == {(CHECKOUT.text, OF_V1): None, (CHECKOUT.text, OF_V2): None}
    assert {edge.note for edge in found.graph.edges} == {"90\u202f% by its route", "10\u202f% by its route"}


def test_versions__caller_of_a_version__the_line_begins_there(eu: Cluster, viewer: User) -> None:
    sent = (Sent("checkout-v2", 3.0, 0.0, {"app": "checkout", "version": "v2"}), Sent("checkout-v1", 9.0, 0.5))
    neutral = eu.routes.get().route
    assert neutral is not None
    _labelled(eu)

    found = versions(viewer, Call(CHECKOUT, key("eu-west/shop/pay"), 12.0, 0.4, sent=sent))

    assert ends(found)[OF_V2, "eu-west/shop/pay"] == 3.0
    assert ends(found)[CHECKOUT.text, "eu-west/shop/pay"] == 9.0
    picked = panel_of(linked(found, "", pick=f"{OF_V2}>eu-west/shop/pay"))
    assert picked is not None
    assert picked.title == "v2 → pay"
    assert [each.workload for each in picked.sent] == ["checkout-v2"]


def test_versions__measured_by_workload__rates_of_each_and_together(eu: Cluster, viewer: User) -> None:
    _labelled(eu)
    Service.objects.filter(name="checkout").update(selector={"app": "checkout"})
    for version in ("v1", "v2"):
        Workload.objects.create(
            cluster=eu, kind="Deployment", namespace="shop", name=f"checkout-{version}", uid=version,
            labels={"app": "checkout", "version": version}, content_hash="", read_at=now(),
        )  # fmt: skip
        measure_edge(eu, f"shop/checkout-{version}", "pay", 30.0 if version == "v1" else 10.0)

    by_version = versions(viewer)
    by_service = around(Sight(Held(viewer)), [CHECKOUT], Asked())

    assert ends(by_version)[OF_V1, "eu-west/shop/pay"] == 30.0
    assert ends(by_version)[OF_V2, "eu-west/shop/pay"] == 10.0
    assert ends(by_service)[CHECKOUT.text, "eu-west/shop/pay"] == 40.0


def _labelled(cluster: Cluster) -> None:
    """What each subset stands for, as a DestinationRule would say it."""
    row = cluster.routes.get()
    words = row.neutral or {}
    for item in words["rules"][0]["backends"]:
        item["backend"]["labels"] = [["version", item["backend"]["subset"]]]
    row.save()


def test_versions__services_as_backends__in_the_box_of_their_service_once(eu: Cluster, viewer: User) -> None:
    make_services(eu, "web-v1", "web-v2")
    make_calls(eu, "web", {"web-v1": 9000, "web-v2": 1000})

    found = around(Sight(Held(viewer)), [WEB], Asked(by="version"))

    boxes = {node.label: node.box for node in found.graph.nodes}
    assert boxes == {"web": WEB.text, "web-v1": WEB.text, "web-v2": WEB.text}
    assert len(found.graph.edges) == 2


def test_versions__backend_out_of_scope__not_named(eu: Cluster) -> None:
    make_services(eu, "vault-v1", "vault-v2", namespace="secret")
    make_calls(eu, "web", {"secret/vault-v1": 9000, "secret/vault-v2": 1000})
    reader = make_person("reader", ["viewer"], scope={"namespace": ["shop"]})

    found = around(Sight(Held(reader)), [WEB], Asked(by="version"))

    assert [node.label for node in found.graph.nodes] == ["web"]
    assert "vault" not in f"{found.graph}"
    assert found.hidden == 2


def test_versions__not_split__a_node_and_no_box(eu: Cluster, viewer: User) -> None:
    found = around(Sight(Held(viewer)), [WEB], Asked(by="version"))

    assert [(node.label, node.box) for node in found.graph.nodes] == [("web", "eu-west")]


def test_services__a_service_that_is_a_version__what_that_version_got(eu: Cluster, viewer: User) -> None:
    make_services(eu, "web-v1", "web-v2")
    make_calls(eu, "web", {"web-v1": 9000, "web-v2": 1000})
    make_series(eu, Grain.BACKEND, "shop/web-v1:8080", 7.0, service="web", success=0.9)

    found = around(Sight(Held(viewer)), [WEB], Asked())

    assert ends(found) == {(WEB.text, "eu-west/shop/web-v1"): 7.0, (WEB.text, "eu-west/shop/web-v2"): None}
    words = {node.label: (node.note, node.word) for node in found.graph.nodes}
    assert words["web-v1"] == ("shop · 7.00/s", "At risk")
    assert words["web-v2"] == ("shop · no data", "No data")
