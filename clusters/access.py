"""What a connection test asks of an API server: is it ready, who is it, what does it serve, what may we do there."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from clusters.clients import BadAnswerError, ClusterError, ObjectGoneError, OutcomeUnknownError
from clusters.endpoints import POOL_SIZE
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
Served = frozenset[tuple[str, str]]
Answers = dict[Asked, bool]


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

    def served(self) -> Served:
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

    def answers(self, asked: Iterable[Asked]) -> Answers:
        """Whether each is allowed, by SelfSubjectAccessReviews, four at a time.

        What a slow server did not say in the time of one test is not in it. Raises ClusterError.
        """
        questions = list(dict.fromkeys(asked))
        with ThreadPoolExecutor(POOL_SIZE, thread_name_prefix="access") as pool:
            try:
                found = list(pool.map(self._may, questions))
            except ClusterError:
                self._end = 0.0  # those that wait in line are not sent
                raise
        return {one: said for one, said in zip(questions, found, strict=True) if said is not None}

    def _may(self, asked: Asked) -> bool | None:
        if time.monotonic() > self._end:
            return None
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


def access_rows(inspector: Inspector, role: str, served: Served, namespaces: tuple[str, ...]) -> tuple[Row, ...]:
    """A row per kind that the credential of `role` is for, then one per right that is more than needed."""
    needs = [need for need in NEEDS if role == "reader" or need.is_written]
    asked = {need: tuple(_asked(need, role, namespaces)) for need in needs if _is_there(need, served)}
    said = inspector.answers([*chain.from_iterable(asked.values()), *EXCESS])
    rows = [_row(need, role, asked.get(need), said, namespaces) for need in needs]
    more = [_blank(role, f"{right.verb} {right.resource}", "excess") for right in EXCESS if said.get(right)]
    return (*rows, *more)


def rejected_rows(role: str, why: str) -> tuple[Row, ...]:
    """The rows where the credential of `role` does not even open the door; the first says why."""
    needs = [need for need in NEEDS if role == "reader" or need.is_written]
    return tuple(_blank(role, need.label, "rejected") | {"why": "" if n else why} for n, need in enumerate(needs))


def _blank(role: str, label: str, state: str) -> Row:
    return {"role": role, "label": label, "state": state, "missing": [], "where": []}


def _row(need: Need, role: str, asked: tuple[Asked, ...] | None, said: Answers, namespaces: tuple[str, ...]) -> Row:
    row = _blank(role, need.label, "allowed")
    if asked is None:
        return row | {"state": "not_served"}
    refused = [right for right in asked if said.get(right) is False]
    if not refused:
        return row if all(right in said for right in asked) else row | {"state": "unanswered"}
    if namespaces and need.home and need.home not in namespaces:
        return row | {"state": "left_out"}
    if namespaces and not need.is_namespaced and need.resource != "namespaces":
        return row | {"state": "left_out"}
    missing = list(dict.fromkeys(right.verb for right in refused))
    where = list(dict.fromkeys(right.namespace for right in refused if right.namespace)) if namespaces else []
    return row | {"state": "denied", "missing": missing, "where": where}


def _is_there(need: Need, served: Served) -> bool:
    """Whether its kind is served; of single objects of a mesh, whether any kind of that mesh is."""
    of_mesh = (other for other in NEEDS if other.mesh == need.mesh and not other.names)
    looked_for = of_mesh if need.names and need.mesh else (need,)
    return any((other.group, other.resource) in served for other in looked_for)


def _asked(need: Need, role: str, namespaces: tuple[str, ...]) -> Iterator[Asked]:
    """Each right once for everywhere, or once for each chosen namespace; of a Namespace itself only to get it."""
    for verb in WRITE_VERBS if role == "writer" else need.read_verbs:
        if need.names:
            yield from (Asked(verb, need.group, need.resource, need.home, name) for name in need.names)
        elif not namespaces or (not need.is_namespaced and need.resource != "namespaces"):
            yield Asked(verb, need.group, need.resource)
        elif need.is_namespaced:
            yield from (Asked(verb, need.group, need.resource, namespace) for namespace in namespaces)
        elif verb == "get":
            yield from (Asked("get", "", "namespaces", name, name) for name in (KUBE_SYSTEM, *namespaces))


def missing_words(rows: Iterable[Row]) -> str:
    """What the rows lack, as the reason of a degraded cluster; empty where nothing is."""
    rows = list(rows)
    unanswered = sum(row.get("state") == "unanswered" for row in rows)
    faults = [_fault_words(row) for row in rows if row.get("state") == "denied"]
    words = [f"The credentials may not: {'; '.join(faults)}."] if faults else []
    words += [f"The {row['role']} credential does not work: {row['why']}" for row in rows if row.get("why")]
    words += [f"It answers so slowly that {unanswered} of its rights are not known."] if unanswered else []
    return " ".join(words)


def _fault_words(row: Row) -> str:
    where = f" in {', '.join(row['where'])}" if row["where"] else ""
    return f"{', '.join(row['missing'])} {row['label']}{where} ({row['role']})"
