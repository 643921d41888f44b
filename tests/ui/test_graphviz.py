"""The one command that the product runs: bounded, killed whole, and a page without it. Real `dot` where it is."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import threading
from typing import TYPE_CHECKING, Any

import pytest
from django.core.cache import cache

from meshui.ui import graphviz
from meshui.ui.design_pictures import example_graph
from meshui.ui.graphs import Box, Edge, Graph, GraphTooBigError, LayoutError, Node, dot_source
from tests.servers import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

DOT = shutil.which("dot")
needs_dot = pytest.mark.skipif(DOT is None, reason="Graphviz is not installed: apt-get install graphviz")


@pytest.fixture(autouse=True)
def _empty_cache() -> Iterator[None]:
    """What one test placed is not there for the next."""
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], str]:
    """`program(script)`: a shell script in the place of dot; its path."""

    def write(script: str) -> str:
        path = tmp_path / "dot"
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return str(path)

    return write


def is_there(pid: int) -> bool:
    """Whether a process of that number runs, and is more than a remnant."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:  # noqa: PTH123 - no file of the disk
        return file.read().rpartition(")")[2].split()[0] != "Z"


def begin_when_told(monkeypatch: pytest.MonkeyPatch, *files: Path) -> None:
    """The time that a program has begins when these files hold what it writes: it may be slow to begin itself."""
    communicate = subprocess.Popen.communicate

    def once_told(process: subprocess.Popen[bytes], *args: Any, **options: Any) -> tuple[bytes, bytes]:
        wait_until(lambda: all(file.exists() and file.read_text().endswith("\n") for file in files), what="both pids")
        return communicate(process, *args, **options)

    monkeypatch.setattr(subprocess.Popen, "communicate", once_told)


def test_run_dot__takes_too_long__ended_with_all_that_it_started(
    program: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child, parent = tmp_path / "child", tmp_path / "parent"
    dot = program(f"sleep 600 & echo $! > {child}; echo $$ > {parent}; wait")
    begin_when_told(monkeypatch, child, parent)

    with pytest.raises(LayoutError, match="longer than"):
        graphviz.run_dot(dot, "digraph{}", seconds=0.5)

    pids = [int(file.read_text()) for file in (child, parent)]
    wait_until(lambda: not any(map(is_there, pids)), what="both processes are gone")


def test_run_dot__fails__refused(program: Callable[[str], str]) -> None:
    with pytest.raises(LayoutError, match="ended with 3"):
        graphviz.run_dot(program("exit 3"), "digraph{}")


def test_run_dot__cannot_be_started__refused(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match="could not be started"):
        graphviz.run_dot(str(tmp_path / "nothing"), "digraph{}")


def test_run_dot__ends_without_reading__refused_not_broken(program: Callable[[str], str]) -> None:
    with pytest.raises(LayoutError):
        graphviz.run_dot(program("exec <&-; exit 1"), "x" * 200_000)


def test_run_dot__asked_too_much__refused_before_it_starts(program: Callable[[str], str], tmp_path: Path) -> None:
    dot = program(f"touch {tmp_path}/started")

    with pytest.raises(LayoutError, match="are allowed"):
        graphviz.run_dot(dot, "x" * (graphviz.MOST_INPUT + 1))

    assert not (tmp_path / "started").exists()


def test_run_dot__environment__nothing_of_ours_but_the_path(program: Callable[[str], str]) -> None:
    os.environ["MESHUI_PROBE"] = "secret"
    try:
        answer = graphviz.run_dot(program("env"), "digraph{}").decode()
    finally:
        del os.environ["MESHUI_PROBE"]

    assert "MESHUI" not in answer
    assert "SERVER_NAME=meshui" in answer


def test_run_dot__others_hold_all_places__refused_after_its_time(
    program: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graphviz, "_slots", threading.BoundedSemaphore(1))
    graphviz._slots.acquire()

    with pytest.raises(LayoutError, match="being placed"):
        graphviz.run_dot(program("exit 0"), "digraph{}", seconds=0.05)


def test_draw__graphviz_is_not_there__says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphviz, "find_dot", lambda: None)

    with pytest.raises(graphviz.DotMissingError):
        graphviz.draw(example_graph())


def test_draw__too_many_nodes__refused_before_anything_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphviz, "find_dot", lambda: pytest.fail("it was looked for"))

    with pytest.raises(GraphTooBigError):
        graphviz.draw(Graph(tuple(Node(str(n), "web") for n in range(151))))


