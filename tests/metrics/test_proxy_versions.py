"""Which version proxies run: from the images of pods that are listed to the page of the mesh."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from zeal import zeal_ignore

from clusters.connect import proxied_for
from meshes.adapters.istio import IstioAdapter
from meshes.models import ControlPlane, Mesh, Namespace
from meshui.lib import clock
from meshui.lib.ids import new_id
from metrics.models import Collector
from metrics.providers.proxies import ProxiesProvider
from metrics.selectors import proxy_versions
from metrics.types import Place, ProxyCount
from tests.metrics.conftest import later, round_of
from tests.people import make_person

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test import Client

    from accounts.models import User
    from clusters.models import Cluster
    from tests.metrics.front import Front

pytestmark = pytest.mark.django_db
CHECKOUT = Place("shop", "checkout", frozenset({"checkout-v1", "checkout-v2"}), (("app", "checkout"),))


@pytest.fixture(autouse=True)
def _several_requests() -> Iterator[None]:
    """A test makes rows and asks several times: not the N+1 that zeal looks for."""
    with zeal_ignore():
        yield


@pytest.fixture
def viewer(db: None) -> User:
    """Sees everything."""
    return make_person("viewer", ["viewer"])


def made_plane(cluster: Cluster, version: str, revision: str = "default", *tags: str) -> None:
    """A control plane of the cluster's mesh."""
    made: dict[str, Any] = {"cluster": cluster, "content_hash": "", "read_at": clock.now(), "is_ready": True}
    named = {"namespace": "istio-system", "name": f"istiod-{revision}", "revision": revision, "version": version}
    ControlPlane.objects.create(mesh=Mesh.objects.get(cluster=cluster), tags=list(tags), **named, **made)


def made_space(cluster: Cluster, name: str, revision: str = "default") -> None:
    """A namespace that gives its pods to the mesh."""
    made: dict[str, Any] = {"cluster": cluster, "content_hash": "", "read_at": clock.now(), "injected_by": "istio"}
    Namespace.objects.create(name=name, uid=name, injection="injected", revision=revision, **made)


def told(cluster: Cluster, *counts: tuple[str, str, str, int], at: Any = None) -> None:
    """What the last round found: namespace, workload, version, pods."""
    moment = at or clock.now()
    made = {"next_at": moment, "minute_at": moment, "proxies": [["istio", *count] for count in counts]}
    Collector.objects.update_or_create(cluster=cluster, defaults={**made, "proxies_at": moment})


def test_measure__pods_of_two_versions__counted_by_workload_and_the_tag_of_the_proxy(
    shop: Cluster, front: Front
) -> None:
    front.add_pod("checkout-v1-b", workload="checkout-v1", tag="1.30.3", app="checkout")
    front.add_pod("checkout-v1-c", workload="checkout-v1", containers=("app",), tag="9.9.9", app="checkout")

    found = ProxiesProvider(shop, proxied_for(shop), [IstioAdapter()], 60).measure([CHECKOUT], step=15)

    assert found.proxies == (
        ProxyCount("istio", "shop", "checkout-v1", "1.30.3", 1),
        ProxyCount("istio", "shop", "checkout-v1", "1.31.0", 1),
        ProxyCount("istio", "shop", "checkout-v2", "1.31.0", 1),
    )


def test_minute__pods_listed__kept_with_their_time_and_left_where_none_is_listed_later(
    shop: Cluster, front: Front
) -> None:
    round_of(shop, minute=True)
    first = Collector.objects.get(cluster=shop)

    front.refuses = "/pods"
    later(60)
    round_of(shop, minute=True)

    second = Collector.objects.get(cluster=shop)
    assert first.proxies == [
        ["istio", "shop", "checkout-v1", "1.31.0", 1],
        ["istio", "shop", "checkout-v2", "1.31.0", 1],
    ]
    assert (second.proxies, second.proxies_at) == (first.proxies, first.proxies_at)


def test_proxy_versions__two_revisions_and_a_tag__each_beside_its_own_control_plane(
    shop: Cluster, viewer: User
) -> None:
    made_plane(shop, "1.31.0")
    made_plane(shop, "1.29.2", "1-29", "stable")
    made_space(shop, "shop")
    made_space(shop, "old", "stable")
    made_space(shop, "lost", "gone")
    told(
        shop,
        ("shop", "web", "1.31.0", 3),
        ("shop", "cart", "1.30.3", 2),
        ("shop", "till", "1.29.2", 1),
        ("shop", "next", "1.32.0", 1),
        ("old", "web", "1.29.2", 4),
        ("lost", "web", "1.31.0", 5),
    )

    found = proxy_versions(viewer, Mesh.objects.get().pk)

    assert [(line.version, line.plane, line.state, line.pods, line.workloads) for line in found.lines] == [
        ("1.29.2", "1.31.0", "too_far", 1, ["shop/till"]),
        ("1.30.3", "1.31.0", "behind", 2, ["shop/cart"]),
        ("1.32.0", "1.31.0", "ahead", 1, ["shop/next"]),
        ("1.31.0", "", "unknown", 5, ["lost/web"]),
        ("1.29.2", "1.29.2", "same", 4, ["old/web"]),
        ("1.31.0", "1.31.0", "same", 3, ["shop/web"]),
    ]
    assert found.pods == 16


def test_page__proxies_behind__what_to_do_and_how_old_that_is(client: Client, shop: Cluster, viewer: User) -> None:
    made_plane(shop, "1.31.0")
    made_space(shop, "shop")
    told(shop, *(("shop", f"web-{number}", "1.30.3", 1) for number in range(8)))
    client.force_login(viewer)
    url = f"/meshes/{Mesh.objects.get().pk}/proxies/"

    fresh = client.get(url).content.decode()
    clock.shift_for_tests(timedelta(minutes=6))
    old = client.get(url, headers={"HX-Request": "true", "HX-Request-Type": "partial"}).content.decode()

    assert "restart these workloads" in fresh
    assert "shop/web-5 and 2 more" in " ".join(fresh.split())
    assert "as of" not in fresh
    assert "as of" in old
    assert "<html" not in old


def test_page__no_pod_was_listed__says_when_they_are(client: Client, shop: Cluster, viewer: User) -> None:
    client.force_login(viewer)

    page = client.get(f"/meshes/{Mesh.objects.get().pk}/proxies/").content.decode()

    assert "No proxy was looked at" in page
    assert f"/clusters/{shop.slug}/metrics/" in page


def test_page__mesh_that_is_not_there_or_out_of_scope__the_same_404(client: Client, shop: Cluster) -> None:
    scopes = ({"environment": ["elsewhere"]}, {"cluster": [shop.slug], "namespace": ["shop"]})
    people = [make_person(f"reader-{number}", ["viewer"], scope=scope) for number, scope in enumerate(scopes)]
    codes = []

    for person in people:
        client.force_login(person)
        codes += [client.get(f"/meshes/{pk}/proxies/").status_code for pk in (Mesh.objects.get().pk, new_id())]

    assert codes == [404, 404, 404, 404]
