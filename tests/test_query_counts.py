"""The ratchet itself: it holds, it names what was sent, and it is rewritten only when asked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from accounts.models import User
from tests.query_counts import UPDATE, QueryCounts

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.django_db


@pytest.fixture
def counts(tmp_path: Path) -> QueryCounts:
    """A ratchet that allows the page two queries."""
    file = tmp_path / "query_counts.json"
    file.write_text(json.dumps({"page": 2}))
    return QueryCounts(file)


def ask(times: int) -> None:
    for _ in range(times):
        User.objects.count()


@pytest.mark.parametrize("times", [0, 1, 2])
def test_hold__as_many_as_allowed_or_fewer__passes(counts: QueryCounts, times: int) -> None:
    with counts.hold("page"):
        ask(times)


def test_hold__one_more__fails_and_shows_them(counts: QueryCounts) -> None:
    with pytest.raises(pytest.fail.Exception, match=r"sent 3 queries, 2 are allowed") as failed, counts.hold("page"):
        ask(3)

    assert str(failed.value).count("SELECT COUNT") == 3


def test_hold__unknown_name__fails_with_the_mend(counts: QueryCounts) -> None:
    with pytest.raises(pytest.fail.Exception, match=f"{UPDATE}=1"), counts.hold("other"):
        ask(1)


def test_hold__asked_to_update__keeps_the_new_count_beside_the_old(
    counts: QueryCounts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(UPDATE, "1")

    with counts.hold("other"):
        ask(5)

    assert json.loads((tmp_path / "query_counts.json").read_text()) == {"other": 5, "page": 2}
