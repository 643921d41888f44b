"""The pages of who calls whom: a focus or a level, every state, and nothing of what the reader may not see."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from zeal import zeal_ignore

from clusters.models import Cluster
from meshes.models import Mesh, ServiceLink
from meshui.lib.clock import now
from meshui.ui import graphviz
from meshui.ui.graphs import LayoutError
from tests.people import make_person
from tests.traffic.calling import key, make_calls, make_services, measured
from tests.traffic.factories import make_cluster
from tests.traffic.graph_pages import FOCUS, PAGE, in_a_row, make_shop, text_of
from traffic.calls import Call
from traffic.views.topology import GraphView

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from django.test import Client

    from accounts.models import User
    from meshui.ui.drawn import Picture
    from meshui.ui.graphs import Graph

pytestmark = pytest.mark.django_db
TAB = "/services/all/shop/web/topology/"
MORE = (
    "?focus=all/shop/web&level=versions",
    "?focus=all/shop/web&view=table&minutes=5",
    "?focus=all/shop/web&group=namespace&find=e",
)
PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}


@pytest.fixture(autouse=True)
def several_requests() -> Iterator[None]:
    """A test makes rows and asks several times: not the N+1 that zeal looks for. Queries are counted below."""
    with zeal_ignore():
        yield


@pytest.fixture(autouse=True)
def _placed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether Graphviz is installed changes nothing here."""
    monkeypatch.setattr(graphviz, "draw", in_a_row)


@pytest.fixture
def eu() -> Cluster:
    """A cluster, just read: web sends to cart and pay."""
    return make_shop()


def test_topology__no_focus__asks_for_one_and_offers_what_is_split(client: Client, viewer: User, eu: Cluster) -> None:
    client.force_login(viewer)

    text = text_of(client, PAGE)

    assert "Choose a focus" in text
    assert "focus=all%2Fshop%2Fweb" in text
    assert "<polygon" not in text


def test_topology__focus__graph_panel_and_table_of_the_same(client: Client, viewer: User, eu: Cluster) -> None:
    client.force_login(viewer)

    text = text_of(client, FOCUS)

    assert "3 services around web" in text
    assert "0 of 2 calls measured" in text
    assert text.count("<polygon") == 2
    assert "web to cart: no data, 90 % by its route" in text
    assert text.count("<tr>") == 7
    assert re.findall(r'class="gn +focus"', text)
    assert "Known from routes alone" in text


@pytest.mark.parametrize("url", [FOCUS, TAB, f"{PAGE}?level=clusters", f"{PAGE}?level=meshes"])
def test_topology__asked_by_htmx__the_part_alone_with_its_url(
    client: Client, viewer: User, eu: Cluster, url: str
) -> None:
    client.force_login(viewer)

    answer = client.get(url, headers=PARTIAL)

    assert b'id="graph"' in answer.content
    assert b"<html" not in answer.content
    assert answer["HX-Push-Url"].startswith(url.partition("?")[0])
    assert "HX-Request" in answer["Vary"]


def test_topology__as_table__no_picture(client: Client, viewer: User, eu: Cluster) -> None:
    client.force_login(viewer)

    text = text_of(client, f"{FOCUS}&view=table")

    assert "<polygon" not in text
    assert text.count("<tr>") == 7
    assert "As graph" in text


def test_topology__name_that_several_hold__asks_which_one(client: Client, viewer: User, eu: Cluster) -> None:
    make_services(eu, "web", namespace="blog")
    client.force_login(viewer)

    assert "Which one?" in text_of(client, f"{PAGE}?focus=web")
    assert "3 services around web" in text_of(client, f"{PAGE}?focus=shop/web")
    assert "None within your scope is called “nothing”" in text_of(client, f"{PAGE}?focus=nothing")


@pytest.mark.parametrize("url", ["focus=us-east/shop/web", "focus=nowhere/shop/web", "focus=eu-west/shop/nothing"])
def test_topology__focus_elsewhere_or_nowhere__the_same_404(client: Client, eu: Cluster, url: str) -> None:
    make_services(make_cluster("us-east"), "web")
    client.force_login(make_person("reader", ["viewer"], scope={"cluster": ["eu-west"]}))

    answer = client.get(f"{PAGE}?{url}")

    assert answer.status_code == 404
    assert b"There is no such service." in answer.content


@pytest.mark.parametrize("query", ["", "?focus=web", "?focus=all/shop/web", "?level=clusters", "?level=meshes", *MORE])
def test_topology__other_scope__not_named_anywhere(client: Client, eu: Cluster, query: str) -> None:
    other = make_cluster("us-east")
    make_services(other, "web", "secret")
    make_calls(other, "web", {"secret": 10_000})
    Mesh.objects.create(cluster=other, kind="istio", trust_domain="far.local", content_hash="", read_at=now())
    client.force_login(make_person("reader", ["viewer"], scope={"cluster": ["eu-west"]}))

    text = text_of(client, f"{PAGE}{query}")

    assert "us-east" not in text
    assert "secret" not in text
    assert "far.local" not in text


def test_topology__environment__narrows_and_is_kept_in_links(client: Client, viewer: User, eu: Cluster) -> None:
    make_services(make_cluster("us-east", environment="production"), "web")
    client.force_login(viewer)

    text = text_of(client, f"{FOCUS}&env=staging&hops=1")

    assert "us-east" not in text
    assert "?focus=all%2Fshop%2Fweb&env=staging&hops=1&pick=eu-west%2Fshop%2Fcart" in text


