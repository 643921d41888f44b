"""docs/meshes.md says nothing that no test says: what it names exists, and is of the kind that it claims."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.meshes.golden import ROOT as GOLDEN

ROOT = Path(__file__).resolve().parent.parent.parent
DOC = ROOT / "docs" / "meshes.md"
ROW = re.compile(
    r"^\| (?P<feature>[^|]+) \| (?P<mesh>(?:Istio|Linkerd)[^|]*) \| (?P<kind>[^|]+) \| (?P<names>.+) \|$", re.M
)
TRAP = re.compile(r"^\| (?P<number>\d+) \| [^|]+ \| (?P<names>.+) \|$", re.M)
MATRIX = re.compile(r"(?<=<!-- proved:begin -->\n)(.*?)(?=<!-- proved:end -->)", re.S)
KINDS = ("golden", "property", "unit", "emulator", "real server", "control plane")
FOLDERS = {"Istio, VirtualService": {"istio"}, "Istio, route of a Service": {"gateway"}, "Linkerd": {"linkerd"}}
TRAPS = [*range(1, 16), 22, 23, 24]
"""Those of the reference that touch what is built."""
LAB = ("tests/lab/", "tests/contract/")
PLACES = {"property": ("_properties.py",), "emulator": ("tests/contract/",), "real server": LAB, "control plane": LAB}


def text() -> str:
    """The whole of it."""
    return DOC.read_text(encoding="utf-8")


def proofs() -> list[tuple[str, str, str, list[str]]]:
    """(feature, mesh, kind, names) of every row."""
    return [
        (m["feature"], m["mesh"], m["kind"], named(m["names"]))
        for m in ROW.finditer(text().partition("## What proves it")[2])
    ]


def named(cell: str) -> list[str]:
    """What stands in backticks."""
    return re.findall(r"`([^`]+)`", cell)


def modules_of(name: str) -> list[str]:
    """The test modules that define a test."""
    found = [
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "tests").rglob("test_*.py")
        if re.search(rf"^def {name}\(", path.read_text(encoding="utf-8"), re.M)
    ]
    assert found, f"{name} is named in docs/meshes.md, and no module defines it"
    return found


def matrix() -> str:
    """The first table, from the second: a mark where a kind of proof has at least one name."""
    lines = [f"| Feature | Mesh | {' | '.join(KINDS)} |", f"|{'---|' * (len(KINDS) + 2)}"]
    has = {(feature, mesh, kind) for feature, mesh, kind, _ in proofs()}
    for feature, mesh in dict.fromkeys((feature, mesh) for feature, mesh, _, _ in proofs()):
        marks = ["✓" if (feature, mesh, kind) in has else "" for kind in KINDS]
        lines.append(f"| {feature} | {mesh} | {' | '.join(marks)} |".replace("|  |", "| |").replace("|  |", "| |"))
    return "\n" + "\n".join(lines) + "\n\n"


def test_meshes_doc__first_table__is_made_from_the_second() -> None:
    found = text()
    if os.environ.get("MESHUI_UPDATE_GOLDEN"):
        DOC.write_text(MATRIX.sub(lambda _: matrix(), found), encoding="utf-8")

    (kept,) = MATRIX.findall(text())

    assert kept == matrix()
    assert {kind for _, _, kind, _ in proofs()} == set(KINDS)


@pytest.mark.parametrize(("feature", "mesh", "kind", "names"), proofs(), ids=[" ".join(row[:3]) for row in proofs()])
def test_meshes_doc__proof__exists_and_is_of_its_kind(feature: str, mesh: str, kind: str, names: list[str]) -> None:
    assert feature
    assert names
    for name in names:
        if kind == "golden":
            folder, _, case = name.partition("/")
            assert folder in FOLDERS[mesh]
            assert (GOLDEN / folder / case).is_dir(), name
            continue
        modules = modules_of(name)
        wanted = PLACES.get(kind, ("tests/meshes/",))
        assert any(part in module for module in modules for part in wanted), (name, modules)


def test_meshes_doc__traps__each_has_a_case_or_a_test_that_exists() -> None:
    rows = {int(m["number"]): named(m["names"]) for m in TRAP.finditer(text())}

    assert list(rows) == TRAPS
    for number, names in rows.items():
        assert names, number
        for name in names:
            assert (GOLDEN / name).is_dir() if "/" in name else modules_of(name), name


def test_meshes_doc__is_where_a_newcomer_to_adapters_looks() -> None:
    assert "(meshes.md)" in (ROOT / "docs" / "adding-a-mesh.md").read_text(encoding="utf-8")
