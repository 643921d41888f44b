"""`python -m bench sync`, `pages` or `live`: what is measured, on an embedded MeshUI in a folder of its own."""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path


def main() -> None:
    """Set the environment before Django reads it, then measure."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("what", choices=["sync", "pages", "live"])
    parser.add_argument("--objects", type=int, default=5000, help="how many native objects the cluster holds")
    parser.add_argument("--streams", type=int, default=1000, help="how many readers of live data there are")
    chosen = parser.parse_args()
    if chosen.what == "pages":
        from bench.pages import measure as measure_pages  # noqa: PLC0415 - each measurement loads only its own

        measure_pages()
        return
    with tempfile.TemporaryDirectory(prefix="meshui-bench-") as folder:
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "meshui.settings",
            "MESHUI_DATA_DIR": str(Path(folder)),
            "MESHUI_ALLOW_LOOPBACK": "1",
        }
        import django  # noqa: PLC0415 - after the environment is set

        django.setup()
        if chosen.what == "live":
            from bench.live import measure as measure_streams  # noqa: PLC0415 - as above

            measure_streams(chosen.streams)
            return
        from bench.sync import measure  # noqa: PLC0415 - as above

        measure(chosen.objects)


if __name__ == "__main__":
    main()
