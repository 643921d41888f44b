"""Whether backends are there and ready, from stored Services and workloads: by cluster, in three queries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from meshes.models import Service, Sync, Workload
from meshes.selectors.readiness import readiness_of, readiness_of_all
from meshes.types import FULL, Backend, Root, Route, Rule, WeightedBackend
from meshui.lib.clock import now
from tests.meshes import rows

if TYPE_CHECKING:
    from clusters.models import Cluster

pytestmark = pytest.mark.django_db
V1 = Backend("subset", "checkout", "shop", subset="v1", labels=(("version", "v1"),))
V2 = Backend("subset", "checkout", "shop", subset="v2", labels=(("version", "v2"),))
V3 = Backend("subset", "checkout", "shop", subset="v3")
WHOLE = Backend("service", "checkout", "shop", 8080)
GHOST = Backend("service", "ghost", "shop")
OUTSIDE = Backend("service", "api.example.org", "shop")


def route(*backends: Backend) -> Route:
    """To these backends."""
    return Route(Root("checkout", "shop"), (Rule("all", (), tuple(WeightedBackend(b, FULL) for b in backends)),))


def service(cluster: Cluster, name: str = "checkout", **columns: Any) -> Service:
    """A Service of shop that selects app=`name`."""
    given = {"uid": f"s-{name}", "selector": {"app": name}, "content_hash": "", "read_at": now()}
    return Service.objects.create(cluster=cluster, namespace="shop", name=name, **{**given, **columns})


def workload(cluster: Cluster, version: str, ready: int, *, app: str = "checkout", **columns: Any) -> Workload:
    """A Deployment of shop whose pods have app and version."""
    return Workload.objects.create(
        **{
            "cluster": cluster,
            "kind": "Deployment",
            "namespace": "shop",
            "name": f"{app}-{version}",
            "uid": f"w-{app}-{version}",
            "labels": {"app": app, "version": version},
            "ready": ready,
            "content_hash": "",
            "read_at": now(),
            **columns,
        }
    )


def was_read(cluster: Cluster, *kinds: str) -> None:
    """As if these kinds had been listed."""
    for kind in kinds:
        Sync.objects.create(cluster=cluster, resource=kind, started_at=now(), succeeded_at=now())


@pytest.fixture
def here() -> Cluster:
    """A cluster that was read whole: checkout with v1 (3 ready) and v2 (none ready)."""
    cluster = rows.cluster("eu-west")
    service(cluster)
    workload(cluster, "v1", 3)
    workload(cluster, "v2", 0)
    workload(cluster, "v1", 5, app="billing")
    was_read(cluster, "services", "destinationrules")
    return cluster


def test_readiness__subsets__have_the_pods_with_their_labels(here: Cluster) -> None:
    found = readiness_of(here, route(V1, V2))

    assert found.ready == {V1.key: 3, V2.key: 0}
    assert (found.missing, found.undefined) == (frozenset(), frozenset())


def test_readiness__service_without_subset__has_all_its_pods(here: Cluster) -> None:
    assert readiness_of(here, route(WHOLE)).ready == {WHOLE.key: 3}


def test_readiness__several_workloads_behind_one_subset__are_added_up(here: Cluster) -> None:
    workload(here, "v1", 2, name="checkout-v1-b", uid="w-b")

    assert readiness_of(here, route(V1)).ready == {V1.key: 5}


def test_readiness__subset_without_any_workload__has_none_ready(here: Cluster) -> None:
    other = Backend("subset", "checkout", "shop", subset="v9", labels=(("version", "v9"),))

    assert readiness_of(here, route(other)).ready == {other.key: 0}


def test_readiness__service_that_is_not_there__is_missing(here: Cluster) -> None:
    found = readiness_of(here, route(V1, GHOST))

    assert found.missing == {GHOST.key}
    assert found.ready == {V1.key: 3, GHOST.key: None}


def test_readiness__subset_without_labels__is_undefined_and_cannot_be_told(here: Cluster) -> None:
    found = readiness_of(here, route(V1, V3))

    assert found.undefined == {V3.key}
    assert found.ready[V3.key] is None


def test_readiness__kinds_never_read__nothing_is_missing_or_undefined() -> None:
    found = readiness_of(rows.cluster("new"), route(V1, V3, GHOST))

    assert (found.missing, found.undefined) == (frozenset(), frozenset())
    assert set(found.ready.values()) == {None}


def test_readiness__kind_that_failed_always__nothing_is_missing() -> None:
    cluster = rows.cluster("forbidden")
    Sync.objects.create(cluster=cluster, resource="services", started_at=now(), error="403")

    assert readiness_of(cluster, route(GHOST)).missing == frozenset()


def test_readiness__host_outside__is_neither_missing_nor_told(here: Cluster) -> None:
    found = readiness_of(here, route(OUTSIDE))

    assert found.missing == frozenset()
    assert found.ready == {OUTSIDE.key: None}


def test_readiness__service_without_selector__cannot_be_told(here: Cluster) -> None:
    Service.objects.update(selector={})

    assert readiness_of(here, route(V1)).ready == {V1.key: None}


def test_readiness__no_workload_known__cannot_be_told(here: Cluster) -> None:
    Workload.objects.filter(labels__app="checkout").delete()

    assert readiness_of(here, route(V1)).ready == {V1.key: None}


def test_readiness__gone_rows__do_not_count(here: Cluster) -> None:
    Workload.objects.filter(name="checkout-v1").update(gone_at=now())
    assert readiness_of(here, route(V1)).ready == {V1.key: 0}

    Service.objects.update(gone_at=now())
    assert readiness_of(here, route(V1)).missing == {V1.key}


def test_readiness__other_cluster_and_namespace__do_not_count(here: Cluster) -> None:
    there = rows.cluster("us-east")
    service(there, uid="s-there")
    workload(there, "v1", 7, uid="w-there")
    workload(here, "v1", 9, namespace="other", uid="w-other")

    assert readiness_of(here, route(V1)).ready == {V1.key: 3}
    assert readiness_of(there, route(V1)).ready == {V1.key: 7}


def test_readiness__many_routes__three_queries(here: Cluster, django_assert_num_queries: Any) -> None:
    there = rows.cluster("us-east")
    asked = [(here, route(V1, V2)), (there, route(V1)), (here, route(GHOST)), (here, route(WHOLE, V3))] * 5

    with django_assert_num_queries(3):
        found = readiness_of_all(asked)

    assert [each.ready.get(V1.key) for each in found[:2]] == [3, None]
    assert found[2].missing == {GHOST.key}
    assert len(found) == len(asked)
