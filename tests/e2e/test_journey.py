"""The path through a real browser, on emulated clusters. tests/lab/test_journey.py is its judge on real servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clusters.models import Cluster
from meshes.models import Route
from playground import worlds
from tests import journey as way
from tests.servers import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from accounts.models import User
    from playground.cluster import EmulatedCluster
    from tests.e2e.conftest import Site, Watch

pytestmark = pytest.mark.journey
ARMED = [{"MESHUI_CRASHPOINT": f"{hook}:SIGKILL:1"} for hook in ("after_intent", "after_send")]


@pytest.fixture
def site(serve_site: Callable[..., Site], request: pytest.FixtureRequest) -> Site:
    """A quick MeshUI, armed with what the test asks for."""
    return serve_site(**way.QUICK, **getattr(request, "param", {}))


@pytest.fixture
def pair(emulate: Callable[..., EmulatedCluster], admin: User) -> list[EmulatedCluster]:
    """Two clusters with the same shop, added to the product."""
    clusters = [emulate(name, worlds.eu_west()) for name in ("eu-north", "eu-west")]
    for cluster in clusters:
        way.add_by_verb(cluster, admin)
    return clusters


def test_journey__two_people__weights_move_on_both_clusters_and_back(
    journey: way.Journey, pair: list[EmulatedCluster]
) -> None:
    way.check_two_people_move_weights(journey, pair)

    assert [cluster.server.violations for cluster in pair] == [[], []]


def test_journey__edited_between_approval_and_start__nothing_written(
    journey: way.Journey, pair: list[EmulatedCluster]
) -> None:
    way.check_foreign_edit_is_never_overwritten(journey, pair)


@pytest.mark.parametrize("site", ARMED, indirect=True, ids=["after_intent", "after_send"])
def test_journey__process_killed_in_the_write__next_one_ends_it_once(
    journey: way.Journey, site: Site, serve_site: Callable[..., Site], pair: list[EmulatedCluster], watch: Watch
) -> None:
    watch.allow(way.SERVER_IS_DEAD)
    way.check_killed_worker_writes_once(journey, pair, site.process, lambda: serve_site(**way.QUICK))


def test_journey__kubeconfig_pasted__cluster_is_checked_and_read(
    page: Page, sign_in_by_form: Callable[[Page, User], None], admin: User, eu_west: EmulatedCluster
) -> None:
    sign_in_by_form(page, admin)
    way.add_in_browser(page, eu_west)

    cluster = Cluster.objects.get(slug="eu-west")
    wait_until(lambda: Route.objects.filter(cluster=cluster, name="checkout").exists(), seconds=way.PATIENCE / 1000)
    page.goto("/services/")
    assert "checkout" in page.locator("main").inner_text()
