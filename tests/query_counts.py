"""The ratchet of query counts: tests/query_counts.json is committed, and a page may only ever need fewer."""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE = Path(__file__).with_name("query_counts.json")
UPDATE = "MESHUI_UPDATE_QUERY_COUNTS"
COUNTED = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")


class QueryCounts:
    """The committed counts, and the one way to hold a block of code to them."""

    def __init__(self, file: Path = FILE) -> None:
        self._file = file

    @contextmanager
    def hold(self, name: str) -> Iterator[None]:
        """Fail if the block sends more statements than are committed for `name`; savepoints and BEGIN do not count."""
        with CaptureQueriesContext(connection) as captured:
            yield
        if complaint := self.complaint(name, captured):
            pytest.fail(complaint)

    def complaint(self, name: str, captured: CaptureQueriesContext) -> str:
        """What is wrong with so many statements; empty for nothing. With UPDATE they become the committed count."""
        sent = [query["sql"] for query in captured.captured_queries if query["sql"].lstrip("( ").startswith(COUNTED)]
        if os.environ.get(UPDATE) == "1":
            self._keep(name, len(sent))
            return ""
        allowed = self._read().get(name)
        if allowed is None:
            return f"{name!r} has no committed query count: run this test with {UPDATE}=1 and commit {self._file.name}"
        if len(sent) > allowed:
            return f"{name!r} sent {len(sent)} queries, {allowed} are allowed:\n" + "\n".join(sent)
        return ""

    def _read(self) -> dict[str, int]:
        counts: dict[str, int] = json.loads(self._file.read_text(encoding="utf-8")) if self._file.exists() else {}
        return counts

    def _keep(self, name: str, count: int) -> None:
        with self._file.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            counts = self._read() | {name: count}
            self._file.write_text(json.dumps(counts, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        self._file.with_suffix(".lock").unlink(missing_ok=True)
