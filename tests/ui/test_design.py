"""/design/ shows every part that pages are made of."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from meshui.ui.statuses import TABLES

if TYPE_CHECKING:
    from django.test import Client

pytestmark = pytest.mark.django_db
PARTS = Path(__file__).resolve().parents[2] / "templates" / "parts"
PAGES = {"parts/bulk_results.html"}
"""A page of its own, made of parts that are shown."""


def test_design__every_part__is_shown(admin_client: Client) -> None:
    response = admin_client.get("/design/?health=")

    drawn = {template.name for template in response.templates}
    parts = {f"parts/{path.name}" for path in PARTS.iterdir()}
    assert parts - drawn == PAGES


def test_design__every_status_and_every_state_of_the_pill__is_shown(admin_client: Client) -> None:
    text = admin_client.get("/design/?health=").content.decode()

    words = {str(look.word) for looks in TABLES.values() for look in looks.values()}
    assert {word for word in words if word not in text} == set()
    for state in ("live", "paused", "reconnecting", "stale", "polling"):
        assert f'data-state="{state}"' in text
