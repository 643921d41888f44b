"""The breaker of a cluster: opens at the third failure, is probed at growing distances, closes at an answer."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from zeal import zeal_ignore

from audit.selectors import list_events
from clusters import breaker, connect, services
from clusters.clients import ForbiddenError, NotSentError, ThrottledError
from clusters.models import Cluster, Credential, Health
from clusters.services import probing
from meshes.services import due_syncs, sync_cluster
from meshui.lib import clock
from meshui.lib.clock import now
from tests.clusters.makers import checked, register, registrar
from tests.people import as_actor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playground.cluster import EmulatedCluster

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)
DEAD = NotSentError("127.0.0.1:6443 cannot be reached: Connection refused")


@pytest.fixture(autouse=True)
def several_acts() -> Iterator[None]:
    """A test calls verbs one after another, as many requests would: not the N+1 that zeal looks for."""
    with zeal_ignore():
        yield


def fail(cluster: Cluster, times: int) -> Cluster:
    """So many failures in a row."""
    for _ in range(times):
        breaker.note_failure(cluster.pk, DEAD)
    cluster.refresh_from_db()
    return cluster


def make_due(cluster: Cluster) -> None:
    """Its probe is due now."""
    Cluster.objects.filter(pk=cluster.pk).update(next_try_at=clock.db_now())


def test_wait__failures_in_a_row__doubles_from_5_to_300_seconds_with_a_spread() -> None:
    wanted = {3: 5, 4: 10, 5: 20, 6: 40, 7: 80, 8: 160, 9: 300, 10: 300, 40: 300, 10_000: 300}

    for failures, seconds in wanted.items():
        waits = [breaker.wait_seconds(failures) for _ in range(50)]
        assert 0.8 * seconds <= min(waits) < max(waits) <= 1.2 * seconds


def test_breaker__two_failures__closed_the_third_opens() -> None:
    cluster = fail(register("west"), 2)
    before, began = cluster.is_silent, now()

    after = fail(cluster, 1)

    assert not before
    assert after.is_silent
    assert after.next_try_at is not None
    assert began + 4 * SECOND <= after.next_try_at <= now() + 6 * SECOND
    assert after.last_failure == str(DEAD)
    assert not services.due_checks().filter(pk=after.pk).exists()
    assert services.ring_due() == 0


def test_breaker__refusals_in_between__do_not_count_and_do_not_forget() -> None:
    cluster = fail(register("west"), 2)

    opened = breaker.note_failure(cluster.pk, ForbiddenError("no", status=403))
    cluster.refresh_from_db()

    assert (opened, cluster.failures, cluster.is_silent) == (False, 2, False)


@pytest.mark.parametrize("error", [ThrottledError("slow down", retry_after=1.0), DEAD])
def test_breaker__throttled_or_dead__is_a_failure(error: Exception) -> None:
    assert breaker.is_failure(error)


def test_breaker__a_reading_goes_well__failures_forgotten() -> None:
    cluster = fail(register("west"), 4)

    breaker.note_success(cluster.pk)

    cluster.refresh_from_db()
    assert (cluster.failures, cluster.next_try_at, cluster.last_failure) == (0, None, "")


def test_check__server_dead__breaker_opens_and_nobody_calls_it(emulate: Callable[..., EmulatedCluster]) -> None:
    server = emulate("west")
    cluster = checked(register("west", text=server.admin_kubeconfig()))
    server.stop()

    for _ in range(3):
        checked(cluster)
    Cluster.objects.filter(pk=cluster.pk).update(next_check_at=clock.db_now(), next_sync_at=clock.db_now())
    asked = len(server.server.requests)
    services.check_cluster(cluster.pk)

    cluster.refresh_from_db()
    assert (cluster.health, cluster.failures, cluster.is_silent) == (Health.UNREACHABLE, 3, True)
    assert sync_cluster(cluster.pk) is False
    assert not due_syncs().exists()
    assert len(server.server.requests) == asked


def test_probe__still_dead__waits_longer_and_stays_unreachable_since(
    emulate: Callable[..., EmulatedCluster], run_rung: Callable[[], int]
) -> None:
    server = emulate("west")
    cluster = checked(register("west", text=server.admin_kubeconfig()))
    server.stop()
    for _ in range(3):
        checked(cluster)
    since = cluster.unreachable_since
    make_due(cluster)
    began = now()

    rung = services.ring_probes()
    probed = services.probe_clusters()

    cluster.refresh_from_db()
    assert (rung, probed) == (True, 1)
    assert (cluster.failures, cluster.unreachable_since) == (4, since)
    assert cluster.next_try_at is not None
    assert began + 8 * SECOND <= cluster.next_try_at <= now() + 12 * SECOND
    assert (services.ring_probes(), services.probe_clusters()) == (False, 0)


def test_probe__answers_again__closed_tested_and_read_at_once(
    emulate: Callable[..., EmulatedCluster], run_rung: Callable[[], int]
) -> None:
    server = emulate("west")
    cluster = checked(register("west", text=server.admin_kubeconfig()))
    server.stop()
    for _ in range(3):
        checked(cluster)
    server.start()
    make_due(cluster)

    services.probe_clusters()
    half_open = Cluster.objects.get(pk=cluster.pk)
    services.check_cluster(cluster.pk)
    is_read = sync_cluster(cluster.pk)

    cluster.refresh_from_db()
    assert (half_open.is_silent, half_open.failures) == (False, 3)
    assert is_read
    assert (cluster.failures, cluster.unreachable_since, cluster.is_silent) == (0, None, False)
    assert checked(cluster).health == Health.HEALTHY


def test_probe__answers_probes_and_fails_readings__opens_again_at_the_next_failure(eu_west: EmulatedCluster) -> None:
    cluster = fail(checked(register("eu-west", text=eu_west.admin_kubeconfig())), 3)
    make_due(cluster)
    services.probe_clusters()

    eu_west.faults.answer(500, "GET", "/api/v1/services", times=99)
    sync_cluster(cluster.pk)

    cluster.refresh_from_db()
    assert (cluster.failures, cluster.is_silent) == (4, True)


@pytest.mark.parametrize("status", [401, 403])
def test_probe__answered_with_a_refusal__it_is_there(eu_west: EmulatedCluster, status: int) -> None:
    cluster = fail(register("eu-west", text=eu_west.admin_kubeconfig()), 3)
    make_due(cluster)
    eu_west.faults.answer(status, "GET", "/readyz")

    services.probe_clusters()

    cluster.refresh_from_db()
    assert not cluster.is_silent


@pytest.mark.parametrize("fault", ["500", "black hole", "drip"])
def test_probe__server_sick_silent_or_dripping__counts_and_ends_by_its_own_deadline(
    fault: str, eu_west: EmulatedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = fail(register("eu-west", text=eu_west.admin_kubeconfig()), 3)
    make_due(cluster)
    monkeypatch.setattr(connect, "PROBE_READ", 0.3)
    act = {
        "500": lambda: eu_west.faults.answer(500, "GET", "/readyz"),
        "black hole": lambda: eu_west.faults.black_hole("GET", "/readyz"),
        "drip": lambda: eu_west.faults.trickle(5, "GET", "/readyz"),
    }
    act[fault]()

    services.probe_clusters()

    cluster.refresh_from_db()
    assert (cluster.failures, cluster.health, cluster.is_silent) == (4, Health.UNREACHABLE, True)


def test_probe__without_credential__counts_and_says_so() -> None:
    cluster = fail(register("west"), 3)
    Credential.objects.all().delete()
    make_due(cluster)

    services.probe_clusters()

    cluster.refresh_from_db()
    assert "no reader credential" in cluster.health_reason
    assert cluster.failures == 4


def test_probe__two_workers_at_once__one_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    make_due(fail(register("west"), 3))
    asked: list[int] = []

    def second_worker(_prober: Any) -> None:
        asked.append(breaker.due_probes().count())

    monkeypatch.setattr(probing, "_ask", second_worker)

    assert probing._claimed() != []
    assert probing._claimed() == []
    clock.shift_for_tests(timedelta(seconds=probing.CLAIM_SECONDS + 1))
    assert services.probe_clusters() == 1
    assert asked == [0]


def test_probe__another_cluster_than_before__tested_and_not_read(eu_west: EmulatedCluster) -> None:
    cluster = checked(register("eu-west", text=eu_west.admin_kubeconfig()))
    eu_west.server.become_another()
    checked(cluster)
    make_due(fail(cluster, 3))

    services.probe_clusters()

    cluster.refresh_from_db()
    assert (cluster.is_silent, cluster.next_sync_at) == (False, None)
    services.check_cluster(cluster.pk)
    cluster.refresh_from_db()
    assert cluster.health == Health.IDENTITY_CHANGED


def test_request_check__breaker_open__asked_for_by_hand_it_is_tested(eu_west: EmulatedCluster) -> None:
    cluster = fail(register("eu-west", text=eu_west.admin_kubeconfig()), 5)

    services.request_check(actor=as_actor(registrar()), cluster_id=cluster.pk)
    services.check_cluster(cluster.pk)

    cluster.refresh_from_db()
    assert cluster.identity_uid == eu_west.uid
    assert cluster.health == Health.DEGRADED
    assert "reading it failed 5 times in a row" in cluster.health_reason
    assert list_events(action="clusters.check.requested").count() == 1
