"""A hostile API server: S17's endless answers, S2's redirects, and what each broken answer means to a writer."""

from __future__ import annotations

import gzip
import json
import os
import resource
import time
import zlib
from typing import TYPE_CHECKING, Any

import pytest

from clusters.clients import (
    BadAnswerError,
    ClusterError,
    GuardedPatch,
    NotSentError,
    ObjectRef,
    OutcomeUnknownError,
    PatchOperation,
    Resource,
)
from clusters.connect import tls_context
from clusters.endpoints import PinnedPool, Policy, parse_endpoint, resolve
from clusters.kube import KubeWriter
from clusters.kube_lists import KubeReader, Transport
from clusters.secrets import Opened, Secret
from tests.clusters.raw_server import Authority, RawServer, raw_server, server_context

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Answer = Callable[[ssl.SSLSocket, RawServer], None]

SERVICES = Resource("", "v1", "services", "Service")
PATCH = GuardedPatch(ObjectRef(SERVICES, "shop", "checkout"), (PatchOperation("test", "/metadata/uid", "u"),))
LOOPBACK = Policy(allows_loopback=True)
CHUNK = b"x" * 65_536


def transport_to(url: str, ca_pem: str, *, read: float = 5.0, tls_name: str = "") -> Transport:
    """A transport as connect makes it."""
    endpoint = parse_endpoint(url, tls_name=tls_name)
    context = tls_context(Opened(Secret("token"), "", Secret(""), ca_pem, skips_tls_verification=False))
    return Transport(
        endpoint,
        lambda: PinnedPool(endpoint, resolve(endpoint, LOOPBACK), context, connect=2, read=read),
        {"Authorization": "Bearer canary-token"},
    )


@pytest.fixture
def authority() -> Authority:
    """The CA of the hostile server, which is trusted: TLS is not what is wrong with it."""
    return Authority()


@pytest.fixture
def reader(authority: Authority, tmp_path: Path) -> Iterator[Callable[..., KubeReader]]:
    """`reader(answer)`: a reader of a server that answers so."""
    servers: list[Any] = []
    context = server_context(authority.issue(), tmp_path)

    def start(answer: Answer, **options: Any) -> KubeReader:
        manager = raw_server(context, answer)
        servers.append(manager)
        found = KubeReader(transport_to(manager.__enter__().url, authority.pem, **options))
        servers.append(found)
        return found

    yield start
    for item in reversed(servers):
        item.close() if isinstance(item, KubeReader) else item.__exit__(None, None, None)


