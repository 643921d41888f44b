"""The first ten minutes with a real cluster: real API server, Istio's real CRDs, istiod's own admission, a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.samples import deploy_shop
from tests import journey as way
from tests.e2e.conftest import (  # noqa: F401 - fixtures
    new_page,
    serve_site,
    watch,
)
from tests.newcomer import walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Page

    from lab.cluster import Cluster
    from lab.sessions import Lab
    from tests.e2e.conftest import Site

pytestmark = [pytest.mark.lab, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def site(serve_site: Callable[..., Site]) -> Site:  # noqa: F811 - the fixture
    """A quick MeshUI, empty."""
    return serve_site(**way.QUICK)


@pytest.fixture
def shop(lab: Lab) -> Iterator[Cluster]:
    """A real cluster whose shop/checkout stands at 90/10; left so for other tests."""
    cluster = min(lab.clusters, key=lambda each: each.name)
    deploy_shop(cluster)
    cluster.edit("VirtualService", "checkout", "shop", way.set_weights(90, 10))
    yield cluster
    cluster.edit("VirtualService", "checkout", "shop", way.set_weights(90, 10))


def test_newcomer__real_cluster__from_the_first_link_to_a_reviewed_change(
    site: Site,
    new_page: Callable[..., Page],  # noqa: F811 - the fixture
    shop: Cluster,
) -> None:
    walk(site, new_page, shop)
