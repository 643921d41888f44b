"""The small site of these tests and who signs in to it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.conf import settings as django_settings
from zeal import zeal_ignore

from tests.people import make_person

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test import Client
    from pytest_django.fixtures import Settings

PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial", "HX-Current-URL": "http://testserver/people/?q=a"}


@pytest.fixture
def site(settings: Settings) -> Iterator[None]:
    """tests/ui/site.py is the URL conf; its templates are found. A test asks several times: not the N+1 of zeal."""
    settings.ROOT_URLCONF = "tests.ui.site"
    templates = copy.deepcopy(django_settings.TEMPLATES)
    templates[0]["DIRS"].append(Path(__file__).parent / "templates")
    settings.TEMPLATES = templates
    with zeal_ignore():
        yield


@pytest.fixture
def admin_client(site: None, db: None, client: Client) -> Client:
    """Signed in as the admin, who may see and manage everybody."""
    client.force_login(make_person("admin"))
    return client


@pytest.fixture
def stranger_client(site: None, db: None, client: Client) -> Client:
    """Signed in as somebody without any grant."""
    client.force_login(make_person("stranger"))
    return client
