"""A thin client that hides nothing: status, headers and JSON of each answer, from any server a kubeconfig names."""

from __future__ import annotations

import base64
import json
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import urllib3

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

JSON = "application/json"
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
PARTIAL = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
PARTIAL_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
SECONDS = 15.0


@dataclass(frozen=True)
class Answer:
    """One answer; `body` is the JSON in it, or text where there is none."""

    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def version(self) -> str:
        """resourceVersion of the object or list."""
        return str(self.body["metadata"]["resourceVersion"])

    @property
    def uid(self) -> str:
        """Uid of the object."""
        return str(self.body["metadata"]["uid"])

    @property
    def generation(self) -> int:
        """Generation of the object."""
        return int(self.body["metadata"]["generation"])

    @property
    def names(self) -> list[str]:
        """Names of a list's items."""
        return [item["metadata"]["name"] for item in self.body["items"]]

    def refusal(self) -> tuple[int, str, str]:
        """Code, reason and message of a Status, which must be whole."""
        assert self.body["kind"] == "Status", self.body
        assert self.body["apiVersion"] == "v1"
        assert self.body["status"] == "Failure"
        assert self.body["code"] == self.status
        return self.status, self.body.get("reason", ""), self.body["message"]


class Api:
    """Calls one API server as one user."""

    def __init__(self, kubeconfig: str) -> None:
        """Read a kubeconfig that holds everything itself, written as JSON."""
        config = json.loads(kubeconfig)
        self.url = config["clusters"][0]["cluster"]["server"]
        self.ca_pem = base64.b64decode(config["clusters"][0]["cluster"]["certificate-authority-data"])
        user = config["users"][0]["user"]
        self._headers = {"User-Agent": "contract/1.0 (suite)"}
        if "token" in user:
            self._headers["Authorization"] = f"Bearer {user['token']}"
        self._folder = tempfile.TemporaryDirectory()
        self._pool = urllib3.PoolManager(maxsize=8, ca_certs=self._file("ca", self.ca_pem), **self._certificate(user))

    def _certificate(self, user: dict[str, str]) -> dict[str, Any]:
        fields = {"cert_file": "client-certificate-data", "key_file": "client-key-data"}
        return {
            name: self._file(name, base64.b64decode(user[field])) for name, field in fields.items() if field in user
        }

    def _file(self, name: str, data: bytes) -> str:
        path = Path(self._folder.name) / name
        path.write_bytes(data)
        return str(path)

    def close(self) -> None:
        """Close all connections."""
        self._pool.clear()
        self._folder.cleanup()

    def _send(self, method: str, path: str, body: Any, headers: Mapping[str, str], **more: Any) -> Any:
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        return self._pool.request(
            method, self.url + path, body=data, headers={**self._headers, **headers}, retries=False, **more
        )

    def call(self, method: str, path: str, body: Any = None, *, accept: str = JSON, content_type: str = JSON) -> Answer:
        """Send one request and read the answer."""
        headers = {"Accept": accept, "Content-Type": content_type}
        response = self._send(method, path, body, headers, timeout=SECONDS)
        try:
            found = json.loads(response.data)
        except ValueError:
            found = response.data.decode()
        return Answer(response.status, found, response.headers)

    def get(self, path: str, *, accept: str = JSON) -> Answer:
        """GET."""
        return self.call("GET", path, accept=accept)

    def create(self, path: str, body: Any) -> Answer:
        """POST."""
        return self.call("POST", path, body)

    def replace(self, path: str, body: Any) -> Answer:
        """PUT."""
        return self.call("PUT", path, body)

    def delete(self, path: str, body: Any = None) -> Answer:
        """DELETE."""
        return self.call("DELETE", path, body)

    def patch(self, path: str, operations: Any) -> Answer:
        """PATCH with a JSON Patch."""
        return self.call("PATCH", path, operations, content_type=JSON_PATCH)

    def merge(self, path: str, body: Any) -> Answer:
        """PATCH with a merge patch."""
        return self.call("PATCH", path, body, content_type=MERGE_PATCH)

    @contextmanager
    def watch(self, path: str, *, accept: str = JSON) -> Iterator[Iterator[dict[str, Any]]]:
        """Give the events of a watch, one by one, until the server ends it."""
        response = self._send("GET", path, None, {"Accept": accept}, timeout=SECONDS, preload_content=False)
        assert response.status == 200, response.read()
        try:
            yield (json.loads(line) for line in _lines(response))
        finally:
            response.close()


def _lines(response: Any) -> Iterator[bytes]:
    left = b""
    for piece in response.stream(65536):
        *lines, left = (left + piece).split(b"\n")
        yield from lines
