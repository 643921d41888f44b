"""One dead, slow, lying or hostile API server costs the others nothing: not their time, not what is shown of them."""

from __future__ import annotations

import threading
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from zeal import zeal_ignore

from clusters import connect, endpoints, services
from clusters.kubeconfig import parse_kubeconfig
from clusters.models import Cluster, Health
from clusters.services import NewCluster, add_cluster
from meshes.models import Route, Service
from meshes.services import sync_cluster
from meshui.lib import clock
from playground import worlds
from tests.clusters.makers import b64, checked, kubeconfig, register, registrar
from tests.clusters.raw_server import Authority, raw_server, server_context
from tests.clusters.test_hostile import ENDLESS
from tests.people import as_actor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from django.test import Client
    from pytest_django import Settings

    from accounts.models import User
    from playground.cluster import EmulatedCluster

    Hurry = Callable[[Cluster], AbstractContextManager[None]]

pytestmark = [pytest.mark.django_db, pytest.mark.walks]
DEADLINE = 1.0


@pytest.fixture(autouse=True)
def several_acts() -> Iterator[None]:
    """A test calls verbs one after another, as many requests would: not the N+1 that zeal looks for."""
    with zeal_ignore():
        yield


@pytest.fixture
def hurry(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Hurry:
    """`with hurry(cluster)`: deadlines that a test can wait for; the others keep theirs, and their connections."""

    @contextmanager
    def hurried(cluster: Cluster) -> Iterator[None]:
        connect.forget(cluster.pk)
        with monkeypatch.context() as patched:
            patched.setattr(settings, "READ_TIMEOUT", DEADLINE)
            patched.setattr(endpoints, "ANSWER_SECONDS", DEADLINE)
            yield

    return hurried


def read(cluster: Cluster) -> None:
    """Tested and read, as if both were due."""
    checked(cluster)
    Cluster.objects.filter(pk=cluster.pk).update(next_sync_at=clock.db_now())
    sync_cluster(cluster.pk)
    cluster.refresh_from_db()


def shown(cluster: Cluster) -> dict[str, Any]:
    """What people see of a cluster, all of it."""
    cluster.refresh_from_db()
    fields = ("health", "health_reason", "failures", "identity_uid", "next_try_at", "unreachable_since")
    return {name: getattr(cluster, name) for name in fields} | {
        "services": sorted(Service.objects.filter(cluster=cluster, gone_at=None).values_list("namespace", "name")),
        "routes": sorted(Route.objects.filter(cluster=cluster, gone_at=None).values_list("namespace", "name")),
    }


SICK: dict[str, Callable[[EmulatedCluster], object]] = {
    "dead": lambda server: server.stop(),
    "silent": lambda server: server.faults.black_hole(times=999),
    "slow": lambda server: server.faults.trickle(20, times=999),
    "broken": lambda server: server.faults.answer(500, times=999),
    "busy": lambda server: server.faults.answer(429, times=999, retry_after=9),
    "cut off": lambda server: server.faults.cut_body(times=999),
    "elsewhere": lambda server: server.faults.redirect("https://169.254.169.254/", times=999),
    "another one": lambda server: server.server.become_another(),
}


@pytest.mark.parametrize("kind", SICK)
def test_s17_fleet__one_of_two_sick__the_other_is_untouched_and_its_own_last_state_stays(
    kind: str, eu_west: EmulatedCluster, emulate: Callable[..., EmulatedCluster], hurry: Hurry
) -> None:
    ill_server = emulate("ill", worlds.us_east())
    good = register("eu-west", text=eu_west.admin_kubeconfig())
    ill = register("ill", text=ill_server.admin_kubeconfig())
    read(good)
    read(ill)
    before, was = shown(good), shown(ill)
    SICK[kind](ill_server)

    # a server that answers gets the usual time: one that is slow for a moment is not silent
    with nullcontext() if kind == "another one" else hurry(ill):
        for _ in range(3):
            checked(ill)
    read(good)

    after, now = shown(good), shown(ill)
    assert after == before
    assert before["health"] == Health.HEALTHY
    assert now["services"] == was["services"] != []
    assert now["routes"] == was["routes"] != []
    assert now["health"] == (Health.IDENTITY_CHANGED if kind == "another one" else Health.UNREACHABLE)
    assert ill.is_silent is (kind != "another one")


@pytest.mark.parametrize("name", ENDLESS)
def test_s17_check__hostile_server__ended_by_a_bound_said_and_others_untouched(
    name: str, tmp_path: Path, eu_west: EmulatedCluster, hurry: Hurry
) -> None:
    authority = Authority()
    good = register("eu-west", text=eu_west.admin_kubeconfig())
    checked(good)
    with raw_server(server_context(authority.issue(), tmp_path), ENDLESS[name]) as server:
        ca = {"certificate-authority-data": b64(authority.pem.encode())}
        parsed = parse_kubeconfig(kubeconfig(server=server.url, cluster=ca).encode())
        hostile = add_cluster(actor=as_actor(registrar()), new=NewCluster("X", "hostile", "staging", parsed))
        with hurry(hostile):
            checked(hostile)
        was_called = bool(server.requests)

    assert was_called
    assert (hostile.health, hostile.failures) == (Health.UNREACHABLE, 1)
    assert 0 < len(hostile.health_reason) <= 500
    assert "canary-token" not in hostile.health_reason
    assert checked(good).health == Health.HEALTHY


@pytest.mark.django_db(transaction=True)
def test_s17_check__one_server_holds_its_answer__another_is_tested_and_read_meanwhile(
    eu_west: EmulatedCluster, emulate: Callable[..., EmulatedCluster]
) -> None:
    slow_server = emulate("slow")
    slow = register("slow", text=slow_server.admin_kubeconfig())
    good = register("eu-west", text=eu_west.admin_kubeconfig())
    asked, released = threading.Event(), threading.Event()

    def hold(_request: object) -> None:
        asked.set()
        released.wait(25)

    def check_slow() -> None:
        services.check_cluster(slow.pk)
        connection.close()

    slow_server.faults.call(hold, "GET", "/version")
    holding = threading.Thread(target=check_slow)
    holding.start()
    assert asked.wait(30)

    read(good)
    is_still_held = holding.is_alive()
    released.set()
    holding.join(60)

    slow.refresh_from_db()
    assert is_still_held
    assert good.health == Health.HEALTHY
    assert Route.objects.filter(cluster=good, root_service="checkout").exists()
    assert slow.health == Health.HEALTHY


def test_probe__more_silent_ones_than_lanes__each_ends_by_its_deadline_and_the_good_one_opens(
    eu_west: EmulatedCluster, emulate: Callable[..., EmulatedCluster], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect, "PROBE_READ", DEADLINE)
    silent_server = emulate("silent")
    silent = [register(f"silent-{number}", text=silent_server.admin_kubeconfig()) for number in range(6)]
    good = register("eu-west", text=eu_west.admin_kubeconfig())
    silent_server.faults.black_hole("GET", "/readyz", times=99)
    Cluster.objects.update(failures=3, next_try_at=clock.db_now())

    probed = services.probe_clusters()

    for cluster in (*silent, good):
        cluster.refresh_from_db()
    assert probed == 7
    assert (good.is_silent, good.failures) == (False, 3)
    assert {(row.is_silent, row.failures, row.health) for row in silent} == {(True, 4, Health.UNREACHABLE)}


def test_pages__clusters_dead_and_silent__asked_of_the_database_alone(
    client: Client, viewer: User, eu_west: EmulatedCluster
) -> None:
    cluster = register("eu-west", text=eu_west.admin_kubeconfig())
    read(cluster)
    eu_west.stop()
    for _ in range(3):
        checked(cluster)
    asked = len(eu_west.server.requests)
    client.force_login(viewer)

    pages = [client.get(path).content.decode() for path in ("/clusters/", "/clusters/eu-west/", "/services/")]

    assert len(eu_west.server.requests) == asked
    assert "Unreachable" in pages[0]
    assert "Unreachable since" in pages[1]
    assert "It is probed, ever less often" in pages[1]
    assert "checkout" in pages[2]


def test_check__answer_of_a_check_whose_cluster_was_removed_meanwhile__dropped(
    eu_west: EmulatedCluster, admin: User
) -> None:
    cluster = register("eu-west", text=eu_west.admin_kubeconfig())
    Cluster.objects.filter(pk=cluster.pk).update(removed_at=clock.db_now())

    services.keep_check(actor=as_actor(admin), cluster_id=cluster.pk, check=services.Check(Health.HEALTHY))

    assert Cluster.everything.get(pk=cluster.pk).health == Health.UNKNOWN
