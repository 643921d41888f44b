"""Splits that start and end: objects in their order, marked as ours, what is lost on the way, and the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from audit.ledger import verify_chain
from clusters.models import Cluster
from meshes.models import Route as StoredRoute
from meshes.types import Backend, Root, Route
from meshui.lib.queue import drain
from playground.apiserver.faults import on
from tests.meshes.conftest import read
from tests.people import as_actor
from tests.servers import wait_until
from tests.traffic.conftest import Way, meddle, set_weights, weights
from tests.traffic.matrix import swept
from traffic import edits
from traffic.models import Change, Lease, TargetStep
from traffic.services.hold import resume_change
from traffic.services.rollback import propose_rollback, roll_back_running
from traffic.types import State, Wanted

if TYPE_CHECKING:
    from collections.abc import Callable

    from playground.cluster import EmulatedCluster

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.walks]

MARK = "meshui.io/change"
ROOT = Root("checkout", "shop", port=8080)


def subset(name: str) -> Backend:
    """A subset of checkout, by the label that its pods bear."""
    return Backend("subset", "checkout", "shop", None, name, (("version", name),))


def service(name: str) -> Backend:
    """A Service of one version."""
    return Backend("service", name, "shop", 8080)


def started(*backends: Backend, root: Root = ROOT) -> Route:
    """A split that begins with everything on the first."""
    route = edits.start(root, backends)
    assert isinstance(route, Route)
    return route


def changed(cluster: EmulatedCluster) -> list[str]:
    """What MeshUI has stored there: `POST virtualservices`, in order, only what was taken."""
    kept = [r for r in cluster.server.requests if r.method in {"POST", "PATCH", "DELETE"} and 200 <= r.status < 300]
    ours = [
        r for r in kept if "meshui" in r.user_agent.lower() and "dryRun" not in r.query and b'"dryRun"' not in r.body
    ]
    return [f"{r.method} {r.path.split('/shop/')[1].split('/')[0]}" for r in ours if "/shop/" in r.path]


def there(cluster: EmulatedCluster, kind: str, name: str = "checkout") -> bool:
    """Whether the object is there."""
    return name in {each["metadata"]["name"] for each in cluster.list(kind, "shop")}


@pytest.fixture
def bare(way: Callable[..., Way], eu_west: EmulatedCluster) -> Way:
    """eu-west without any route or DestinationRule of shop/checkout."""
    eu_west.delete("VirtualService", "checkout", "shop")
    eu_west.delete("DestinationRule", "checkout", "shop")
    return way(eu_west)


def start_split(way: Way) -> Change:
    """Propose that v1 and v2 of checkout share in eu-west; decided."""
    cluster = Cluster.objects.get(slug="eu-west")
    desired = started(subset("v1"), subset("v2"))
    way.propose_of(desired, Wanted(cluster.pk, "istio", None, desired, "start"))
    return way.decided()


def end_split(way: Way) -> Change:
    """Propose that the split that stands in eu-west ends; not yet planned."""
    row = StoredRoute.objects.get(cluster__slug="eu-west", name="checkout", gone_at=None)
    assert row.route is not None
    return way.propose_of(row.route, Wanted(row.cluster_id, row.mesh_kind, row.pk, None, "end"))


@pytest.fixture
def begun(bare: Way) -> Way:
    """A split that MeshUI started, applied and read."""
    start_split(bare)
    bare.start()
    read(Cluster.objects.get(slug="eu-west"))
    return bare


def test_start__istio__rule_before_route_marked_and_read_back(bare: Way, eu_west: EmulatedCluster) -> None:
    start_split(bare)

    change = bare.start()

    assert change.state == State.APPLIED, change.state_cause
    assert changed(eu_west) == ["POST destinationrules", "POST virtualservices"]
    assert weights(eu_west) == [100, 0]
    for kind in ("DestinationRule", "VirtualService"):
        metadata = eu_west.get(kind, "checkout", "shop")["metadata"]
        assert metadata["annotations"][MARK].startswith(str(change.pk))
        assert metadata["labels"]["app.kubernetes.io/managed-by"] == "meshui"
    assert eu_west.server.violations == []
    assert verify_chain().is_intact


def test_start__both_meshes_in_one_change__each_in_its_own_objects(
    way: Callable[..., Way], eu_west: EmulatedCluster, ap_south: EmulatedCluster
) -> None:
    eu_west.delete("VirtualService", "checkout", "shop")
    ap_south.delete("HTTPRoute.gateway.networking.k8s.io", "checkout", "shop")
    moving = way(eu_west, ap_south)
    eu, ap = Cluster.objects.get(slug="eu-west"), Cluster.objects.get(slug="ap-south")
    desired = started(subset("v1"), subset("v2"))
    other = started(service("checkout-v1"), service("checkout-v2"))
    wanted = [Wanted(eu.pk, "istio", None, desired, "start"), Wanted(ap.pk, "linkerd", None, other, "start")]
    moving.propose_of(desired, *wanted)
    moving.decided()

    moving.start()
    wait_until(swept(lambda: moving.now().state != State.APPLYING))  # Linkerd's controller answers when it does

    change = moving.now()
    assert change.state == State.APPLIED, change.state_cause
    assert changed(eu_west) == ["POST virtualservices"]  # the subsets were there
    assert changed(ap_south) == ["POST httproutes"]
    levels = {s.cluster.slug: s.evidence["level"] for s in TargetStep.objects.select_related("cluster")}
    assert levels == {"eu-west": "L1", "ap-south": "L2"}  # Linkerd says that it took it, Istio says nothing


def test_start__second_object_refused__held_and_rolled_back_to_nothing(bare: Way, eu_west: EmulatedCluster) -> None:
    start_split(bare)
    eu_west.server.faults.answer(403, "POST", on("VirtualService"))
    paused = bare.start()

    roll_back_running(actor=as_actor(bare.author), seen=bare.seen())
    drain()

    assert paused.state == State.PAUSED
    assert bare.now().state == State.ROLLED_BACK, bare.now().state_cause
    assert not there(eu_west, "DestinationRule")
    assert not there(eu_west, "VirtualService")
    assert changed(eu_west) == ["POST destinationrules", "DELETE destinationrules"]
    assert not Lease.objects.filter(change__isnull=False).exists()


def test_start__second_object_refused_then_allowed__resumed_without_a_second_first(
    bare: Way, eu_west: EmulatedCluster
) -> None:
    start_split(bare)
    eu_west.server.faults.answer(403, "POST", on("VirtualService"))
    bare.start()

    resume_change(actor=as_actor(bare.author), seen=bare.seen())
    drain()

    assert bare.now().state == State.APPLIED, bare.now().state_cause
    assert changed(eu_west) == ["POST destinationrules", "POST virtualservices"]


@pytest.mark.parametrize("lost", ["drop_reply", "drop_request"])
@pytest.mark.parametrize("kind", ["DestinationRule", "VirtualService"])
def test_start__connection_lost_at_a_create__found_by_reading_and_made_once(
    kind: str, lost: str, bare: Way, eu_west: EmulatedCluster
) -> None:
    start_split(bare)
    getattr(eu_west.server.faults, lost)("POST", on(kind))

    change = bare.start()

    assert change.state == State.APPLIED, change.state_cause
    step = TargetStep.objects.get(plan_target__kind=kind)
    outcomes = [attempt.outcome.outcome for attempt in step.attempts.all()]
    assert outcomes == (["written"] if lost == "drop_reply" else ["not_applied", "written"])
    assert eu_west.get(kind, "checkout", "shop")["metadata"]["generation"] == 1


def test_start__worker_killed_between_two_objects__the_next_makes_the_second_alone(
    bare: Way, eu_west: EmulatedCluster, work: Callable[..., int]
) -> None:
    start_split(bare)
    bare.start(runs=False)

    assert work(bare, "after_outcome", 1) == -9
    first = eu_west.get("DestinationRule", "checkout", "shop")["metadata"]
    is_half = not there(eu_west, "VirtualService")
    assert work(bare, "") == 0

    assert is_half
    assert bare.now().state == State.APPLIED, bare.now().state_cause
    again = eu_west.get("DestinationRule", "checkout", "shop")["metadata"]
    assert (again["uid"], again["resourceVersion"]) == (first["uid"], first["resourceVersion"])
    assert changed(eu_west) == ["POST destinationrules", "POST virtualservices"]
    assert verify_chain().is_intact


def test_start__somebody_made_one_since_the_plan__nothing_written_and_not_taken_over(
    bare: Way, eu_west: EmulatedCluster
) -> None:
    start_split(bare)
    http = [{"route": [{"destination": {"host": "checkout"}}]}]
    head = {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService"}
    theirs = {
        **head,
        "metadata": {"name": "checkout", "namespace": "shop"},
        "spec": {"hosts": ["checkout"], "http": http},
    }
    eu_west.load([theirs])

    change = bare.start()

    assert change.state in {State.IN_REVIEW, State.DRAFT}
    assert changed(eu_west) == []
    assert eu_west.get("VirtualService", "checkout", "shop")["spec"]["http"] == http


def test_start__somebody_made_one_in_the_gap__conflict_and_theirs_stays(bare: Way, eu_west: EmulatedCluster) -> None:
    start_split(bare)
    http = [{"route": [{"destination": {"host": "checkout"}}]}]
    head = {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService"}
    theirs: Any = {
        **head,
        "metadata": {"name": "checkout", "namespace": "shop"},
        "spec": {"hosts": ["checkout"], "http": http},
    }
    loaded: list[Any] = []
    eu_west.server.faults.call(lambda _: loaded.extend(eu_west.load([theirs])), "POST", on("VirtualService"))

    change = bare.start()

    assert change.state == State.PAUSED
    assert "Somebody else made it meanwhile." in change.state_cause
    assert eu_west.get("VirtualService", "checkout", "shop")["spec"]["http"] == http


def test_roll_back__of_a_started_split__objects_go_in_the_other_order(begun: Way, eu_west: EmulatedCluster) -> None:
    restoring = propose_rollback(actor=as_actor(begun.author), seen=begun.seen())
    drain()

    assert Change.objects.get(pk=restoring.pk).state == State.APPLIED
    assert changed(eu_west)[2:] == ["DELETE virtualservices", "DELETE destinationrules"]
    assert not there(eu_west, "VirtualService")
    assert not there(eu_west, "DestinationRule")


def test_end__ours__route_first_then_its_rule(begun: Way, eu_west: EmulatedCluster) -> None:
    end_split(begun)
    begun.decided()

    change = begun.start()

    assert change.state == State.APPLIED, change.state_cause
    assert changed(eu_west)[2:] == ["DELETE virtualservices", "DELETE destinationrules"]
    assert eu_west.server.violations == []


@pytest.mark.parametrize("lost", ["drop_reply", "drop_request"])
def test_end__connection_lost_at_the_delete__found_by_reading(lost: str, begun: Way, eu_west: EmulatedCluster) -> None:
    end_split(begun)
    begun.decided()
    getattr(eu_west.server.faults, lost)("DELETE", on("VirtualService"))

    change = begun.start()

    assert change.state == State.APPLIED, change.state_cause
    assert not there(eu_west, "VirtualService")
    assert not there(eu_west, "DestinationRule")


def test_end__applied_then_rolled_back__made_again_as_it_was(begun: Way, eu_west: EmulatedCluster) -> None:
    before = {kind: eu_west.get(kind, "checkout", "shop") for kind in ("VirtualService", "DestinationRule")}
    end_split(begun)
    begun.decided()
    begun.start()

    restoring = propose_rollback(actor=as_actor(begun.author), seen=begun.seen())
    drain()

    assert Change.objects.get(pk=restoring.pk).state == State.APPLIED, Change.objects.get(pk=restoring.pk).state_cause
    assert changed(eu_west)[4:] == ["POST destinationrules", "POST virtualservices"]
    for kind, body in before.items():
        again = eu_west.get(kind, "checkout", "shop")
        assert again["spec"] == body["spec"]
        assert again["metadata"]["uid"] != body["metadata"]["uid"]
        assert again["metadata"]["labels"] == body["metadata"]["labels"]


def test_end__of_what_others_made__refused_by_the_plan(way: Callable[..., Way], eu_west: EmulatedCluster) -> None:
    moving = way(eu_west)
    end_split(moving)

    change = moving.plan()

    assert change.state == State.DRAFT
    assert "was not made by MeshUI" in change.state_cause
    assert there(eu_west, "VirtualService")


def test_end__changed_by_others_since_we_wrote_it__refused_by_the_plan(begun: Way, eu_west: EmulatedCluster) -> None:
    eu_west.edit("VirtualService", "checkout", "shop", set_weights(50, 50))
    read(Cluster.objects.get(slug="eu-west"))
    end_split(begun)

    change = begun.plan()

    assert change.state == State.DRAFT
    assert change.current_plan is not None
    assert "TRF032" in {finding["id"] for finding in change.current_plan.findings if finding["severity"] == "block"}
    assert there(eu_west, "VirtualService")


def test_end__edited_in_the_very_moment__conflict_and_theirs_stays(begun: Way, eu_west: EmulatedCluster) -> None:
    end_split(begun)
    begun.decided()
    eu_west.server.faults.call(meddle(eu_west, 50, 50), "DELETE", on("VirtualService"))

    change = begun.start()

    assert change.state in {State.IN_REVIEW, State.DRAFT}
    assert weights(eu_west) == [50, 50]
    assert there(eu_west, "DestinationRule")
