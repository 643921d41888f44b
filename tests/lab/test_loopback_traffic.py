"""The same where no network of its own can be had: a ServiceEntry names endpoints on loopback, and no pod answers.

Only the client has a sidecar, and its counters alone are what metrics are derived from (lab.agent).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.live import loopback_shop
from lab.network import is_allowed
from tests.lab.live import (
    caller,
    check_prometheus_verifies,
    check_weights_move,
    desk,
    inside,
    needs_envoy,
    prometheus,
    route,
    running,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django import Settings

    from accounts.models import User
    from lab.live import LiveShop
    from lab.prometheus import Prometheus
    from meshes.models import Route
    from tests.lab.caller import Caller
    from tests.lab.desk import Desk

__all__ = ["caller", "desk", "inside", "prometheus", "route"]
pytestmark = [pytest.mark.lab, pytest.mark.django_db(transaction=True), needs_envoy]


@pytest.fixture(scope="module")
def shop() -> Iterator[LiveShop]:
    """The shop on loopback."""
    with running(loopback_shop) as found:
        yield found


@pytest.fixture(scope="module")
def only_here() -> None:
    """Half a minute is saved where pods that answer show the same and more."""
    if is_allowed():
        pytest.skip("seen with pods that answer: tests/lab/test_live_traffic.py")


def test_traffic__endpoints_on_loopback__clients_of_a_real_envoy_get_the_weights_within_2_s_and_back(
    inside: LiveShop, caller: Caller, route: Route, desk: Desk
) -> None:
    check_weights_move(inside, caller, route, desk)


@pytest.mark.usefixtures("only_here")
def test_prometheus__of_the_clients_counters_derived_from_a_plain_envoy__page_says_verified(
    prometheus: Prometheus, caller: Caller, route: Route, desk: Desk, admin: User, settings: Settings
) -> None:
    settings.METRICS_WINDOW_SECONDS = 15

    check_prometheus_verifies(prometheus, caller, route, desk, admin)
