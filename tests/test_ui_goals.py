"""docs/ui-goals.md: each of the 19 goals names tests that exist; what of it no test tells has its reason."""

from __future__ import annotations

import re
from pathlib import Path

from tests.test_security_rows import names_of_tests

DOC = (Path(__file__).resolve().parent.parent / "docs" / "ui-goals.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (\d+) \|(.*)\|$", re.MULTILINE)
NAME = re.compile(r"`(test_\w+)`")
NOT_TOLD = re.compile(r"^- (\d+): \S.{20,}", re.MULTILINE)
NUMBERED = re.compile(r"test_goal_(\d\d)_")
GOALS = set(range(1, 20))


def rows() -> dict[int, list[str]]:
    """Goal → the tests (or beginnings of their names) that it names."""
    return {int(number): NAME.findall(text) for number, text in ROW.findall(DOC)}


def test_goals__all_of_them__have_tests() -> None:
    assert rows().keys() == GOALS
    assert [goal for goal, names in rows().items() if not names] == []


def test_goals__tests_they_name__exist() -> None:
    known = names_of_tests()

    missing = [(goal, name) for goal, names in rows().items() for name in names if not name_of(name, known)]
    assert missing == []


def name_of(name: str, known: set[str]) -> bool:
    """Whether it is a test, or the beginning of one up to its subject."""
    return name in known or (name.endswith("_") and any(each.startswith(name) for each in known))


def test_goals__what_no_test_tells__is_of_a_goal_and_has_its_reason() -> None:
    told = [int(number) for number in NOT_TOLD.findall(DOC)]

    assert told
    assert set(told) <= GOALS


def test_tests__that_carry_the_number_of_a_goal__are_named_by_it() -> None:
    found = rows()
    numbered = [(int(match[1]), name) for name in names_of_tests() if (match := NUMBERED.match(name))]

    assert [each for each in numbered if not any(each[1].startswith(name) for name in found[each[0]])] == []
