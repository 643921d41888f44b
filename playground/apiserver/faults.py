"""Faults on purpose, and the memory of what clients did: for tests."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from playground.apiserver import patches
from playground.apiserver.messages import Request, Response, answer, target_of

if TYPE_CHECKING:
    from collections.abc import Callable

    Where: TypeAlias = str | Callable[[Request], bool]

REASONS = {
    401: "Unauthorized",
    403: "Forbidden",
    409: "Conflict",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


def on(kind: str, name: str = "", namespace: str = "", *, dry_run: bool = False) -> Callable[[Request], bool]:
    """Return the test of a request: does it concern this kind, this object if one is named, and is it for real?

    `kind` is a kind (VirtualService), a plural, or either with its group (httproutes.policy.linkerd.io). With `dry_run`
    only dry runs are meant. An object that is made is named by its body.
    """
    wanted, _, group = kind.lower().partition(".")

    def concerns(request: Request) -> bool:
        target = target_of(request)
        return (
            target is not None
            and target.plural in {wanted, f"{wanted}s", f"{wanted}es"}
            and group in {"", target.group}
            and namespace in {"", target.namespace}
            and name in {"", target.name or _name_in(request.body)}
            and dry_run == _is_dry_run(request)
        )

    return concerns


def _is_dry_run(request: Request) -> bool:
    if request.method == "DELETE" and request.body.strip():  # then the server does not look at the query
        return b'"dryRun"' in request.body
    return request.query.get("dryRun") == "All"


def _name_in(body: bytes) -> str:
    try:
        return str(json.loads(body)["metadata"]["name"])
    except (ValueError, KeyError, TypeError):
        return ""


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request as the server saw it; `status` 0 means that no answer was sent."""

    method: str
    path: str
    query: dict[str, str]
    content_type: str
    user_agent: str
    user: str
    status: int
    body: bytes


def record_of(request: Request, status: int, user: str) -> RequestRecord:
    """Return what is remembered of a request."""
    return RequestRecord(
        method=request.method,
        path=request.path,
        query=request.query,
        content_type=request.content_type,
        user_agent=request.user_agent,
        user=user,
        status=status,
        body=request.body,
    )


@dataclass(frozen=True, slots=True)
class Violation:
    """A request that MeshUI must never make: `what` it was, and whose."""

    what: str
    method: str
    path: str
    user: str
    user_agent: str


FORBIDDEN_TYPES = {
    patches.MERGE_PATCH: "merge-patch",
    patches.STRATEGIC_PATCH: "strategic-merge-patch",
    patches.APPLY_PATCH: "server-side-apply",
}


def violations_of(request: Request, user: str, *, is_custom: bool) -> list[Violation]:
    """Return what is wrong with a request by change control: no merge patch, no apply, no force, no PUT."""
    found = []
    if request.method == "PATCH" and request.content_type in FORBIDDEN_TYPES:
        found.append(FORBIDDEN_TYPES[request.content_type])
    if request.asks("force"):
        found.append("force")
    if request.method == "PUT" and is_custom:
        found.append("put")
    return [Violation(what, request.method, request.path, user, request.user_agent) for what in found]


@dataclass(slots=True)
class Fault:
    """What shall go wrong, where, and how often still. At most one of the last four is used, as `kind` says."""

    kind: str
    method: str
    where: Where
    left: int
    seconds: float = 0.0
    bytes_per_second: int = 0
    response: Response | None = None
    function: Callable[[Request], None] | None = None

    def concerns(self, request: Request) -> bool:
        """Tell whether this fault is meant for `request`."""
        if self.left < 1 or self.method not in {"*", request.method}:
            return False
        return self.where in request.path if isinstance(self.where, str) else self.where(request)


class Faults:
    """The faults that wait for a request. `path` is a part of the path, or a test of the request: see `on`."""

    def __init__(self) -> None:
        """Start with none."""
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def _add(self, fault: Fault) -> None:
        with self._lock:
            self._faults.append(fault)

    def take(self, request: Request) -> Fault | None:
        """Return the first fault for `request`, and count it down."""
        with self._lock:
            for fault in self._faults:
                if fault.concerns(request):
                    fault.left -= 1
                    return fault
        return None

    @property
    def pending(self) -> int:
        """How many faults have not happened yet."""
        with self._lock:
            return sum(fault.left for fault in self._faults)

    def clear(self) -> None:
        """Forget all faults."""
        with self._lock:
            self._faults.clear()

    def drop_reply(self, method: str = "*", path: Where = "", times: int = 1) -> None:
        """Do what is asked, then close the connection without a byte."""
        self._add(Fault("drop_reply", method, path, times))

    def drop_request(self, method: str = "*", path: Where = "", times: int = 1) -> None:
        """Close the connection before anything is done."""
        self._add(Fault("drop_request", method, path, times))

    def black_hole(self, method: str = "*", path: Where = "", times: int = 1) -> None:
        """Do nothing and never answer, until the server stops."""
        self._add(Fault("black_hole", method, path, times))

    def cut_body(self, method: str = "*", path: Where = "", times: int = 1) -> None:
        """Do what is asked, promise the whole answer, send half of it and reset the connection."""
        self._add(Fault("cut_body", method, path, times))

    def trickle(self, bytes_per_second: int, method: str = "*", path: Where = "", times: int = 1) -> None:
        """Do what is asked, and answer as slowly as that."""
        self._add(Fault("trickle", method, path, times, bytes_per_second=bytes_per_second))

    def delay(self, seconds: float, method: str = "*", path: Where = "", times: int = 1) -> None:
        """Wait before anything is done."""
        self._add(Fault("delay", method, path, times, seconds=seconds))

    def answer(
        self, status: int, method: str = "*", path: Where = "", times: int = 1, *, retry_after: int | None = None
    ) -> None:
        """Do nothing and answer with an error; `retry_after` in seconds."""
        reason = REASONS.get(status, "")
        body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": reason}
        response = answer(status, {**body, "message": f"injected fault {status}", "code": status})
        if retry_after is not None:
            response.headers["Retry-After"] = str(retry_after)
        self._add(Fault("answer", method, path, times, response=response))

    def redirect(self, location: str, method: str = "*", path: Where = "", times: int = 1) -> None:
        """Do nothing and send the client elsewhere."""
        response = Response(302, b"", headers={"Location": location})
        self._add(Fault("answer", method, path, times, response=response))

    def call(self, function: Callable[[Request], None], method: str = "*", path: Where = "", times: int = 1) -> None:
        """Call `function` just before the request is done, on the thread that does it."""
        self._add(Fault("call", method, path, times, function=function))
