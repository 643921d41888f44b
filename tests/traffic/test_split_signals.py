"""What is measured beside the sliders of the split form: of which backends, in which cluster, and what is missing."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest

from meshui.lib.errors import MissingError
from tests.people import make_person
from tests.traffic.factories import checkout_route, make_cluster, make_route
from tests.traffic.measuring import V1, V2, draw, measure
from traffic.measures import SplitNow, split_now

if TYPE_CHECKING:
    from django.test import Client

    from accounts.models import User
    from clusters.models import Cluster

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_by_one", "mid_minute")]
FORM = "/services/eu-west/shop/checkout/split/"
URL = f"{FORM}signals/?{urlencode({'at': 'eu-west', 'rows': 'r0-', 'key': [V1, V2]}, doseq=True)}"
HTMX = {"HX-Request": "true", "HX-Request-Type": "partial"}


def found(user: User, *keys: str) -> SplitNow:
    return split_now(user, "eu-west", ("shop", "checkout"), "eu-west", keys or (V1, V2))


def words(client: Client, number: int) -> str:
    """What stands beside the slider at this place."""
    page = client.get(URL, headers=HTMX).content.decode()
    cell = re.search(rf'hx-target="#seen-r0-weight-{number}"[^>]*>(.*?)</hx-partial>', page, re.DOTALL)
    assert cell
    return " ".join(re.sub(r"<[^>]+>", " ", html.unescape(cell.group(1))).split())


def test_split_now__measured__shares_in_the_order_of_the_form(eu: Cluster, viewer: User) -> None:
    measure(eu, 80.0, V1)
    draw(measure(eu, 20.0, V2), [10.0, 20.0])

    assert [each.share_bp for each in found(viewer, V2, V1).backends] == [2000, 8000]
    assert found(viewer).backends[1].line[-2:] == (10.0, 20.0)


def test_split_now__one_backend_never_got_a_request__zero_share_but_no_reading(eu: Cluster, viewer: User) -> None:
    measure(eu, 80.0, V1)

    first, second = found(viewer).backends

    assert (first.share_bp, second.share_bp, second.reading) == (10_000, 0, None)


def test_split_now__old_values__no_share_at_all(eu: Cluster, viewer: User) -> None:
    measure(eu, 80.0, V1, age=600.0)

    assert [each.share_bp for each in found(viewer).backends] == [None, None]
    assert found(viewer).shares == []


def test_split_now__several_clusters__rate_of_those_that_are_live(eu: Cluster, viewer: User) -> None:
    us, ap = make_cluster("us-east"), make_cluster("ap-south")
    for cluster in (us, ap):
        make_route(cluster)
    measure(eu, 30.0)
    measure(us, 10.0)
    measure(ap, 5.0, age=600.0)

    assert found(viewer).rates == {"eu-west": 30.0, "us-east": 10.0}


def test_split_now__out_of_scope__as_if_it_were_not_there(eu: Cluster) -> None:
    with pytest.raises(MissingError):
        found(make_person("other", ["viewer"], scope={"cluster": ["us-east"]}))


def test_cells__live__three_numbers_with_their_names(client: Client, eu: Cluster, viewer: User) -> None:
    measure(eu, 100.0)
    measure(eu, 90.0, V1, success=0.995, p99_ms=156.0)
    client.force_login(viewer)

    assert words(client, 0) == "90 req/s 99.50\u202f% success 156\u202fms p99".replace("\u202f", " ")
    assert words(client, 1) == "not measured"


def test_cells__old__since_when(client: Client, eu: Cluster, viewer: User) -> None:
    measure(eu, 90.0, V1, age=600.0)
    client.force_login(viewer)

    assert words(client, 0).startswith("No data since 10 min ago")


def test_cells__nothing_measured__says_why_and_draws_no_bar(client: Client, eu: Cluster, viewer: User) -> None:
    client.force_login(viewer)

    page = client.get(URL, headers=HTMX).content.decode()

    assert "Not measured in eu-west." in page
    assert "sbar" not in page


def test_cells__measured__bar_and_as_of_when(client: Client, eu: Cluster, viewer: User) -> None:
    measure(eu, 100.0)
    measure(eu, 90.0, V1)
    measure(eu, 10.0, V2)
    client.force_login(viewer)

    page = client.get(URL, headers=HTMX).content.decode()

    assert 'width="90.00%"' in page
    assert "Measured in eu-west, 2 of 2 proxies, as of" in page
    assert 'data-topic="metric-eu-west"' in page


@pytest.mark.parametrize("query", ["", "?at=eu-west", "?at=eu-west&rows=%22%3E&key=x", "?at=eu-west&key=%00"])
def test_cells__query_is_nonsense__answered_all_the_same(client: Client, eu: Cluster, viewer: User, query: str) -> None:
    client.force_login(viewer)

    answer = client.get(f"{FORM}signals/{query}", headers=HTMX)

    assert answer.status_code == 200
    assert '"#">' not in answer.content.decode()


def test_form__rule_for_all__asks_for_its_backends_once(client: Client, eu: Cluster, author: User) -> None:
    client.force_login(author)

    page = html.unescape(client.get(FORM).content.decode())

    assert page.count(f'hx-get="{URL}"') == 1
    assert page.count('class="mx"') == 2


def test_form__rule_before_the_last__has_no_numbers_of_its_own(client: Client, author: User) -> None:
    cluster = make_cluster()
    whole, chosen = checkout_route(), checkout_route(5000, 5000, rule="chosen").rules[0]
    make_route(cluster, type(whole)(whole.root, (chosen, *whole.rules)))
    client.force_login(author)

    page = client.get(FORM).content.decode()

    assert 'id="seen-r0-weight-0"' not in page
    assert 'id="seen-r1-weight-0"' in page


def test_form__places__only_those_that_share_alike_are_summed(client: Client, eu: Cluster, author: User) -> None:
    make_route(make_cluster("us-east"), checkout_route(9000, 1000))
    make_route(make_cluster("ap-south"), checkout_route(5000, 5000))
    client.force_login(author)

    page = client.get(FORM).content.decode()

    assert re.findall(r'data-cluster="([\w-]+)"\s+data-alike', page) == ["eu-west", "us-east"]
