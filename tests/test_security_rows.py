"""docs/security.md: every row of S1 to S25 is either defended by tests that exist, or said to be of a later release."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOC = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| S(\d+) \|(.*)\|$", re.MULTILINE)
NAME = re.compile(r"`(test_\w+)`")
LATER = re.compile(r"^- S(\d+)[ :]", re.MULTILINE)
NUMBERED = re.compile(r"test_s(\d\d)_")


def names_of_tests() -> set[str]:
    """The names of all tests."""
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "tests").rglob("test_*.py"))
    return {node.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def rows() -> dict[int, list[str]]:
    """Row → the tests (or beginnings of their names) that it names."""
    return {int(number): NAME.findall(text) for number, text in ROW.findall(DOC)}


def test_rows__all_of_them__defended_or_said_to_be_later() -> None:
    later = {int(number) for number in LATER.findall(DOC)}

    assert rows().keys() | later == set(range(1, 26))
    assert rows().keys() & later == set()


def test_rows__tests_they_name__exist() -> None:
    known = names_of_tests()

    missing = [
        (number, name)
        for number, names in rows().items()
        for name in names
        if not any(each.startswith(name) for each in known)
    ]
    assert missing == []
    assert [number for number, names in rows().items() if not names] == []


def test_tests__that_carry_a_number__have_their_row() -> None:
    numbers = {int(found[1]) for name in names_of_tests() if (found := NUMBERED.match(name))}

    assert numbers - rows().keys() == set()
