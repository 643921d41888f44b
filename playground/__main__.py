"""`python -m playground` (`make demo`): MeshUI with three emulated clusters, people and changes in it, in one process.

Each start is new: the emulated clusters live in memory, so their database lives no longer than they do.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import signal
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

import django

from meshui import server
from meshui.lib.errors import UnavailableError
from meshui.lib.onlyone import only_process_on

if TYPE_CHECKING:
    from collections.abc import Callable

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
    parser.add_argument("--no-traffic", action="store_true", help="without Envoy, upstreams and load")
    parser.add_argument("--again", type=int, default=-1, help=argparse.SUPPRESS)  # a pipe: what a reset keeps
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


class Kept(NamedTuple):
    """What stays as it was when the demo begins anew: passwords, and where its page is."""

    passwords: dict[str, str] = {}
    page_port: int = 0
    page_token: str = ""


def read_kept(pipe: int) -> Kept:
    """What the demo before this one wrote into `pipe`; nothing if there was none (-1)."""
    if pipe < 0:
        return Kept()
    with os.fdopen(pipe, encoding="utf-8") as file:
        return Kept(**json.load(file))


def begin_anew(options: argparse.Namespace, port: int, kept: Kept) -> NoReturn:
    """Put a new demo in the place of this process, which has ended all that it began."""
    reader, writer = os.pipe()
    with os.fdopen(writer, "w", encoding="utf-8") as file:
        json.dump(kept._asdict(), file)
    os.set_inheritable(reader, True)  # noqa: FBT003 - it has no name
    command = [sys.executable, "-m", "playground", "--port", str(port), "--data-dir", str(options.data_dir)]
    command += ["--no-traffic"] if options.no_traffic else []
    os.execv(sys.executable, [*command, "--again", str(reader)])  # noqa: S606 - our own program


def main(arguments: list[str]) -> int:
    """The exit code: 0 after Ctrl-C or SIGTERM, 1 if it could not start (the reason is printed)."""
    options = options_of(arguments)
    server.leave_on_sigterm()
    try:
        run(options)
    except UnavailableError as error:
        print(f"The demo cannot start. {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


def run(options: argparse.Namespace) -> None:
    """Fill and serve until somebody ends it; begin anew if the page asked for that."""
    kept, asked = read_kept(options.again), threading.Event()
    port = options.port
    try:
        with ExitStack() as begun:
            take_folder(begun, options.data_dir)
            listening = begun.enter_context(server.listen("127.0.0.1", port, or_any=True))
            port = int(listening.getsockname()[1])
            set_environment(options.data_dir, server.address(listening))
            django.setup()
            logging.captureWarnings(capture=True)
            print("Starting three emulated clusters ...", flush=True)
            kept = fill_and_say(begun, options, kept, server.address(listening), reset_by(asked))
            server.serve(listening)
    except SystemExit:
        if not asked.is_set():
            raise
    if asked.is_set():
        begin_anew(options, port, kept)


def reset_by(asked: threading.Event) -> Callable[[], None]:
    """What the page's button does: remember that it was asked, and end the demo as SIGTERM does."""

    def reset() -> None:
        asked.set()
        os.kill(os.getpid(), signal.SIGTERM)

    return reset


def fill_and_say(
    begun: ExitStack, options: argparse.Namespace, kept: Kept, url: str, reset: Callable[[], None]
) -> Kept:
    """Clusters, traffic, people, changes and the page; then say where it is. What a reset keeps."""
    from playground.seed import fill, people, welcome  # noqa: PLC0415 - models: only once Django is set up
    from playground.traffic.page import DemoPage, Place  # noqa: PLC0415
    from playground.traffic.story import DemoTraffic  # noqa: PLC0415

    traffic = DemoTraffic(begun, is_wanted=not options.no_traffic)
    made = people(kept.passwords)
    fill(begun, made, traffic.attach)
    page = begun.enter_context(DemoPage(traffic, reset, Place(kept.page_port, kept.page_token)))
    said = f"Traffic is real; make a version slow, or reset the demo: {page.url}"
    if traffic.missing:
        said = f"No traffic: {traffic.missing}. Reset the demo: {page.url}"
    print(welcome(url, made, said), flush=True)
    return Kept({person.username: person.password for person in made}, page.place.port, page.token)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