@needs_dot
def test_draw__same_shape_again__from_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = example_graph()
    before = graphviz.draw(graph)
    monkeypatch.setattr(graphviz, "find_dot", lambda: None)

    again = graphviz.draw(Graph(graph.nodes, tuple(Edge(e.tail, e.head, 7.0) for e in graph.edges), graph.boxes))

    assert again.layout == before.layout
    assert again.edges[0].edge.rate == 7.0


@needs_dot
def test_draw__same_shape_of_other_names__its_own_names_where_the_first_stood(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    secret = Graph(
        (Node("vault", "vault", box="x"), Node("safe", "safe")), (Edge("vault", "safe"),), (Box("x", "abc"),)
    )
    other = Graph((Node("web", "web", box="y"), Node("cart", "cart")), (Edge("web", "cart"),), (Box("y", "def"),))
    first = graphviz.draw(secret)
    monkeypatch.setattr(graphviz, "find_dot", lambda: pytest.fail("it was kept"))

    second = graphviz.draw(other)

    assert list(second.layout.nodes.values()) == list(first.layout.nodes.values())
    assert second.layout.nodes.keys() == {"web", "cart"}
    assert second.layout.boxes.keys() == {"y"}
    assert "vault" not in str(cache.get(f"layout-2-{other.shape}"))


def test_draw__could_not_be_placed__not_tried_again_at_once(
    program: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dot = program(f"echo >> {tmp_path}/runs; exit 3")
    monkeypatch.setattr(graphviz, "find_dot", lambda: dot)

    for _ in range(3):
        with pytest.raises(LayoutError):
            graphviz.draw(example_graph())

    assert (tmp_path / "runs").read_text() == "\n"


def test_draw__others_are_being_placed__tried_again_next_time(
    program: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graphviz, "run_dot", busy)
    monkeypatch.setattr(graphviz, "find_dot", lambda: "dot")

    for _ in range(2):
        with pytest.raises(graphviz.BusyError):
            graphviz.draw(example_graph())


def busy(dot: str, source: str) -> bytes:
    raise graphviz.BusyError("other graphs are being placed")


@needs_dot
def test_draw__one_node_more__the_others_keep_their_columns_and_their_order() -> None:
    graph = example_graph()
    more = Graph(
        (*graph.nodes, Node("mailer", "mailer", box="legacy-vm-dc1")),
        (*graph.edges, Edge("checkout", "mailer")),
        graph.boxes,
    )

    before, after = graphviz.draw(graph).layout.nodes, graphviz.draw(more).layout.nodes

    assert {key: after[key][0] for key in before} == {key: at[0] for key, at in before.items()}
    assert sorted(before, key=lambda key: before[key]) == sorted(before, key=lambda key: after[key])


@needs_dot
def test_draw__box_in_a_box__inside_of_it() -> None:
    graph = Graph(
        (Node("a", "checkout", box="in"), Node("b", "v1", box="in"), Node("c", "web", box="out")),
        (Edge("c", "a"), Edge("a", "b")),
        (Box("out", "eu-west"), Box("in", "checkout", within="out")),
    )

    boxes = graphviz.draw(graph).layout.boxes

    (x, y, width, height), (left, top, wide, high) = boxes["in"], boxes["out"]
    assert left < x < x + width < left + wide
    assert top < y < y + height < top + high


@needs_dot
def test_draw__hostile_keys_and_labels__placed_as_any_other() -> None:
    names = ['"];}', "<b>bold</b>", "back\\slash\\N", "two\nlines", "x" * 300, '"]; node[image="/etc/passwd"]']
    graph = Graph(tuple(Node(name, name) for name in names), (Edge(names[0], names[4]),))

    picture = graphviz.draw(graph)

    assert picture.layout.nodes.keys() == set(names)
    assert [each.node.label for each in picture.nodes if each.node.key == names[1]] == ["<b>bold</b>"]


@needs_dot
def test_draw__150_nodes__all_of_them_apart() -> None:
    nodes = tuple(Node(str(n), "web") for n in range(150))
    edges = tuple(Edge(str(n), str((n * 7 + 1) % 150)) for n in range(150))

    picture = graphviz.draw(Graph(nodes, edges))

    assert len(set(picture.layout.nodes.values())) == 150
    assert len(picture.edges) == 150


@needs_dot
def test_draw__nothing_calls_anything__several_in_a_row() -> None:
    picture = graphviz.draw(Graph(tuple(Node(str(n), "web") for n in range(8))))

    assert len({x for x, _ in picture.layout.nodes.values()}) == 4


@needs_dot
def test_dot_source__asked_of_the_real_one__no_file_is_opened_for_a_graph() -> None:
    source = dot_source(example_graph())

    assert "image" not in source
    assert graphviz.run_dot(DOT or "", source).startswith(b"{")
