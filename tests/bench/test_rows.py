"""Each row of the bench, small and once: it runs, and says what it found in lines that a program can read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parent.parent.parent
ALWAYS = {"row", "what", "verdict", "cores", "python", "versions", "load_before", "load_after", "peak_mb", "db"}
MEASURED = ALWAYS | {"ours", "peer", "figure", "goal", "ratio", "medians", "rounds", "noisy", "contenders"}
VERDICTS = {"held", "over", "failed", "told"}
Line = dict[str, Any]


def _run(folder: Path, row: str, *words: str, env: Mapping[str, str] | None = None) -> tuple[int, list[Line], str]:
    """Exit code, lines, and what stood on the screen."""
    out = folder / "lines"
    command = [sys.executable, "-m", "bench", row, "--rounds", "1", "--samples", "2", "--out", str(out), *words]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **(env or {})}, capture_output=True, text=True, timeout=300, check=False
    )
    assert out.exists(), done.stdout + done.stderr
    return done.returncode, [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()], done.stdout


@pytest.mark.walks
@pytest.mark.parametrize(
    ("row", "n", "peers"),
    [
        ("P1", 60, {"urllib3 GET"}),
        ("P2", 100, {"urllib3 GET"}),
        ("P3", 60, {"urllib3 GET + json"}),
        ("P4", 40, {"official client, typed"}),
        ("P6", 200, {"N+1 counts", "Kiali"}),
        ("P7", 500, {"keyset, 50 rows", "OFFSET + count(*), 50 rows"}),
        ("P9", 10, {"", "MeshUI, all CPUs busy"}),
    ],
)
def test_row__small__well_formed_lines(tmp_path: Path, row: str, n: int, peers: set[str]) -> None:
    code, lines, screen = _run(tmp_path, row, "--n", str(n))

    measured = [line for line in lines if line["verdict"] != "skipped"]
    assert {line["row"] for line in lines} == {row}
    assert peers <= {line["peer"] for line in lines}
    assert measured
    for line in lines:
        assert line.keys() >= ALWAYS
        assert f"\n{row} {line['what']}: " in f"\n{screen}"
    for line in measured:
        assert line.keys() >= MEASURED
        assert line["verdict"] in VERDICTS
        ratio = line["ratio"][line["figure"]]
        assert 0 < ratio["min"] <= ratio["median"] <= ratio["max"]
        assert len(line["rounds"]) == 1
        assert line.get("lost", 0) == 0  # P9: what was written was heard of
        assert all(name in line["medians"] for name in (line["ours"], line["peer"]) if name)
    assert bool(code) == any(line["verdict"] in {"over", "failed"} for line in measured)


@pytest.mark.walks
def test_p1__no_kubectl__skipped_in_words_and_not_judged(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    nowhere.mkdir()

    code, lines, screen = _run(tmp_path, "P1", "--n", "40", env={"PATH": str(nowhere)})

    skipped, told = lines
    assert (skipped["peer"], skipped["verdict"]) == ("kubectl", "skipped")
    assert f"kubectl is skipped: {skipped['why']}" in screen
    assert (told["peer"], told["verdict"], code) == ("urllib3 GET", "told", 0)


@pytest.mark.walks
@pytest.mark.parametrize("kind", ["services", "deployments"])
def test_p2__another_kind__held_against_the_server(tmp_path: Path, kind: str) -> None:
    _, lines, _ = _run(tmp_path, "P2", "--n", "200", "--kind", kind)

    ours = lines[-1]["medians"]["MeshUI"]
    assert (lines[-1]["n"], lines[-1]["kind"]) == (200, kind)
    assert ours["requests"] > 2  # names and versions, then what had changed


@pytest.mark.walks
def test_p7__history__each_page_beside_its_goal_and_beside_offset(tmp_path: Path) -> None:
    _, lines, _ = _run(tmp_path, "P7", "--n", "700", "--kind", "history")

    pages = ["first page", "first page by actor", "90 % deep"]
    assert [line["what"] for line in lines[::2]] == [f"history, {page}, 700 events" for page in pages]
    assert [line["goal"] for line in lines[::2]] == [0.3, 0.4, 0.3]
    assert {line["peer"] for line in lines[1::2]} == {"OFFSET + count(*)"}
    assert {line["verdict"] for line in lines[1::2]} == {"told"}
