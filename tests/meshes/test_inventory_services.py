"""The list of services where clusters name the same versions each in their own way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from zeal import zeal_ignore

from meshes.models import BackendVersion, Route, Service
from meshes.selectors import Rows, service_lines, services_list
from meshui.lib import clock
from tests.meshes import rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.test import Client

    from accounts.models import User
    from clusters.models import Cluster
    from meshes.selectors import ServiceLine
    from playground.cluster import EmulatedCluster

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _several_acts() -> Iterator[None]:
    """One act after another, not the loop that zeal looks for."""
    with zeal_ignore():
        yield


def line(user: User, name: str) -> ServiceLine:
    """The row of a service."""
    seen = Rows(user)
    return next(found for found in service_lines(seen, list(services_list(seen))) if found.name == name)


def splits(user: User, name: str) -> list[tuple[tuple[tuple[str, int], ...], tuple[str, ...]]]:
    """How it is split, and where."""
    return [(split.shares, split.clusters) for split in line(user, name).splits]


def correct(cluster: Cluster, key: str, version: str) -> None:
    """Somebody says which version a backend of checkout is."""
    BackendVersion.objects.create(
        cluster=cluster,
        namespace="shop",
        service="checkout",
        backend_key=key,
        version=version,
        reason="It is.",
        corrected_at=clock.now(),
        corrected_by_name="maria",
    )


def test_service_lines__subsets_in_one_services_in_the_other__one_way_by_version(
    viewer: User, eu_west: EmulatedCluster, ap_south: EmulatedCluster, added: Callable[..., Cluster]
) -> None:
    added(eu_west)
    added(ap_south)
    names = {
        backend.name
        for route in Route.objects.filter(root_service="checkout", is_split=True).prefetch_related("backends")
        for backend in route.backends.all()
    }

    found = splits(viewer, "checkout")

    assert {"v1", "v2"} < names
    assert len(names) == 4
    assert [version for shares, _ in found for version, _ in shares] == ["v1", "v2"] * len(found)
    assert sorted(slug for _, clusters in found for slug in clusters) == ["ap-south", "eu-west"]


def test_service_lines__two_clusters_share_alike__one_way_with_both(viewer: User) -> None:
    for slug in ("eu-west", "us-east"):
        rows.services(rows.cluster(slug), ["checkout"])

    assert splits(viewer, "checkout") == [((("v1", 9000), ("v2", 1000)), ("eu-west", "us-east"))]


def test_service_lines__corrected_by_hand__the_version_that_was_said(viewer: User) -> None:
    cluster = rows.cluster("eu-west")
    rows.services(cluster, ["checkout"])
    correct(cluster, "shop/checkout#v2", "canary")

    assert splits(viewer, "checkout") == [((("canary", 1000), ("v1", 9000)), ("eu-west",))]


def test_service_lines__two_backends_of_one_version__their_names(viewer: User) -> None:
    cluster = rows.cluster("eu-west")
    rows.services(cluster, ["checkout"])
    correct(cluster, "shop/checkout#v2", "v1")

    assert splits(viewer, "checkout") == [((("v1", 9000), ("v2", 1000)), ("eu-west",))]


def test_service_lines__selector_of_a_service_out_of_sight__still_tells_the_version(
    person: Callable[..., User],
) -> None:
    rows.services(rows.cluster("eu-west"), ["checkout"])
    Service.objects.update(selector={"app": "checkout", "version": "v7"})
    reader = person("maria", ["viewer"], scope={"service": ["checkout"]})

    assert [version for shares, _ in splits(reader, "checkout") for version, _ in shares] == ["v1", "v2"]


def test_service_list__page__versions_in_the_legend(
    client: Client, viewer: User, ap_south: EmulatedCluster, added: Callable[..., Cluster]
) -> None:
    added(ap_south)
    client.force_login(viewer)

    page = client.get("/services/?q=checkout").content.decode()

    assert '<i class="dot"></i>v1 <b' in page
    assert '<i class="dot"></i>checkout-v1 <b' not in page
