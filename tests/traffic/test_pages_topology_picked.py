"""What the topology says beside its graph: of what is picked, of another time, of what is filtered and looked for."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from meshes.models import Mesh
from meshes.types import Grain
from meshui.lib.clock import now
from meshui.ui import graphviz
from tests.traffic.calling import make_calls, make_services
from tests.traffic.factories import make_change, make_cluster, make_route
from tests.traffic.graph_pages import FOCUS, PAGE, in_a_row, make_shop, text_of
from tests.traffic.measuring import draw, make_series

if TYPE_CHECKING:
    from django.test import Client

    from accounts.models import User
    from clusters.models import Cluster
    from metrics.models import Series

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_by_one", "mid_minute")]


@pytest.fixture(autouse=True)
def _placed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether Graphviz is installed changes nothing here."""
    monkeypatch.setattr(graphviz, "draw", in_a_row)


@pytest.fixture
def eu() -> Cluster:
    """A cluster, just read: web sends to cart and pay."""
    return make_shop()


def measure_service(cluster: Cluster, service: str, rate: float, **values: Any) -> Series:
    return make_series(cluster, Grain.SERVICE, "", rate, service=service, **values)


def test_topology__a_node_is_picked__its_numbers_beside_the_same_graph(
    client: Client, viewer: User, eu: Cluster
) -> None:
    measure_service(eu, "cart", 12.0, success=0.98)
    client.force_login(viewer)

    text = text_of(client, f"{FOCUS}&pick=eu-west/shop/cart")

    assert '<h2 id="h-focus">cart</h2>' in text
    assert "2 % of its requests failed" in text
    assert "12/s" in text
    assert "/topology/?focus=eu-west%2Fshop%2Fcart" in text
    assert "3 services around web" in text


def test_topology__an_edge_is_picked__what_runs_over_it(client: Client, viewer: User, eu: Cluster) -> None:
    client.force_login(viewer)

    text = text_of(client, f"{FOCUS}&pick=eu-west/shop/web>eu-west/shop/cart")

    assert "web → cart" in text
    assert '<span class="v">90 % by its route</span>' in text
    assert 'aria-current="true"' in text


@pytest.mark.parametrize("pick", ["nothing", "eu-west/shop/secret", "a>b", "'\"><script>"])
def test_topology__what_is_not_there_is_picked__the_focus(client: Client, viewer: User, eu: Cluster, pick: str) -> None:
    client.force_login(viewer)

    answer = client.get(PAGE, {"focus": "all/shop/web", "pick": pick})

    assert b'<h2 id="h-focus">web</h2>' in answer.content
    assert b"<script>" not in answer.content


def test_topology__earlier__what_was_measured_then_and_back_to_now(
    client: Client, viewer: User, eu: Cluster, author: User
) -> None:
    draw(measure_service(eu, "web", 99.0), [3.0] * 20)
    client.force_login(viewer)

    text = text_of(client, f"{FOCUS}&minutes=5&at={(now() - timedelta(minutes=6)):%Y-%m-%dT%H:%M}")

    assert "This is how it was from" in text
    assert "3.00/s" in text
    assert "99/s" not in text
    assert "?focus=all%2Fshop%2Fweb&minutes=5" in text
    assert 'data-topic="clusters"' in text


def test_topology__nothing_stored_of_that_time__says_so_and_since_when_there_is(
    client: Client, viewer: User, eu: Cluster
) -> None:
    at = f"{(now() - timedelta(hours=3)):%Y-%m-%dT%H:%M}"
    client.force_login(viewer)

    assert "Nothing was measured of these clusters" in text_of(client, f"{FOCUS}&at={at}")
    draw(measure_service(eu, "web", 9.0), [9.0] * 5)
    text = text_of(client, f"{FOCUS}&at={at}")

    assert "Nothing is stored of that time" in text
    assert "What is kept of these clusters begins <time" in text
    assert "no data" in text
    assert "0.00/s" not in text
    assert "that is longer ago" in text_of(client, f"{FOCUS}&at=2001-01-01T00:00")


@pytest.mark.parametrize("at", ["2999-01-01T00:00", "yesterday", ""])
def test_topology__a_moment_that_has_not_come_or_is_none__now(
    client: Client, viewer: User, eu: Cluster, at: str
) -> None:
    client.force_login(viewer)

    text = text_of(client, f"{FOCUS}&at={at}")

    assert "Back to now" not in text
    assert 'data-topic="clusters metrics"' in text


def test_topology__filters__narrow_what_is_reached_but_for_the_focus(client: Client, viewer: User, eu: Cluster) -> None:
    make_services(eu, "bank", namespace="money")
    make_calls(eu, "cart", {"money/bank": 10_000})
    Mesh.objects.create(cluster=eu, kind="istio", trust_domain="t", content_hash="", read_at=now())
    client.force_login(viewer)

    assert "4 services around web" in text_of(client, FOCUS)
    assert "2 services around web" in text_of(client, f"{FOCUS}&namespace=money")
    assert "4 services around web" in text_of(client, f"{FOCUS}&mesh=istio&cluster=eu-west")
    assert "1 service around web" in text_of(client, f"{FOCUS}&mesh=linkerd")
    assert "1 service around web" in text_of(client, f"{FOCUS}&cluster=us-east")


def test_topology__look_for_a_name__marked_and_listed(client: Client, viewer: User, eu: Cluster) -> None:
    client.force_login(viewer)

    text = text_of(client, f"{FOCUS}&find=pa")

    assert "<mark>" in text
    assert "3 services around web" in text
    assert 'class="gn dim' in text or 'class="gn dim focus"' in text
    assert "Nothing in this graph is called “xyz”" in text_of(client, f"{FOCUS}&find=xyz")


def test_topology__one_cluster_not_read__its_box_says_so_and_the_others_do_not(
    client: Client, viewer: User, eu: Cluster
) -> None:
    late = make_cluster("us-east", last_synced_at=now() - timedelta(hours=1))
    make_services(late, "web")
    client.force_login(viewer)

    text = text_of(client, FOCUS)

    assert "could last be read" in text
    assert text.count("/inventory/") == 1
    assert "/clusters/us-east/inventory/" in text


def test_topology__versions__of_what_is_split_and_too_many_of_them_refused(
    client: Client, viewer: User, eu: Cluster
) -> None:
    client.force_login(viewer)
    assert "services and versions around web" in text_of(client, f"{FOCUS}&level=versions")
    names = [f"s{n:03}" for n in range(151)]
    make_services(eu, *names)
    make_calls(eu, "pay", dict.fromkeys(names, 66))

    text = text_of(client, f"{FOCUS}&level=versions")

    assert "154 things are more than a picture can hold" in text
    assert "A node for each service" in text


def test_topology__open_change__a_badge_on_its_service(client: Client, viewer: User, author: User) -> None:
    change = make_change(author, [make_route(make_cluster(last_synced_at=now()))])
    client.force_login(viewer)

    text = text_of(client, f"{PAGE}?focus=all/shop/checkout")

    assert f">#{change.number}</text>" in text
    assert f"#{change.number} {change.title}" in text
    assert "an open change request" in text
