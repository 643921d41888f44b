"""Something between MeshUI and a real API server that goes wrong on purpose: the emulator's faults, for real ones.

It speaks TLS with a certificate of the cluster's own CA, so a kubeconfig that names it is as good as any; what signs
in must be a bearer token, since a client certificate ends here.
"""

import contextlib
import http.client
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Self

from lab.cluster import Cluster
from playground.apiserver.connection import Listener
from playground.apiserver.exchange import Exchange
from playground.apiserver.faults import Faults, RequestRecord, record_of
from playground.apiserver.messages import Request, Response
from playground.apiserver.pki import server_context

HOST = "127.0.0.1"
_OURS = frozenset({"host", "connection", "content-length", "transfer-encoding", "accept-encoding"})
_KEPT = ("retry-after", "warning", "audit-id")
_SECONDS = 60.0
_EVERYTHING = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}, {"nonResourceURLs": ["*"], "verbs": ["*"]}]


class FaultProxy:
    """Hands requests to an API server, with the faults that wait for them; `requests` is what went through."""

    def __init__(self, cluster: Cluster) -> None:
        """Stand before `cluster`; nothing listens before `start`."""
        self.cluster = cluster
        self.faults = Faults()
        self.requests: list[RequestRecord] = []
        self.port = 0
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._upstream: set[http.client.HTTPSConnection] = set()
        pair = cluster.authority.issue_server("proxy", hosts=["localhost"], addresses=[HOST])
        exchange = Exchange(self.faults, self._respond, self._remember, self._stopping)
        self._listener = Listener(server_context(pair.certificate, pair.key, cluster.ca_pem), exchange.serve)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"https://{HOST}:{self.port}"

    def start(self) -> Self:
        """Listen, on the port of the last time if there was one."""
        self._stopping.clear()
        self.port = self._listener.start(HOST, self.port, "proxy")
        return self

    def stop(self) -> None:
        """Refuse connections, and end those that are open; watches too."""
        self._stopping.set()
        with self._lock:
            for connection in self._upstream:
                _hang_up(connection)
        self._listener.stop()

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    @contextlib.contextmanager
    def unreachable(self) -> Iterator[None]:
        """Refuse every connection while the block runs; then answer again on the same address."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def kubeconfig(self, namespace: str, name: str) -> str:
        """The kubeconfig of a service account (made if it is absent) that goes through here."""
        return self._through(self.cluster.service_account_kubeconfig(namespace, name))

    def admin_kubeconfig(self) -> str:
        """A kubeconfig that may do everything and goes through here."""
        token = self.cluster.token("kube-system", "proxy-admin")
        self.cluster.grant("proxy-admin", _EVERYTHING, service_account_namespace="kube-system")
        return self._through(self.cluster.token_kubeconfig(token))

    def swap(self, other: Cluster) -> None:
        """Stand before another cluster from now on, on the same address with the same certificate."""
        self.cluster = other

    def _through(self, kubeconfig: str) -> str:
        config = json.loads(kubeconfig)
        config["clusters"][0]["cluster"]["server"] = self.url
        return json.dumps(config, indent=2)

    def _remember(self, request: Request, status: int, user: str) -> None:
        self.requests.append(record_of(request, status, user))

    def _respond(self, request: Request) -> tuple[Response, str]:
        context = ssl.create_default_context(cadata=self.cluster.ca_pem.decode())
        connection = http.client.HTTPSConnection(HOST, self.cluster.port, timeout=_SECONDS, context=context)
        with self._lock:
            self._upstream.add(connection)
        headers = {name: value for name, value in request.headers.items() if name not in _OURS}
        try:
            connection.request(request.method, request.target, request.body or None, headers)
            answer = connection.getresponse()
            if request.asks("watch"):
                return _answer(answer, stream=self._lines(connection, answer)), ""
            response = _answer(answer, body=answer.read())
        except (OSError, http.client.HTTPException) as error:
            response = Response(502, str(error).encode(), "text/plain; charset=utf-8")
        self._done(connection)
        return response, ""

    def _lines(self, connection: http.client.HTTPSConnection, answer: http.client.HTTPResponse) -> Iterator[bytes]:
        try:
            while piece := answer.read1(65536):
                yield piece
        except (OSError, http.client.HTTPException):
            return  # the server is gone, or we are
        finally:
            self._done(connection)

    def _done(self, connection: http.client.HTTPSConnection) -> None:
        with self._lock:
            self._upstream.discard(connection)
        connection.close()


def _answer(answer: http.client.HTTPResponse, *, body: bytes = b"", stream: Iterator[bytes] | None = None) -> Response:
    headers = {name: answer.headers[name] for name in _KEPT if name in answer.headers}
    return Response(answer.status, body, answer.headers.get("content-type", ""), headers, stream)


def _hang_up(connection: http.client.HTTPSConnection) -> None:
    if connection.sock is not None:
        with contextlib.suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)
