"""Requests as the server reads them, answers as it writes them, and what a URL asks for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit

from playground.apiserver.store import encode

if TYPE_CHECKING:
    from collections.abc import Iterator

WRITES = {"POST": "create", "PUT": "update", "PATCH": "patch"}
PROXY = "proxy"  # the subresource whose URL goes on
TRUE = frozenset({"1", "true", "True"})


@dataclass(frozen=True, slots=True)
class User:
    """Who asks."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""


@dataclass(slots=True)
class Request:
    """One HTTP request; header names are lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes = b""
    certificate: User | None = None
    path: str = field(init=False)
    query: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        """Split the target."""
        parts = urlsplit(self.target)
        self.path = unquote(parts.path)
        self.query = dict(parse_qsl(parts.query, keep_blank_values=True))

    @property
    def content_type(self) -> str:
        """The media type of the body, without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip()

    @property
    def user_agent(self) -> str:
        """What the client calls itself."""
        return self.headers.get("user-agent", "")

    def asks(self, flag: str) -> bool:
        """Tell whether a query parameter is set to true."""
        return self.query.get(flag, "") in TRUE


@dataclass(slots=True)
class Response:
    """One answer: a body, or a stream of pieces that ends when it likes (b"" asks whether the client still listens)."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    stream: Iterator[bytes] | None = None


def answer(status: int, value: object) -> Response:
    """Return a JSON answer."""
    return Response(status, encode(value))


@dataclass(frozen=True, slots=True)
class Target:
    """What a resource URL names, and the verb that RBAC knows it by."""

    verb: str
    group: str
    version: str
    plural: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def full_resource(self) -> str:
        """The name that rules use: `pods`, `pods/status`."""
        return f"{self.plural}/{self.subresource}" if self.subresource else self.plural


def target_of(request: Request) -> Target | None:
    """Read a URL below /api/v1 or /apis/<group>/<version>/; None for all that names no resource."""
    parts = request.path.strip("/").split("/")
    if parts[:2] == ["api", "v1"]:
        group, version, rest = "", "v1", parts[2:]
    elif parts[0] == "apis" and len(parts) > 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    namespace = ""
    if rest and rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in {"status", "finalize"}:
        namespace, rest = rest[1], rest[2:]
    elif rest and rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
    if len(rest) > 3 and rest[2] == PROXY:
        rest = rest[:3]  # what follows is the path behind the proxy
    if not rest or len(rest) > 3:
        return None
    plural, name, subresource = (*rest, "", "")[:3]
    name = name or _named_by_selector(request)
    verb = _verb(request, is_single=len(rest) > 1)
    return Target(verb, group, version, plural, namespace, name, subresource)


def _named_by_selector(request: Request) -> str:
    """Return the name in `fieldSelector=metadata.name=x`: the server asks RBAC for that name."""
    selector = request.query.get("fieldSelector", "")
    prefix = "metadata.name="
    is_single = selector.startswith(prefix) and "," not in selector
    return selector[len(prefix) :].lstrip("=") if is_single else ""


def _verb(request: Request, *, is_single: bool) -> str:
    if request.method in {"GET", "HEAD"}:
        if request.asks("watch"):
            return "watch"
        return "get" if is_single else "list"
    if request.method == "DELETE":
        return "delete" if is_single else "deletecollection"
    return WRITES.get(request.method, request.method.lower())
