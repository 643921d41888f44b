"""The path on two real API servers, with Istio's real CRDs and istiod's own admission, through a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.samples import deploy_shop
from tests import journey as way
from tests.e2e.conftest import (  # noqa: F401 - fixtures
    new_page,
    serve_site,
    sign_in_by_form,
    watch,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Page

    from accounts.models import User
    from lab.cluster import Cluster
    from lab.sessions import Lab
    from tests.e2e.conftest import Site, Watch

pytestmark = [pytest.mark.lab, pytest.mark.django_db(transaction=True)]
ARMED = [{"MESHUI_CRASHPOINT": f"{hook}:SIGKILL:1"} for hook in ("after_intent", "after_send")]


@pytest.fixture
def site(serve_site: Callable[..., Site], request: pytest.FixtureRequest) -> Site:  # noqa: F811 - the fixture
    """A quick MeshUI, armed with what the test asks for."""
    return serve_site(**way.QUICK, **getattr(request, "param", {}))


@pytest.fixture
def journey(
    new_page: Callable[..., Page],  # noqa: F811 - the fixture
    sign_in_by_form: Callable[[Page, User], None],  # noqa: F811 - the fixture
    author: User,
    approver: User,
) -> way.Journey:
    """Author and approver, signed in, each in a browser of their own."""
    pages = (new_page(), new_page())
    sign_in_by_form(pages[0], author)
    sign_in_by_form(pages[1], approver)
    return way.Journey(*pages)


@pytest.fixture
def pair(lab: Lab, admin: User) -> Iterator[list[Cluster]]:
    """Two real clusters whose shop/checkout stands at 90/10, added to the product; left at 90/10 for other tests."""
    clusters = sorted(lab.clusters[:2], key=lambda cluster: cluster.name)
    for cluster in clusters:
        deploy_shop(cluster)
        cluster.edit("VirtualService", "checkout", "shop", way.set_weights(90, 10))
        way.add_by_verb(cluster, admin)
    yield clusters
    for cluster in clusters:
        cluster.edit("VirtualService", "checkout", "shop", way.set_weights(90, 10))


def test_journey__two_people__weights_move_on_both_clusters_and_back(journey: way.Journey, pair: list[Cluster]) -> None:
    way.check_two_people_move_weights(journey, pair)


def test_journey__edited_between_approval_and_start__nothing_written(journey: way.Journey, pair: list[Cluster]) -> None:
    way.check_foreign_edit_is_never_overwritten(journey, pair)


@pytest.mark.parametrize("site", ARMED, indirect=True, ids=["after_intent", "after_send"])
def test_journey__process_killed_in_the_write__next_one_ends_it_once(
    journey: way.Journey,
    site: Site,
    serve_site: Callable[..., Site],  # noqa: F811 - the fixture
    pair: list[Cluster],
    watch: Watch,  # noqa: F811 - the fixture
) -> None:
    watch.allow(way.SERVER_IS_DEAD)
    way.check_killed_worker_writes_once(journey, pair, site.process, lambda: serve_site(**way.QUICK))
