"""Every golden case that writes, on a real API server with the real CRDs and istiod's own admission.

What is rendered is rendered from what that server gives back, sent by the product's own clients as a strict dry run,
then really, and read again.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from lab.waiting import until
from meshes.adapters.edits import same_rules
from meshes.adapters.istio import IstioAdapter
from meshes.adapters.linkerd import LinkerdAdapter
from playground.apiserver.pruning import fill_in
from tests.lab.worlds import MARK, Hands, World, let_go, make
from tests.meshes.golden import cases, losses_of, patched, rendered_by
from traffic.marks import annotation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from clusters.clients import ObjectRef
    from lab.client import ApiError
    from lab.cluster import Cluster
    from meshes.adapters.base import MeshAdapter, Verification
    from meshes.types import LiveRoute, NativeWrite, Rendered, Route

pytestmark = pytest.mark.lab
ADAPTERS: dict[str, MeshAdapter] = {"istio": IstioAdapter(), "gateway": IstioAdapter(), "linkerd": LinkerdAdapter()}
WORLDS = [
    World(adapter, case, f"{kind[0]}{number}")
    for kind, adapter in ADAPTERS.items()
    for number, case in enumerate(cases(kind))
    if rendered_by(adapter, case)[0].objects
]
NAMES = [world.name for world in WORLDS]


@pytest.fixture(scope="module")
def refused(lab_crds: Path, lab_cluster: Cluster) -> Iterator[dict[str, ApiError]]:
    """All cases stand on one server; what it refused of them."""
    assert lab_crds.is_dir()
    yield make(lab_cluster, WORLDS)
    let_go(lab_cluster, WORLDS)


@pytest.fixture(scope="module")
def hands(lab_crds: Path, lab_cluster: Cluster) -> Iterator[Hands]:
    """Reader and writer of the product."""
    assert lab_crds.is_dir()
    found = Hands(lab_cluster)
    yield found
    found.close()


def ref_of(world: World) -> ObjectRef:
    """The route object: as it is there, or as it is to be made."""
    body, desired = world.live(), world.desired()
    if body is not None:
        return world.adapter.live(body).ref
    assert desired is not None
    found = world.adapter.new_ref(desired, world.case.around().served)
    assert found is not None
    return found


class Look:
    """What the server gives of a world's route, and what is to be done about it."""

    def __init__(self, world: World, hands: Hands) -> None:
        self.adapter, self.desired, self.ref = world.adapter, world.desired(), ref_of(world)
        self.live = self.read(hands)
        route = self.desired or (self.live.route if self.live else None)
        assert route is not None
        around = self.adapter.around(hands.reader, route, self.ref if self.live else None)
        self.around = replace(around, served=world.case.around().served or around.served)

    def read(self, hands: Hands) -> LiveRoute | None:
        """As it is now."""
        body = hands.reader.get_object(self.ref)
        return self.adapter.live(body) if body else None

    def seen(self, live: LiveRoute | None) -> LiveRoute | None:
        """With what its companions say, as people see it."""
        return self.adapter.seen(live, self.around) if live else None

    def render(self) -> Rendered:
        """From what was read alone."""
        return self.adapter.render(self.desired, self.live, self.around)


@pytest.mark.parametrize("world", WORLDS, ids=NAMES)
def test_golden__on_a_real_server__stored_as_promised_and_read_back_as_wished(
    world: World, hands: Hands, lab_cluster: Cluster, refused: dict[str, ApiError]
) -> None:
    assert world.name not in refused, refused[world.name]
    look = Look(world, hands)
    committed = rendered_by(world.adapter, world.case)[0]
    assert native_aside(look.live) == native_aside(as_committed(world))

    rendered = look.render()
    seen = [hands.send(write) for write in rendered.objects]

    assert losses_of(rendered) == world.here(losses_of(committed))
    assert [(w.op, w.ref.path()) for w in rendered.objects] == [
        (w.op, world.here(w.ref.path())) for w in committed.objects
    ]
    for write, (before, promised, after) in zip(rendered.objects, seen, strict=True):
        expected = None if write.op == "delete" else filled(lab_cluster, write.ref, wished(write, before))
        assert content(promised) == content(after) == content(expected)
        if before is not None and after is not None:
            assert after["metadata"]["uid"] == before["metadata"]["uid"]
            assert after["metadata"]["generation"] == before["metadata"]["generation"] + 1
        if after is not None:
            sent = look.adapter.project(write.ref, write.body).content_hash
            assert look.adapter.project(write.ref, after).content_hash == sent
    after = look.read(hands)
    assert_is(look.desired, look.seen(after))
    assert look.adapter.render(look.desired, after, look.around).objects == ()


