"""docs/operations.md names every setting with the default in force, and every refusal."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from django.conf import settings

from meshui import refusals

ROOT = Path(__file__).resolve().parent.parent
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
SECURITY = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
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
        if not (isinstance(node, ast.Call) and ast.unparse(node.func).startswith("env.") and node.args):
            continue
        if isinstance(node.args[0], ast.Constant):
            found[str(node.args[0].value)] = _value(node.args[1]) if len(node.args) > 1 else ""
    return found


def test_operations__settings__all_there_with_their_defaults() -> None:
    documented = {name: default or "" for name, default in ROW.findall(OPERATIONS)}

    assert documented == _settings()


def test_operations__refusals__all_there() -> None:
    source = Path(refusals.__file__).read_text(encoding="utf-8")

    assert set(re.findall(r"SYS\d{3}", source)) == set(re.findall(r"^\| (SYS\d{3}) \|", OPERATIONS, re.MULTILINE))


def test_security__tests_named_in_the_table__exist() -> None:
    tests = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    named = [
        name
        for row in re.findall(r"^\| S\d+ \|.*$", SECURITY, re.MULTILINE)
        for name in re.findall(r"`(test_\w+)`", row)
    ]

    missing = [name for name in named if f"def {name}" not in tests]

    assert named
    assert missing == []


def test_meshes__kinds__all_have_a_row() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "adding-a-mesh.md").read_text(encoding="utf-8"), re.MULTILINE)

    assert rows == sorted(settings.MESH_ADAPTERS)
