"""/api/v1/me/"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from zeal import zeal_ignore

from tests.api_client import Api

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test import Client

    from accounts.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def several_requests() -> Iterator[None]:
    """To sign in and to ask are two requests: not the N+1 that zeal looks for."""
    with zeal_ignore():
        yield


def test_me__approver__name_time_zone_and_verbs(client: Client, approver: User) -> None:
    assert Api(client, approver).get("me/") == {
        "username": "approver",
        "display_name": "Approver",
        "time_zone": "UTC",
        "verbs": ["change.vote", "inventory.read"],
        "token": None,
    }


def test_me__nobody_gave_anything__no_verbs(client: Client, stranger: User) -> None:
    assert Api(client, stranger).get("me/")["verbs"] == []
