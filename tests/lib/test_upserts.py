"""Rows from plain values: what is stored is what Django would have stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from meshes.models import Service
from meshui.lib.clock import read_db_now
from meshui.lib.ids import new_id
from meshui.lib.upserts import BATCH, insert_rows, upsert_rows
from tests.meshes import rows

if TYPE_CHECKING:
    from clusters.models import Cluster

pytestmark = pytest.mark.django_db
NAMES = tuple(field.name for field in Service._meta.concrete_fields)


def values(where: Cluster, number: int, **more: Any) -> dict[str, Any]:
    """A Service, column by column."""
    return {
        "id": new_id(),
        "content_hash": "a",
        "read_at": read_db_now(),
        "gone_at": None,
        "cluster": where,
        "namespace": "shop",
        "name": f"web-{number}",
        "uid": f"uid-{number}",
        "ports": [{"name": "ü", "port": 80}],
        "selector": {},
        **more,
    }


def test_insert_rows__every_kind_of_field__as_django_reads_it() -> None:
    wanted = values(rows.cluster("eu"), 1, selector=msgspec.Raw(b'{"app":"web"}'), gone_at=read_db_now())

    insert_rows(Service, NAMES, [wanted])

    found = Service.objects.get(pk=wanted["id"])
    assert {name: getattr(found, name) for name in NAMES} == wanted | {"selector": {"app": "web"}}


def test_upsert_rows__one_is_there__it_is_changed_and_the_other_made() -> None:
    where = rows.cluster("eu")
    first, second = values(where, 1), values(where, 2)
    insert_rows(Service, NAMES, [first])

    upsert_rows(Service, NAMES, [first | {"name": "moved", "ports": []}, second])

    assert set(Service.objects.values_list("pk", "name")) == {(first["id"], "moved"), (second["id"], "web-2")}
    assert Service.objects.get(pk=first["id"]).ports == []


def test_upsert_rows__more_than_a_batch__a_statement_for_each_200() -> None:
    where = rows.cluster("eu")

    with CaptureQueriesContext(connection) as captured:
        upsert_rows(Service, NAMES, (values(where, number) for number in range(BATCH + 1)))

    sent = [query["sql"] for query in captured.captured_queries if query["sql"].startswith("INSERT")]
    assert len(sent) == 2
    assert Service.objects.count() == BATCH + 1