def assert_is(desired: Route | None, live: LiveRoute | None) -> None:
    """The route that is there is the one that was wished, to the basis point; names count where they are kept."""
    if desired is None or live is None:
        assert desired is None
        assert live is None
        return
    assert same_rules(desired.rules, live.route.rules)
    shares = [sorted((b.backend.name, b.backend.namespace, b.weight_bp) for b in r.backends) for r in live.route.rules]
    assert shares == [
        sorted((b.backend.name, b.backend.namespace, b.weight_bp) for b in rule.backends) for rule in desired.rules
    ]


def as_committed(world: World) -> LiveRoute | None:
    """The route of the case, before any server saw it."""
    body = world.live()
    return world.adapter.live(body) if body else None


def native_aside(live: LiveRoute | None) -> Route | None:
    """What a route says, without the weights that the server writes where none stood."""
    if live is None:
        return None
    rules = [
        replace(rule, backends=tuple(replace(weighted, native_weight=None) for weighted in rule.backends))
        for rule in live.route.rules
    ]
    return replace(live.route, rules=tuple(rules))


def wished(write: NativeWrite, before: Any) -> Any:
    """What the server should hold: nothing but what the operations say may differ from before."""
    body: Any = patched(before, write.operations) if write.op == "patch" else copy.deepcopy(write.body)
    body["metadata"].setdefault("annotations", {})[annotation()] = MARK
    return body


def filled(cluster: Cluster, ref: ObjectRef, body: Any) -> Any:
    """With the defaults of the schema that this server holds."""
    crd = cluster.get("CustomResourceDefinition", f"{ref.resource.plural}.{ref.resource.group}")
    (version,) = [each for each in crd["spec"]["versions"] if each["name"] == ref.resource.version]
    found = {key: value for key, value in copy.deepcopy(body).items() if key != "status"}
    fill_in(version["schema"]["openAPIV3Schema"], found)
    return found


def content(body: Any) -> Any:
    """All that people and meshes put there: labels, annotations, spec; None: nothing is there."""
    if body is None:
        return None
    metadata = body["metadata"]
    kept = {
        key: metadata.get(key)
        for key in ("name", "namespace", "labels", "annotations", "ownerReferences", "finalizers")
    }
    return {"kind": body["kind"], "apiVersion": body["apiVersion"], "metadata": kept, "spec": body["spec"]}


CORE, MIRROR = "gateway-group-core-is-read-and-stays", "gateway-filters-and-timeouts-stay"
"""What istiod says nothing of (trap 12), and what it says no to: the Service that it mirrors to is not there."""


def test_golden__routes_of_services__istiod_says_what_it_takes_of_their_very_generation(
    hands: Hands, refused: dict[str, ApiError]
) -> None:
    worlds = [world for world in WORLDS if world.name.startswith("gateway-") and world.desired() is not None]
    answers: dict[str, Verification] = {}

    def has_told() -> bool:
        answers.update({world.name: verdict(world, hands) for world in worlds if world.name not in refused})
        return [name for name, told in answers.items() if told.answer == "waiting"] == [CORE]

    until(has_told, seconds=20, what="istiod's word about every route but the one of group core")

    assert {name for name, told in answers.items() if (told.level, told.answer) != ("L2", "verified")} == {CORE, MIRROR}
    assert "BackendNotFound" in answers[MIRROR].detail


def verdict(world: World, hands: Hands) -> Verification:
    """What is known of its route as it stands."""
    body = hands.reader.get_object(ref_of(world))
    assert body is not None
    live = world.adapter.live(body)
    return world.adapter.verify(live.route, live)
