"""`python -m bench P1`: one row of the table of docs/bench.md, beside its peer; or `sync`, `pages`, `inputs`, `live`.

Every one is measured on an embedded MeshUI in a folder of its own. A row that is over its goal ends with exit code 1.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Final

from bench.places import embedded
from bench.rounds import ROUNDS, SAMPLES, Asked, Report

OLDER: Final = ("sync", "pages", "inputs", "live")
ROWS: Final = {
    "P1": "bench.reading",
    "P2": "bench.reading",
    "P3": "bench.reading",
    "P4": "bench.reading",
    "P6": "bench.fleet",
    "P7": "bench.lists",
    "P9": "bench.events",
}
KINDS: Final = {("P7", "history"): "bench.history"}
"""Rows of which one kind is measured in a way of its own."""


def main() -> int:
    """Measure what is asked for; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("what", choices=[*ROWS, *OLDER])
    parser.add_argument("--n", type=int, default=0, help="how many objects, or rows; without it those of the row")
    parser.add_argument(
        "--kind", default="", help="P1 to P4: services, virtualservices, deployments; P7: inventory, services, history"
    )
    parser.add_argument("--server", default="loopback", choices=["loopback"], help="P1 to P4: who answers")
    parser.add_argument("--db", default="sqlite", choices=["sqlite", "postgresql"])
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how many count; one more is thrown away")
    parser.add_argument("--samples", type=int, default=SAMPLES, help="P6, P7: how many pages a turn asks for")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--busy", dest="is_busy", action="store_true", help="P9: also with all CPUs busy")
    parser.add_argument("--out", type=Path, help="a file to append the JSON lines to")
    parser.add_argument("--objects", type=int, default=5000, help="sync: how many native objects the cluster holds")
    parser.add_argument("--streams", type=int, default=1000, help="live: how many readers of live data there are")
    chosen = parser.parse_args()
    if chosen.what in OLDER:
        older(chosen.what, objects=chosen.objects, streams=chosen.streams)
        return 0
    words = {
        name: getattr(chosen, name) for name in ("n", "kind", "server", "db", "rounds", "samples", "seed", "is_busy")
    }
    return run(Asked(chosen.what, **words), chosen.out)


def run(asked: Asked, out: Path | None = None) -> int:
    """Measure one row; 1 if it is over its goal."""
    with embedded(asked.db) as folder:
        report = Report(out)
        import_module(KINDS.get((asked.row, asked.kind), ROWS[asked.row])).measure(asked, report, folder)
    return int(report.is_over)


def older(what: str, *, objects: int, streams: int) -> None:
    """What is measured without a peer or a goal."""
    if what in {"pages", "inputs"}:
        import_module(f"bench.{what}").measure()
        return
    with tempfile.TemporaryDirectory(prefix="meshui-bench-") as folder:
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "meshui.settings",
            "MESHUI_DATA_DIR": str(Path(folder)),
            "MESHUI_ALLOW_LOOPBACK": "1",
        }
        import_module("django").setup()
        if what == "live":
            import_module("bench.live").measure(streams)
        else:
            import_module("bench.sync").measure(objects)


if __name__ == "__main__":
    sys.exit(main())
