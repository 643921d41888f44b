"""What a reading costs: requests, statements, memory. Counts, which do not depend on the machine."""

from __future__ import annotations

import math
import tracemalloc
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from clusters import clients, kube_lists
from clusters.clients import Head, Heads, Page
from clusters.slims import slim_of
from meshes.models import Route, Service, Sync
from meshes.services import kinds, stocks
from meshes.services.fetching import Moved, refresh
from meshes.services.kinds import SERVICES
from meshes.services.stock import KindStock
from playground import worlds
from tests.meshes.conftest import read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from clusters.clients import Slim
    from clusters.models import Cluster
    from playground.cluster import EmulatedCluster

pytestmark = pytest.mark.django_db
COUNT = 120
PAGE = 12
PLACE = "bulk"
WRITES = ("UPDATE", "INSERT", "DELETE")


@pytest.fixture(autouse=True)
def _own_stocks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Small pages, and nothing known of what another test read."""
    monkeypatch.setattr("clusters.kube_lists.PAGE", PAGE)
    stocks.drop_all()
    yield
    stocks.drop_all()


@pytest.fixture
def big(emulate: Callable[..., EmulatedCluster]) -> EmulatedCluster:
    """120 services, each with a VirtualService and a DestinationRule."""
    return emulate("big", worlds.many_services(COUNT))


def of_kind(cluster: EmulatedCluster, plural: str) -> list[Any]:
    """The requests for a kind so far, taken away."""
    found = [request for request in cluster.server.requests if f"/{plural}" in request.path]
    cluster.server.requests.clear()
    return found


def halve(cluster: EmulatedCluster, count: int) -> None:
    """A foreign hand edits so many routes."""

    def change(body: Any) -> None:
        for entry in body["spec"]["http"][0]["route"]:
            entry["weight"] = 50

    for number in range(1, count + 1):
        cluster.edit("VirtualService", f"service-{number:05d}", PLACE, change)


def statements(captured: CaptureQueriesContext) -> list[str]:
    """What was sent, without BEGIN and savepoints."""
    return [q["sql"] for q in captured.captured_queries if not q["sql"].startswith(("BEGIN", "SAVEPOINT", "RELEASE"))]


def test_first_reading__120_routes_by_12__ten_requests(big: EmulatedCluster, added: Callable[..., Cluster]) -> None:
    added(big)

    assert len(of_kind(big, "virtualservices")) == math.ceil(COUNT / PAGE)
    assert Route.objects.count() == COUNT


@pytest.mark.parametrize("changed", [0, 1, 5])
def test_reading_again__some_changed__pages_of_names_and_those(
    big: EmulatedCluster, added: Callable[..., Cluster], changed: int
) -> None:
    cluster = added(big)
    of_kind(big, "virtualservices")
    halve(big, changed)

    assert read(cluster)

    asked = of_kind(big, "virtualservices")
    assert len(asked) == math.ceil(COUNT / PAGE) + changed
    assert sum(request.path.endswith("/virtualservices") for request in asked) == math.ceil(COUNT / PAGE)
    assert Sync.objects.get(resource="virtualservices.networking.istio.io").written == changed


def test_reading_again__more_than_a_twentieth_changed__whole_pages(
    big: EmulatedCluster, added: Callable[..., Cluster]
) -> None:
    cluster = added(big)
    of_kind(big, "virtualservices")
    halve(big, 7)

    assert read(cluster)

    assert len(of_kind(big, "virtualservices")) == 2 * math.ceil(COUNT / PAGE)
    assert Sync.objects.get(resource="virtualservices.networking.istio.io").written == 7


def test_reading_again__read_by_another_process_meanwhile__whole_pages_and_no_row(
    big: EmulatedCluster, added: Callable[..., Cluster]
) -> None:
    cluster = added(big)
    of_kind(big, "virtualservices")
    stocks.drop_all()

    assert read(cluster)

    assert len(of_kind(big, "virtualservices")) == math.ceil(COUNT / PAGE)
    assert not Sync.objects.filter(written__gt=0).exists()


def test_reading_again__nothing_changed__sync_rows_in_one_statement_and_the_lease(
    big: EmulatedCluster, added: Callable[..., Cluster]
) -> None:
    cluster = added(big)

    with CaptureQueriesContext(connection) as captured:
        assert read(cluster)

    sent = statements(captured)[1:]  # the first one is the test's own: it makes the cluster due
    written = [sql for sql in sent if sql.startswith(WRITES)]
    tables = [next(t for t in ("meshes_sync", "clusters_cluster") if f'"{t}"' in sql) for sql in written]
    assert sorted(set(tables)) == ["clusters_cluster", "meshes_sync"]
    assert tables.count("meshes_sync") == 1
    assert len(sent) <= 10, "\n".join(sent)


def test_reading_again__five_rows_changed__one_upsert(big: EmulatedCluster, added: Callable[..., Cluster]) -> None:
    cluster = added(big)
    halve(big, 5)

    with CaptureQueriesContext(connection) as captured:
        assert read(cluster)

    upserts = [sql for sql in statements(captured) if sql.startswith('INSERT INTO "meshes_route"')]
    assert len(upserts) == 1


def test_first_reading__services__at_most_one_upsert_a_page(
    big: EmulatedCluster, added: Callable[..., Cluster]
) -> None:
    with CaptureQueriesContext(connection) as captured:
        added(big)

    upserts = [sql for sql in statements(captured) if sql.startswith('INSERT INTO "meshes_service"')]
    assert 0 < len(upserts) <= math.ceil(Service.objects.count() / PAGE)


def test_r06_page_seven_of_ten_fails__nothing_is_gone_and_what_came_is_kept(
    big: EmulatedCluster, added: Callable[..., Cluster]
) -> None:
    cluster = added(big)
    stocks.drop_all()
    names = sorted(Service.objects.filter(namespace=PLACE).values_list("name", flat=True))
    seen: list[str] = []

    def is_seventh(request: Any) -> bool:
        if not request.path.endswith(("/services", "/virtualservices")):
            return False
        seen.append(request.path)
        return seen.count(request.path) == 7

    big.server.faults.answer(500, path=is_seventh, times=2)
    big.delete("Service", names[0], PLACE)
    read(cluster)

    assert Service.objects.filter(gone_at=None, namespace=PLACE).count() == COUNT
    assert Route.objects.filter(gone_at=None).count() == COUNT
    assert Sync.objects.exclude(error="").count() == 2
    read(cluster)
    assert Service.objects.get(name=names[0]).gone_at is not None


class Many:
    """A lister of so many Services, made as they are asked for: 2.3 KB each, a third of it managedFields."""

    def __init__(self, count: int) -> None:
        self.count = count

    def list_pages(self, _resource: object) -> Iterator[Page]:
        """Pages of 500."""
        for start in range(0, self.count, 500):
            yield Page([slim_of(self._raw(number), SERVICES) for number in range(start, start + 500)], "9")

    def list_metadata(self, _resource: object) -> Heads:
        """All of them."""
        return Heads([Head(f"uid-{n:032d}", PLACE, f"service-{n:05d}", str(n + 1)) for n in range(self.count)], "9")

    def get_slims(self, _resource: object, _wanted: Sequence[Head]) -> Iterator[Slim]:
        """None differs."""
        yield from ()

    def _raw(self, number: int) -> bytes:
        metadata = {
            "name": f"service-{number:05d}",
            "namespace": PLACE,
            "uid": f"uid-{number:032d}",
            "resourceVersion": str(number + 1),
            "labels": {f"label-{n}": f"value-{number}-{n}" for n in range(6)},
            "annotations": {f"note-{n}": f"{number}" * 40 for n in range(4)},
            "managedFields": [{"manager": "helm", "fieldsV1": {f"f:{n}": {} for n in range(60)}}],
        }
        spec = {"selector": {"app": f"a-{number}"}, "ports": [{"port": 80, "name": "http"}, {"port": 81, "name": "x"}]}
        return msgspec.json.encode({"metadata": metadata, "spec": spec})


def test_memory__five_thousand_services_listed_and_listed_again__within_25_mb() -> None:
    kind = KindStock(SERVICES, keeps=False)
    lister: Any = Many(5_000)
    tracemalloc.start()
    try:
        refresh(lister, kind, Moved(), lambda _slims: None, lambda: None)
        first = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        refresh(lister, kind, Moved(), lambda _slims: None, lambda: None)
        again = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert len(kind.held) == 5_000
    assert max(first, again) <= 25 * 1024 * 1024


def _structs(module: Any) -> list[type[msgspec.Struct]]:
    """Those that the module defines."""
    found = [each for each in vars(module).values() if isinstance(each, type) and issubclass(each, msgspec.Struct)]
    return [each for each in found if each.__module__ == module.__name__]


@pytest.mark.parametrize("module", [clients, kube_lists, kinds], ids=lambda module: module.__name__)
def test_structs_of_lists__never_walked_by_the_garbage_collector(module: Any) -> None:
    structs = _structs(module)

    assert structs
    assert [each.__name__ for each in structs if each.__struct_config__.gc] == []
