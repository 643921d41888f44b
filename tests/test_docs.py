"""docs/operations.md names every setting with the default in force, and every refusal."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from meshui import refusals

ROOT = Path(__file__).resolve().parent.parent
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `MESHUI_(\w+)` \| (?:`([^`]*)`)? ?\|", re.MULTILINE)


def _value(node: ast.expr) -> str:
    """The default as it is written in the docs; empty for what is computed."""
    if isinstance(node, ast.BinOp) and isinstance(node.left, ast.Constant) and isinstance(node.right, ast.Constant):
        return f"{int(str(node.left.value)) * int(str(node.right.value))}"
    if not isinstance(node, ast.Constant):
        return ""
    return f"{node.value:g}" if isinstance(node.value, int | float) else str(node.value)


def _settings() -> dict[str, str]:
    """Setting → default, of every call of meshui.lib.env in settings.py."""
    found: dict[str, str] = {}
    for node in ast.walk(ast.parse((ROOT / "meshui" / "settings.py").read_text(encoding="utf-8"))):
        is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if not is_call or not isinstance(node.func.value, ast.Name) or node.func.value.id != "env":
            continue
        if node.args and isinstance(node.args[0], ast.Constant):
            found[node.args[0].value] = _value(node.args[1]) if len(node.args) > 1 else ""
    return found


def test_operations__settings__all_there_with_their_defaults() -> None:
    documented = {name: default or "" for name, default in ROW.findall(OPERATIONS)}

    assert documented == _settings()


def test_operations__refusals__all_there() -> None:
    source = Path(refusals.__file__).read_text(encoding="utf-8")

    assert set(re.findall(r"SYS\d{3}", source)) == set(re.findall(r"^\| (SYS\d{3}) \|", OPERATIONS, re.MULTILINE))
