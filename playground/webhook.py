"""A validating and mutating webhook on 127.0.0.1, as any operator would run one."""

from __future__ import annotations

import base64
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from playground.apiserver.pki import Authority, server_context

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class Webhook:
    """Answers AdmissionReviews with what `decide` says of the request; remembers them all."""

    decide: Callable[[dict[str, Any]], dict[str, Any]]
    reviews: list[dict[str, Any]] = field(default_factory=list)

    def __enter__(self) -> Webhook:
        """Listen."""
        authority = Authority("webhook")
        certificate, key = authority.server_certificate(["127.0.0.1", "localhost"])
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 5

            def do_POST(self) -> None:
                review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                webhook.reviews.append(review)
                response = {"uid": review["request"]["uid"], **webhook.decide(review["request"])}
                body = json.dumps({**review, "request": None, "response": response}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        context = server_context(certificate, key, authority.pem)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        port = self._server.server_address[1]
        bundle = base64.b64encode(authority.pem).decode()
        self.client_config = {"url": f"https://127.0.0.1:{port}/admit", "caBundle": bundle}
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def patch_of(*operations: dict[str, Any]) -> dict[str, Any]:
    """Return the answer of a mutating webhook."""
    data = base64.b64encode(json.dumps(operations).encode()).decode()
    return {"allowed": True, "patchType": "JSONPatch", "patch": data}
