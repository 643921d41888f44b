"""History of a service, a cluster and a mesh: their changes and the last moves, as far as the reader sees them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from zeal import zeal_ignore

from meshes.models import Mesh, Service, ServiceLink
from meshui.lib.clock import now
from tests.clusters.makers import register
from tests.people import make_person
from tests.traffic.factories import (
    checkout_route,
    in_review,
    make_change,
    make_cluster,
    make_managed,
    make_route,
    many_changes,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test import Client

    from accounts.models import User
    from clusters.models import Cluster

pytestmark = pytest.mark.django_db
SERVICE = "/services/all/shop/checkout/history/"


@pytest.fixture(autouse=True)
def several_requests() -> Iterator[None]:
    """A test makes rows and asks several times: not the N+1 that zeal looks for."""
    with zeal_ignore():
        yield


def page(client: Client, user: User, url: str, status: int = 200) -> str:
    """What `user` sees there."""
    client.force_login(user)
    response = client.get(url)
    assert response.status_code == status
    return str(response.content.decode())


def mesh_in(cluster: Cluster) -> Mesh:
    """Istio there."""
    return Mesh.objects.create(cluster=cluster, kind="istio", trust_domain="x", content_hash="", read_at=now())


def pages_of(cluster: Cluster) -> tuple[str, str, str, str]:
    """All that tell of a change there."""
    mesh = Mesh.objects.filter(cluster=cluster).first() or mesh_in(cluster)
    own = f"/services/{cluster.slug}/shop/checkout/history/"
    return SERVICE, own, f"/clusters/{cluster.slug}/history/", f"/meshes/{mesh.pk}/history/"


def test_history__a_change__on_all_four_with_who_did_what(client: Client, author: User, viewer: User) -> None:
    cluster = make_cluster()
    in_review(author, [make_route(cluster)], title="Shift it")

    for url in pages_of(cluster):
        text = page(client, viewer, url)
        assert "Shift it" in text
        assert "<b>Author</b> proposed it" in text
        assert 'aria-current="page">History</a>' in text


def test_history__change_elsewhere__not_told(client: Client, author: User, viewer: User) -> None:
    cluster, other = make_cluster(), make_cluster("us-east")
    make_route(cluster)
    in_review(author, [make_route(other)], title="Of another cluster")

    texts = [page(client, viewer, url) for url in pages_of(cluster)]

    assert ["Of another cluster" in text for text in texts] == [True, False, False, False]
    assert ["Nothing was changed through MeshUI yet" in text for text in texts] == [False, True, True, True]
    assert "No move yet" in texts[1]


def test_history__mesh__changes_of_its_own_routes_alone(client: Client, author: User, viewer: User) -> None:
    cluster = make_cluster()
    in_review(author, [make_route(cluster)], title="Of Istio")
    linkerd = Mesh.objects.create(cluster=cluster, kind="linkerd", trust_domain="x", content_hash="", read_at=now())

    assert "Of Istio" in page(client, viewer, f"/meshes/{mesh_in(cluster).pk}/history/")
    assert "Of Istio" not in page(client, viewer, f"/meshes/{linkerd.pk}/history/")


def test_history__other_scope__as_if_it_were_not_there(client: Client, author: User) -> None:
    cluster, both = make_cluster(), make_cluster("us-east")
    in_review(author, [make_route(cluster), make_route(both)], title="Over both")
    outside = make_person("outside", ["viewer"], scope={"cluster": ["us-east"]})

    for url in pages_of(cluster)[1:]:
        page(client, outside, url, 404)
    assert "Over both" not in page(client, outside, SERVICE)
    assert "proposed it" not in page(client, outside, SERVICE)


def test_service__sync_state__said_on_its_page_and_its_history(client: Client, viewer: User) -> None:
    cluster = make_cluster(last_synced_at=now())
    route = make_route(cluster, checkout_route(6000, 4000))
    urls = ("/services/all/shop/checkout/", "/services/eu-west/shop/checkout/", SERVICE)
    assert all("Not managed" in page(client, viewer, url) for url in urls)
    managed = make_managed(route, drift="")
    assert all("In sync" in page(client, viewer, url) for url in urls)
    type(managed).objects.update(drift="changed", drifted_at=now())

    assert all(">1 drifted</a>" in page(client, viewer, url) for url in urls)
    assert "/clusters/eu-west/drift/" in page(client, viewer, urls[1])
    make_route(make_cluster("us-east", last_synced_at=now()))
    assert "Not managed" in page(client, viewer, "/services/us-east/shop/checkout/")


def test_service__cluster_not_read_for_long__never_in_sync(client: Client, viewer: User) -> None:
    cluster = make_cluster(health="unreachable", last_synced_at=now() - timedelta(days=2))
    make_managed(make_route(cluster), drift="")

    for url in ("/services/all/shop/checkout/", SERVICE):
        head = page(client, viewer, url).partition('class="tabs"')[0]
        assert "In sync" not in head
        assert "Read " in head


def test_service__linked_under_another_name__its_drift_counts(client: Client, viewer: User) -> None:
    make_route(make_cluster(last_synced_at=now()))
    other = make_route(make_cluster("us-east", last_synced_at=now()), checkout_route(6000, 4000))
    type(other).objects.filter(pk=other.pk).update(root_service="pay", name="pay")
    Service.objects.filter(cluster=other.cluster, name="checkout").update(name="pay")
    other.refresh_from_db()
    make_managed(other)
    said = {"namespace": "shop", "name": "pay", "to_namespace": "shop", "to_name": "checkout"}
    ServiceLink.objects.create(cluster=other.cluster, reason="Same.", linked_by_name="ada", linked_at=now(), **said)

    for url in ("/services/all/shop/checkout/", SERVICE):
        assert ">1 drifted</a>" in page(client, viewer, url)


def test_history__ten_and_fifty_changes__same_queries(client: Client, author: User, viewer: User) -> None:
    cluster = make_cluster()
    route = make_route(cluster)
    urls = pages_of(cluster)
    client.force_login(viewer)
    counts: list[list[int]] = []
    for count in (2, 48):
        many_changes(author, route, count)
        found = []
        for url in urls:
            client.get(url)
            with CaptureQueriesContext(connection) as captured:
                client.get(url)
            found.append(len(captured))
        counts.append(found)

    assert counts[0] == counts[1]
    assert max(counts[0]) <= 20


def test_history__as_a_part__is_the_table_alone(client: Client, author: User, viewer: User) -> None:
    cluster = make_cluster()
    in_review(author, [make_route(cluster)], title="Shift it")
    client.force_login(viewer)

    for url in pages_of(cluster):
        text = client.get(url, headers={"HX-Request": "true", "HX-Request-Type": "partial"}).content.decode()
        assert text.strip().startswith('<div id="table"')
        assert "Shift it" in text


def test_history__planned_change__says_what_it_moves_here(client: Client, author: User, viewer: User) -> None:
    cluster, other = make_cluster(), make_cluster("us-east")
    in_review(author, [make_route(cluster), make_route(other)], title="Shift it")

    for url in pages_of(cluster):
        text = " ".join(page(client, viewer, url).split())
        assert text.count("<b>v1</b> 90 % → 75 %") == 1
        assert text.count("<b>v2</b> 10 % → 25 %") == 1


def test_history__draft__says_that_there_is_no_plan(client: Client, author: User, viewer: User) -> None:
    make_change(author, [make_route(make_cluster())])

    assert "no plan yet" in page(client, viewer, SERVICE)


def test_history__of_a_cluster__auditors_go_on_to_its_events(client: Client, admin: User, viewer: User) -> None:
    register("eu-west")

    link = re.search(r'href="(/audit/\?object=[^"]+)"', page(client, admin, "/clusters/eu-west/history/"))

    assert link is not None
    assert "clusters.cluster.added" in page(client, admin, link[1]).partition("<tbody>")[2]
    assert "/audit/?object" not in page(client, viewer, "/clusters/eu-west/history/")
