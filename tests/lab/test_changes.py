"""Changes over two mesh families on real API servers with the real CRDs: moved, started, ended, killed in between."""

from __future__ import annotations

import copy
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from audit.ledger import verify_chain
from clusters.models import Cluster
from lab.client import ApiError
from lab.samples import accept, deploy_shop, is_available, shop_objects
from meshes.models import Mesh
from meshes.models import Route as StoredRoute
from meshes.types import Backend, Root, Route
from meshui.lib.queue import drain
from playground.injector import LINKERD_VERSION
from playground.south import ap_south
from tests.journey import add_by_verb
from tests.meshes.conftest import read
from tests.people import as_actor
from tests.servers import wait_until
from tests.traffic.conftest import Way, work
from tests.traffic.matrix import assert_invariant, swept
from traffic import edits
from traffic.models import Change, TargetStep
from traffic.services.apply import advance
from traffic.services.hold import resume_change
from traffic.services.rollback import propose_rollback, roll_back_running
from traffic.types import TERMINAL, State, StepState, Wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_django import Settings

    from accounts.models import User
    from lab.cluster import Cluster as LabCluster
    from lab.sessions import Lab

__all__ = ["work"]

pytestmark = [pytest.mark.lab, pytest.mark.django_db(transaction=True)]

PLACE = "duo"
HTTP = "HTTPRoute.gateway.networking.k8s.io"
Pair = tuple["LabCluster", "LabCluster"]


def _moved(body: dict[str, Any]) -> dict[str, Any]:
    """The object, in the namespace of these tests."""
    moved = copy.deepcopy(body)
    if moved["kind"] == "Namespace":
        moved["metadata"]["name"] = PLACE
    moved["metadata"]["namespace"] = PLACE
    return moved


def _ensure(cluster: LabCluster, bodies: list[dict[str, Any]]) -> None:
    for body in bodies:
        try:
            cluster.client.create(body)
        except ApiError as error:
            if error.status != 409:
                raise
    for body in bodies:
        if body["kind"] == "Deployment":
            cluster.wait(
                "Deployment", body["metadata"]["name"], body["metadata"]["namespace"], is_available, seconds=120
            )


def _istio() -> list[dict[str, Any]]:
    wanted = [o for o in shop_objects() if "shop" in {o["metadata"]["name"], o["metadata"].get("namespace")}]
    return [_moved(body) for body in wanted]


def _linkerd() -> list[dict[str, Any]]:
    """Linkerd's objects, and of its shop the checkout."""
    plane, shop = [], []
    for body in ap_south():
        name, namespace = body["metadata"]["name"], body["metadata"].get("namespace")
        if body["kind"] == "MutatingWebhookConfiguration":
            continue  # nobody answers it
        if (namespace == "shop" and name.startswith("checkout")) or (body["kind"], name) == ("Namespace", "shop"):
            shop.append(_moved(body))
        elif "linkerd" in {name, namespace}:
            plane.append(body)
    return [*plane, *shop]


@pytest.fixture
def pair(lab: Lab, lab_crds: Path) -> Iterator[Pair]:
    """A real cluster with Istio and one with Linkerd; checkout stands at 90/10 on both, with nothing of ours on it."""
    first, second = sorted(lab.clusters[:2], key=lambda cluster: cluster.name)
    deploy_shop(first)  # its control plane
    clear(first, second)
    _ensure(first, _istio())
    _ensure(second, _linkerd())
    accept(second, HTTP, "checkout", PLACE)
    yield first, second
    clear(first, second)


def clear(first: LabCluster, second: LabCluster) -> None:
    """No route, and nothing that a start made."""
    for cluster, kind in ((first, "VirtualService"), (first, "DestinationRule"), (second, HTTP)):
        for body in cluster.list(kind, PLACE):
            cluster.delete(kind, body["metadata"]["name"], PLACE)


@pytest.fixture
def moving(pair: Pair, author: User, approver: User, admin: User) -> Way:
    """Both clusters added, and the routes of checkout there."""
    for cluster in pair:
        add_by_verb(cluster, admin)
    return Way(author, approver, routes_of("checkout"))


def routes_of(*names: str) -> list[StoredRoute]:
    """What is known of them, Istio's first."""
    rows = StoredRoute.objects.filter(namespace=PLACE, name__in=names, gone_at=None)
    return list(rows.order_by("mesh_kind").select_related("cluster"))


def run(way: Way, pair: Pair) -> Change:
    """Start the change; Linkerd has its word as soon as its route is written. As it ends."""
    way.start()
    conclude(way, pair)
    return way.now()


def conclude(way: Way, pair: Pair) -> None:
    """Until the change rests."""

    def rests() -> bool:
        written = TargetStep.objects.filter(change=way.now(), plan_target__mesh_kind="linkerd", state=StepState.WRITTEN)
        for step in written.exclude(op="delete").select_related("plan_target"):
            accept(pair[1], HTTP, step.plan_target.name, PLACE)
        return way.now().state in TERMINAL

    wait_until(swept(rests), seconds=60, what="the end of the change")


def shares(pair: Pair) -> tuple[list[int], list[int]]:
    """The weights of checkout, as the two servers hold them."""
    route = pair[0].get("VirtualService", "checkout", PLACE)["spec"]["http"][-1]["route"]
    rule = pair[1].get(HTTP, "checkout", PLACE)["spec"]["rules"][-1]
    return [each["weight"] for each in route], [each["weight"] for each in rule["backendRefs"]]


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
    clear(*pair)
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


