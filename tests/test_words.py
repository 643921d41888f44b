"""Words that must not stand in the project: paths of one machine, and code that decides where it must not."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TEXT = (
    ".py",
    ".md",
    ".html",
    ".css",
    ".toml",
    ".in",
    ".yaml",
    ".yml",
    ".json",
    ".mod",
    ".txt",
    ".js",
    "Makefile",
    "run",
)
OUTSIDE = ("static/vendor/", "requirements", "tests/test_words.py")
MACHINE_PATHS = re.compile(r"/(?:work|root)/|/home/[a-z]|/Users/|[A-Z]:\\\\Users")
UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b(?! ?\(?#\d)")
NAMELESS = {"utils", "helpers", "common", "manager", "misc"}


def _texts() -> list[tuple[str, str]]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    kept = [name for name in names if name.endswith(TEXT) and not name.startswith(OUTSIDE) and (ROOT / name).is_file()]
    return [(name, (ROOT / name).read_text(encoding="utf-8")) for name in kept]


def _found(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{name}:{number}: {line.strip()[:120]}"
        for name, text in _texts()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def test_text__paths_of_a_machine__absent() -> None:
    assert _found(MACHINE_PATHS) == []


def test_text__unfinished_work_without_an_issue__absent() -> None:
    assert _found(UNFINISHED) == []


def test_modules__names_that_say_nothing__absent() -> None:
    names = [name for name, _ in _texts() if name.endswith(".py") and NAMELESS & {Path(name).stem, *Path(name).parts}]

    assert names == []


@pytest.mark.parametrize(
    ("pattern", "where"),
    [
        (r"\bmark_safe\b", ""),
        (r"\|\s*safe\b", ""),
        (r"\bhas_perm\b", ""),
        (r"\.objects\.raw\(", ""),
        (r"config\.load_(?:kube_config|incluster_config)", ""),
        (r"merge-patch\+json", "clusters/"),
        (r"[\"']force[\"']\s*[:=]\s*(?:[\"']true|True)", "clusters/"),
    ],
)
def test_product__forbidden_call__absent(pattern: str, where: str) -> None:
    product = ("meshui/", "accounts/", "audit/", "clusters/", "meshes/", "metrics/", "traffic/", "templates/")

    found = [hit for hit in _found(re.compile(pattern)) if hit.startswith(where or product)]

    assert found == []
