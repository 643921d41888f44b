"""Rows of the failure matrix (change-control §10) in which a cluster, its webhooks or the worker misbehave."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from clusters.models import Cluster
from lab.webhooks import refusing
from meshui.lib.queue import drain
from playground import worlds
from playground.apiserver.faults import on
from tests.meshes.conftest import read
from tests.people import as_actor
from tests.servers import wait_until
from tests.traffic.conftest import Way, weights
from tests.traffic.matrix import assert_invariant, generation, sent, swept
from tests.traffic.rows import ROUTES, check_altered_patch_is_a_conflict, check_late_patch_is_refused
from traffic.models import Change
from traffic.services.apply import advance
from traffic.services.hold import resume_change
from traffic.services.rollback import propose_rollback
from traffic.types import TERMINAL, State

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_django.fixtures import Settings

    from playground.cluster import EmulatedCluster

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.walks]


def test_row14__killed_between_two_clusters__the_first_is_not_written_again(
    way: Callable[..., Way], eu_west: EmulatedCluster, us_east: EmulatedCluster, work: Callable[..., int]
) -> None:
    moving = way(eu_west, us_east)
    moving.to_approved(80, 20)
    before = {cluster.name: generation(cluster) for cluster in (eu_west, us_east)}
    moving.start(runs=False)

    assert work(moving, "after_outcome") == -9
    half = sent(eu_west) + sent(us_east)
    assert work(moving, "") == 0

    assert half == 1
    assert moving.now().state == State.APPLIED
    for cluster in (eu_west, us_east):
        assert weights(cluster) == [80, 20]
        assert generation(cluster) == before[cluster.name] + 1
    assert_invariant()


def test_row15__a_webhook_denies_the_second_cluster__paused_named_and_the_first_stays(
    way: Callable[..., Way], eu_west: EmulatedCluster, us_east: EmulatedCluster
) -> None:
    moving = way(eu_west, us_east)
    moving.to_approved(80, 20)

    with refusing(us_east, ROUTES, message="frozen by the platform team"):
        change = moving.start()

    assert change.state == State.PAUSED
    assert "frozen by the platform team" in change.state_cause
    assert (weights(eu_west), weights(us_east)) == ([80, 20], [9, 1])
    assert_invariant()


@pytest.mark.parametrize("is_lost_in_flight", [False, True])
def test_row16__third_cluster_unreachable__others_stay_and_on_its_return_it_is_read_first(
    way: Callable[..., Way],
    emulate: Callable[..., EmulatedCluster],
    settings: Settings,
    *,
    is_lost_in_flight: bool,
) -> None:
    first, second, third = (emulate(name, worlds.eu_west()) for name in ("a", "b", "c"))
    settings.UNREACHABLE_WINDOW = 0
    moving = way(first, second, third)
    moving.to_approved(75, 25)
    moving.start(runs=False)
    advance(moving.now().pk)

    with ExitStack() as down:
        if is_lost_in_flight:
            third.server.faults.drop_reply("PATCH", on("VirtualService"))
            third.server.faults.black_hole("GET", lambda r: on("VirtualService")(r) and sent(third) > 0, times=100)
            settings.READ_TIMEOUT = 1
        else:
            down.enter_context(third.unreachable())
        drain()
        wait_until(swept(lambda: moving.now().state == State.PAUSED), seconds=60, what="the pause")
        others = weights(first), weights(second)
    third.server.faults.clear()
    before = sent(third)
    resume_change(actor=as_actor(moving.author), seen=moving.seen())
    wait_until(swept(lambda: moving.now().state in TERMINAL), seconds=60, what="the end")

    assert others == ([75, 25], [75, 25])
    assert moving.now().state == State.APPLIED, moving.now().state_cause
    assert weights(third) == [75, 25]
    assert sent(third) == (before if is_lost_in_flight else 1)
    assert_invariant()


def test_row18__worker_stopped_past_its_lease_then_let_go__its_late_patch_is_refused(
    way: Callable[..., Way], eu_west: EmulatedCluster, product_environment: dict[str, str], tmp_path: Path
) -> None:
    moving = way(eu_west)
    before = generation(eu_west)

    check_late_patch_is_refused(moving, product_environment, tmp_path)

    assert (weights(eu_west), generation(eu_west)) == ([75, 25], before + 1)


def test_row28__the_object_has_more_fields_by_now__weights_alone_go_back(
    way: Callable[..., Way], eu_west: EmulatedCluster
) -> None:
    moving = way(eu_west)
    moving.to_applied(75, 25)
    _default_a_field(eu_west)
    more = eu_west.get("VirtualService", "checkout", "shop")
    read(Cluster.objects.get())

    restoring = propose_rollback(actor=as_actor(moving.author), seen=moving.seen())
    drain()
    back = Way(moving.author, moving.approver, moving.routes, Change.objects.get(pk=restoring.pk))
    asked = back.now().state
    back.submit()
    back.approve()
    change = back.start()

    after = eu_west.get("VirtualService", "checkout", "shop")
    assert more["spec"]["exportTo"] == ["*"]
    assert asked == State.DRAFT  # it is not as we left it, so somebody looks at it again
    assert change.state == State.APPLIED, change.state_cause
    assert weights(eu_west) == [90, 10]
    assert after["spec"]["exportTo"] == ["*"]
    assert after["metadata"]["annotations"]["example.com/owner"] == "team-storefront"


def _default_a_field(cluster: EmulatedCluster) -> None:
    """The definition is upgraded: a field gets a default, which every object shows from then on."""

    def upgrade(crd: dict[str, Any]) -> None:
        for version in crd["spec"]["versions"]:
            spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
            spec["properties"]["exportTo"] = {"type": "array", "items": {"type": "string"}, "default": ["*"]}

    cluster.edit("CustomResourceDefinition", ROUTES, "", upgrade)
    cluster.edit("VirtualService", "checkout", "shop", lambda body: body["metadata"].update(labels={"seen": "1"}))


def test_row33__a_webhook_alters_our_patch__conflict_that_shows_both(
    way: Callable[..., Way], eu_west: EmulatedCluster
) -> None:
    check_altered_patch_is_a_conflict(way(eu_west), eu_west)
