"""What is vendored is what vendor.toml says, and its licence lies beside it."""

from __future__ import annotations

import hashlib
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "static"
FILES = tomllib.loads((STATIC / "vendor" / "vendor.toml").read_text())["file"]
ICON_USE = re.compile(r"""\{% icon ["']([a-z0-9-]+)["']""")


@pytest.mark.parametrize("entry", FILES, ids=[entry["path"] for entry in FILES])
def test_vendored_file__compared_with_the_list__has_the_hash(entry: dict[str, str]) -> None:
    content = (STATIC / entry["path"]).read_bytes()

    assert hashlib.sha256(content).hexdigest() == entry["sha256"]
    assert entry["version"]
    assert entry["licence"]


def test_vendor_folder__every_file__is_in_the_list() -> None:
    listed = {entry["path"] for entry in FILES} | {"vendor/vendor.toml", "vendor/unpack.py"}

    found = {path.relative_to(STATIC).as_posix() for path in (STATIC / "vendor").rglob("*") if path.is_file()}

    assert {path for path in found if "__pycache__" not in path} <= listed


def test_icons__used_in_templates_and_tables__stand_in_the_sprite() -> None:
    sprite = set(re.findall(r'<symbol id="([a-z0-9-]+)"', (STATIC / "icons.svg").read_text()))

    used = {name for path in (ROOT / "templates").rglob("*.html") for name in ICON_USE.findall(path.read_text())}

    assert used <= sprite
