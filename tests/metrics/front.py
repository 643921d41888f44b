"""A small HTTPS server in the place of an API server's proxy: pods, their metrics, a Prometheus behind a Service."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from tests.clusters.makers import b64, kubeconfig
from tests.clusters.raw_server import Authority, server_context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FORBIDDEN = json.dumps({"kind": "Status", "message": "pods/proxy is forbidden", "reason": "Forbidden", "code": 403})
Answer = tuple[int, bytes]


def vector(*rows: tuple[dict[str, str], str], **more: Any) -> bytes:
    """An answer of Prometheus."""
    result = [{"metric": metric, "value": [1_790_000_000.1, value]} for metric, value in rows]
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}, **more}).encode()


@dataclass
class Front:
    """What it serves, and every path that was asked. `texts`: by pod; a text, or an answer of its own."""

    url: str = ""
    ca_pem: str = ""
    pods: list[dict[str, Any]] = field(default_factory=list)
    texts: dict[str, str | Answer] = field(default_factory=dict)
    queries: Callable[[str, dict[str, str]], Answer] | None = None
    refuses: str = ""
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def kubeconfig(self) -> str:
        """That leads here."""
        return kubeconfig(server=self.url, cluster={"certificate-authority-data": b64(self.ca_pem.encode())})

    def add_pod(
        self,
        name: str,
        *,
        workload: str,
        containers: tuple[str, ...] = ("app", "istio-proxy"),
        tag: str = "1.31.0",
        **labels: str,
    ) -> None:
        """A running pod of a ReplicaSet of `workload`, in namespace shop; `tag`: of the images of its containers."""
        self.pods.append(
            {
                "metadata": {
                    "name": name,
                    "namespace": "shop",
                    "uid": f"uid-{name}",
                    "labels": {**labels, "pod-template-hash": "abc"},
                    "ownerReferences": [{"kind": "ReplicaSet", "name": f"{workload}-abc", "controller": True}],
                },
                "spec": {
                    "containers": [{"name": one, "image": f"registry.example:5000/{one}:{tag}"} for one in containers]
                },
                "status": {"phase": "Running"},
            }
        )

    def scraped(self) -> list[str]:
        """The pods that were asked, in order."""
        return [
            path.split("/pods/")[1].partition(":")[0] for path in self.asked if "/proxy/" in path and "/pods/" in path
        ]

    def answer(self, target: str) -> Answer:
        """What a GET of `target` gets."""
        parts = urlsplit(target)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        if self.refuses and self.refuses in parts.path:
            return 403, FORBIDDEN.encode()
        if parts.path.endswith("/pods"):
            wanted = dict(pair.split("=") for pair in query["labelSelector"].split(","))
            found = [pod for pod in self.pods if wanted.items() <= pod["metadata"]["labels"].items()]
            return 200, json.dumps({"kind": "PodList", "items": found}).encode()
        if parts.path.endswith("/api/v1/query") and self.queries is not None:
            return self.queries(parts.path, query)
        if "/pods/" in parts.path:
            text = self.texts.get(parts.path.split("/pods/")[1].partition(":")[0], (503, b"no such pod"))
            return (200, text.encode()) if isinstance(text, str) else text
        return 404, b"{}"


@contextmanager
def serving(folder: Path) -> Iterator[Front]:
    """A Front that answers until the block ends."""
    authority = Authority()
    front = Front(ca_pem=authority.pem)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            front.asked.append(self.path)
            front.headers.append(dict(self.headers.items()))
            status, body = front.answer(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.socket = server_context(authority.issue(), folder).wrap_socket(server.socket, server_side=True)
    front.url = f"https://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield front
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