def test_topology__graphviz_missing__table_and_how_to_install_it(
    client: Client, viewer: User, eu: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graphviz, "draw", _raising(graphviz.DotMissingError("")))
    client.force_login(viewer)

    text = text_of(client, FOCUS)

    assert "apt-get install graphviz" in text
    assert text.count("<tr>") == 7
    assert "<polygon" not in text


def test_topology__graphviz_fails__table_and_try_again(
    client: Client, viewer: User, eu: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graphviz, "draw", _raising(LayoutError("")))
    client.force_login(viewer)

    text = text_of(client, FOCUS)

    assert "Try again" in text
    assert text.count("<tr>") == 7


def _raising(error: Exception) -> Callable[[Graph], Picture]:
    def draw(graph: Graph) -> Picture:
        raise error

    return draw


def test_topology__more_than_150__refused_grouped_instead(client: Client, viewer: User, eu: Cluster) -> None:
    names = [f"s{n:03}" for n in range(150)]
    make_services(eu, *names)
    make_calls(eu, "cart", dict.fromkeys(names, 66))
    client.force_login(viewer)

    refused = text_of(client, FOCUS)
    grouped = text_of(client, f"{FOCUS}&group=namespace")

    assert "153 things are more than a picture can hold" in refused
    assert "group=namespace" in refused
    assert "s042" not in refused
    assert "1 namespace around web" in grouped


def test_topology__not_read_lately__says_which_cluster_and_since_when(
    client: Client, viewer: User, eu: Cluster
) -> None:
    client.force_login(viewer)
    assert "could last be read" not in text_of(client, FOCUS)

    Cluster.objects.filter(pk=eu.pk).update(last_synced_at=now() - timedelta(hours=1))

    text = text_of(client, FOCUS)
    assert "could last be read" in text
    assert "as of <time" in text


def test_topology__measured_calls__rates_errors_and_open_locks(
    client: Client, viewer: User, eu: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    web, cart = key("eu-west/shop/web"), key("eu-west/shop/cart")
    calls_of = measured(Call(web, cart, 1907.0, 0.019, is_plaintext=True))
    monkeypatch.setattr(GraphView, "calls_of", staticmethod(calls_of))
    client.force_login(viewer)

    text = text_of(client, FOCUS)

    assert "1 of 1 calls measured" in text
    assert "web to cart: 1,907/s, 1.90 % errors, plaintext, measured" in text
    assert "#lock-open" in text
    assert "Known from routes alone" not in text


def test_topology__errors_alone__nothing_known_is_not_called_healthy(client: Client, viewer: User, eu: Cluster) -> None:
    client.force_login(viewer)

    text = text_of(client, f"{FOCUS}&only=errors")

    assert "what has no data may have some" in text
    assert "1 service around web" in text
    assert '<option value="errors" selected>' in text
    assert "None that the filters leave" in text  # web calls cart; it was only filtered away
    assert "None that is known" not in text


def test_topology__hostile_name__is_text(client: Client, viewer: User, eu: Cluster) -> None:
    client.force_login(viewer)

    answer = client.get(PAGE, {"focus": '"><script>alert(1)</script>'})

    assert b"<script>alert" not in answer.content
    assert client.get(PAGE, {"focus": "a\0b"}).status_code == 200
    assert client.get(PAGE, {"focus": "x" * 5000}).status_code == 200
    assert client.get(PAGE, {"hops": "99", "level": "everything", "group": "x"}).status_code == 200


def test_service_topology__linked_service__under_its_own_name_there(client: Client, viewer: User, eu: Cluster) -> None:
    other = make_cluster("us-east", last_synced_at=now())
    make_services(other, "storefront", "bank")
    make_calls(other, "storefront", {"bank": 10_000})
    said: dict[str, Any] = {"linked_at": now(), "linked_by_name": "ada", "reason": "same"}
    ServiceLink.objects.create(
        cluster=other, namespace="shop", name="storefront", to_namespace="shop", to_name="web", **said
    )
    client.force_login(viewer)

    text = text_of(client, TAB)

    assert "storefront to bank" in text
    assert "web to cart" in text


def test_service_topology__other_scope__404(client: Client, eu: Cluster) -> None:
    client.force_login(make_person("reader", ["viewer"], scope={"cluster": ["us-east"]}))

    text_of(client, TAB, 404)


def test_service_page__its_tabs__lead_to_the_topology(client: Client, viewer: User, eu: Cluster) -> None:
    client.force_login(viewer)

    assert TAB in text_of(client, "/services/all/shop/web/")
    assert "?hops=3" in text_of(client, TAB)


def test_topology__few_or_many__as_many_queries(
    client: Client, viewer: User, eu: Cluster, count_queries: Callable[[str], AbstractContextManager[None]]
) -> None:
    client.force_login(viewer)
    client.get(PAGE)
    for count in (1, 100):
        names = [f"{count}-{n}" for n in range(count)]
        make_services(eu, *names)
        make_calls(eu, names[0] if count > 1 else "pay", dict.fromkeys(names, 10))
        with count_queries("topology-start"):
            client.get(PAGE)
        with count_queries("topology-focus"):
            client.get(f"{FOCUS}&hops=3")
        with count_queries("topology-versions"):
            client.get(f"{FOCUS}&hops=3&level=versions")
        with count_queries("topology-earlier"):
            client.get(f"{FOCUS}&hops=3&at={(now() - timedelta(minutes=6)):%Y-%m-%dT%H:%M}")
        with count_queries("topology-clusters"):
            client.get(f"{PAGE}?level=clusters")
        with count_queries("topology-meshes"):
            client.get(f"{PAGE}?level=meshes")
