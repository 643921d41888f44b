"""/api/v1/audit/events/"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from zeal import zeal_ignore

from audit.selectors import list_events
from tests.api_client import Api

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.test import Client

    from accounts.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def several_requests() -> Iterator[None]:
    """A test asks several times: not the N+1 that zeal looks for."""
    with zeal_ignore():
        yield


def test_events__auditor__newest_first_and_the_read_is_recorded(client: Client, admin: User, viewer: User) -> None:
    api = Api(client, admin)

    found = api.get("audit/events/?limit=2&outcome=success")

    assert len(found["items"]) == 2
    assert found["items"][0]["seq"] > found["items"][1]["seq"]
    assert "cursor=" in found["next"]
    assert "outcome=success" in found["next"]
    read = list_events(action="audit.log.read").first()
    assert read is not None
    assert (read.actor_name, read.origin) == (admin.username, "api")
    assert len(api.walk("audit/events/?limit=1")) == len(api.get("audit/events/?limit=200")["items"])


def test_event__auditor__as_it_stands_in_the_chain(client: Client, admin: User) -> None:
    found = Api(client, admin).get("audit/events/1/")

    assert found["is_linked"]
    assert found["body"]["action"]
    assert len(found["hash"]) == 64


@pytest.mark.parametrize("at", ["audit/events/", "audit/events/1/"])
def test_events__no_auditor__403(client: Client, viewer: User, at: str) -> None:
    assert "audit.read" in Api(client, viewer).get(at, 403)["detail"]


def test_events__auditor_of_one_environment__403_or_404(client: Client, person: Callable[..., User]) -> None:
    api = Api(client, person("maria", ["auditor"], scope={"environment": ["staging"]}))

    api.get("audit/events/", 403)
    api.get("audit/events/1/", 404)
    api.get("audit/events/999999/", 404)
