"""The one writer of a Kubernetes API server, and the only importer of `kubernetes`.

Guarded JSON Patch, create, and delete with preconditions: never force, never merge patch, never PUT; one send a call.
The client builds the request, our transport sends it: so there are no retries, no proxies of the environment, and one
place that says what went wrong.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode

from clusters.clients import BadAnswerError, GuardedCreate, GuardedPatch, OutcomeUnknownError
from clusters.kube_lists import KubeReader, decoded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clusters.clients import Identity, ObjectRef, Write
    from clusters.kube_lists import Transport
    from meshui.lib.jsontypes import JsonObject

JSON_PATCH = "application/json-patch+json"
JSON = "application/json"


class _Rest:
    """Stands where the client has its own urllib3: sends through our transport and gives the answer's bytes back."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def PATCH(self, url: str, **request: Any) -> bytes:  # noqa: N802 - the client calls it so
        """One PATCH. Raises ClusterError."""
        return self._send("PATCH", url, request)

    def POST(self, url: str, **request: Any) -> bytes:  # noqa: N802 - the client calls it so
        """One POST. Raises ClusterError."""
        return self._send("POST", url, request)

    def DELETE(self, url: str, **request: Any) -> bytes:  # noqa: N802 - the client calls it so
        """One DELETE. Raises ClusterError."""
        return self._send("DELETE", url, request)

    def _send(self, method: str, url: str, request: dict[str, Any]) -> bytes:
        path = url.removeprefix(self._transport.endpoint.url)
        return self._transport.call(
            method,
            f"{path}?{urlencode(request['query_params'])}",
            body=json.dumps(request["body"]).encode(),
            content_type=request["headers"]["Content-Type"],
        )


class KubeWriter:
    """The Writer of a Kubernetes API server: reads for its own guards, and patches."""

    def __init__(self, transport: Transport, *, field_manager: str) -> None:
        self._reader = KubeReader(transport)
        self._field_manager = field_manager
        # Here, not on top: the package takes half the time that a process needs to start, and few processes write.
        from kubernetes.client import ApiClient, Configuration  # noqa: PLC0415

        configuration = Configuration(host=transport.endpoint.url)
        configuration.proxy = None  # Configuration takes HTTPS_PROXY by itself
        configuration.no_proxy = None
        self._api = ApiClient(configuration)
        self._api.rest_client = _Rest(transport)

    def identity(self) -> Identity:
        """As the reader's."""
        return self._reader.identity()

    def read(self, ref: ObjectRef) -> JsonObject | None:
        """As the reader's get_object."""
        return self._reader.get_object(ref)

    def dry_run(self, write: Write) -> JsonObject | None:
        """The object as it would be stored, None for a delete; admission runs, nothing is stored."""
        return self._do(write, {"dryRun": "All"})

    def write(self, write: Write) -> JsonObject | None:
        """The object as stored, None for a delete."""
        return self._do(write, {})

    def close(self) -> None:
        """Drop the connections."""
        self._reader.close()

    def _do(self, write: Write, extra: Mapping[str, str]) -> JsonObject | None:
        """Send once. An answer that says yes and cannot be read leaves the outcome unknown, it does not fail it."""
        fields = {"fieldManager": self._field_manager, "fieldValidation": "Strict"}
        if isinstance(write, GuardedPatch):
            body: Any = [operation.to_json() for operation in write.operations]
            return self._call("PATCH", write.ref.path(), body, JSON_PATCH, {**fields, **extra})
        if isinstance(write, GuardedCreate):
            path = write.ref.resource.path(write.ref.namespace)
            return self._call("POST", path, write.body, JSON, {**fields, **extra})
        guards = {"uid": write.uid, "resourceVersion": write.resource_version}
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": guards}
        if "dryRun" in extra:  # beside a body the server does not look at the query: it would delete for real
            options["dryRun"] = [extra["dryRun"]]
        self._call("DELETE", write.ref.path(), options, JSON, extra)
        return None

    def _call(self, method: str, path: str, body: Any, content_type: str, query: Mapping[str, str]) -> JsonObject:
        try:
            data = self._api.call_api(
                path,
                method,
                query_params=list(query.items()),
                header_params={"Content-Type": content_type},  # by hand: for a list the client would say merge patch
                body=body,
                _preload_content=False,
            )
            return decoded(cast("bytes", data))
        except BadAnswerError as error:
            if 300 <= error.status < 500:  # refused, and nothing was written
                raise
            raise OutcomeUnknownError(f"The answer cannot be read: {error.message}") from error
