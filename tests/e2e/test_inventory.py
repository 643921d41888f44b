"""Meshes and what was read of clusters, in a real browser: a phone passes axe in both themes; a newcomer finds out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from clusters.models import Cluster
from meshes.models import WATCHING, Mesh, Namespace, Route, Sync
from meshui.lib import clock
from tests.e2e.conftest import NARROW
from tests.meshes.conftest import add, read

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from accounts.models import User
    from playground.cluster import EmulatedCluster
    from tests.e2e.conftest import Site


@pytest.fixture
def two(transactional_db: None, eu_west: EmulatedCluster, ap_south: EmulatedCluster, admin: User) -> Cluster:
    """Istio and Linkerd, read; the first one is watched but for one kind, and misses a namespace."""
    first = add(eu_west, admin)
    for cluster in (first, add(ap_south, admin)):
        assert read(cluster)
    held = {"lease_owner": f"a{WATCHING}b", "lease_until": clock.db_now(plus=600)}
    Cluster.objects.filter(pk=first.pk).update(**held, next_sync_at=clock.db_now(plus=600))
    Sync.objects.filter(cluster=first, resource="services").update(watched_since=clock.now())
    refused = "The credential may not watch virtualservices: it is refused."
    Sync.objects.filter(cluster=first, resource__startswith="virtualservices").update(watch_error=refused)
    Namespace.objects.filter(cluster=first, name="default").update(gone_at=clock.now())
    return first


@pytest.fixture
def site(two: Cluster, serve_site: Callable[..., Site]) -> Site:
    """A MeshUI that starts when everything was read: its worker does not take a cluster away from this test."""
    return serve_site()


@pytest.mark.parametrize("look", [("light", NARROW), ("dark", NARROW)])
def test_pages__phone_in_both_themes__no_violation(
    look: tuple[str, Any],
    new_page: Callable[..., Page],
    sign_in: Callable[[Page, User], None],
    axe: Callable[[Page], Any],
    two: Cluster,
    viewer: User,
) -> None:
    scheme, size = look
    page = new_page(color_scheme=scheme, viewport=size)
    sign_in(page, viewer)
    mesh = Mesh.objects.get(kind="istio", cluster=two)
    route = Route.objects.filter(cluster=two, is_split=True).order_by("name")[0]
    base = f"/clusters/{two.slug}/inventory/"

    for path, name in (
        ("/meshes/", "mesh-list"),
        (f"/meshes/{mesh.pk}/", "mesh-detail"),
        (base, "inventory"),
        (f"{base}namespaces/?state=all", "inventory-namespaces"),
        (f"{base}services/", "inventory-services"),
        (f"{base}workloads/", "inventory-workloads"),
        (f"{base}routes/", "inventory-routes"),
        (f"{base}routes/{route.pk}/", "route-detail"),
        (f"{base}routes/?q=nothing", "inventory-filtered"),
        ("/services/", "services-by-version"),
    ):
        page.goto(path)
        page.wait_for_load_state("load")
        axe(page)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), name


def test_newcomer__from_the_side_bar__to_the_weights_of_a_route(
    page: Page, sign_in_by_form: Callable[[Page, User], None], two: Cluster, viewer: User
) -> None:
    sign_in_by_form(page, viewer)

    page.get_by_role("link", name="Meshes", exact=True).click()
    page.get_by_role("link", name="Istio", exact=True).click()
    page.get_by_role("link", name="Routes", exact=True).click()
    page.get_by_label("Name", exact=True).fill("checkout")
    expect(page.locator("#table tbody tr")).to_have_count(1)
    page.locator("#table").get_by_role("link", name="checkout").first.click()

    expect(page.get_by_role("columnheader", name="Weight as written").first).to_be_visible()
    expect(page.locator("main")).to_contain_text("9000")
