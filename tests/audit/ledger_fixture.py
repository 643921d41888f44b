"""The ledger made anew after tests that commit: its triggers refuse DELETE and TRUNCATE, so tables go and come."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import pytest
from django.db import connection

if TYPE_CHECKING:
    from collections.abc import Iterator


def make_ledger_anew() -> None:
    """Drop what the first migration made and make it again: an empty chain."""
    migration = import_module("audit.migrations.0001_initial")
    with connection.schema_editor() as editor:
        migration.unmake(None, editor)
        migration.make(None, editor)


@pytest.fixture(autouse=True)
def _ledger_anew(request: pytest.FixtureRequest) -> Iterator[None]:
    """After each test with `transaction=True` the chain is empty again; others roll back by themselves."""
    mark = request.node.get_closest_marker("django_db")
    commits = "transactional_db" in request.fixturenames or bool(mark and mark.kwargs.get("transaction"))
    if not commits:
        yield
        return
    request.getfixturevalue("transactional_db")
    yield
    make_ledger_anew()
