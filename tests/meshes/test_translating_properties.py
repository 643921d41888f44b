"""What moved is translated with what it bears on: whatever happens, the rows are those of a whole new translation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from unittest.mock import patch

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clusters.clients import Resource, Slim
from clusters.slims import slim_of
from meshes.adapters.istio import IstioAdapter
from meshes.adapters.istio_detect import WEBHOOKS
from meshes.adapters.istio_kinds import resources
from meshes.adapters.linkerd import PROFILES
from meshes.models import Route
from meshes.services.fetching import Moved, put
from meshes.services.kinds import NAMESPACES
from meshes.services.stock import Stock
from meshes.services.translating import Translator
from tests.meshes.objects import destination

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meshes.adapters.base import Read
    from meshes.services import values

pytestmark = pytest.mark.walks

SERVED = frozenset(
    {
        "v1",
        "networking.istio.io/v1",
        "gateway.networking.k8s.io/v1",
        "policy.linkerd.io/v1beta3",
        "linkerd.io/v1alpha2",
    }
)
VIRTUAL, HTTP, GRPC, RULES = resources(SERVED)[:4]
POLICY = Resource("policy.linkerd.io", "v1beta3", "httproutes", "HTTPRoute")
KINDS = (NAMESPACES, VIRTUAL, HTTP, GRPC, RULES, WEBHOOKS, POLICY, PROFILES)
SPACES = ("shop", "svc")
NAMES = ("a", "b", "c")
HOSTS = st.sampled_from(["a", "b", "a.shop.svc.cluster.local", "b.svc.svc.cluster.local", "api.example.com", "*"])
TEXTS = st.sampled_from(["v1", "v2"])

RULE = st.one_of(
    st.lists(st.builds(destination, HOSTS.filter("*".__ne__), TEXTS, st.integers(1, 9)), min_size=1, max_size=2).map(
        lambda route: {"route": route}
    ),
    st.builds(
        lambda name, namespace: {"delegate": {"name": name, "namespace": namespace}},
        st.sampled_from(NAMES),
        st.sampled_from(SPACES),
    ),
)
VIRTUAL_SPEC = st.fixed_dictionaries(
    {"http": st.lists(RULE, max_size=2)},
    optional={
        "hosts": st.lists(HOSTS, min_size=1, max_size=2),
        "gateways": st.sampled_from([["mesh"], ["edge"], ["edge", "mesh"]]),
        "exportTo": st.sampled_from([["."], ["*"], ["shop"]]),
    },
) | st.sampled_from([{"hosts": 7}, {"http": [{"route": 3}], "hosts": ["a"]}])
RULE_SPEC = st.builds(
    lambda host, names: {"host": host, "subsets": [{"name": n, "labels": {"version": n}} for n in names]},
    HOSTS | st.just("*.cluster.local"),
    st.lists(TEXTS, max_size=2, unique=True),
) | st.just({"subsets": 4})
PARENT = st.fixed_dictionaries(
    {"kind": st.just("Service"), "name": st.sampled_from(NAMES)},
    optional={"group": st.sampled_from(["", "core", "apps"]), "namespace": st.sampled_from(SPACES)},
)
ROUTE_SPEC = st.builds(
    lambda parents, name: {"parentRefs": parents, "rules": [{"backendRefs": [{"name": name, "port": 80}]}]},
    st.lists(PARENT, max_size=2),
    st.sampled_from(NAMES),
) | st.just({"parentRefs": "none"})
CONTROLLERS = st.sampled_from(["istio.io/gateway-controller", "linkerd.io/policy-controller"])
STATUS = st.none() | st.builds(
    lambda controller: {"parents": [{"parentRef": {"kind": "Service", "name": "a"}, "controllerName": controller}]},
    CONTROLLERS,
)
LABELS = st.sampled_from(
    [
        {},
        {"istio-injection": "enabled"},
        {"istio.io/rev": "canary"},
        {"istio.io/dataplane-mode": "ambient"},
        {"istio.io/tag": "canary", "istio.io/rev": "1-30"},
    ]
)
NOTES = st.sampled_from([{}, {"linkerd.io/inject": "enabled"}])
PROFILE_NAMES = st.sampled_from(["a.shop.svc.cluster.local", "b.svc.svc.cluster.local", "other"])


def named(kind: Resource, name: st.SearchStrategy[str], **parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """An object of `kind`, as (kind, uid, body)."""

    def make(space: str, name: str, labels: Any, notes: Any, **found: Any) -> tuple[Resource, str, Any]:
        place = space if kind.namespaced else ""
        uid = f"{kind.plural}.{kind.group}/{place}/{name}"
        meta = {"name": name, "namespace": place, "uid": uid, "labels": labels, "annotations": notes}
        return kind, uid, {"metadata": meta, **{k: v for k, v in found.items() if v is not None}}

    return st.builds(make, st.sampled_from(SPACES), name, LABELS, NOTES, **parts)


OBJECTS = st.one_of(
    named(NAMESPACES, st.sampled_from(SPACES)),
    named(VIRTUAL, st.sampled_from(NAMES), spec=VIRTUAL_SPEC),
    named(VIRTUAL, st.sampled_from(NAMES), spec=VIRTUAL_SPEC),
    named(RULES, st.sampled_from(NAMES), spec=RULE_SPEC),
    named(HTTP, st.sampled_from(NAMES), spec=ROUTE_SPEC, status=STATUS),
    named(GRPC, st.sampled_from(NAMES), spec=ROUTE_SPEC, status=STATUS),
    named(POLICY, st.sampled_from(NAMES), spec=ROUTE_SPEC),
    named(PROFILES, PROFILE_NAMES),
    named(WEBHOOKS, st.sampled_from(NAMES)),
)
CHANGES = st.tuples(st.sampled_from(["put", "put", "put", "delete"]), OBJECTS)


class Kept:
    """The rows, as they would be stored."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], values.Values] = {}

    def upsert(self, _name: str, model: type[Any], wanted: dict[tuple[str], values.Values]) -> None:
        """Make these so."""
        self.rows |= {(model.__name__, uid): row for (uid,), row in wanted.items()}

    def gone(self, _name: str, model: type[Any], uids: Iterable[str]) -> None:
        """These are not there any more."""
        for uid in uids:
            self.rows.pop((model.__name__, uid), None)

    def absent(self, _name: str, model: type[Any], present: Iterable[str], **narrow: Any) -> None:
        """Others of the kind are not there any more."""
        kept = set(present)
        for key, row in list(self.rows.items()):
            is_kind = model is not Route or (row["group"], row["plural"]) == (narrow["group"], narrow["plural"])
            if key[0] == model.__name__ and key[1] not in kept and is_kind:
                del self.rows[key]


