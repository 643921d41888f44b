"""R5: whatever a watch doubles, brings late or loses, what is known is what the server holds after a quiet period."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zeal import zeal_ignore

from clusters.clients import ExpiredError, Head, Heads, Page, Resource, WatchEvent
from clusters.models import Cluster
from clusters.slims import slim_of
from meshes.models import Route, RouteBackend, Service
from meshes.services.fetching import Moved, refresh
from meshes.services.following import apply
from meshes.services.reading import Reading
from meshes.services.stock import Stock
from tests.meshes import rows
from tests.meshes.objects import destination, virtual_service

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from clusters.clients import Slim

pytestmark = pytest.mark.walks

ROUTES = Resource("networking.istio.io", "v1", "virtualservices", "VirtualService")
NAMES = ("a", "b", "c")
CHANGES = st.tuples(st.sampled_from(["put", "delete"]), st.sampled_from(NAMES), st.integers(0, 100))
DELIVERIES = st.sampled_from(["once", "twice", "late", "never"])
STEPS = st.one_of(
    st.tuples(st.just("change"), CHANGES, DELIVERIES),
    st.tuples(st.just("list"), st.none(), st.none()),
    st.tuples(st.just("expired list"), st.none(), st.none()),
)


class Server:
    """What one API server holds of one kind, and what happened, event by event."""

    def __init__(self, resource: Resource) -> None:
        self.resource = resource
        self.version = 10
        self.objects: dict[str, Slim] = {}
        self.made = 0
        self.is_expiring = False

    def change(self, what: str, name: str, weight: int) -> WatchEvent | None:
        """Make, edit or delete an object; the event of it."""
        self.version += 1
        before = self.objects.get(name)
        if what == "delete":
            return self._event("DELETED", self.objects.pop(name)) if before else None
        if before is None:
            self.made += 1
        uid = before.head.uid if before else f"uid-{name}-{self.made}"
        self.objects[name] = self._slim(name, uid, weight)
        return self._event("MODIFIED" if before else "ADDED", self.objects[name])

    def _event(self, kind: Any, slim: Slim) -> WatchEvent:
        head = Head(slim.head.uid, slim.head.namespace, slim.head.name, str(self.version))
        return WatchEvent(kind, str(self.version), type(slim)(head, slim.data))

    def _slim(self, name: str, uid: str, weight: int) -> Slim:
        route = [destination(name, "v1", weight), destination(name, "v2", 100 - weight)]
        body: Any = virtual_service(name, hosts=[name], http=[{"route": route}])
        body["metadata"] |= {"uid": uid, "resourceVersion": str(self.version)}
        return slim_of(msgspec.json.encode(body), self.resource)

    def list_pages(self, resource: Resource) -> Iterator[Page]:
        """One object a page; a list that is expiring does so once, after its first page."""
        if resource != self.resource:
            yield Page([], str(self.version))
            return
        for slim in list(self.objects.values()):
            yield Page([slim], str(self.version))
            if self.is_expiring:
                self.is_expiring = False
                raise ExpiredError("too old", status=410)
        if not self.objects:
            yield Page([], str(self.version))

    def list_metadata(self, resource: Resource) -> Heads:
        """All of them by name."""
        found = self.objects.values() if resource == self.resource else ()
        return Heads([slim.head for slim in found], str(self.version))

    def get_slims(self, _resource: Resource, wanted: Sequence[Head]) -> Iterator[Slim]:
        """As they are now."""
        yield from (slim for slim in self.objects.values() if slim.head.uid in {head.uid for head in wanted})

    def api_groups(self) -> frozenset[str]:
        """Those of Istio."""
        return frozenset({"v1", "apps/v1", "networking.istio.io/v1"})

    def held(self) -> dict[str, str]:
        """uid → version."""
        return {slim.head.uid: slim.head.resource_version for slim in self.objects.values()}


class Held:
    """A hold that nobody takes."""

    def require(self) -> None:
        """It is held."""

    def confirm(self) -> None:
        """It is held."""


class Delivery:
    """A watch that doubles, delays and loses."""

    def __init__(self) -> None:
        self._late: list[WatchEvent] = []

    def of(self, event: WatchEvent | None, how: str) -> list[WatchEvent]:
        """What arrives now."""
        late, self._late = self._late, []
        if event is None or how == "never":
            return late
        if how == "late":
            self._late = [event]
            return late
        return [event, *late, *([event] if how == "twice" else [])]

    def rest(self) -> list[WatchEvent]:
        """What is still under way."""
        late, self._late = self._late, []
        return late


@settings(max_examples=2_000, deadline=None)
@given(st.lists(STEPS, max_size=25))
def test_r05_stock__any_sequence_of_events__what_the_server_holds(steps: list[Any]) -> None:
    server, delivery, stock = Server(ROUTES), Delivery(), Stock()
    kind = stock.kind(ROUTES, keeps=True)
    reading: Any = SimpleNamespace(stock=stock, write_rows=lambda *_: None, settle=lambda *_: None)
    lister: Any = server

    def list_now() -> None:
        refresh(lister, kind, Moved(), lambda _: None, lambda: None)

    list_now()
    for what, change, how in steps:
        if what == "change":
            apply(reading, [(ROUTES, event) for event in delivery.of(server.change(*change), how)])
        else:
            server.is_expiring = what == "expired list" and bool(server.objects)
            list_now()
    list_now()
    apply(reading, [(ROUTES, event) for event in delivery.rest()])

    assert {uid: held.head.resource_version for uid, held in kind.held.items()} == server.held()


@settings(max_examples=1_000, deadline=None)
@given(st.lists(st.tuples(CHANGES, st.sampled_from(["once", "twice"])), max_size=25))
def test_r05_stock__nothing_lost__right_without_a_list(steps: list[Any]) -> None:
    server, stock = Server(ROUTES), Stock()
    kind = stock.kind(ROUTES, keeps=True)
    reading: Any = SimpleNamespace(stock=stock, write_rows=lambda *_: None, settle=lambda *_: None)
    kind.listed_at("10")
    past: list[WatchEvent] = []

    for change, how in steps:
        event = server.change(*change)
        past += [event] if event else []
        again = past[-3:] if how == "twice" else past[-1:]
        apply(reading, [(ROUTES, each) for each in again])

    assert {uid: held.head.resource_version for uid, held in kind.held.items()} == server.held()


@pytest.mark.django_db
@settings(max_examples=40, deadline=None)
@given(steps=st.lists(STEPS, max_size=8))
def test_r05_inventory__any_sequence_of_events__rows_as_the_server_holds_them(steps: list[Any]) -> None:
    Route.objects.all().delete()
    Service.objects.all().delete()
    where = Cluster.objects.first() or rows.cluster("eu-west")
    server, delivery = Server(ROUTES), Delivery()
    lister: Any = server
    reading = Reading(where, Stock(), lister, Held())

    with zeal_ignore():
        assert reading.read_whole()
        for what, change, how in steps:
            if what == "change":
                apply(reading, [(ROUTES, event) for event in delivery.of(server.change(*change), how)])
            else:
                assert reading.read_kind(ROUTES)
        assert reading.read_whole()
        apply(reading, [(ROUTES, event) for event in delivery.rest()])

    live = Route.objects.filter(gone_at=None)
    assert {route.uid: route.resource_version for route in live} == server.held()
    backends = RouteBackend.objects.filter(route__in=live).order_by("position").values_list("route__uid", "weight_bp")
    shares = {route.uid: [share for uid, share in backends if uid == route.uid] for route in live}
    weights = {s.head.uid: [e["weight"] * 100 for e in _route(s)] for s in server.objects.values()}
    assert shares == weights


def _route(slim: Slim) -> list[dict[str, int]]:
    body: Any = slim.body()
    found: list[dict[str, int]] = body["spec"]["http"][0]["route"]
    return found
