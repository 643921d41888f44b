"""/api/v1/meshes/ and /api/v1/services/"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from zeal import zeal_ignore

from meshes.models import ControlPlane, Mesh, Route
from meshui.lib.clock import now
from tests.api_client import Api
from tests.meshes import rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from django.test import Client

    from accounts.models import User
    from clusters.models import Cluster

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def several_requests() -> Iterator[None]:
    """A test makes rows and asks several times: not the N+1 that zeal looks for."""
    with zeal_ignore():
        yield


def install(cluster: Cluster) -> Mesh:
    """Istio 1.31, ready."""
    read = {"content_hash": "", "read_at": now()}
    mesh = Mesh.objects.create(cluster=cluster, kind="istio", trust_domain="cluster.local", **read)
    where = {"cluster": cluster, "mesh": mesh, "namespace": "istio-system", "name": "istiod"}
    ControlPlane.objects.create(**where, revision="default", version="1.31.0", is_ready=True, **read)
    return mesh


def test_meshes__list_and_detail__versions_and_state(client: Client, viewer: User) -> None:
    mesh = install(rows.cluster("eu-west"))
    install(rows.cluster("us-east"))
    api = Api(client, viewer)

    listed = api.walk("meshes/?limit=1")
    found = api.get(f"meshes/{mesh.pk}/")

    assert [(item["cluster"], item["versions"], item["status"]) for item in listed] == [
        ("eu-west", ["1.31.0"], "ready"),
        ("us-east", ["1.31.0"], "ready"),
    ]
    assert found["mesh"] == listed[0]
    assert [plane["name"] for plane in found["control_planes"]] == ["istiod"]


def test_services__two_clusters__one_row_and_both_splits(client: Client, viewer: User) -> None:
    rows.services(rows.cluster("eu-west"), ["cart", "checkout"])
    rows.services(rows.cluster("us-east"), ["checkout"], split=(50, 50))

    found = Api(client, viewer).walk("services/?limit=1")

    assert [(item["name"], item["scope"], item["clusters"]) for item in found] == [
        ("cart", "eu-west", ["eu-west"]),
        ("checkout", "all", ["eu-west", "us-east"]),
    ]
    assert found[1]["splits"] == [
        {
            "clusters": ["eu-west"],
            "shares": [{"version": "v1", "weight_bp": 9000}, {"version": "v2", "weight_bp": 1000}],
        },
        {
            "clusters": ["us-east"],
            "shares": [{"version": "v1", "weight_bp": 5000}, {"version": "v2", "weight_bp": 5000}],
        },
    ]


def test_service__in_all__routes_by_cluster_in_basis_points(client: Client, viewer: User) -> None:
    rows.services(rows.cluster("eu-west"), ["checkout"])
    rows.services(rows.cluster("us-east"), ["checkout"], split=(50, 50))

    found = Api(client, viewer).get("services/all/shop/checkout/")

    assert found["versions"] == ["v1", "v2"]
    weights = {
        here["cluster"]: [
            (item["name"], item["weight_bp"], item["native_weight"])
            for item in here["routes"][0]["rules"][0]["backends"]
        ]
        for here in found["clusters"]
    }
    assert weights == {
        "eu-west": [("v1", 9000, "90"), ("v2", 1000, "10")],
        "us-east": [("v1", 5000, "50"), ("v2", 5000, "50")],
    }
    assert set(found["clusters"][0]["routes"][0]["versions"].values()) == {"v1", "v2"}


def test_service__route_that_cannot_be_read__says_why(client: Client, viewer: User) -> None:
    rows.services(rows.cluster("eu-west"), ["checkout"])
    problem = {"where": "spec.http", "message": "A part of it has no words."}
    Route.objects.update(neutral=None, projection_hash="", problems=[problem])

    (route,) = Api(client, viewer).get("services/eu-west/shop/checkout/")["clusters"][0]["routes"]

    assert (route["rules"], route["problems"]) == ([], [problem])


def test_inventory__other_scope__as_if_it_were_not_there(client: Client, person: Callable[..., User]) -> None:
    rows.services(rows.cluster("eu-west"), ["checkout"])
    production = rows.cluster("us-east", environment="production")
    rows.services(production, ["checkout", "secret"])
    hidden_mesh = install(production)
    api = Api(client, person("maria", ["viewer"], scope={"environment": ["staging"]}))

    assert [item["name"] for item in api.walk("services/")] == ["checkout"]
    assert [here["cluster"] for here in api.get("services/all/shop/checkout/")["clusters"]] == ["eu-west"]
    assert api.walk("meshes/") == []
    for hidden, missing in [
        ("services/all/shop/secret/", "services/all/shop/nothing/"),
        (f"meshes/{hidden_mesh.pk}/", "meshes/00000000-0000-0000-0000-000000000000/"),
    ]:
        assert api.get(hidden, 404) | {"instance": ""} == api.get(missing, 404) | {"instance": ""}


@pytest.mark.parametrize("count", [1, 8])
def test_lists__any_number_of_rows__same_queries(
    client: Client, viewer: User, count: int, count_queries: Callable[[str], AbstractContextManager[None]]
) -> None:
    for number in range(count):
        cluster = rows.cluster(f"eu-{number}")
        rows.services(cluster, ["checkout", f"only-{number}"])
        install(cluster)
    api = Api(client, viewer)
    api.get("services/")

    with count_queries("api-services"):
        assert len(api.get("services/")["items"]) == count + 1
    with count_queries("api-service"):
        assert len(api.get("services/all/shop/checkout/")["clusters"]) == count
    with count_queries("api-meshes"):
        assert len(api.get("meshes/")["items"]) == count
