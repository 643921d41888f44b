"""Signals in the list of services: sums over clusters, and each state that a row may be in."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from meshes.models import Service, ServiceLink
from meshui.lib.clock import now
from metrics.models import Source, SourceKind
from metrics.selectors import row_signals
from tests.meshes import rows
from tests.people import make_person
from tests.traffic.measuring import draw, measure

if TYPE_CHECKING:
    from uuid import UUID

    from django.test import Client

    from accounts.models import User
    from clusters.models import Cluster

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_by_one", "mid_minute")]
URL = "/services/signals/"
HTMX = {"HX-Request": "true", "HX-Request-Type": "partial"}


@pytest.fixture
def eu() -> Cluster:
    """shop/checkout and shop/cart."""
    cluster = rows.cluster("eu-west")
    rows.services(cluster, ["checkout", "cart"])
    return cluster


@pytest.fixture
def us(eu: Cluster) -> Cluster:
    """shop/checkout once more."""
    cluster = rows.cluster("us-east")
    rows.services(cluster, ["checkout"])
    return cluster


def key(cluster: Cluster, name: str = "checkout") -> tuple[UUID, str, str]:
    return cluster.pk, "shop", name


def cells(client: Client, query: str = "") -> dict[str, str]:
    """Name of the service → its cell of requests, as words."""
    page = client.get(f"{URL}{query}", headers=HTMX).content.decode()
    found = {}
    for service in Service.objects.order_by("-pk"):
        cell = re.search(rf'<td class="r num" id="rate-{service.pk}"[^>]*>(.*?)</td>', page, re.DOTALL)
        if cell:
            found[service.name] = " ".join(re.sub(r"<[^>]+>", " ", cell.group(1)).split())
    return found


def stamp(client: Client) -> str:
    """What the cells of now are told apart by."""
    found = re.search(r"seen=(\w+)", client.get(URL, headers=HTMX).content.decode())
    assert found
    return found.group(1)


def test_row__two_clusters_live__sums_weighted_success_and_the_slowest(eu: Cluster, us: Cluster) -> None:
    measure(eu, 30.0, success=1.0, p99_ms=60.0)
    measure(us, 10.0, success=0.8, p99_ms=250.0)

    found = row_signals({"checkout": [key(eu), key(us)]})["checkout"]

    assert (found.state, found.places, found.live) == ("live", 2, 2)
    assert (found.rate, found.p99_ms) == (40.0, 250.0)
    assert found.success == pytest.approx((30.0 + 8.0) / 40.0)


def test_row__one_of_two_is_old__only_what_is_live_is_counted(eu: Cluster, us: Cluster) -> None:
    measure(eu, 30.0)
    measure(us, 10.0, age=600.0)

    found = row_signals({"checkout": [key(eu), key(us)]})["checkout"]

    assert (found.state, found.live, found.places, found.rate) == ("live", 1, 2, 30.0)


def test_row__all_old__no_number_but_since_when(eu: Cluster, us: Cluster) -> None:
    measure(eu, 30.0, age=900.0)
    younger = measure(us, 10.0, age=600.0)

    found = row_signals({"checkout": [key(eu), key(us)]})["checkout"]

    assert (found.state, found.rate, found.success, found.p99_ms) == ("stale", None, None, None)
    assert found.at == younger.at


def test_row__no_place_has_a_source__off_is_a_state_of_its_own(eu: Cluster, us: Cluster) -> None:
    for cluster in (eu, us):
        Source.objects.create(cluster=cluster, kind=SourceKind.NONE, changed_at=now(), changed_by_name="Ada")

    assert row_signals({"checkout": [key(eu), key(us)]})["checkout"].state == "off"
    Source.objects.filter(cluster=us).delete()
    assert row_signals({"checkout": [key(eu), key(us)]})["checkout"].state == "none"


def test_row__requests_without_verdict__rate_is_known_and_success_is_not(eu: Cluster) -> None:
    measure(eu, 5.0, success=None, p99_ms=None)

    found = row_signals({"checkout": [key(eu)]})["checkout"]

    assert (found.rate, found.success, found.p99_ms) == (5.0, None, None)


def test_line__clusters_of_one_row__summed_by_the_minute_with_gaps(eu: Cluster, us: Cluster) -> None:
    draw(measure(eu, 3.0), [1.0, None, 3.0, 5.0])  # the last minute is not over: not every cluster had its turn
    draw(measure(us, 4.0), [10.0, None, 30.0, 50.0])

    line = row_signals({"checkout": [key(eu), key(us)]})["checkout"].line

    assert line[-3:] == (11.0, None, 33.0)


def test_line__one_name_in_two_rows__each_has_its_own(eu: Cluster, us: Cluster) -> None:
    draw(measure(eu, 3.0), [1.0, 3.0, 5.0])
    draw(measure(us, 4.0), [10.0, 30.0, 50.0])

    found = row_signals({"here": [key(eu)], "apart": [key(us)]})

    assert (found["here"].line[-2:], found["apart"].line[-2:]) == ((1.0, 3.0), (10.0, 30.0))


def test_rows__more_of_them__not_more_queries(eu: Cluster, us: Cluster) -> None:
    def count(names: list[str]) -> int:
        for name in names:
            for cluster in (eu, us):
                draw(measure(cluster, 2.0, service=name), [2.0] * 5)
        with CaptureQueriesContext(connection) as captured:
            row_signals({name: [key(eu, name), key(us, name)] for name in names})
        return len(captured)

    assert count([f"s{n}" for n in range(40)]) == count(["checkout"]) == 3


def test_cells__live_old_and_never__each_says_what_it_is(client: Client, eu: Cluster, viewer: User) -> None:
    rows.services(eu, ["search"])
    measure(eu, 12.0)
    measure(eu, 7.0, age=600.0, service="cart")
    client.force_login(viewer)

    found = cells(client)

    assert found["checkout"] == "12/s"
    assert found["cart"].startswith("No data since 10 min ago")
    assert found["search"] == "not measured"


def test_cells__no_source__said_and_no_zero(client: Client, eu: Cluster, viewer: User) -> None:
    Source.objects.create(cluster=eu, kind=SourceKind.NONE, changed_at=now(), changed_by_name="Ada")
    client.force_login(viewer)

    assert set(cells(client).values()) == {"no source"}


def test_cells__one_of_two_clusters__says_so(client: Client, eu: Cluster, us: Cluster, viewer: User) -> None:
    measure(us, 12.0)
    client.force_login(viewer)

    assert "12/s 1 of 2 clusters" in cells(client).values()


def test_cells__same_query_as_the_list__the_very_rows_of_the_list(client: Client, eu: Cluster, viewer: User) -> None:
    client.force_login(viewer)

    assert set(cells(client, "?q=cart")) == {"cart"}
    shown = client.get("/services/?rows=25&sort=-name").context["lines"]
    told = client.get(f"{URL}?rows=25&sort=-name").context["lines"]
    assert [line.pk for line in shown] == [service.pk for service, _ in told]


def test_cells__linked_under_another_name__counted_in_that_row(
    client: Client, eu: Cluster, us: Cluster, viewer: User
) -> None:
    rows.services(us, ["till"])
    Service.objects.filter(cluster=us, name="checkout").update(gone_at=now())
    ServiceLink.objects.create(
        cluster=us,
        namespace="shop",
        name="till",
        to_namespace="shop",
        to_name="checkout",
        linked_at=now(),
        reason="One.",
    )
    measure(eu, 10.0)
    measure(us, 5.0, service="till")
    client.force_login(viewer)

    assert cells(client)["checkout"] == "15/s"


def test_cells__nothing_moved__204_until_something_does(client: Client, eu: Cluster, viewer: User) -> None:
    measure(eu, 10.0)
    client.force_login(viewer)
    seen = stamp(client)

    def again() -> Any:
        return client.get(f"{URL}?seen={seen}", headers=HTMX)

    assert (again().status_code, again().content) == (204, b"")
    measure(eu, 11.0)
    assert (again().status_code, "11/s" in again().content.decode()) == (200, True)


def test_cells__values_grow_old__no_longer_what_was_seen(client: Client, eu: Cluster, viewer: User) -> None:
    row = measure(eu, 10.0)
    client.force_login(viewer)
    seen = stamp(client)

    with time_machine.travel(row.at + dt.timedelta(minutes=5), tick=False):
        answer = client.get(f"{URL}?seen={seen}", headers=HTMX)

    assert (answer.status_code, "No data since" in answer.content.decode()) == (200, True)


def test_cells__out_of_scope__neither_row_nor_requests(client: Client, eu: Cluster, us: Cluster) -> None:
    measure(eu, 30.0)
    measure(us, 10.0)
    client.force_login(make_person("other", ["viewer"], scope={"cluster": ["us-east"]}))

    assert cells(client) == {"checkout": "10/s"}


def test_list__drawn__asks_once_for_all_of_its_rows(client: Client, eu: Cluster, viewer: User) -> None:
    client.force_login(viewer)

    page = client.get("/services/?sort=-name").content.decode()

    assert page.count('hx-get="/services/signals/?sort=-name"') == 1
    assert page.count('id="rate-') == 2


def test_page__without_htmx__a_table_of_its_own(client: Client, eu: Cluster, viewer: User) -> None:
    measure(eu, 12.0)
    client.force_login(viewer)

    page = client.get(URL).content.decode()

    assert "<h1>Requests of now</h1>" in page
    assert "<b>12/s</b>" in page
    assert "hx-partial" not in page


def test_page__no_rows__says_why_and_leads_on(client: Client, viewer: User) -> None:
    client.force_login(viewer)

    assert "No service is shown" in client.get(URL).content.decode()
