"""Changes over two mesh families on real API servers with the real CRDs: moved, started, ended, killed in between."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from audit.ledger import verify_chain
from clusters.models import Cluster
from meshes.models import Mesh
from meshes.types import Backend, Root, Route
from meshui.lib.queue import drain
from playground.injector import LINKERD_VERSION
from tests.lab.duo import HTTP, ISTIO, PLACE, clear, conclude, moving, pair, routes_of, run, shares, single
from tests.meshes.conftest import read
from tests.people import as_actor
from tests.traffic.conftest import Way, work
from tests.traffic.matrix import assert_invariant
from traffic import edits
from traffic.models import Change, TargetStep
from traffic.services.rollback import propose_rollback
from traffic.types import State, Wanted

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.lab.duo import Pair

__all__ = ["moving", "pair", "single", "work"]

pytestmark = [pytest.mark.lab, pytest.mark.django_db(transaction=True)]


def test_discovery__linkerd_on_a_real_server__found_with_version_trust_and_weights(moving: Way, pair: Pair) -> None:
    mesh = Mesh.objects.get(kind="linkerd", gone_at=None)
    plane = mesh.control_planes.get()
    linkerd = moving.routes[1]

    assert mesh.cluster.slug == pair[1].name
    assert (mesh.trust_domain, len(mesh.trust_root)) == ("cluster.local", 64)
    assert (plane.namespace, plane.version, plane.is_ready) == ("linkerd", LINKERD_VERSION, True)
    assert linkerd.mesh_kind == "linkerd"
    assert [backend.weight_bp for backend in linkerd.backends.all()][-2:] == [9000, 1000]


def test_change__both_meshes_at_once__moved_verified_and_rolled_back(moving: Way, pair: Pair) -> None:
    before = pair[0].get("VirtualService", "checkout", PLACE), pair[1].get(HTTP, "checkout", PLACE)
    moving.to_approved(75, 25)

    change = run(moving, pair)
    after = shares(pair)
    levels = {
        step.plan_target.mesh_kind: step.evidence["level"] for step in TargetStep.objects.select_related("plan_target")
    }
    restoring = propose_rollback(actor=as_actor(moving.author), seen=moving.seen())
    drain()
    back = Way(moving.author, moving.approver, moving.routes, restoring)
    conclude(back, pair)

    assert change.state == State.APPLIED, change.state_cause
    assert after == ([75, 25], [75, 25])
    assert levels == {"istio": "L1", "linkerd": "L2"}
    assert back.now().state == State.APPLIED, back.now().state_cause
    assert shares(pair) == ([90, 10], [90, 10])
    for cluster, kind, old in ((pair[0], "VirtualService", before[0]), (pair[1], HTTP, before[1])):
        now = cluster.get(kind, "checkout", PLACE)
        assert now["spec"] == old["spec"]
        assert now["metadata"]["generation"] == old["metadata"]["generation"] + 2
    assert_invariant()


def start_both(moving: Way, pair: Pair) -> Change:
    """Propose and decide a split of checkout on both, where none is."""
    clear(pair[0], *ISTIO)
    clear(pair[1], HTTP)
    for row in moving.routes:
        read(row.cluster)
    first, second = (Cluster.objects.get(slug=cluster.name) for cluster in pair)
    subsets = [Backend("subset", "checkout", PLACE, None, name, (("version", name),)) for name in ("v1", "v2")]
    services = [Backend("service", f"checkout-{name}", PLACE, 8080) for name in ("v1", "v2")]
    desired, other = edits.start(Root("checkout", PLACE), subsets), edits.start(Root("checkout", PLACE, 8080), services)
    assert isinstance(desired, Route)
    assert isinstance(other, Route)
    moving.propose_of(
        desired,
        Wanted(first.pk, "istio", None, desired, "start"),
        Wanted(second.pk, "linkerd", None, other, "start"),
    )
    return moving.decided()


def test_change__starts_and_ends_on_both__in_order_and_nothing_of_ours_is_left(moving: Way, pair: Pair) -> None:
    start_both(moving, pair)
    begun = run(moving, pair)
    made = {
        kind: cluster.list(kind, PLACE)
        for cluster, kind in ((pair[0], "DestinationRule"), (pair[0], "VirtualService"), (pair[1], HTTP))
    }
    for row in moving.routes:
        read(row.cluster)
    rows = routes_of("checkout", "checkout-split")
    assert rows[0].route is not None
    moving.propose_of(rows[0].route, *[Wanted(r.cluster_id, r.mesh_kind, r.pk, None, "end") for r in rows])
    moving.decided()

    ended = run(moving, pair)

    assert begun.state == State.APPLIED, begun.state_cause
    assert [len(bodies) for bodies in made.values()] == [1, 1, 1]
    (rule,), (service,) = made["DestinationRule"], made["VirtualService"]
    assert rule["metadata"]["creationTimestamp"] <= service["metadata"]["creationTimestamp"]
    assert all(b["metadata"]["annotations"]["meshui.io/change"].startswith(str(begun.pk)) for (b,) in made.values())
    assert ended.state == State.APPLIED, ended.state_cause
    assert (
        pair[0].list("VirtualService", PLACE)
        == pair[0].list("DestinationRule", PLACE)
        == pair[1].list(HTTP, PLACE)
        == []
    )
    assert_invariant()


def test_row14__killed_between_two_objects_of_a_start__the_next_makes_the_rest_once(
    moving: Way, pair: Pair, work: Callable[..., int]
) -> None:
    start_both(moving, pair)
    moving.start(runs=False)

    assert work(moving, "after_outcome") == -9
    conclude(moving, pair)

    assert moving.now().state == State.APPLIED, moving.now().state_cause
    for cluster, kind in ((pair[0], "DestinationRule"), (pair[0], "VirtualService"), (pair[1], HTTP)):
        (body,) = cluster.list(kind, PLACE)
        assert body["metadata"]["generation"] == 1
    outcomes = [a.outcome.outcome for step in TargetStep.objects.all() for a in step.attempts.all()]
    assert outcomes == ["written"] * 3
    assert verify_chain().is_intact
