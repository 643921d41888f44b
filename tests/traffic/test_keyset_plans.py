"""The guard of performance.md: the next page is found by an index, however many rows come before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.db import connection, transaction
from django.http import QueryDict
from django.test.utils import CaptureQueriesContext

from meshui.ui.tables import keyset_page
from tests.traffic.factories import make_cluster, make_route, many_changes
from traffic.selectors import list_changes

if TYPE_CHECKING:
    from accounts.models import User

pytestmark = pytest.mark.django_db(transaction=True)


def plan_of(sql: str) -> str:
    """How the database would answer it, if it may not read every row."""
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_bitmapscan = off")
            cursor.execute("SET LOCAL enable_sort = off")
        cursor.execute(f"EXPLAIN {'QUERY PLAN ' if connection.vendor == 'sqlite' else ''}{sql}")
        return "\n".join(" ".join(map(str, row)) for row in cursor.fetchall())


def test_keyset__second_page_of_changes__searched_by_an_index(author: User) -> None:
    made = many_changes(author, make_route(make_cluster()), 30)
    first = keyset_page(list_changes(author), ("-number", "pk"), QueryDict("rows=25"))

    with CaptureQueriesContext(connection) as captured:
        second = keyset_page(list_changes(author), ("-number", "pk"), QueryDict(first.next_query.lstrip("?")))

    (asked,) = [query["sql"] for query in captured if "LIMIT" in query["sql"] and '"number" <' in query["sql"]]
    plan = plan_of(asked)
    assert [change.number for change in second] == sorted((change.number for change in made), reverse=True)[25:]
    searched = "Index Cond: (number <=" if connection.vendor == "postgresql" else "(number<?)"
    assert searched in plan.replace("traffic_change.", ""), plan


def test_keyset__more_rows_than_are_counted__says_so_and_reads_no_further(
    author: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meshui.ui.tables.MOST_COUNTED", 4)
    many_changes(author, make_route(make_cluster()), 30)

    with CaptureQueriesContext(connection) as captured:
        page = keyset_page(list_changes(author), ("-number", "pk"), QueryDict("rows=25"))

    (counted,) = [query["sql"] for query in captured if "COUNT(*) FROM (SELECT" in query["sql"]]
    assert counted.rstrip().endswith("LIMIT 5) subquery")
    assert (page.total, page.is_more, page.total_words) == (4, True, "4+")


def test_keyset__all_on_one_page__nothing_is_counted(author: User) -> None:
    many_changes(author, make_route(make_cluster()), 5)

    with CaptureQueriesContext(connection) as captured:
        page = keyset_page(list_changes(author), ("-number", "pk"), QueryDict())

    assert [query["sql"] for query in captured if "COUNT(*) FROM (SELECT" in query["sql"]] == []
    assert (page.total, page.is_more, page.total_words) == (5, False, "5")
