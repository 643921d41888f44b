"""What tests of watched clusters share: watchers with a quick heart, a foreign hand, what the inventory says."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from meshes.models import Route, Sync
from meshes.services import stocks, watchers, watching
from meshes.services.watchers import Watchers
from tests.servers import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clusters.models import Cluster

SPLIT = ("VirtualService", "checkout", "shop")
ROUTES = "virtualservices.networking.istio.io"


@pytest.fixture(autouse=True)
def own_stocks() -> Iterator[None]:
    """No test builds on what another one read."""
    stocks.drop_all()
    yield
    stocks.drop_all()


@pytest.fixture(name="watch")
def watch_fixture(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Watchers]]:
    """`watch()` starts watchers, with a quick heart."""
    monkeypatch.setattr(watchers, "HEARTBEAT_SECONDS", 0.05)
    monkeypatch.setattr(watching, "TICK_SECONDS", 0.05)
    running: list[Watchers] = []

    def start() -> Watchers:
        made = Watchers()
        made.start()
        running.append(made)
        return made

    yield start
    for made in running:
        made.stop()


@pytest.fixture
def quick_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is done now and then is done ten times a second."""
    monkeypatch.setattr(watching, "FRESH_SECONDS", 0.1)


def set_weights(*weights: int) -> Callable[[Any], None]:
    """A foreign hand that sets them."""

    def change(body: Any) -> None:
        for entry, weight in zip(body["spec"]["http"][-1]["route"], weights, strict=True):
            entry["weight"] = weight

    return change


def shares() -> list[int]:
    """What the inventory says of checkout."""
    route = Route.objects.filter(namespace="shop", name="checkout", gone_at=None).first()
    return [backend.weight_bp for backend in route.backends.all()] if route else []


def is_watched(name: str = ROUTES) -> bool:
    """Whether the rows say so."""
    return Sync.objects.filter(resource=name, watched_since__isnull=False).exists()


def names_of_threads() -> list[str]:
    """The threads of the watchers that still run."""
    return [t.name for t in threading.enumerate() if t.name.startswith(("watch-", "meshui-watchers"))]


def watched(cluster: Cluster) -> Cluster:
    """Once it is."""
    wait_until(lambda: is_watched() and is_watched("services"), seconds=30, what="the watch")
    cluster.refresh_from_db()
    return cluster