def admission(kind: str, group: str, plural: str, **rules: Any) -> list[dict[str, Any]]:
    """A policy of the API server itself about updates of that kind in the place of these tests, and its binding."""
    api = {"apiVersion": "admissionregistration.k8s.io/v1"}
    matched = {
        "matchConstraints": {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": PLACE}},
            "resourceRules": [
                {"apiGroups": [group], "apiVersions": ["*"], "operations": ["UPDATE"], "resources": [plural]}
            ],
        }
    }
    binding: dict[str, Any] = {"policyName": "duo"}
    if kind == "Validating":
        binding["validationActions"] = ["Deny"]
    return [
        api | {"kind": f"{kind}AdmissionPolicy", "metadata": {"name": "duo"}, "spec": {**matched, **rules}},
        api | {"kind": f"{kind}AdmissionPolicyBinding", "metadata": {"name": "duo"}, "spec": binding},
    ]


@contextmanager
def in_force(
    cluster: LabCluster, bodies: list[dict[str, Any]], kind: str, is_met: Callable[[Any], bool]
) -> Iterator[None]:
    """The policy, once a dry run of checkout is answered as it says."""
    path = cluster.client.resource(kind).path(PLACE, "checkout")
    patch: dict[str, Any] = {
        "body": {"metadata": {"labels": {"probe": "yes"}}},
        "content_type": "application/merge-patch+json",
        "query": {"dryRun": "All"},
    }
    try:
        for body in bodies:
            cluster.client.create(body)
        wait_until(lambda: is_met(cluster.request("PATCH", path, **patch)), seconds=60, what="the policy")
        yield
    finally:
        for body in reversed(bodies):
            cluster.delete(body["kind"], body["metadata"]["name"])


def rest(moving: Way, state: State) -> Change:
    """The change, once it stands there or has ended."""
    wait_until(swept(lambda: moving.now().state in {*TERMINAL, state}), seconds=60, what=f"the change {state}")
    return moving.now()


def test_row15__the_api_server_denies_the_second_cluster__paused_by_its_words_and_rolled_back(
    moving: Way, pair: Pair
) -> None:
    moving.to_approved(75, 25)
    frozen = {"failurePolicy": "Fail", "validations": [{"expression": "false", "message": "frozen by the platform"}]}
    policy = admission("Validating", "gateway.networking.k8s.io", "httproutes", **frozen)

    with in_force(pair[1], policy, HTTP, lambda answer: answer.status == 422):
        moving.start()
        paused = rest(moving, State.PAUSED)
        there = shares(pair)
        roll_back_running(actor=as_actor(moving.author), seen=moving.seen(), reason="Frozen.")
        conclude(moving, pair)

    assert paused.state == State.PAUSED
    assert "frozen by the platform" in paused.state_cause
    assert there == ([75, 25], [90, 10])
    assert moving.now().state == State.ROLLED_BACK, moving.now().state_cause
    assert shares(pair) == ([90, 10], [90, 10])
    assert_invariant()


def test_row16__second_cluster_gone__the_first_stays_and_on_its_return_the_rest_is_written(
    moving: Way, pair: Pair, settings: Settings
) -> None:
    settings.UNREACHABLE_WINDOW = 0
    moving.to_approved(75, 25)
    moving.start(runs=False)
    advance(moving.now().pk)

    pair[1].stop_api_server()
    try:
        drain()
        paused = rest(moving, State.PAUSED)
        first = pair[0].get("VirtualService", "checkout", PLACE)["spec"]["http"][-1]["route"]
    finally:
        pair[1].start_api_server()
    resume_change(actor=as_actor(moving.author), seen=moving.seen())
    conclude(moving, pair)

    assert paused.state == State.PAUSED
    assert [each["weight"] for each in first] == [75, 25]
    assert moving.now().state == State.APPLIED, moving.now().state_cause
    assert shares(pair) == ([75, 25], [75, 25])
    assert_invariant()


def test_row33__the_api_server_alters_our_patch__conflict_that_shows_what_is_stored(moving: Way, pair: Pair) -> None:
    moving.to_approved(75, 25)
    skew = '[JSONPatch{op: "replace", path: "/spec/http/0/route/0/weight", value: 60}]'
    mutation = {"patchType": "JSONPatch", "jsonPatch": {"expression": skew}}
    rules = {"failurePolicy": "Fail", "reinvocationPolicy": "Never", "mutations": [mutation]}
    policy = admission("Mutating", "networking.istio.io", "virtualservices", **rules)

    with in_force(
        pair[0], policy, "VirtualService", lambda answer: answer.body["spec"]["http"][0]["route"][0]["weight"] == 60
    ):
        moving.start()
        change = rest(moving, State.PAUSED)

    step = TargetStep.objects.get(plan_target__mesh_kind="istio")
    assert change.state == State.PAUSED
    assert "stored something else than its dry run said" in change.state_cause
    assert step.state == StepState.CONFLICT
    assert step.conflict is not None
    assert step.conflict["live"]["spec"]["http"][0]["route"][0]["weight"] == 60
    assert [attempt.outcome.outcome for attempt in step.attempts.all()] == ["written"]
    assert_invariant()
