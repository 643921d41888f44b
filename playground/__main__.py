"""`python -m playground` (`make demo`): MeshUI with three emulated clusters, people and changes in it, in one process.

Each start is new: the emulated clusters live in memory, so their database lives no longer than they do.
"""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import sys
from contextlib import ExitStack
from pathlib import Path

import django

from meshui import server
from meshui.lib.errors import UnavailableError
from meshui.lib.onlyone import only_process_on

PORT = 8080


def default_folder() -> Path:
    """Where the demo keeps its database while it runs: in the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "meshui" / "demo"


def options_of(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m playground", description="MeshUI with something in it.")
    parser.add_argument("--port", type=int, default=PORT, help="preferred port (default: %(default)s)")
    parser.add_argument("--data-dir", type=Path, default=default_folder(), help="default: %(default)s")
    return parser.parse_args(arguments)


def take_folder(begun: ExitStack, folder: Path) -> None:
    """Hold `folder` for this process, empty now and gone afterwards.

    Raises UnavailableError if another demo has it, or if it holds what no demo put there.
    """
    database = folder / "meshui.sqlite3"
    if folder.exists() and any(folder.iterdir()) and not database.with_name(f"{database.name}.lock").exists():
        raise UnavailableError(f"{folder} is not empty and not of a demo.", mend="Choose another --data-dir.")
    begun.enter_context(only_process_on(database))
    for path in folder.iterdir():
        if path.suffix != ".lock":
            path.unlink() if path.is_file() else shutil.rmtree(path)
    begun.callback(shutil.rmtree, folder, ignore_errors=True)


def set_environment(folder: Path, url: str) -> None:
    """The settings of the demo; those of the shell do not count."""
    for name in [name for name in os.environ if name.startswith("MESHUI_")]:
        del os.environ[name]
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "meshui.settings",
        "MESHUI_DATA_DIR": str(folder),
        "MESHUI_SITE_URL": url,
        "MESHUI_ALLOW_LOOPBACK": "1",
    }


def main(arguments: list[str]) -> int:
    """The exit code: 0 after Ctrl-C or SIGTERM, 1 if it could not start (the reason is printed)."""
    options = options_of(arguments)
    server.leave_on_sigterm()
    try:
        with ExitStack() as begun:
            take_folder(begun, options.data_dir)
            listening = begun.enter_context(server.listen("127.0.0.1", options.port, or_any=True))
            set_environment(options.data_dir, server.address(listening))
            django.setup()
            from playground.seed import fill, welcome  # noqa: PLC0415 - models: only once Django is set up

            logging.captureWarnings(capture=True)
            print("Starting three emulated clusters ...", flush=True)
            print(welcome(server.address(listening), fill(begun)), flush=True)
            server.serve(listening)
    except UnavailableError as error:
        print(f"The demo cannot start. {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
