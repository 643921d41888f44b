"""What a connection test asks of an API server: is it ready, who is it, what does it serve, what may we do there."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final

from clusters.clients import BadAnswerError, ObjectGoneError, OutcomeUnknownError
from clusters.kube_lists import KubeReader
from clusters.transport import decoded
from clusters.types import EXCESS, KUBE_SYSTEM, NEEDS, WRITE_VERBS, Asked

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from clusters.clients import Identity, ServerVersion
    from clusters.transport import Transport
    from clusters.types import Need

REVIEWS: Final = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
READY_BYTES: Final = 64 * 1024
WHOLE_SECONDS: Final = 20.0
"""All questions of one test together: a slow server must not hold its lane for each of them anew."""

Row = dict[str, Any]


class Inspector:
    """Asks one API server by one credential. Every call may raise a ClusterError."""

    def __init__(self, transport: Transport, *, seconds: float = WHOLE_SECONDS) -> None:
        self._transport = transport
        self._reader = KubeReader(transport)
        self._end = time.monotonic() + seconds

    def version(self) -> ServerVersion:
        """GET /version."""
        return self._reader.version()

    def identity(self) -> Identity:
        """Which cluster it is."""
        return self._reader.identity()

    def require_ready(self) -> None:
        """GET /readyz."""
        self._transport.get("/readyz", limit=READY_BYTES)

    def close(self) -> None:
        """Drop the connections."""
        self._transport.close()

    def served(self) -> frozenset[tuple[str, str]]:
        """(group, plural) of what is served of the groups that MeshUI needs. One call, and one a version."""
        wanted = {need.group for need in NEEDS if need.group}
        versions = [version for version in self._reader.api_groups() if version.partition("/")[0] in wanted]
        found: set[tuple[str, str]] = {(need.group, need.resource) for need in NEEDS if not need.group}
        for version in versions:
            found |= {(version.partition("/")[0], plural) for plural in self._plurals(version)}
        return frozenset(found)

    def _plurals(self, version: str) -> Iterator[str]:
        self._require_time()
        try:
            listed = decoded(self._transport.get(f"/apis/{version}")).get("resources")
        except ObjectGoneError:  # its definitions went away since the groups were listed
            return
        if not isinstance(listed, list):
            raise BadAnswerError(f"Its list of kinds in {version[:100]} is not one that Kubernetes would send.")
        for resource in listed:
            if isinstance(resource, dict) and isinstance(resource.get("name"), str):
                yield str(resource["name"])

    def may(self, asked: Asked) -> bool:
        """One SelfSubjectAccessReview."""
        self._require_time()
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {key: value for key, value in asked._asdict().items() if value}},
        }
        status = decoded(self._transport.call("POST", REVIEWS, body=json.dumps(review).encode())).get("status")
        return isinstance(status, dict) and status.get("allowed") is True

    def _require_time(self) -> None:
        if time.monotonic() > self._end:
            raise OutcomeUnknownError(f"Its answers took longer than {WHOLE_SECONDS:g} s together.")


def reader_rows(inspector: Inspector, served: frozenset[tuple[str, str]], namespaces: tuple[str, ...]) -> Iterator[Row]:
    """A row per kind that is read, then one per right that is more than needed."""
    for need in NEEDS:
        yield _row(inspector, need, "reader", served=served, namespaces=namespaces)
    yield from _excess(inspector, "reader")


def writer_rows(inspector: Inspector, served: frozenset[tuple[str, str]], namespaces: tuple[str, ...]) -> Iterator[Row]:
    """A row per kind that is written, then one per right that is more than needed."""
    for need in NEEDS:
        if need.is_written:
            yield _row(inspector, need, "writer", served=served, namespaces=namespaces)
    yield from _excess(inspector, "writer")


def _row(
    inspector: Inspector, need: Need, role: str, *, served: frozenset[tuple[str, str]], namespaces: tuple[str, ...]
) -> Row:
    row: Row = {"role": role, "label": need.label, "state": "allowed", "missing": [], "where": []}
    if (need.group, need.resource) not in served:
        return row | {"state": "not_served"}
    verbs = WRITE_VERBS if role == "writer" else need.read_verbs
    refused = [asked for asked in _asked(need, verbs, namespaces) if not inspector.may(asked)]
    if not refused:
        return row
    if namespaces and need.home and need.home not in namespaces:
        return row | {"state": "left_out"}
    if namespaces and not need.is_namespaced and need.resource != "namespaces":
        return row | {"state": "left_out"}
    missing = [verb for verb in verbs if any(asked.verb == verb for asked in refused)]
    where = list(dict.fromkeys(asked.namespace for asked in refused if asked.namespace)) if namespaces else []
    return row | {"state": "denied", "missing": missing, "where": where}


def _asked(need: Need, verbs: Iterable[str], namespaces: tuple[str, ...]) -> Iterator[Asked]:
    """Each right once for everywhere, or once for each chosen namespace; of a Namespace itself only to get it."""
    for verb in verbs:
        if need.names:
            yield from (Asked(verb, need.group, need.resource, need.home, name) for name in need.names)
        elif not namespaces or (not need.is_namespaced and need.resource != "namespaces"):
            yield Asked(verb, need.group, need.resource)
        elif need.is_namespaced:
            yield from (Asked(verb, need.group, need.resource, namespace) for namespace in namespaces)
        elif verb == "get":
            yield from (Asked("get", "", "namespaces", name, name) for name in (KUBE_SYSTEM, *namespaces))


def _excess(inspector: Inspector, role: str) -> Iterator[Row]:
    for asked in EXCESS:
        if inspector.may(asked):
            yield {
                "role": role,
                "label": f"{asked.verb} {asked.resource}",
                "state": "excess",
                "missing": [],
                "where": [],
            }


def missing_words(rows: Iterable[Row]) -> str:
    """What the rows lack, as the reason of a degraded cluster; empty where nothing is."""
    faults = []
    for row in rows:
        if row.get("state") == "denied":
            where = f" in {', '.join(row['where'])}" if row["where"] else ""
            faults.append(f"{', '.join(row['missing'])} {row['label']}{where} ({row['role']})")
    return f"The credentials may not: {'; '.join(faults)}." if faults else ""
