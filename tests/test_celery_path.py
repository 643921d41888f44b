"""The path with the processes of production: PostgreSQL, Celery workers and beat over Valkey, one of them killed."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from audit.ledger import verify_chain
from clusters.kubeconfig import parse_kubeconfig
from clusters.models import Cluster, Health
from clusters.services import NewCluster, add_cluster
from meshes.models import Route as StoredRoute
from meshes.types import Route
from tests.people import as_actor
from tests.servers import wait_until
from traffic.models import Attempt, Change
from traffic.services.apply import start_change
from traffic.services.approve import approve_change, submit_change
from traffic.services.plan import request_plan
from traffic.services.propose import propose_change
from traffic.types import Proposal, Seen, State, Wanted

if TYPE_CHECKING:
    from accounts.models import User
    from playground.cluster import EmulatedCluster
    from tests.conftest import CeleryWorkers

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]


def add(cluster: EmulatedCluster, admin: User) -> None:
    """Added by its verb; workers check and read it."""
    parsed = parse_kubeconfig(cluster.admin_kubeconfig().encode())
    add_cluster(actor=as_actor(admin), new=NewCluster(cluster.name, cluster.name, "staging", parsed, writes=True))
    read = Cluster.objects.filter(slug=cluster.name, health=Health.HEALTHY, last_synced_at__isnull=False)
    wait_until(read.exists, seconds=60, what="the first sync")


def seen(change: Change) -> Seen:
    """What its author has before them now."""
    now = Change.objects.select_related("current_plan").get(pk=change.pk)
    return Seen(now.pk, now.version, now.current_plan.digest if now.current_plan else "")


def is_in(change: Change, state: State) -> bool:
    """Whether the row says so."""
    return Change.objects.filter(pk=change.pk, state=state).exists()


def approved(author: User, approver: User) -> Change:
    """shop/checkout, 90/10 → 75/25, planned by a worker and approved."""
    stored = StoredRoute.objects.get(namespace="shop", name="checkout")
    live = Route.from_json(stored.neutral)
    shares = zip(live.rules[0].backends, (7_500, 2_500), strict=True)
    backends = tuple(dataclasses.replace(backend, weight_bp=share) for backend, share in shares)
    desired = dataclasses.replace(live, rules=(dataclasses.replace(live.rules[0], backends=backends),))
    who = as_actor(author)
    targets = (Wanted(stored.cluster_id, stored.mesh_kind, stored.pk),)
    proposal = Proposal(title="Shift checkout", reason="v2 is good.", desired=desired, targets=targets)
    change = propose_change(actor=who, proposal=proposal)
    request_plan(actor=who, seen=seen(change))
    planned = Change.objects.filter(pk=change.pk, state=State.DRAFT, current_plan__is_sound=True)
    wait_until(planned.exists, seconds=60, what="the plan")
    submit_change(actor=who, seen=seen(change))
    now = seen(change)
    approve_change(actor=as_actor(approver), change_id=now.change_id, version=now.version, digest=now.digest)
    return change


def weights(cluster: EmulatedCluster) -> list[int]:
    """Read past MeshUI."""
    body = cluster.get("VirtualService", "checkout", "shop")
    return [entry["weight"] for entry in body["spec"]["http"][0]["route"]]


def test_path__celery_over_valkey__applied_and_proved(
    celery_workers: CeleryWorkers, eu_west: EmulatedCluster, author: User, approver: User, admin: User
) -> None:
    celery_workers.start_worker()
    celery_workers.start_beat()
    add(eu_west, admin)
    change = approved(author, approver)

    start_change(actor=as_actor(author), seen=seen(change))

    wait_until(lambda: is_in(change, State.APPLIED), seconds=60, what="the change applied")
    assert weights(eu_west) == [75, 25]
    assert eu_west.server.violations == []
    assert verify_chain().is_intact


@pytest.mark.parametrize("hook", ["after_intent", "after_send"])
def test_path__worker_killed_in_the_write__another_ends_it_once(
    celery_workers: CeleryWorkers, eu_west: EmulatedCluster, author: User, approver: User, admin: User, hook: str
) -> None:
    victim = celery_workers.start_worker(MESHUI_CRASHPOINT=f"{hook}:SIGKILL:1")
    celery_workers.start_beat()
    add(eu_west, admin)
    generation = eu_west.get("VirtualService", "checkout", "shop")["metadata"]["generation"]
    change = approved(author, approver)

    start_change(actor=as_actor(author), seen=seen(change))
    wait_until(lambda: victim.code is not None, seconds=60, what="the worker's death")
    celery_workers.start_worker()

    wait_until(lambda: is_in(change, State.APPLIED), seconds=60, what="the change applied")
    assert weights(eu_west) == [75, 25]
    assert eu_west.get("VirtualService", "checkout", "shop")["metadata"]["generation"] == generation + 1
    assert Attempt.objects.count() >= 1
    assert verify_chain().is_intact
