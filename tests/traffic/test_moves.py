"""State moves in one module, from one table."""

from __future__ import annotations

import ast
from pathlib import Path

from traffic.actions import ACTIONS
from traffic.management.commands.draw_moves import table
from traffic.transitions import MOVES, STEP_MOVES
from traffic.types import STEP_BAD, STEP_GOOD, STEP_OPEN, TERMINAL, State, StepState

ROOT = Path(__file__).resolve().parents[2]
STATE_COLUMNS = {"state", "phase"}
TRAFFIC = sorted((ROOT / "traffic").rglob("*.py"))


def test_moves__every_row__has_a_declared_audit_action() -> None:
    actions = {move.action for move in MOVES} | {action for _, action in STEP_MOVES.values() if action}

    assert actions <= set(ACTIONS)


def test_moves__terminal_state__has_no_way_out() -> None:
    assert not [move for move in MOVES if move.sources & TERMINAL]


def test_moves__every_state__is_reached_and_left() -> None:
    reached = {move.to for move in MOVES} | {State.DRAFT}
    left = {source for move in MOVES for source in move.sources}

    assert reached == set(State)
    assert left == set(State) - TERMINAL


def test_architecture__table_of_moves__is_the_one_in_force() -> None:
    assert table() in (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def test_step_states__each__is_open_good_or_bad() -> None:
    assert set(StepState) == STEP_OPEN | STEP_GOOD | STEP_BAD
    assert not STEP_OPEN & (STEP_GOOD | STEP_BAD)


def test_source__state_assigned_outside_transitions__none() -> None:
    offenders = [
        f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
        for path in TRAFFIC
        if path.name != "transitions.py" and "migrations" not in path.parts and "models" not in path.parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if _assigns_state(node)
    ]

    assert offenders == []


def _assigns_state(node: ast.AST) -> bool:
    if isinstance(node, ast.Assign):
        return any(isinstance(t, ast.Attribute) and t.attr in STATE_COLUMNS for t in node.targets)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "update":
        return any(keyword.arg in STATE_COLUMNS for keyword in node.keywords)
    return False
