"""The first ten minutes in a browser, on an emulated cluster; tests/lab walks them on a real one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from playground import worlds
from tests import journey as way
from tests.newcomer import walk

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from playground.cluster import EmulatedCluster
    from tests.e2e.conftest import Site

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def site(serve_site: Callable[..., Site]) -> Site:
    """A quick MeshUI, empty."""
    return serve_site(**way.QUICK)


def test_newcomer__from_the_first_link__to_a_reviewed_change(
    site: Site, new_page: Callable[..., Page], emulate: Callable[..., EmulatedCluster]
) -> None:
    walk(site, new_page, emulate("eu-west", worlds.eu_west()))