def http(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """A whole answer."""
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def says(data: bytes) -> Answer:
    """Answers with these bytes."""
    return lambda tls, _server: tls.sendall(data)


def forever(head: bytes, piece: bytes) -> Answer:
    """Answers with `head`, then `piece` again and again."""

    def answer(tls: ssl.SSLSocket, server: RawServer) -> None:
        tls.sendall(head)
        while not server.stopping.is_set():
            tls.sendall(piece)

    return answer


def half(tls: ssl.SSLSocket, _server: RawServer) -> None:
    """Ends in the middle of the body."""
    tls.sendall(http(b"{}" * 100)[:-50])
    tls.close()


def memory() -> int:
    """Peak of this process, bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
BOMB = gzip.compress(b"[" + b" " * 80_000_000 + b"]")
ENDLESS: dict[str, Answer] = {
    "2 GB announced": forever(b"HTTP/1.1 200 OK\r\nContent-Length: 2147483648\r\n\r\n", CHUNK),
    "no length": forever(b"HTTP/1.1 200 OK\r\n\r\n", CHUNK),
    "endless chunks": forever(CHUNKED, b"10000\r\n" + CHUNK + b"\r\n"),
    "gzip 1:1000": says(http(BOMB, "Content-Encoding: gzip")),
    "a million headers": forever(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n" * 1000),
    "one endless header": forever(b"HTTP/1.1 200 OK\r\nX-A: ", CHUNK),
    "deflate": says(http(zlib.compress(b"{}"), "Content-Encoding: deflate")),
    "brotli": says(http(b"{}", "Content-Encoding: br")),
    "no gzip": says(http(b"{}", "Content-Encoding: gzip")),
    "deep JSON": says(http(b'{"metadata":{},"items":' + b"[" * 100_000 + b"]" * 100_000 + b"}")),
    "NaN": says(http(b'{"metadata":{},"items":[{"spec":NaN}]}')),
    "lone surrogate": says(http(b'{"metadata":{},"items":[{"spec":"\\ud800"}]}')),
    "not JSON": says(http(b"<html>")),
    "a list": says(http(b"[]")),
    "items that are no objects": says(http(b'{"metadata":{},"items":[1]}')),
    "metadata that is text": says(http(b'{"metadata":{},"items":[{"metadata":"x"}]}')),
    "an object of 3 MiB": says(http(b'{"metadata":{},"items":[{"spec":"' + b"x" * 3_000_000 + b'"}]}')),
    "not HTTP": says(b"SSH-2.0-OpenSSH_9\r\n\r\n"),
    "nothing": lambda tls, _server: tls.close(),
    "half a body": half,
}


@pytest.mark.parametrize("name", ENDLESS)
def test_s17_reader__endless_answer__capped(
    name: str, reader: Callable[..., KubeReader], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clusters.endpoints.ANSWER_SECONDS", 20.0)
    hostile = reader(ENDLESS[name])
    before, began = memory(), time.monotonic()

    with pytest.raises(ClusterError) as refused:
        hostile.list_objects(SERVICES)

    assert isinstance(refused.value, BadAnswerError | OutcomeUnknownError)
    assert len(refused.value.message) <= 2_100
    assert time.monotonic() - began < 25
    assert memory() - before < 400 * 1024 * 1024


def test_s17_reader__a_byte_a_second__given_up_at_the_deadline(
    reader: Callable[..., KubeReader], monkeypatch: pytest.MonkeyPatch
) -> None:
    def drip(tls: ssl.SSLSocket, server: RawServer) -> None:
        tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not server.stopping.wait(0.05):
            tls.sendall(b" ")

    monkeypatch.setattr("clusters.endpoints.ANSWER_SECONDS", 0.5)
    hostile = reader(drip)
    began = time.monotonic()

    with pytest.raises(OutcomeUnknownError):
        hostile.version()

    assert time.monotonic() - began < 4


def test_s17_reader__headers_that_drip__given_up_at_the_deadline(
    reader: Callable[..., KubeReader], monkeypatch: pytest.MonkeyPatch
) -> None:
    def drip(tls: ssl.SSLSocket, server: RawServer) -> None:
        while not server.stopping.wait(0.05):
            tls.sendall(b"H")

    monkeypatch.setattr("clusters.endpoints.ANSWER_SECONDS", 0.5)

    with pytest.raises(OutcomeUnknownError):
        reader(drip).version()


def test_s17_reader__endless_continue__capped(
    reader: Callable[..., KubeReader], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clusters.kube_lists.MAX_PAGES", 20)
    page = json.dumps({"metadata": {"continue": "again", "resourceVersion": "1"}, "items": [{}]}).encode()
    hostile = reader(says(http(page)))

    with pytest.raises(BadAnswerError, match="does not end"):
        hostile.list_objects(SERVICES)


def test_s17_reader__too_many_objects__capped(
    reader: Callable[..., KubeReader], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clusters.kube_lists.MAX_OBJECTS", 100)
    page = json.dumps({"metadata": {"continue": "again"}, "items": [{}] * 60}).encode()

    with pytest.raises(BadAnswerError, match="more than 100"):
        reader(says(http(page))).list_objects(SERVICES)


@pytest.mark.parametrize(
    "status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent"]
)
@pytest.mark.parametrize(
    "to", ["http://169.254.169.254/latest/meta-data", "https://127.0.0.1:1/", "file:///etc/passwd", "/x"]
)
def test_s02_redirect__any_target__never_followed(reader: Callable[..., KubeReader], status: str, to: str) -> None:
    hostile = reader(says(http(b"", f"Location: {to}", status=status)))

    with pytest.raises(BadAnswerError, match="never followed") as refused:
        hostile.version()

    assert refused.value.status in {301, 302, 303, 307, 308}


def test_s04_error__of_a_cluster__masked_and_cut(reader: Callable[..., KubeReader]) -> None:
    token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln"  # noqa: S105 - made up
    body = json.dumps({"message": f"bad token {token} " + "x" * 5_000, "reason": token}).encode()

    with pytest.raises(ClusterError) as refused:
        reader(says(http(body, status="403 Forbidden"))).version()

    assert token not in refused.value.message + refused.value.reason
    assert len(refused.value.message) <= 2_048
    assert "canary-token" not in f"{refused.value!r} {refused.value.__cause__!r}"


WRITES: dict[str, tuple[Answer, type[ClusterError]]] = {
    "closed before the answer": (lambda tls, _server: tls.close(), OutcomeUnknownError),
    "cut answer": (half, OutcomeUnknownError),
    "good but not JSON": (says(http(b"<html>")), OutcomeUnknownError),
    "good but too large": (says(http(b'{"a":"' + b"x" * 3_000_000 + b'"}')), OutcomeUnknownError),
    "500": (says(http(b"{}", status="500 Oops")), OutcomeUnknownError),
    "503 not JSON": (says(http(b"<html>", status="503 Oops")), OutcomeUnknownError),
    "too many headers": (says(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 20_000), OutcomeUnknownError),
    "redirect": (says(http(b"", "Location: /x", status="307 Go")), BadAnswerError),
}


@pytest.mark.parametrize("name", WRITES)
def test_write__broken_answer__sent_once_and_never_taken_for_unsent(
    name: str, authority: Authority, tmp_path: Path
) -> None:
    answer, expected = WRITES[name]
    with raw_server(server_context(authority.issue(), tmp_path), answer) as server:
        writer = KubeWriter(transport_to(server.url, authority.pem, read=2), field_manager="meshui")

        with pytest.raises(expected):
            writer.write(PATCH)

        writer.close()
    heads = [head for head in server.requests if head.startswith(b"PATCH ")]
    assert len(heads) == 1
    assert b"content-type: application/json-patch+json" in heads[0].lower()


def test_write__tls_alert_after_the_request__outcome_unknown(authority: Authority, tmp_path: Path) -> None:
    def garbage(tls: ssl.SSLSocket, _server: RawServer) -> None:
        raw = tls.detach()
        os.write(raw, b"this is not a TLS record at all")
        os.close(raw)

    with raw_server(server_context(authority.issue(), tmp_path), garbage) as server:
        writer = KubeWriter(transport_to(server.url, authority.pem, read=2), field_manager="meshui")

        with pytest.raises(OutcomeUnknownError):
            writer.write(PATCH)

        writer.close()


def test_write__nobody_listens__not_sent(authority: Authority) -> None:
    writer = KubeWriter(transport_to("https://127.0.0.1:1025", authority.pem), field_manager="meshui")

    with pytest.raises(NotSentError) as refused:
        writer.write(PATCH)

    assert "127.0.0.1:1025" in refused.value.message
