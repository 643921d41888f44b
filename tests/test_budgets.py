"""Budgets of size, counted from the syntax tree; complexity and parameters are ruff's (C901, PLR0913)."""

from __future__ import annotations

import ast
import gzip
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
MODULE, FUNCTION, TEST_FUNCTION, VIEW, TASK, TEMPLATE, CSS = 400, 40, 60, 15, 10, 150, 15 * 1024
Function = ast.FunctionDef | ast.AsyncFunctionDef


def _files(*patterns: str) -> list[Path]:
    """The project's files by pattern: tracked, or new and not ignored."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    return sorted(ROOT / name for name in names if (ROOT / name).exists())


def _modules() -> Iterator[tuple[str, str]]:
    for path in _files("*.py"):
        if "migrations" not in path.parts:
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


def _functions(tree: ast.AST) -> Iterator[tuple[Function, bool]]:
    """Every function and whether it is a method of a view."""
    for node in ast.walk(tree):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, Function):
                yield child, isinstance(node, ast.ClassDef) and node.name.endswith("View")


def _lines(node: Function) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _is_task(node: Function) -> bool:
    names = (part.func if isinstance(part, ast.Call) else part for part in node.decorator_list)
    return any(isinstance(name, ast.Name) and name.id == "shared_task" for name in names)


def _limit(module: str, node: Function, *, is_view_method: bool) -> int:
    if module.startswith("tests/"):
        return TEST_FUNCTION
    if module.endswith("tasks.py") and _is_task(node):
        return TASK
    if is_view_method and "/views" in module:
        return VIEW
    return FUNCTION


def test_module__length__within_budget() -> None:
    lengths = {module: len(text.splitlines()) for module, text in _modules()}

    assert {module: length for module, length in lengths.items() if length > MODULE} == {}


def test_function__length__within_budget() -> None:
    over = {}
    for module, text in _modules():
        for node, is_view_method in _functions(ast.parse(text)):
            limit = _limit(module, node, is_view_method=is_view_method)
            if _lines(node) > limit:
                over[f"{module}:{node.lineno} {node.name}"] = f"{_lines(node)} lines, {limit} are allowed"

    assert over == {}


def test_template__length__within_budget() -> None:
    lengths = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in _files("*.html")}

    assert {name: length for name, length in lengths.items() if length > TEMPLATE} == {}


def test_css__compressed_size__within_budget() -> None:
    own = [path for path in _files("static/*.css") if "vendor" not in path.parts]

    size = sum(len(gzip.compress(path.read_bytes(), mtime=0)) for path in own)

    assert size <= CSS
