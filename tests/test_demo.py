"""`make demo` as somebody meets it: says where and who, opens on something, leaves nothing."""

from __future__ import annotations

import os
import re
import sys
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar
from typing import TYPE_CHECKING

import pytest

from tests.servers import Process

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.walks


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Process]:
    """The demo, ready, on a free port and a folder of its own."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MESHUI_", "DJANGO_"))}
    folder = tmp_path / "demo"
    command = [sys.executable, "-m", "playground", "--port", "0", "--data-dir", str(folder)]
    process = Process(command, log=tmp_path / "demo.log", env=env)
    process.wait_for_output("Ctrl-C ends it", seconds=120)
    yield process
    process.kill()


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
    said = demo.output()
    url = re.search(r"http://127\.0\.0\.1:\d+", said)
    assert url is not None
    passwords = dict(re.findall(r"^  (author|approver2?|viewer|admin) +(\S+)", said, re.MULTILINE))
    assert len(set(passwords.values())) == 5
    visitor = Visitor(url[0])

    fleet = visitor.sign_in("author", passwords["author"])

    assert "eu-west" in fleet
    assert "us-east" in fleet
    assert "ap-south" in fleet
    assert "Move search to v2 in two steps" in visitor.get("/changes/")
    assert demo.stop() == 0
    assert not (tmp_path / "demo").exists()
    assert "Traceback" not in demo.output()


def test_demo__folder_of_somebody_else__refused_and_untouched(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "letter").write_text("kept")

    process = Process(
        [sys.executable, "-m", "playground", "--data-dir", str(tmp_path / "precious")], log=tmp_path / "demo.log"
    )

    assert process.wait(60) == 1
    assert "is not empty and not of a demo" in process.output()
    assert (tmp_path / "precious" / "letter").read_text() == "kept"
