"""VirtualServices that hand requests on: read anew when what they hand them to moves, comes or goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from zeal import zeal_ignore

from meshes.models import Route
from tests.meshes.conftest import read
from tests.meshes.objects import destination, virtual_service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clusters.models import Cluster
    from playground.cluster import EmulatedCluster

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _several_acts() -> Iterator[None]:
    """One act after another, not the loop that zeal looks for."""
    with zeal_ignore():
        yield


def root() -> Any:
    """A VirtualService of cart that hands all its requests on."""
    found: Any = virtual_service("whole", hosts=["cart"], http=[{"delegate": {"name": "part", "namespace": "team"}}])
    return _new(found)


def part(first: int) -> Any:
    """What it hands them on to, in another namespace."""
    route = [destination("cart.shop.svc.cluster.local", "v1", first)]
    route.append(destination("cart.shop.svc.cluster.local", "v2", 100 - first))
    return _new(virtual_service("part", "team", hosts=[], http=[{"route": route}]))


def _new(body: Any) -> Any:
    """To be made: what the server fills in is left out."""
    body["spec"] = {key: value for key, value in body["spec"].items() if value != []}
    return {**body, "metadata": {key: body["metadata"][key] for key in ("name", "namespace")}}


def weights(name: str) -> list[int]:
    """What the inventory says of a VirtualService."""
    route = Route.objects.get(name=name, gone_at=None)
    return [backend.weight_bp for backend in route.backends.all()]


def problems(name: str) -> str:
    """What is odd about it."""
    return " ".join(problem["message"] for problem in Route.objects.get(name=name, gone_at=None).problems)


@pytest.fixture
def handed(eu_west: EmulatedCluster, added: Callable[..., Cluster]) -> Cluster:
    """A cluster that was read with both."""
    team = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}}
    eu_west.load([team, part(90), root()])
    return added(eu_west)


def test_delegate__edited__root_has_its_weights(eu_west: EmulatedCluster, handed: Cluster) -> None:
    before = weights("whole")

    def change(body: Any) -> None:
        body["spec"] = part(40)["spec"]

    eu_west.edit("VirtualService", "part", "team", change)
    read(handed)

    assert (before, weights("whole")) == ([9000, 1000], [4000, 6000])


def test_delegate__deleted_and_made_anew__root_says_so_each_time(eu_west: EmulatedCluster, handed: Cluster) -> None:
    eu_west.delete("VirtualService", "part", "team")
    read(handed)
    without = problems("whole")
    eu_west.load([part(70)])
    read(handed)

    assert "VirtualService team/part, which is not there" in without
    assert "which is not there" not in problems("whole")
    assert weights("whole") == [7000, 3000]


def test_root__deleted__delegate_is_told_that_it_decides_nothing(eu_west: EmulatedCluster, handed: Cluster) -> None:
    before = problems("part")

    eu_west.delete("VirtualService", "whole", "shop")
    read(handed)

    assert "VirtualService shop/whole delegates to it" in before
    assert "None does: it decides nothing" in problems("part")