class World:
    """What is known of a cluster, and the rows that were made of it so far, so many objects at once."""

    def __init__(self, at_once: int = 500) -> None:
        self.at_once = at_once
        self.stock, self.kept, self.version = Stock(served=SERVED), Kept(), 0
        for resource in KINDS:
            self.stock.kind(resource, keeps=True).listed_at("1")
        self.moves = {resource: Moved(is_fresh=True) for resource in KINDS}
        self.settle()

    def change(self, what: str, resource: Resource, uid: str, body: Any) -> None:
        """Make, change or delete one object."""
        kind, moved = self.stock.kinds[resource], self.moves.setdefault(resource, Moved())
        self.version += 1
        if what == "delete":
            if kind.forget(uid):
                moved.end(uid)
            return
        told = {**body, "metadata": {**body["metadata"], "resourceVersion": str(self.version)}}
        put(kind, slim_of(msgspec.json.encode(told), resource), moved)

    def settle(self) -> None:
        """Make rows of what moved."""
        with patch("meshes.services.translating.AT_ONCE", self.at_once):
            Translator(cast("Any", self.kept), self.stock, self.moves).keep(is_all=False)
        self.moves = {}

    def anew(self) -> World:
        """The same cluster, read by somebody who knows nothing of it."""
        found = World()
        for resource, kind in self.stock.kinds.items():
            fresh = found.stock.kinds[resource]
            fresh.held.update(sorted(kind.held.items(), reverse=True))
            found.moves[resource] = Moved(set(kind.held), set(kind.held), is_fresh=True)
        found.settle()
        return found

    def told(self) -> dict[str, Any]:
        """All that follows from what is known."""
        stock = self.stock
        problems = {resource.gvk: told for resource, told in stock.route_problems.items() if told}
        return {
            "rows": self.kept.rows,
            "problems": problems,
            "injections": {kind: dict(found) for kind, found in stock.injections.items()},
            "tags": stock.tags,
        }


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(CHANGES, min_size=1, max_size=5), max_size=6))
def test_translating__any_changes__as_if_all_were_translated_anew(batches: list[list[Any]]) -> None:
    hold(batches)


