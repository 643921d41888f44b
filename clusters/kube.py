"""The one writer of a Kubernetes API server, and the only importer of `kubernetes`.

Guarded JSON Patch alone: never force, never merge patch, never PUT; one send a call. The client builds the request, our
transport sends it: so there are no retries, no proxies of the environment, and one place that says what went wrong.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode

from kubernetes.client import ApiClient, Configuration

from clusters.clients import BadAnswerError, OutcomeUnknownError
from clusters.kube_lists import KubeReader, decoded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from clusters.clients import AccessAnswer, GuardedPatch, Identity, ObjectRef
    from clusters.kube_lists import Transport
    from meshui.lib.jsontypes import JsonObject

JSON_PATCH = "application/json-patch+json"


class _Rest:
    """Stands where the client has its own urllib3: sends through our transport and gives the answer's bytes back."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def PATCH(self, url: str, **request: Any) -> bytes:  # noqa: N802 - the client calls it so
        """One PATCH. Raises ClusterError."""
        path = url.removeprefix(self._transport.endpoint.url)
        return self._transport.call(
            "PATCH",
            f"{path}?{urlencode(request['query_params'])}",
            body=json.dumps(request["body"]).encode(),
            content_type=request["headers"]["Content-Type"],
        )


class KubeWriter:
    """The Writer of a Kubernetes API server: reads for its own guards, and patches."""

    def __init__(self, transport: Transport, *, field_manager: str) -> None:
        self._reader = KubeReader(transport)
        self._field_manager = field_manager
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

    def review_access(self, asked: Sequence[tuple[str, str, str, str]]) -> Iterator[AccessAnswer]:
        """As the reader's, for this credential."""
        return self._reader.review_access(asked)

    def dry_run(self, patch: GuardedPatch) -> JsonObject:
        """The object as it would be stored; admission runs, nothing is stored."""
        return self._patch(patch, {"dryRun": "All"})

    def write(self, patch: GuardedPatch) -> JsonObject:
        """The object as stored."""
        return self._patch(patch, {})

    def close(self) -> None:
        """Drop the connections."""
        self._reader.close()

    def _patch(self, patch: GuardedPatch, extra: Mapping[str, str]) -> JsonObject:
        """Send once. An answer that says yes and cannot be read leaves the outcome unknown, it does not fail it."""
        query = {"fieldManager": self._field_manager, "fieldValidation": "Strict", **extra}
        try:
            data = self._api.call_api(
                patch.ref.path(),
                "PATCH",
                query_params=list(query.items()),
                header_params={"Content-Type": JSON_PATCH},  # by hand: for a list the client would say merge patch
                body=[operation.to_json() for operation in patch.operations],
                _preload_content=False,
            )
            return decoded(cast("bytes", data))
        except BadAnswerError as error:
            if 300 <= error.status < 500:  # refused, and nothing was written
                raise
            raise OutcomeUnknownError(f"The answer cannot be read: {error.message}") from error
