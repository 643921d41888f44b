"""Drift on the emulator: what others do to what MeshUI wrote is seen with the next reading, and told once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from zeal import zeal_ignore

from audit.ledger import verify_chain
from audit.selectors import list_events
from meshes.models import Drift, ManagedRoute, Route
from meshes.services import managing
from tests.meshes.conftest import read
from tests.traffic.conftest import set_weights
from traffic.drifts import live_body
from traffic.services.drift import tell_drifts

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client

    from accounts.models import User
    from playground.cluster import EmulatedCluster
    from tests.traffic.conftest import Way

pytestmark = pytest.mark.django_db(transaction=True)


def managed() -> ManagedRoute:
    """The one route that MeshUI wrote."""
    return ManagedRoute.objects.select_related("cluster", "route").get()


def test_drift__just_written_and_read__none(way: Callable[..., Way], eu_west: EmulatedCluster) -> None:
    change = way(eu_west).to_applied(75, 25)

    read(managed().cluster)

    found = managed()
    assert (found.drift, found.drifted_at, found.is_writing) == (Drift.NONE, None, False)
    assert (found.change_number, found.root_service) == (change.number, "checkout")
    assert found.route is not None
    assert found.route.projection_hash == found.left_hash


def test_drift__foreign_edit__seen_with_the_next_reading(way: Callable[..., Way], eu_west: EmulatedCluster) -> None:
    way(eu_west).to_applied(75, 25)

    eu_west.edit("VirtualService", "checkout", "shop", set_weights(60, 40))
    read(managed().cluster)

    found = managed()
    assert found.drift == Drift.CHANGED
    assert found.drifted_at is not None
    assert found.is_told is False


def test_drift__put_back__in_sync_again_and_both_told_once(way: Callable[..., Way], eu_west: EmulatedCluster) -> None:
    way(eu_west).to_applied(75, 25)
    cluster = managed().cluster
    eu_west.edit("VirtualService", "checkout", "shop", set_weights(60, 40))
    read(cluster)
    told = [tell_drifts(), tell_drifts()]

    eu_west.edit("VirtualService", "checkout", "shop", set_weights(75, 25))
    read(cluster)

    assert (managed().drift, managed().drifted_at) == (Drift.NONE, None)
    assert [*told, tell_drifts(), tell_drifts()] == [1, 0, 1, 0]
    events = list_events(object_kind="route").order_by("seq")
    assert [event.action for event in events] == ["traffic.drift.observed", "traffic.drift.ended"]
    assert verify_chain().is_intact


def test_drift__edited_twice__first_seen_stays_and_each_edit_is_told(
    way: Callable[..., Way], eu_west: EmulatedCluster
) -> None:
    way(eu_west).to_applied(75, 25)
    cluster = managed().cluster
    eu_west.edit("VirtualService", "checkout", "shop", set_weights(60, 40))
    read(cluster)
    first = managed().drifted_at
    tell_drifts()

    eu_west.edit("VirtualService", "checkout", "shop", set_weights(50, 50))
    read(cluster)

    assert managed().drifted_at == first
    assert tell_drifts() == 1


def test_drift__deleted_by_others__gone(way: Callable[..., Way], eu_west: EmulatedCluster) -> None:
    way(eu_west).to_applied(75, 25)

    eu_west.delete("VirtualService", "checkout", "shop")
    read(managed().cluster)

    assert managed().drift == Drift.GONE
    assert live_body(managed()) is None


def test_drift__deleted_and_made_anew__changed_though_it_reads_the_same(
    way: Callable[..., Way], eu_west: EmulatedCluster
) -> None:
    way(eu_west).to_applied(75, 25)
    body = eu_west.get("VirtualService", "checkout", "shop")
    eu_west.delete("VirtualService", "checkout", "shop")
    for key in ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"):
        body["metadata"].pop(key, None)
    eu_west.load([body])

    read(managed().cluster)

    assert managed().drift == Drift.CHANGED


def test_drift__metadata_alone_touched__none(way: Callable[..., Way], eu_west: EmulatedCluster) -> None:
    way(eu_west).to_applied(75, 25)

    eu_west.edit(
        "VirtualService", "checkout", "shop", lambda body: body["metadata"].setdefault("labels", {}).update(x="y")
    )
    read(managed().cluster)

    assert managed().drift == Drift.NONE


def test_drift__read_before_the_answer_to_our_write__never_called_drift(
    way: Callable[..., Way], eu_west: EmulatedCluster
) -> None:
    moving = way(eu_west)
    moving.to_applied(75, 25)
    row = managed()
    managing.note_sending(row.cluster, row.ref)
    eu_west.edit("VirtualService", "checkout", "shop", set_weights(60, 40))

    read(row.cluster)
    while_sending = managed().drift
    managing.note_ended(row.cluster, row.ref)

    assert (while_sending, managed().drift) == (Drift.NONE, Drift.CHANGED)


def test_drift__inventory_older_than_the_write__waits_for_the_next_reading(
    way: Callable[..., Way], eu_west: EmulatedCluster
) -> None:
    way(eu_west).to_applied(75, 25)
    row = managed()

    managing.judge(row.cluster, [row.name])

    assert Route.objects.get(name="checkout", cluster=row.cluster).projection_hash != row.left_hash
    assert managed().drift == Drift.NONE


def test_drift__another_change_written_over_it__held_to_that_one(
    way: Callable[..., Way], eu_west: EmulatedCluster
) -> None:
    moving = way(eu_west)
    moving.to_applied(75, 25)
    eu_west.edit("VirtualService", "checkout", "shop", set_weights(60, 40))
    read(managed().cluster)
    assert managed().drift == Drift.CHANGED

    moving.routes[0].refresh_from_db()
    change = moving.to_applied(50, 50)

    assert (managed().drift, managed().change_number) == (Drift.NONE, change.number)


def test_drift__foreign_edit__page_says_what_moved_in_neutral_words(
    way: Callable[..., Way], eu_west: EmulatedCluster, client: Client, viewer: User
) -> None:
    change = way(eu_west).to_applied(75, 25)
    eu_west.edit("VirtualService", "checkout", "shop", set_weights(60, 40))
    read(managed().cluster)
    client.force_login(viewer)

    with zeal_ignore():
        text = client.get("/drift/").content.decode().replace("\u202f", " ")

    assert "25 % → 40 %" in text
    assert f"#{change.number}" in text
