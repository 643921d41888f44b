"""The loopback API server: HTTPS on 127.0.0.1, one kind in any number, its answers made before anybody asks.

It does nothing but send bytes, so that what is measured is who asks. Lists whole or in pages, whole objects or
metadata alone, single objects, versions and discovery; no watch, no write, no rights: the emulated cluster has those.
"""

from __future__ import annotations

import base64
import json
import ssl
import tempfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

from bench.objects import FIRST_VERSION, KINDS, VERSION_GAP, encoded, name_of, namespace_of
from playground.apiserver.pki import Authority

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from bench.objects import Kind

Json = dict[str, Any]
METADATA: Final = "as=PartialObjectMetadataList"
UID: Final = "5b0c7a52-1f3e-4c58-9d0b-7c8e4f6a2b10"
GIT_VERSION: Final = "v1.33.1"
NOTHING_THERE: Final = json.dumps({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound",
                                   "message": "not found", "code": 404}).encode()  # fmt: skip


@dataclass
class Answers:
    """All objects of one kind, and the pages that were asked for once."""

    kind: Kind
    count: int
    seed: int
    version: int = 0
    requests: int = 0
    sent: int = 0
    churns: int = 0
    moved: dict[int, int] = field(default_factory=dict)
    noted: dict[int, int] = field(default_factory=dict)
    pages: dict[tuple[int, int, bool], bytes] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        made = [encoded(self.kind, number, seed=self.seed) for number in range(self.count)]
        self.items, self.heads = [item for item, _ in made], [head for _, head in made]
        self.version = FIRST_VERSION + self.count * VERSION_GAP
        self.at = {f"{namespace_of(number)}/{name_of(number)}": number for number in range(self.count)}

    def churn(self, share: float) -> dict[int, int]:
        """Change this share of all objects, half of them in what decides something: of those number → how often."""
        step = max(1, round(1 / share))
        told: dict[int, int] = {}
        for place, number in enumerate(range(self.churns % step, self.count, step)):
            changes = self.moved if place % 2 == 0 else self.noted
            changes[number] = changes.get(number, 0) + 1
            self.version += VERSION_GAP
            counts = {"moved": self.moved.get(number, 0), "noted": self.noted.get(number, 0)}
            item, head = encoded(self.kind, number, seed=self.seed, version=self.version, **counts)
            self.items[number], self.heads[number] = item, head
            told |= {number: self.moved[number]} if changes is self.moved else {}
        self.churns += 1
        self.pages = {key: self._page(*key) for key in self.pages}
        return told

    def page(self, limit: int, start: int, *, is_metadata: bool) -> bytes:
        """A part of the list, or all of it (`limit` 0); made once and kept until something moves."""
        key = limit, start, is_metadata
        with self.lock:
            if key not in self.pages:
                self.pages[key] = self._page(*key)
            return self.pages[key]

    def _page(self, limit: int, start: int, is_metadata: bool) -> bytes:  # noqa: FBT001 - the key of a page
        end = start + limit if limit else self.count
        rows = (self.heads if is_metadata else self.items)[start:end]
        meta: Json = {"resourceVersion": str(self.version)}
        if end < self.count:
            meta |= {"continue": str(end), "remainingItemCount": self.count - end}
        if is_metadata:
            return list_of("PartialObjectMetadataList", "meta.k8s.io/v1", meta, rows)
        is_custom = self.kind.group == "networking.istio.io"
        return list_of(f"{self.kind.name}List", self.kind.api_version, meta, rows, is_custom=is_custom)

    def answer(self, path: str, query: dict[str, list[str]], accept: str) -> bytes | None:
        """The body of a GET; None: there is nothing."""
        if path == self.kind.path:
            limit, start = int(query.get("limit", ["0"])[0]), int(query.get("continue", ["0"])[0])
            return self.page(limit, start, is_metadata=METADATA in accept)
        root = self.kind.path.removesuffix(self.kind.plural)
        namespace, _, name = path.removeprefix(f"{root}namespaces/").partition(f"/{self.kind.plural}/")
        if name and (number := self.at.get(f"{namespace}/{name}")) is not None:
            head = f'{{"kind":"{self.kind.name}","apiVersion":"{self.kind.api_version}",'.encode()
            item = self.items[number]
            return item if item.startswith(b'{"apiVersion"') else head + item[1:]
        return self._around(path)

    def _around(self, path: str) -> bytes | None:
        """What every cluster answers, and the empty lists of all kinds that this one does not hold."""
        group = self.kind.group
        groups = [{"name": group, "versions": [_version(group)], "preferredVersion": _version(group)}] if group else []
        named = {"name": self.kind.plural, "singularName": self.kind.name.lower(), "namespaced": True}
        found = {**named, "kind": self.kind.name, "verbs": ["get", "list"]}
        fixed: dict[str, Json] = {
            "/version": {"major": "1", "minor": "33", "gitVersion": GIT_VERSION, "platform": "linux/amd64"},
            "/api": {"kind": "APIVersions", "versions": ["v1"]},
            "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups},
            "/api/v1": _resources("v1", [] if group else [found]),
            f"/apis/{self.kind.api_version}": _resources(self.kind.api_version, [found]),
            "/api/v1/namespaces/kube-system": {"kind": "Namespace", "metadata": {"name": "kube-system", "uid": UID}},
        }
        if path in fixed:
            return json.dumps(fixed[path]).encode()
        is_list = path.startswith(("/api/v1/", "/apis/")) and "/namespaces/" not in path
        return list_of("List", "v1", {"resourceVersion": str(self.version)}, []) if is_list else None


