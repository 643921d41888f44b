"""S8: what stands in a URL never becomes SQL: words are looked up in maps, everything else is a parameter."""

from __future__ import annotations

import base64
import json
import re
from contextlib import contextmanager
from itertools import islice, product
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import pytest
from django.db import connection
from zeal import zeal_ignore

from accounts.types import ROLES
from meshui.rest.views import ApiListView
from meshui.ui.views import ObjectListView
from tests.people import make_person
from tests.test_routes import ROUTES, place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.test import Client

    from accounts.models import User
    from tests.test_routes import Place

pytestmark = [pytest.mark.django_db, pytest.mark.walks]
MARK = "zq7"
"""Stands in every hostile value, and must never stand in SQL."""
NAMES = re.compile(r'"(\w+)"|\b([a-z_]+)\(', re.IGNORECASE)
SAVEPOINT = re.compile(r'SAVEPOINT "\w+"')
FOREIGN: tuple[str, ...] = (
    "order",
    "order_by",
    "ordering",
    "fields",
    "filter",
    "page",
    "page_size",
    "offset",
    "format",
    "_connector",
)
FOREIGN += ("pk__in", "id", "author__password", "password__startswith", "state__in", "_negated", "search", "include")
BENIGN = {
    "sort": "name",
    "rows": "25",
    "limit": "5",
    "q": "a",
    "change": "1",
    "split": "now",
    "mine": "1",
    "show": "odd",
}
STEMS = (
    "author__password", "pk", "name", "created_at", "cluster__credential__ciphertext", "user__password__startswith",
    "_connector", "__class__", "slug.name", '"clusters_cluster"."slug"', "id) UNION SELECT password FROM a--",
    "name;DROP TABLE audit_event", "CASE WHEN 1=1 THEN name ELSE slug END", "1=1", "random()", "pg_sleep(10)",
    "state' OR '1'='1", "%s", "%(name)s", "{0.__class__}", "${jndi:x}", "*", "?", "\\", "'", '"', "`", "[]", "(((",
    "a+)+$", "\0", "\x1b[2J", "\u202e", "\ufeff", "\uff0d\uff50\uff4b", "\u0661", "9" * 30, "-1", "1e400", "NaN",
    "0x10", "true", "null", "None", "../../etc/passwd", "javascript:alert(1)", "<script>alert(1)</script>", "x" * 3000,
)  # fmt: skip
SHAPES = (
    "{0}{1}",
    "-{0}{1}",
    "{1}__{0}",
    "{0}__{1}__icontains",
    "+{0} {1}",
    "{1},{0}",
    "?{0}.{1}",
    "{0}\n{1}",
    "--{0}{1}",
    "{1}/{0}",
    "{1}",
)
VALUES = tuple(islice(dict.fromkeys(shape.format(stem, MARK) for stem, shape in product(STEMS, SHAPES)), 460))
IN_CURSORS: tuple[Any, ...] = (
    MARK, f"{MARK}' OR 1=1--", "\0" + MARK, "\ud800", 10**40, -(10**20), 1e308, True, None, [], {"pk": 1}, "1e9999",
    "9999-99-99", "now()", "0001-01-01T00:00:00+23:59",
)  # fmt: skip
CURSORS = tuple(
    base64.urlsafe_b64encode(json.dumps([each] * count).encode()).decode().rstrip("=")
    for count, each in product((1, 2, 3), IN_CURSORS)
)


@pytest.fixture(autouse=True)
def several_requests() -> Iterator[None]:
    """A test asks again and again: not the N+1 that zeal looks for."""
    with zeal_ignore():
        yield


@pytest.fixture
def ours(author: User) -> Place:
    """A cluster with a mesh, a route and a change."""
    return place("eu-west", author)


@pytest.fixture
def reader(client: Client) -> Client:
    """Somebody with every role."""
    client.force_login(make_person("maria", sorted(ROLES)))
    return client


