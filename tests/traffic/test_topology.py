"""Who calls whom: from routes, around a focus, gathered, and only what the reader sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from accounts.rights import Held
from tests.people import make_person
from tests.traffic.calling import chain, key, make_calls, make_services, measured
from tests.traffic.factories import make_cluster
from traffic.calls import Call, known_calls
from traffic.sight import Sight
from traffic.topology import (
    Asked,
    Panel,
    Topology,
    around,
    find_services,
    linked,
    match_services,
    narrowed,
    of_clusters,
    of_meshes,
    panel_of,
    split_services,
)

if TYPE_CHECKING:
    from accounts.models import User
    from clusters.models import Cluster

pytestmark = pytest.mark.django_db
HERE = "eu-west/shop"


@pytest.fixture
def eu() -> Cluster:
    """A cluster with five services."""
    cluster = make_cluster()
    make_services(cluster, "web", "cart", "pay", "mail", "log")
    return cluster


def sight_of(user: User, environment: str = "") -> Sight:
    return Sight(Held(user), environment)


def shown_beside(found: Topology, pick: str = "") -> Panel:
    panel = panel_of(linked(found, "", pick=pick))
    assert panel is not None
    return panel


def names(found: object) -> set[str]:
    return {node.label for node in found.graph.nodes}  # type: ignore[attr-defined]  # a Topology


def test_known_calls__split_over_services__a_call_each_with_its_share(eu: Cluster, viewer: User) -> None:
    make_calls(eu, "web", {"cart": 9000, "pay": 1000})

    calls = known_calls(sight_of(viewer), ["eu-west"])

    assert [(call.callee.name, call.weight_bp, call.rate) for call in calls] == [
        ("cart", 9000, None),
        ("pay", 1000, None),
    ]
    assert all(call.by_route and call.is_plaintext is None for call in calls)


def test_known_calls__rules_that_differ__no_share(eu: Cluster, viewer: User) -> None:
    make_calls(eu, "web", {"cart": 9000, "pay": 1000}, {"cart": 10_000})

    assert [call.weight_bp for call in known_calls(sight_of(viewer), ["eu-west"])] == [None, 1000]


def test_known_calls__subsets_of_one_service__added_up(eu: Cluster, viewer: User) -> None:
    make_calls(eu, "web", {"cart#v1": 6000, "cart#v2": 3000, "pay": 1000})

    assert [call.weight_bp for call in known_calls(sight_of(viewer), ["eu-west"])] == [9000, 1000]


def test_around__hops__one_more_reaches_one_further_in_both_directions(eu: Cluster, viewer: User) -> None:
    calls_of = chain(*(f"{HERE}/{name}" for name in ("web", "cart", "pay", "mail", "log")))

    found = [names(around(sight_of(viewer), [key(f"{HERE}/pay")], Asked(hops), calls_of=calls_of)) for hops in (1, 2)]

    assert found == [{"cart", "pay", "mail"}, {"web", "cart", "pay", "mail", "log"}]


def test_around__into_another_cluster__goes_on_there(eu: Cluster, viewer: User) -> None:
    other = make_cluster("us-east")
    make_services(other, "bank", "ledger")
    calls_of = chain(f"{HERE}/web", "us-east/shop/bank", "us-east/shop/ledger")

    found = around(sight_of(viewer), [key(f"{HERE}/web")], Asked(2), calls_of=calls_of)

    assert names(found) == {"web", "bank", "ledger"}
    assert [box.key for box in found.graph.boxes] == ["eu-west", "us-east"]
    assert [cluster.slug for cluster in found.clusters] == ["eu-west", "us-east"]


def test_around__nothing_measured__no_data_and_never_zero(eu: Cluster, viewer: User) -> None:
    make_calls(eu, "web", {"cart": 10_000})

    found = around(sight_of(viewer), [key(f"{HERE}/web")], Asked())

    assert [edge.rate for edge in found.graph.edges] == [None]
    assert all("no data" in node.note for node in found.graph.nodes)
    assert found.measured == 0


def test_around__own_versions__no_call_of_itself(eu: Cluster, viewer: User) -> None:
    make_calls(eu, "web", {"web#v1": 9000, "web#v2": 1000})

    found = around(sight_of(viewer), [key(f"{HERE}/web")], Asked())

    assert names(found) == {"web"}
    assert found.graph.edges == ()
    assert found.hidden == 0


def test_around__callee_out_of_scope__left_out_whoever_names_it(eu: Cluster) -> None:
    make_services(eu, "vault", namespace="secret")
    make_calls(eu, "web", {"cart": 5000, "secret/vault": 5000})
    reader = make_person("reader", ["viewer"], scope={"namespace": ["shop"]})
    told = measured(
        Call(key(f"{HERE}/web"), key("eu-west/secret/vault"), 5.0), Call(key(f"{HERE}/web"), key(f"{HERE}/cart"))
    )

    by_route = around(sight_of(reader), [key(f"{HERE}/web")], Asked())
    by_metrics = around(sight_of(reader), [key(f"{HERE}/web")], Asked(), calls_of=told)

    assert names(by_route) == names(by_metrics) == {"web", "cart"}
    assert by_route.hidden == 1
    assert "vault" not in f"{by_route}{by_metrics}"


def test_around__by_namespace__rates_add_up_and_errors_by_their_share(eu: Cluster, viewer: User) -> None:
    make_services(eu, "bank", "ledger", namespace="money")
    calls_of = measured(
        Call(key(f"{HERE}/web"), key("eu-west/money/bank"), 300.0, 0.01, is_plaintext=False),
        Call(key(f"{HERE}/web"), key("eu-west/money/ledger"), 100.0, 0.05, is_plaintext=True),
        Call(key(f"{HERE}/web"), key(f"{HERE}/cart"), 9.0),
    )

    found = around(sight_of(viewer), [key(f"{HERE}/web")], Asked(by="namespace"), calls_of=calls_of)

    assert names(found) == {"shop", "money"}
    (edge,) = found.graph.edges
    assert edge.rate == 400.0
    assert edge.errors == pytest.approx(0.02)
    assert edge.is_plaintext is True


def test_around__grouped_calls_without_data__still_without(eu: Cluster, viewer: User) -> None:
    make_services(eu, "bank", namespace="money")
    make_calls(eu, "web", {"money/bank": 10_000})

    found = around(sight_of(viewer), [key(f"{HERE}/web")], Asked(by="namespace"))

    assert [(edge.rate, edge.errors, edge.is_plaintext) for edge in found.graph.edges] == [(None, None, None)]


def test_around__neighbours__worst_first(eu: Cluster, viewer: User) -> None:
    web = key(f"{HERE}/web")
    calls_of = measured(
        Call(web, key(f"{HERE}/cart"), 900.0, 0.0),
        Call(web, key(f"{HERE}/log")),
        Call(web, key(f"{HERE}/pay"), 5.0, 0.2),
        Call(key(f"{HERE}/mail"), web, 1.0),
    )

    found = around(sight_of(viewer), [web], Asked(1), calls_of=calls_of)

    panel = shown_beside(found)
    assert [each.node.label for each in panel.calls] == ["pay", "cart", "log"]
    assert [each.node.label for each in panel.callers] == ["mail"]


def test_narrowed__errors_or_traffic__nothing_else_but_the_focus(eu: Cluster, viewer: User) -> None:
    web = key(f"{HERE}/web")
    calls_of = measured(
        Call(web, key(f"{HERE}/cart"), 900.0, 0.0),
        Call(web, key(f"{HERE}/log")),
        Call(web, key(f"{HERE}/pay"), 5.0, 0.2),
        Call(key(f"{HERE}/mail"), web, 0.0, 0.0),
    )
    found = around(sight_of(viewer), [web], Asked(1), calls_of=calls_of)

    shown = {only: narrowed(found, only) for only in ("", "errors", "traffic")}

    assert {only: names(each) for only, each in shown.items()} == {
        "": {"web", "cart", "log", "pay", "mail"},
        "errors": {"web", "pay"},
        "traffic": {"web", "cart", "log", "pay"},
    }
    assert [each.node.label for each in shown_beside(shown["errors"]).calls] == ["pay"]
    assert shown_beside(shown["traffic"]).callers == ()


def test_around__links__take_the_rest_of_the_query_along(eu: Cluster, viewer: User) -> None:
    found = around(sight_of(viewer), [key(f"{HERE}/web")], Asked(kept={"hops": "3", "view": "table"}))

    panel = shown_beside(found)

    assert [url for _, url in panel.links] == [
        "/services/eu-west/shop/web/",
        "/topology/?focus=eu-west%2Fshop%2Fweb&hops=3&view=table",
    ]


def test_around__few_or_many_services__as_many_queries(
    eu: Cluster, viewer: User, django_assert_num_queries: object
) -> None:
    make_calls(eu, "web", {"cart": 5000, "pay": 5000})
    for count in (0, 60):
        make_services(eu, *(f"s{n}" for n in range(count)))
        if count:
            make_calls(eu, "cart", {f"s{n}": 100 for n in range(count)})
        sight = sight_of(viewer)
        with django_assert_num_queries(13):  # type: ignore[operator]  # a fixture of pytest-django
            found = around(sight, [key(f"{HERE}/web")], Asked(3))
        assert len(found.graph.nodes) == 3 + count


def test_find_services__in_all_clusters_or_one__only_what_is_seen(eu: Cluster) -> None:
    make_services(make_cluster("us-east"), "web")
    make_services(make_cluster("ap-south"), "web")
    reader = sight_of(make_person("reader", ["viewer"], scope={"cluster": ["eu-west", "us-east"]}))

    assert [each.cluster for each in find_services(reader, "all", "shop", "web")] == ["eu-west", "us-east"]
    assert [each.cluster for each in find_services(reader, "us-east", "shop", "web")] == ["us-east"]
    assert find_services(reader, "ap-south", "shop", "web") == []


def test_match_services__very_name_or_part_of_it__the_very_name_alone_where_there_is_one(
    eu: Cluster, viewer: User
) -> None:
    make_services(eu, "web-v1", "web-v2")
    make_services(eu, "web", namespace="blog")
    sight = sight_of(viewer)

    assert [each.typed for each in match_services(sight, "web")] == ["blog/web", "shop/web"]
    assert [each.typed for each in match_services(sight, "shop/web")] == ["shop/web"]
    assert [each.typed for each in match_services(sight, "web-")] == ["shop/web-v1", "shop/web-v2"]
    assert match_services(sight, "nothing") == []


def test_split_services__split_routes__each_name_once(eu: Cluster, viewer: User) -> None:
    make_calls(eu, "web", {"cart": 5000, "pay": 5000})
    make_calls(eu, "mail", {"log": 10_000})
    make_calls(make_cluster("us-east"), "web", {"cart": 5000, "pay": 5000})

    assert [each.typed for each in split_services(sight_of(viewer))] == ["shop/web"]


def test_of_clusters__environments__a_box_each_and_calls_between_what_is_seen(eu: Cluster, viewer: User) -> None:
    make_cluster("us-east", environment="production", health="unreachable")
    crossing = Call(key(f"{HERE}/web"), key("us-east/shop/bank"), 40.0, 0.02)
    unseen = Call(key(f"{HERE}/web"), key("elsewhere/shop/bank"), 7.0)

    found = of_clusters(sight_of(viewer), crossings_of=lambda _: [crossing, unseen])

    assert [(node.key, node.box, node.tone) for node in found.graph.nodes] == [
        ("eu-west", "staging", "ok"),
        ("us-east", "production", "crit"),
    ]
    assert "5 services" in found.graph.nodes[0].note
    assert [(edge.tail, edge.head, edge.rate) for edge in found.graph.edges] == [("eu-west", "us-east", 40.0)]


def test_of_meshes__other_scope__not_there(eu: Cluster) -> None:
    reader = make_person("reader", ["viewer"], scope={"cluster": ["elsewhere"]})

    assert of_clusters(sight_of(reader)).graph.nodes == ()
    assert of_meshes(sight_of(reader)).graph.nodes == ()
