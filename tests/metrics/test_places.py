"""Services of the inventory as they are measured: their workloads, and what tells the requests of a backend apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from meshes.models import Route
from metrics.services.places import places_of, routed_names, watched_names
from metrics.services.watching import watch_service
from tests.metrics.conftest import add_service, add_workload, later

if TYPE_CHECKING:
    from clusters.models import Cluster

pytestmark = pytest.mark.django_db


def relabel(cluster: Cluster, *labels: list[list[str]]) -> None:
    """The subsets of its route are of these labels."""
    row = Route.objects.get(cluster=cluster)
    neutral: Any = row.neutral
    for backend, own in zip(neutral["rules"][0]["backends"], labels, strict=True):
        backend["backend"]["labels"] = own
    row.save()


def test_places__service_with_subsets__its_workloads_and_their_versions(shop: Cluster) -> None:
    [place] = places_of(shop, [("shop", "checkout")])

    assert place.selector == (("app", "checkout"),)
    assert place.workloads == {"checkout-v1", "checkout-v2"}
    assert [(one.key, one.version, one.workloads) for one in place.backends] == [
        ("shop/checkout#v1", "v1", frozenset({"checkout-v1"})),
        ("shop/checkout#v2", "v2", frozenset({"checkout-v2"})),
    ]


def test_places__subset_whose_labels_nobody_knows__no_workload_is_taken_for_it(shop: Cluster) -> None:
    relabel(shop, [], [])

    [place] = places_of(shop, [("shop", "checkout")])

    assert [(one.version, one.workloads) for one in place.backends] == [("", frozenset())] * 2


def test_places__subset_by_other_labels__by_workload_alone(shop: Cluster) -> None:
    add_workload(shop, "checkout-green", app="checkout", version="v2", track="green")
    relabel(shop, [["version", "v1"]], [["version", "v2"], ["track", "green"]])

    [place] = places_of(shop, [("shop", "checkout")])

    assert (place.backends[1].version, place.backends[1].workloads) == ("", frozenset({"checkout-green"}))


def test_places__names_that_are_none__left_out(shop: Cluster) -> None:
    names = [("shop", 'checkout"} or {'), ("a b", "checkout"), ("shop", "")]

    assert places_of(shop, names) == []


def test_places__service_without_selector__nothing_stands_behind_it(shop: Cluster) -> None:
    add_service(shop, "external")
    shop.services.filter(name="external").update(selector={})

    [place] = places_of(shop, [("shop", "external")])

    assert (place.selector, place.workloads) == ((), frozenset())


def test_places__what_is_gone__left_out(shop: Cluster) -> None:
    shop.workloads.filter(name="checkout-v2").update(gone_at=shop.created_at)

    [place] = places_of(shop, [("shop", "checkout")])

    assert place.workloads == {"checkout-v1"}


def test_names__watched_and_routed__as_long_as_they_are(shop: Cluster) -> None:
    watch_service(shop, "shop", "cart", seconds=30)

    assert (watched_names(shop), routed_names(shop)) == ({("shop", "cart")}, {("shop", "checkout")})
    later(31)
    Route.objects.update(gone_at=shop.created_at)
    assert (watched_names(shop), routed_names(shop)) == (set(), set())
