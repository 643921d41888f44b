"""P7: a list page over ten times as many rows, the first page and one behind 90 % of them.

The peer pages by OFFSET and count(*), on the very same page: it has to be over the goal, or the row proves nothing.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

from bench.people import browser, database_version, person, seconds_of_page
from bench.rounds import Contender, Goal, Row, p95, take_turns
from bench.stored import cluster, services
from meshes.models import Service
from meshui.lib.clock import read_db_now
from meshui.ui.tables import KeysetPage, keyset_slice

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from django.db.models import QuerySet
    from django.http import QueryDict

    from bench.rounds import Asked, Figures, Report

N: Final = 100_000
ROWS: Final = 50
DEEP: Final = 0.9
ORDER: Final = ("name", "namespace", "pk")
"""That of the list of a cluster's services."""
PATHS: Final = {"inventory": "/clusters/{slug}/inventory/services/", "services": "/services/"}
"""The list of a cluster, and the list over all that the reader sees, where it is that cluster alone."""
GOAL: Final = Goal("p95", 1.5)
TOLD: Final = Goal("p95")


def offset_page(queryset: QuerySet[Any], order: Sequence[str], params: QueryDict) -> KeysetPage[Any]:
    """The page that `?page=` names: counted, and the rows before it read and thrown away."""
    start = int(params.get("page", "0")) * ROWS
    items = list(queryset.order_by(*order)[start : start + ROWS])
    return KeysetPage(items, queryset.count(), is_first=not start, first_query="", next_query="")


class List:
    """The services of one cluster, for a reader who sees no other."""

    def __init__(self, slug: str, count: int, kind: str, samples: int) -> None:
        self._client = browser(person(f"reader-of-{slug}", "viewer", scope={"cluster": [slug]}))
        self._path, self._count, self._samples = PATHS[kind].format(slug=slug), count, samples
        there = cluster(slug, 0, read_db_now())
        services(there, count)
        self._rows = Service.objects.filter(cluster=there)
        behind = keyset_slice(self._rows.only(*ORDER), ORDER, after="", size=int(count * DEEP))
        self._cursor = behind.cursor

    def page(self, *, is_deep: bool) -> Figures:
        """Of the page as it is, seconds at p95."""
        return self._sampled(f"?after={self._cursor}" if is_deep else "")

    def offset(self, *, is_deep: bool) -> Figures:
        """Of the same page, paged by OFFSET."""
        with patch("meshui.ui.views.keyset_page", offset_page):
            return self._sampled(f"?page={int(self._count * DEEP) // ROWS if is_deep else 0}")

    def _sampled(self, query: str) -> Figures:
        return {"p95": p95(seconds_of_page(self._client, self._path + query) for _ in range(self._samples))}


def measure(asked: Asked, report: Report, _: Path) -> None:
    """Measure P7 and tell of it."""
    many = asked.n or N
    few = many // 10
    kind = asked.kind or "inventory"
    sizes = {"many": many, "few": few}
    lists = {count: List(slug, count, kind, asked.samples) for slug, count in sizes.items()}
    facts = {"n": many, "kind": kind, "db": database_version(), "seed": asked.seed}
    for is_deep in (False, True):
        ways: dict[str, Callable[[List], Figures]] = {
            "keyset": partial(List.page, is_deep=is_deep),
            "OFFSET + count(*)": partial(List.offset, is_deep=is_deep),
        }
        turns = {
            (way, count): Contender(f"{way}, {count} rows", partial(ask, lists[count]))
            for way, ask in ways.items()
            for count in (many, few)
        }
        rounds = take_turns(list(turns.values()), asked.rounds)
        for way in ways:
            where = "90 % deep" if is_deep else "first page"
            row = Row("P7", f"{kind}, {where}, {many} over {few} rows, {way}", facts)
            report.compare(row, rounds, turns[way, many], turns[way, few], GOAL if way == "keyset" else TOLD)