@contextmanager
def statements() -> Iterator[set[str]]:
    """The texts of the statements of the block, without their parameters."""
    found: set[str] = set()

    def note(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001 - Django's
        found.add(SAVEPOINT.sub("", sql))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield found


def words_of(statements: set[str]) -> set[str]:
    """Every table, column, alias and function that they name."""
    return {first or second.upper() for sql in statements for first, second in NAMES.findall(sql)}


def lists() -> Iterator[tuple[str, Any]]:
    """Every list, of pages and of the API."""
    for name, pattern in ROUTES.items():
        view = getattr(pattern.callback, "view_class", None)
        if isinstance(view, type) and issubclass(view, ObjectListView | ApiListView):
            yield name, view


LISTS = dict(lists())


def parameters_of(view: Any) -> list[str]:
    """What its URL may hold."""
    made = view.filterset_class
    own = ["cursor", "limit"] if issubclass(view, ApiListView) else ["sort", "after", "rows", "reads"]
    return own + ([] if made is None else list(made.base_filters))


def benign_queries(view: Any) -> Iterator[dict[str, str]]:
    """Every sort both ways, behind a cursor too; every filter with something it takes, and with what finds nothing."""
    yield {}
    for name in parameters_of(view):
        yield {name: BENIGN.get(name, "a")}
        yield {name: "like-none-of-them"}
    for name, made in ({} if view.filterset_class is None else view.filterset_class.base_filters).items():
        given = made.extra.get("choices") or ()
        for value, _ in given() if callable(given) else given:
            yield {name: str(value)}
    orders = {"": view.order} if issubclass(view, ApiListView) else view.sorts
    for sort, columns in orders.items():
        keys = tuple(columns) if columns[-1].lstrip("-") == "pk" else (*columns, "pk")
        for start in ("2026-11-26T00:00:00+00:00", "a", "1", str(NOWHERE)):
            after = base64.urlsafe_b64encode(json.dumps([start] * len(keys)).encode()).decode()
            yield from ({"sort": sign + sort, "after": after, "cursor": after} for sign in ("", "-"))


NOWHERE = "00000000-0000-0000-0000-000000000007"


def hostile_queries(view: Any) -> Iterator[dict[str, str]]:
    """All 500 values; on a page each parameter has another one, the API, which stops at the first, gets one each."""
    names = [*parameters_of(view), *FOREIGN]
    step = 1 if issubclass(view, ApiListView) else len(names)
    for start in range(0, len(VALUES), step):
        spread = {names[(start + n) % len(names)]: VALUES[(start + n) % len(VALUES)] for n in range(step)}
        yield spread
    for cursor in CURSORS:
        yield {"cursor": cursor} if issubclass(view, ApiListView) else {"after": cursor, "sort": "-name"}


def test_s08_values__count__is_five_hundred() -> None:
    assert len(VALUES) + len(CURSORS) >= 500
    assert len(set(VALUES)) == len(VALUES)
    assert len(LISTS) >= 10


@pytest.mark.parametrize("name", LISTS)
def test_s08_filter__hostile_value__no_query(reader: Client, ours: Place, name: str) -> None:
    view, at = LISTS[name], ours.url(name)
    known = {"cursor", "limit"} | set(parameters_of(view))
    with statements() as benign:
        for query in benign_queries(view):
            asked = {key: value for key, value in query.items() if key in known} if name.startswith("api:") else query
            assert reader.get(at, asked).status_code in {200, 400}, query

    failed = []
    with statements() as hostile:
        for query in hostile_queries(view):
            answer: Any = reader.get(f"{at}?{urlencode(query, errors='surrogatepass')}")
            if answer.status_code not in {200, 400}:
                failed.append((query, answer.status_code))

    assert failed == []
    assert [sql for sql in hostile if MARK in sql] == []
    assert words_of(hostile) - words_of(benign) == set()


def test_s08_pages__hostile_value__never_fails(reader: Client, ours: Place) -> None:
    names = (
        "seen",
        "view",
        "route",
        "of",
        "version",
        "tab",
        "only",
        "before",
        "next",
        "q",
        "sort",
        "after",
        "rows",
        "env",
        *FOREIGN,
    )
    failed = []
    others = sorted(ROUTES.keys() - LISTS.keys() - {"account_login"})

    with statements() as sent:
        for start, value in enumerate(VALUES[::3]):
            name = others[start % len(others)]
            query = urlencode(dict.fromkeys(names, value), errors="surrogatepass")
            answer: Any = reader.get(f"{ours.url(name)}?{query}")
            failed += [(name, value, answer.status_code)] if answer.status_code >= 500 else []

    assert failed == []
    assert [sql for sql in sent if MARK in sql] == []


def test_s08_path__hostile_value__404_without_sql_of_it(reader: Client, ours: Place) -> None:
    failed = []
    texts = sorted(
        name for name, pattern in ROUTES.items() if {"name", "slug", "token"} & set(pattern.pattern.converters)
    )

    with statements() as sent:
        for start, value in enumerate(VALUES[::2]):
            name = texts[start % len(texts)]
            at = ours.url(name)
            for own in ("checkout", "no-such-token", ours.slug):
                at = at.replace(f"/{own}/", f"/{quote(value, safe='', errors='surrogatepass')[:1000]}/")
            answer: Any = reader.get(at)
            failed += [(name, value, answer.status_code)] if answer.status_code >= 500 else []

    assert failed == []
    assert [sql for sql in sent if MARK in sql] == []