def list_of(kind: str, api_version: str, meta: Json, rows: list[bytes], *, is_custom: bool = False) -> bytes:
    """A list; of custom resources the metadata stands behind the items."""
    head = f'{{"kind":"{kind}","apiVersion":"{api_version}"'.encode()
    told, items = b'"metadata":' + json.dumps(meta).encode(), b'"items":[' + b",".join(rows) + b"]"
    return head + b"," + b",".join((items, told) if is_custom else (told, items)) + b"}\n"


def _version(group: str) -> Json:
    return {"groupVersion": f"{group}/v1", "version": "v1"}


def _resources(group_version: str, found: list[Json]) -> Json:
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": found}


class _Handler(BaseHTTPRequestHandler):
    """One connection, kept alive."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        """Answer from what is there."""
        asked = urlsplit(self.path)
        body = self.server.answers.answer(asked.path, parse_qs(asked.query), self.headers.get("Accept", ""))
        self.send_response(404 if body is None else 200)
        data = NOTHING_THERE if body is None else body
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        with self.server.answers.lock:
            self.server.answers.requests += 1
            self.server.answers.sent += len(data)

    def log_message(self, *_: object) -> None:
        """Nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, answers: Answers) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = answers
        authority = Authority("bench")
        self.ca_pem = authority.pem
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory(prefix="meshui-bench-") as folder:
            for name, pem in zip(("cert", "key"), authority.server_certificate(["127.0.0.1"]), strict=True):
                Path(folder, name).write_bytes(pem)
            context.load_cert_chain(Path(folder, "cert"), Path(folder, "key"))
        self.socket = context.wrap_socket(self.socket, server_side=True)

    def handle_error(self, *_: object) -> None:
        """Who left is not missed."""

    def kubeconfig(self) -> str:
        """Opens it; the token is not looked at."""
        ca = base64.b64encode(self.ca_pem).decode()
        cluster = {"server": f"https://127.0.0.1:{self.server_port}", "certificate-authority-data": ca}
        return json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "bench",
            "clusters": [{"name": "bench", "cluster": cluster}],
            "users": [{"name": "bench", "user": {"token": "not-looked-at"}}],
            "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": "bench"}}],
        })  # fmt: skip


def serve(pipe: Connection, plural: str, count: int, seed: int) -> None:
    """A server in a process of its own. Told a share: changes so much, answers what it changed; `wire`: what it sent
    since it was last asked, and the version of its list; `end`.
    """
    answers = Answers(KINDS[plural], count, seed)
    server = _Server(answers)
    Thread(target=server.serve_forever, daemon=True).start()
    pipe.send(server.kubeconfig())
    while (told := pipe.recv()) != "end":
        if told == "wire":
            pipe.send((answers.requests, answers.sent, str(answers.version)))
            answers.requests = answers.sent = 0
        else:
            pipe.send(answers.churn(float(told)))
    server.shutdown()
