"""Clusters that are removed: nothing of them counts as there, nobody writes what was under way, and they come back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from zeal import zeal_ignore

from clusters.connect import reader_for
from clusters.models import Cluster, Health
from clusters.services import remove_cluster
from meshes.models import WATCHING, ControlPlane, Mesh, Namespace, Route, Service, Sync, Workload
from meshes.selectors import Rows, routes_for_service, services_list
from meshes.services import due_syncs, request_sync, sync, sync_cluster
from meshui.lib import clock
from meshui.lib.errors import GoneError
from tests.meshes.conftest import add, read
from tests.people import as_actor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from accounts.models import User
    from playground.cluster import EmulatedCluster

pytestmark = pytest.mark.django_db
MODELS: tuple[Any, ...] = (Mesh, ControlPlane, Namespace, Service, Workload, Route)


@pytest.fixture(autouse=True)
def _several_acts() -> Iterator[None]:
    """One act after another, not the loop that zeal looks for."""
    with zeal_ignore():
        yield


def remove(cluster: Cluster, admin: User) -> None:
    """By its verb."""
    remove_cluster(actor=as_actor(admin), cluster_id=cluster.pk, reason="It was torn down.")


def row(cluster: Cluster) -> Cluster:
    """As it stands now, removed or not."""
    return Cluster.everything.get(pk=cluster.pk)


def live() -> list[str]:
    """Models with rows that are there."""
    return [model.__name__ for model in MODELS if model.objects.filter(gone_at=None).exists()]


def test_remove_cluster__read_before__every_row_is_gone_and_kept(
    eu_west: EmulatedCluster, added: Callable[..., Cluster], admin: User
) -> None:
    cluster = added(eu_west)
    counts = [model.objects.count() for model in MODELS]

    remove(cluster, admin)

    assert live() == []
    assert [model.objects.count() for model in MODELS] == counts
    assert not services_list(Rows(admin)).exists()
    assert not routes_for_service(admin, "shop", "checkout").exists()


def test_remove_cluster__another_one__keeps_its_rows(
    eu_west: EmulatedCluster, us_east: EmulatedCluster, added: Callable[..., Cluster], admin: User
) -> None:
    cluster, other = added(eu_west), added(us_east)

    remove(cluster, admin)

    assert set(Route.objects.filter(gone_at=None).values_list("cluster", flat=True)) == {other.pk}
    assert live() == [model.__name__ for model in MODELS]


def test_remove_cluster__watched__lease_cleared_fence_raised_and_no_kind_watched(
    eu_west: EmulatedCluster, added: Callable[..., Cluster], admin: User
) -> None:
    cluster = added(eu_west)
    held = {"lease_owner": f"a{WATCHING}b", "lease_until": clock.db_now(plus=60), "lease_fence": 7}
    Cluster.objects.filter(pk=cluster.pk).update(**held)
    Sync.objects.filter(cluster=cluster).update(watched_since=clock.now())

    remove(cluster, admin)

    found = row(cluster)
    assert (found.lease_owner, found.lease_until, found.lease_fence) == ("", None, 8)
    assert not Sync.objects.exclude(watched_since=None).exists()


class Leaving:
    """A reader of a cluster that leaves just as its routes are listed."""

    def __init__(self, reader: Any, leave: Callable[[], None]) -> None:
        self._reader = reader
        self._leave = leave

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def list_pages(self, resource: Any) -> Any:
        """The pages, late."""
        if resource.plural == "virtualservices":
            self._leave()
        return self._reader.list_pages(resource)


def test_remove_cluster__while_it_is_read__nothing_read_is_stored_as_there(
    eu_west: EmulatedCluster, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = add(eu_west, admin)
    real = reader_for
    monkeypatch.setattr(sync, "reader_for", lambda c: Leaving(real(c), lambda: remove(cluster, admin)))
    Cluster.objects.filter(pk=cluster.pk).update(next_sync_at=clock.db_now())

    assert not sync_cluster(cluster.pk)

    assert Service.objects.exists()
    assert live() == []
    assert row(cluster).next_sync_at is None


def test_sync_cluster__another_cluster_answers_meanwhile__nothing_of_it_is_stored(
    eu_west: EmulatedCluster, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = add(eu_west, admin)
    real = reader_for

    def change() -> None:
        Cluster.objects.filter(pk=cluster.pk).update(health="identity_changed", next_sync_at=None)

    monkeypatch.setattr(sync, "reader_for", lambda c: Leaving(real(c), change))
    Cluster.objects.filter(pk=cluster.pk).update(next_sync_at=clock.db_now())

    assert not sync_cluster(cluster.pk)

    found = row(cluster)
    assert (found.lease_owner, found.lease_until, found.lease_fence, found.next_sync_at) == ("", None, 2, None)
    assert not Route.objects.exists()


def test_add_cluster__removed_before__read_anew_and_its_rows_are_back(
    eu_west: EmulatedCluster, added: Callable[..., Cluster], admin: User
) -> None:
    cluster = added(eu_west)
    before = set(Route.objects.values_list("pk", flat=True))
    remove(cluster, admin)

    again = add(eu_west, admin)
    assert read(again)

    assert again.pk == cluster.pk
    assert set(Route.objects.filter(gone_at=None).values_list("pk", flat=True)) == before
    assert live() == [model.__name__ for model in MODELS]


def test_request_sync__another_cluster_answers_there__refused_with_the_mend(
    eu_west: EmulatedCluster, added: Callable[..., Cluster], admin: User
) -> None:
    cluster = added(eu_west)
    Cluster.objects.filter(pk=cluster.pk).update(health=Health.IDENTITY_CHANGED)
    eu_west.server.requests.clear()

    with pytest.raises(GoneError, match="Another cluster answers") as refused:
        request_sync(actor=as_actor(admin), cluster_id=cluster.pk)

    assert "Adopt it" in refused.value.mend
    assert read(cluster) is False
    assert not list(due_syncs())
    assert not eu_west.server.requests