def hold(batches: list[list[Any]]) -> World:
    """Do this, batch by batch, and look at each."""
    world = World(at_once=1)
    for changes in batches:
        for what, (resource, uid, body) in changes:
            world.change(what, resource, uid, body)
        world.settle()

        assert world.told() == world.anew().told()
    return world


def an(kind: Resource, name: str, *, labels: Any = None, **parts: Any) -> tuple[Resource, str, Any]:
    """An object in shop."""
    meta = {"name": name, "namespace": "shop" if kind.namespaced else "", "uid": f"{kind.plural}-{name}"}
    return kind, meta["uid"], {"metadata": {**meta, "labels": labels or {}}, **parts}


ROOT = an(VIRTUAL, "root", spec={"hosts": ["a"], "http": [{"delegate": {"name": "part"}}]})
PART = an(VIRTUAL, "part", spec={"http": [{"route": [destination("b", "v1")]}]})
OF_B = {"host": "b", "subsets": [{"name": "v1", "labels": {"version": "one"}}]}


def test_translating__subset_of_a_delegate_comes__root_two_steps_away_has_its_labels() -> None:
    world = hold([[("put", ROOT), ("put", PART)], [("put", an(RULES, "of-b", spec=OF_B))]])

    rule = msgspec.json.decode(world.kept.rows["Route", "virtualservices-root"]["neutral"])["rules"][0]
    assert rule["backends"][0]["backend"]["labels"] == [["version", "one"]]


def test_translating__root_moves__the_subset_of_its_delegate_is_still_seen() -> None:
    moved = an(VIRTUAL, "root", spec={"hosts": ["a"], "http": [{"delegate": {"name": "part"}, "timeout": "3s"}]})

    world = hold([[("put", ROOT), ("put", PART), ("put", an(RULES, "of-b", spec=OF_B))], [("put", moved)]])

    rule = msgspec.json.decode(world.kept.rows["Route", "virtualservices-root"]["neutral"])["rules"][0]
    assert rule["backends"][0]["backend"]["labels"] == [["version", "one"]]


def test_translating__namespace_is_injected_now__virtual_service_beside_the_route_of_its_service_is_told() -> None:
    parents = [{"kind": "Service", "name": "a", "group": ""}]
    beside = an(HTTP, "beside", spec={"parentRefs": parents, "rules": [{"backendRefs": [{"name": "a", "port": 80}]}]})
    alone = an(VIRTUAL, "alone", spec={"hosts": ["a"], "http": [{"route": [destination("a")]}]})

    world = hold(
        [
            [("put", beside), ("put", alone), ("put", an(NAMESPACES, "shop"))],
            [("put", an(NAMESPACES, "shop", labels={"istio-injection": "enabled"}))],
        ]
    )

    (problem,) = world.kept.rows["Route", "virtualservices-alone"]["problems"]
    assert problem["message"].startswith("HTTPRoute shop/beside decides for the same Service")


class Counted:
    """Bodies that were decoded, and objects that an adapter was asked to read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.decoded = self.read = 0
        body, read = Slim.body, IstioAdapter.read

        def counted_body(slim: Slim) -> Any:
            self.decoded += 1
            return body(slim)

        def counted_read(adapter: IstioAdapter, *given: Any, only: frozenset[str] | None = None) -> Read:
            self.read += len(only or ())
            return read(adapter, *given, only=only)

        monkeypatch.setattr(Slim, "body", counted_body)
        monkeypatch.setattr(IstioAdapter, "read", counted_read)


@pytest.mark.parametrize("moving", [1, 5])
def test_translating__some_of_many_move__those_and_their_rivals_are_read(
    monkeypatch: pytest.MonkeyPatch, moving: int
) -> None:
    world = World()
    for number in range(60):
        spec = {"hosts": [f"host-{number // 2}"], "http": [{"route": [destination(f"host-{number // 2}", "v1")]}]}
        world.change("put", *an(VIRTUAL, f"name-{number}", spec=spec))
    world.settle()
    for number in range(0, 2 * moving, 2):
        spec = {"hosts": [f"host-{number // 2}"], "http": [{"route": [destination(f"host-{number // 2}", "v2")]}]}
        world.change("put", *an(VIRTUAL, f"name-{number}", spec=spec))
    counted = Counted(monkeypatch)

    world.settle()

    assert counted.read == 2 * moving
    assert counted.decoded <= 3 * moving
