"""The demo's own page: make a version slow or let it fail, see what its callers got, begin the demo anew.

It is no part of MeshUI. It listens on 127.0.0.1 under a path that nobody can guess and that the terminal shows: no
other page in a browser can call it.
"""

from __future__ import annotations

import json
import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs

from playground.traffic.envoy import EnvoyError
from playground.traffic.page_html import LIMITS, page_html
from playground.traffic.story import workloads

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Self

    from playground.traffic.plane import TrafficPlane
    from playground.traffic.story import DemoTraffic

MOST_BYTES = 64 * 1024
OWN = "style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'"
HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; {OWN}; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class Place(NamedTuple):
    """Where the page is: the same again when the demo begins anew."""

    port: int = 0
    token: str = ""


class Reply(NamedTuple):
    """An answer."""

    text: str
    kind: str = "text/plain"
    status: int = 200
    location: str = ""


FILES = {
    name: Reply((Path(__file__).parent / file).read_text(encoding="utf-8"), kind)
    for name, file, kind in (("style.css", "page.css", "text/css"), ("page.js", "page.js", "text/javascript"))
}


class DemoPage:
    """A small web server beside the demo's."""

    def __init__(self, traffic: DemoTraffic, reset: Callable[[], None], place: Place | None = None) -> None:
        """Listen at `place`, or anywhere; `reset` begins the demo anew."""
        wanted = place or Place()
        self.traffic = traffic
        self.reset = reset
        self.token = wanted.token or secrets.token_urlsafe(16)
        self._server = _Server(self, wanted.port)
        self._thread = threading.Thread(target=self._server.serve_forever, name="demo-page", daemon=True)

    @property
    def place(self) -> Place:
        """Where it is."""
        return Place(int(self._server.server_address[1]), self.token)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.place.port}/{self.token}/"

    def __enter__(self) -> Self:
        """Answer from now on."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def state(self) -> dict[str, Any]:
        """Cluster → workload → its application, how it behaves, and what its clients counted: status → answers."""
        return {name: _state_of(plane) for name, plane in self.traffic.planes.items()}

    def change(self, cluster: str, workload: str, changes: Mapping[str, float]) -> dict[str, float]:
        """Let a workload behave otherwise. Raises KeyError for what is not there, ValueError for what cannot be."""
        plane = self.traffic.planes[cluster]
        if workload not in workloads(plane):
            raise KeyError(workload)
        for name, value in changes.items():
            if not 0 <= value <= LIMITS[name]:
                raise ValueError(f"{name} is from 0 to {LIMITS[name]:g}.")
        return plane.link.profile(workload, **changes)

    def answer(self, method: str, what: str, fields: Mapping[str, Any]) -> Reply:
        """What is asked for. Raises KeyError, TypeError, ValueError, EnvoyError."""
        match (method, what):
            case ("GET", ""):
                return Reply(page_html(self.state(), self.traffic.missing), "text/html")
            case ("GET", name) if name in FILES:
                return FILES[name]
            case ("GET", "state"):
                return Reply(json.dumps(self.state()), "application/json")
            case ("POST", "profile"):
                changes = {name: float(fields[name]) for name in LIMITS if name in fields}
                behaves = self.change(fields["cluster"], fields["workload"], changes)
                return Reply(json.dumps(behaves), "application/json")
            case ("POST", "reset"):
                self.reset()
                return Reply("{}", "application/json")
        return Reply("Not found.\n", status=404)


def _state_of(plane: TrafficPlane) -> dict[str, Any]:
    pods = plane.directory.pods.values()
    apps = {f"{pod.namespace}/{pod.workload}": f"{pod.namespace}/{pod.app}" for pod in pods}
    answers: dict[str, dict[str, int]] = {}
    for (_, _, key, status), number in plane.link.counts().items():
        pod = plane.directory.pods.get(key)
        if pod is not None:
            counted = answers.setdefault(f"{pod.namespace}/{pod.workload}", {})
            counted[str(status)] = counted.get(str(status), 0) + number
    return {
        name: {"app": apps.get(name, name), **plane.link.profile(name), "answers": answers.get(name, {})}
        for name in workloads(plane)
    }


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, page: DemoPage, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.page = page


class _Handler(BaseHTTPRequestHandler):
    """GET ./, ./state, ./style.css, ./page.js; POST ./profile and ./reset, as a form or as JSON."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, *_: object) -> None:
        """Say nothing in the terminal."""

    def do_GET(self) -> None:
        """The page, or its state."""
        self._answer()

    def do_POST(self) -> None:
        """A change; who sent a form is led back to the page."""
        self._answer()

    def _answer(self) -> None:
        page = self.server.page
        fields = self._fields()
        what = self._asked(page)
        if what is None:
            self._send(Reply("Not found.\n", status=404))
            return
        try:
            reply = page.answer(self.command, what, fields())
        except (KeyError, TypeError, ValueError) as error:
            reply = Reply(f"{error}\n", status=400)
        except EnvoyError as error:
            reply = Reply(f"{error}\n", status=503)
        if self.command == "POST" and reply.status == 200 and not self._is_json():
            reply = Reply("", status=303, location=f"/{page.token}/")
        self._send(reply)

    def _asked(self, page: DemoPage) -> str | None:
        """What is asked for below the secret path; None for everybody who does not know it."""
        _, token, what, *_ = [*self.path.partition("?")[0].split("/", 2), "", ""]
        hosts = {f"{name}:{page.place.port}" for name in ("127.0.0.1", "localhost")}
        is_ours = secrets.compare_digest(token.encode(), page.token.encode())
        return what if is_ours and self.headers.get("Host") in hosts else None

    def _is_json(self) -> bool:
        return self.headers.get("Content-Type", "").startswith("application/json")

    def _fields(self) -> Callable[[], Mapping[str, Any]]:
        """The body, read now and understood later."""
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(min(length, MOST_BYTES)).decode(errors="replace")
        self.close_connection = self.close_connection or length > MOST_BYTES
        if self._is_json():
            return lambda: dict(json.loads(body or "{}"))
        return lambda: {name: values[-1] for name, values in parse_qs(body).items()}  # a button's own comes last

    def _send(self, reply: Reply) -> None:
        data = reply.text.encode()
        headers = {"Content-Type": f"{reply.kind}; charset=utf-8", "Content-Length": str(len(data)), **HEADERS}
        headers |= {"Location": reply.location} if reply.location else {}
        self.send_response(reply.status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)
