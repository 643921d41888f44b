"""The one writer of a Kubernetes API server, and the only importer of `kubernetes`.

Guarded JSON Patch alone: never force, never merge patch, never PUT; one send a call, the client's retries are off. The
content type is set by hand: the client would send a list body as merge patch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from kubernetes.client import ApiClient, Configuration
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from clusters.clients import NotSentError, OutcomeUnknownError
from clusters.kube_lists import MAX_OBJECT_BYTES, NOT_SENT, KubeReader, _short, decoded, error_for
from meshui.lib.logs import masked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from clusters.clients import AccessAnswer, GuardedPatch, Identity, ObjectRef
    from clusters.kube_lists import Transport
    from meshui.lib.jsontypes import JsonObject

JSON_PATCH = "application/json-patch+json"


class KubeWriter:
    """The Writer of a Kubernetes API server: reads for its own guards, and patches."""

    def __init__(self, transport: Transport, ca_fingerprint: str, *, field_manager: str) -> None:
        self._reader = KubeReader(transport, ca_fingerprint)
        self._transport = transport
        self._field_manager = field_manager
        configuration = Configuration(host=transport.pool.endpoint.url)
        configuration.proxy = None
        configuration.no_proxy = None
        configuration.retries = False
        self._api = ApiClient(configuration)
        self._api.rest_client.pool_manager = transport.pool

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
        query = {"fieldManager": self._field_manager, "fieldValidation": "Strict", **extra}
        where = self._transport.pool.endpoint.netloc
        try:
            response = self._api.call_api(
                patch.ref.path(),
                "PATCH",
                query_params=list(query.items()),
                header_params={**self._transport.headers, "Content-Type": JSON_PATCH, "Accept-Encoding": "identity"},
                body=cast("Any", [operation.to_json() for operation in patch.operations]),
                _preload_content=False,
            )
        except ApiException as error:
            if not error.status:  # the client's word for a TLS failure
                raise NotSentError(f"{where} cannot be reached: {masked(str(error.reason))[:200]}") from error
            data = error.body if isinstance(error.body, bytes) else str(error.body or "").encode()
            raise error_for(error.status, data, dict(error.headers or {})) from error
        except NOT_SENT as error:
            raise NotSentError(f"{where} cannot be reached: {_short(error)}") from error
        except (HTTPError, OSError) as error:
            raise OutcomeUnknownError(f"{where} gave no answer: {_short(error)}") from error
        return _body(response, where)


def _body(response: Any, where: str) -> JsonObject:
    raw = response[0] if isinstance(response, tuple) else response
    status = int(raw.status)
    try:
        data = raw.data if isinstance(raw.data, bytes) else raw.read(MAX_OBJECT_BYTES)
    except (HTTPError, OSError) as error:
        raise OutcomeUnknownError(f"The answer of {where} was cut: {_short(error)}") from error
    if not 200 <= status < 300:
        raise error_for(status, data, dict(raw.headers or {}))
    return decoded(data)
