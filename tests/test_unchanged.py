"""What a page fetches anew answers 304 to whoever is shown it already, and to nobody else."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from django.urls import reverse
from zeal import zeal_ignore

from accounts.types import ROLES
from clusters.models import Cluster
from meshui.lib import clock
from tests.people import make_person
from tests.test_routes import ROUTES, Place, place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.http import HttpResponse
    from django.test import Client

    from accounts.models import User

pytestmark = [pytest.mark.django_db, pytest.mark.walks]
LIVE = {"HX-Request": "true", "HX-Request-Type": "partial", "HX-Live": "true"}
AT = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=5)
LATE = (
    "traffic:fleet-signals", "traffic:service-signals", "traffic:change-signals", "traffic:fleet-attention",
    "traffic:fleet-counts", "traffic:fleet-moving", "traffic:fleet-activity", "traffic:inbox-card",
)  # fmt: skip


class _Frozen(dt.datetime):
    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> Any:
        """Always the same: `3 s ago` is another word a second later."""
        return AT.astimezone(tz)


@pytest.fixture(autouse=True)
def _one_moment(repeated_queries: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The clock of pages stands still; zeal looks for no loop over many requests."""
    monkeypatch.setattr(clock, "dt", SimpleNamespace(datetime=_Frozen, timedelta=dt.timedelta, UTC=dt.UTC))
    with zeal_ignore():
        yield


@pytest.fixture
def ours(author: User) -> Place:
    """One of each thing that has a page."""
    return place("eu-west", author)


def fetched(client: Client, url: str, etag: str = "") -> HttpResponse:
    """As static/live.js fetches it."""
    answer: Any = client.get(url, headers=LIVE | ({"If-None-Match": etag} if etag else {}))
    return answer  # type: ignore[no-any-return]  # a test client's answer


def test_fragments__every_url_fetched_anew_while_nothing_moved__304(client: Client, ours: Place) -> None:
    client.force_login(make_person("maria", sorted(ROLES)))
    asked: dict[str, int] = {}

    for name in sorted(ROUTES):
        first = fetched(client, ours.url(name))
        if first.status_code == 200 and "ETag" in first:
            again = fetched(client, ours.url(name), first["ETag"])
            asked[name] = again.status_code
            assert again.status_code != 304 or (again.content, again["ETag"]) == (b"", first["ETag"]), name

    assert set(LATE) <= set(asked)
    assert {name: status for name, status in asked.items() if status != 304} == {}


def test_fragment__something_moved__shown_anew(client: Client, ours: Place) -> None:
    client.force_login(make_person("maria", ["viewer"]))
    url = reverse("traffic:fleet-attention")
    first = fetched(client, url)
    Cluster.objects.filter(slug=ours.slug).update(health="unreachable", health_reason="timed out")

    again = fetched(client, url, first["ETag"])

    assert (again.status_code, again["ETag"] == first["ETag"]) == (200, False)
    assert "timed out" in again.content.decode()


def test_fragment__etag_of_somebody_who_sees_more__own_answer(client: Client, ours: Place) -> None:
    url = reverse("traffic:fleet-counts")
    client.force_login(make_person("maria", ["viewer"]))
    theirs = fetched(client, url)["ETag"]
    client.force_login(make_person("noah", ["viewer"], scope={"cluster": ["us-east"]}))

    assert fetched(client, url, theirs).status_code == 200


def test_page__asked_for_by_a_person__has_no_etag(client: Client, ours: Place) -> None:
    client.force_login(make_person("maria", ["viewer"]))

    assert "ETag" not in client.get("/")
    assert "ETag" not in client.get("/", headers={"HX-Request": "true", "HX-Request-Type": "partial"})
