"""The one clock: `now()` for pages, `db_now()` for leases, TTLs and events.

Leases and TTLs never use a worker's clock: two workers may disagree by minutes (change-control: failure row 32).
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.db.models import DateTimeField, Func

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.models.sql.compiler import SQLCompiler

UTC = dt.UTC
_offset = dt.timedelta()


def now() -> dt.datetime:
    """The time, aware, UTC."""
    return dt.datetime.now(UTC) + _offset


def shift_for_tests(delta: dt.timedelta) -> None:
    """Move both clocks by `delta`; tests alone call this and set it back to zero."""
    global _offset  # noqa: PLW0603 - one process, one clock
    _offset = delta


class _DbNow(Func):
    """The database's clock at the time the statement runs, plus seconds."""

    output_field = DateTimeField()

    def __init__(self, seconds: float = 0.0) -> None:
        super().__init__()
        self.seconds = seconds

    def as_sql(  # type: ignore[override]  # the vendor methods differ in arguments only
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **_: Any
    ) -> tuple[str, list[Any]]:
        total = self.seconds + _offset.total_seconds()
        if connection.vendor == "sqlite":
            # Django stores text with six digits; strftime has three.
            return "(STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'now', %s) || '000')", [f"{total:+.3f} seconds"]
        return "(clock_timestamp() + %s * interval '1 second')", [total]


def db_now(*, plus: float = 0.0) -> Func:
    """SQL for the database's time `plus` seconds, for filters and updates (PostgreSQL µs, SQLite ms)."""
    return _DbNow(plus)


def read_db_now() -> dt.datetime:
    """The database's time as a value. One query."""
    sql = "SELECT clock_timestamp()"
    if connection.vendor == "sqlite":
        sql = "SELECT STRFTIME('%Y-%m-%d %H:%M:%f', 'now')"
    with connection.cursor() as cursor:
        cursor.execute(sql)
        value = cursor.fetchone()[0]
    if isinstance(value, str):
        value = dt.datetime.fromisoformat(value).replace(tzinfo=UTC)
    moment: dt.datetime = value
    return moment + _offset


def to_text(moment: dt.datetime) -> str:
    """`YYYY-MM-DDTHH:MM:SS.ffffffZ`: the one form of times in events and digests."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
