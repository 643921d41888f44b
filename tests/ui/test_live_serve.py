"""Goal 19: a server with a hundred open streams is gone within ten seconds, and the next one takes them all."""

from __future__ import annotations

import socket
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from django.conf import settings

from tests.people import make_person
from tests.servers import Process, free_port
from tests.ui.streams import session_of

if TYPE_CHECKING:
    from pathlib import Path

STREAMS = 100
A_PERSON = 10


def open_stream(port: int, session: str) -> socket.socket:
    """A stream that has greeted."""
    line = socket.create_connection(("127.0.0.1", port), timeout=20)
    cookie = f"{settings.SESSION_COOKIE_NAME}={session}"
    line.sendall(f"GET /live/changes/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nCookie: {cookie}\r\n\r\n".encode())
    heard = b""
    while b"event: hello" not in heard:
        part = line.recv(4096)
        assert part, heard
        heard += part
    return line


@pytest.mark.django_db(transaction=True)
def test_serve__sigterm_with_100_streams__gone_in_time_and_live_again(
    product_environment: dict[str, str], tmp_path: Path
) -> None:
    people = [make_person(f"viewer{n}", ["viewer"]) for n in range(STREAMS // A_PERSON)]
    sessions = [session_of(person) for person in people for _ in range(A_PERSON)]
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "manage.py", "serve", "--port", str(port)]
    env = product_environment | {"MESHUI_SITE_URL": url, "MESHUI_WATCH": "0"}
    for start in range(2):
        process = Process(command, log=tmp_path / f"serve{start}.log", env=env)
        try:
            process.wait_for_output(f"MeshUI answers on {url}", seconds=120)
            with ExitStack() as lines:
                for session in sessions:
                    lines.enter_context(open_stream(port, session))
                assert process.stop(seconds=10) == 0
        finally:
            process.kill()
        assert "Traceback" not in process.output()
