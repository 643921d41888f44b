"""The one place that runs a command: Graphviz's `dot`, to place the nodes of a graph. It gets no foreign text.

Its process has a group of its own that is killed whole after ten seconds; it reads standard input, loads no image,
and no more than two run at once in a process. Positions are kept by the shape of the graph, without its names; so is
for half a minute that a shape could not be placed, so that a page that is drawn anew does not wait again.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from time import monotonic
from typing import TYPE_CHECKING, Final

from django.core.cache import cache

from meshui.ui.drawn import Picture
from meshui.ui.graphs import GraphError, Layout, LayoutError, dot_source, read_layout

if TYPE_CHECKING:
    from meshui.ui.graphs import Graph

SECONDS: Final = 10
AT_ONCE: Final = 2
MOST_INPUT: Final = 256 * 1024
KEPT_SECONDS: Final = 24 * 3600
FAILED_SECONDS: Final = 30
FAILED: Final = "failed"
_slots = threading.BoundedSemaphore(AT_ONCE)


class DotMissingError(GraphError):
    """Graphviz is not installed."""


class BusyError(LayoutError):
    """Other graphs are being placed: that says nothing of this one."""


def find_dot() -> str | None:
    """The path of `dot`; None: it is not installed."""
    return shutil.which("dot")


def draw(graph: Graph) -> Picture:
    """The graph with positions, from the cache or from Graphviz.

    Raises GraphTooBigError above 150 nodes, DotMissingError without Graphviz, LayoutError where that fails.
    """
    graph.require_size()
    key = f"layout-2-{graph.shape}"
    kept = cache.get(key)
    if kept == FAILED:
        raise LayoutError("this graph could not be placed a moment ago")
    if kept is not None:
        return Picture(graph, Layout.of(graph, kept))
    dot = find_dot()
    if dot is None:
        raise DotMissingError("Graphviz is not installed")
    layout = _placed(dot, graph, key)
    cache.set(key, layout.without_names(graph), KEPT_SECONDS)
    return Picture(graph, layout)


def _placed(dot: str, graph: Graph, key: str) -> Layout:
    try:
        return read_layout(graph, run_dot(dot, dot_source(graph)))
    except BusyError:
        raise
    except LayoutError:
        cache.set(key, FAILED, FAILED_SECONDS)
        raise


def run_dot(dot: str, source: str, *, seconds: float = SECONDS) -> bytes:
    """What `dot -Tjson` answers, within `seconds` in all. Raises LayoutError if it fails or is asked too much."""
    sent = source.encode()
    if len(sent) > MOST_INPUT:
        raise LayoutError(f"the graph takes {len(sent)} bytes, {MOST_INPUT} are allowed")
    until = monotonic() + seconds
    if not _slots.acquire(timeout=seconds):
        raise BusyError("other graphs are being placed; try again")
    try:
        return _run(dot, sent, max(0.1, until - monotonic()))
    finally:
        _slots.release()


def _run(dot: str, sent: bytes, seconds: float) -> bytes:
    # SERVER_NAME is how Graphviz is told that it serves the web: it then opens no file that a graph names.
    surroundings = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "SERVER_NAME": "meshui"}
    try:
        process = subprocess.Popen(  # noqa: S603 - a path that we looked up, no argument from outside, no shell
            [dot, "-Tjson"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=surroundings,
            start_new_session=True,
        )
    except OSError as error:
        raise LayoutError(f"Graphviz could not be started: {error.strerror}") from error
    with process:
        try:
            answer, _ = process.communicate(sent, timeout=seconds)
        except subprocess.TimeoutExpired as error:
            raise LayoutError(f"Graphviz took longer than {seconds:.1f} s") from error
        finally:
            _end(process)
    if process.returncode != 0:
        raise LayoutError(f"Graphviz ended with {process.returncode}")
    return answer


def _end(process: subprocess.Popen[bytes]) -> None:
    """Its whole group, so that nothing that it started is left."""
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
