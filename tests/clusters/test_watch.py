"""Watches: what an honest server's events become, and what no honest server would send."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from clusters.clients import (
    BadAnswerError,
    ClusterError,
    ExpiredError,
    ForbiddenError,
    NotSentError,
    OutcomeUnknownError,
    Resource,
)
from clusters.kube_lists import KubeReader
from tests.clusters.test_hostile import CHUNK, CHUNKED, forever, http, memory, reader, says  # noqa: F401 - a fixture too
from tests.clusters.test_hostile import authority as authority  # noqa: PLC0414 - a fixture
from tests.clusters.test_kube import transport_of

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

    from clusters.clients import WatchEvent, WatchStream
    from playground.cluster import EmulatedCluster
    from tests.clusters.raw_server import RawServer
    from tests.clusters.test_hostile import Answer

ROUTES = Resource("networking.istio.io", "v1", "virtualservices", "VirtualService")
SERVICES = Resource("", "v1", "services", "Service")


@pytest.fixture
def lister(eu_west: EmulatedCluster) -> Iterator[KubeReader]:
    """A reader of the first cluster of the playground."""
    made = KubeReader(transport_of(eu_west))
    yield made
    made.close()


def half(body: dict[str, Any]) -> None:
    """A foreign hand shares evenly."""
    for entry in body["spec"]["http"][0]["route"]:
        entry["weight"] = 50


def collected(stream: WatchStream, *, until: Callable[[list[WatchEvent]], bool]) -> list[WatchEvent]:
    """Events until `until` is true of them, then stopped."""
    found: list[WatchEvent] = []
    for event in stream:
        found.append(event)
        if until(found):
            stream.stop()
    return found


def test_watch__edits_and_a_deletion__events_with_slim_objects(lister: KubeReader, eu_west: EmulatedCluster) -> None:
    version = lister.list_metadata(ROUTES).resource_version
    eu_west.edit("VirtualService", "checkout", "shop", half)
    eu_west.delete("VirtualService", "search", "shop")

    events = collected(lister.watch(ROUTES, version), until=lambda found: len(found) == 2)

    assert [(e.type, e.item.head.name) for e in events if e.item] == [("MODIFIED", "checkout"), ("DELETED", "search")]
    body: Any = events[0].item.body() if events[0].item else {}
    assert [entry["weight"] for entry in body["spec"]["http"][0]["route"]] == [50, 50]
    assert "managedFields" not in body["metadata"]
    assert int(events[1].resource_version) > int(events[0].resource_version) > int(version)


def test_watch__nothing_happens__bookmarks_move_the_version(lister: KubeReader, eu_west: EmulatedCluster) -> None:
    eu_west.server.bookmark_seconds = 0.05
    version = lister.list_metadata(ROUTES).resource_version
    eu_west.edit("Service", "checkout", "shop", lambda body: body["metadata"].setdefault("labels", {}).update(a="b"))

    events = collected(lister.watch(ROUTES, version), until=lambda found: len(found) == 2)

    assert [(event.type, event.item) for event in events] == [("BOOKMARK", None)] * 2
    assert int(events[-1].resource_version) > int(version)


def test_watch__version_too_old__expired(lister: KubeReader, eu_west: EmulatedCluster) -> None:
    eu_west.server.compact()

    with pytest.raises(ExpiredError):
        list(lister.watch(ROUTES, "1"))


def test_watch__running_one_expires__expired(lister: KubeReader, eu_west: EmulatedCluster) -> None:
    eu_west.server.bookmark_seconds = 0.05
    stream = lister.watch(ROUTES, lister.list_metadata(ROUTES).resource_version)

    events = iter(stream)
    next(events)
    eu_west.server.expire_watches()

    with pytest.raises(ExpiredError):
        list(events)


def test_watch__no_right_to__forbidden(eu_west: EmulatedCluster) -> None:
    eu_west.grant("some", [{"apiGroups": ["networking.istio.io"], "resources": ["*"], "verbs": ["get", "list"]}])
    limited = KubeReader(transport_of(eu_west, eu_west.kubeconfig("some")))

    with pytest.raises(ForbiddenError, match="watch"):
        list(limited.watch(ROUTES, "1"))


def test_watch__server_down__not_sent(lister: KubeReader, eu_west: EmulatedCluster) -> None:
    eu_west.stop()

    with pytest.raises(NotSentError):
        list(lister.watch(ROUTES, "1"))


def test_watch__stopped_by_another_thread_while_it_waits__ends_at_once(
    lister: KubeReader, eu_west: EmulatedCluster
) -> None:
    eu_west.server.bookmark_seconds = 0.05
    stream = lister.watch(ROUTES, lister.list_metadata(ROUTES).resource_version)
    begun, ended = threading.Event(), threading.Event()

    def follow() -> None:
        for _ in stream:
            eu_west.server.bookmark_seconds = 3600
            begun.set()
        ended.set()

    threading.Thread(target=follow, daemon=True).start()
    assert begun.wait(10)

    stream.stop()

    assert ended.wait(5)


def test_watch__stopped_before_it_began__no_event(lister: KubeReader) -> None:
    stream = lister.watch(ROUTES, lister.list_metadata(ROUTES).resource_version)
    stream.stop()

    assert list(stream) == []


def test_watch__more_of_them_than_the_pool_has_connections__calls_go_on(
    lister: KubeReader, eu_west: EmulatedCluster
) -> None:
    version = lister.list_metadata(ROUTES).resource_version
    eu_west.edit("VirtualService", "checkout", "shop", half)
    streams = [lister.watch(ROUTES, version) for _ in range(6)]
    running = [iter(stream) for stream in streams]
    assert {next(events).type for events in running} == {"MODIFIED"}

    assert lister.version().git_version

    for stream in streams:
        stream.stop()


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def line(kind: str, **body: Any) -> bytes:
    """One event as a chunk."""
    return chunk(json.dumps({"type": kind, "object": body}).encode() + b"\n")


def test_watch__events_cut_across_chunks__put_together(reader: Callable[..., KubeReader]) -> None:  # noqa: F811
    whole = b"".join(
        json.dumps({"type": "ADDED", "object": {"metadata": {"uid": f"u{n}", "resourceVersion": str(n)}}}).encode()
        + b"\n"
        for n in range(20)
    )
    pieces = b"".join(chunk(whole[start : start + 7]) for start in range(0, len(whole), 7))

    events = list(reader(says(CHUNKED + pieces + b"0\r\n\r\n")).watch(SERVICES, "1"))

    assert [event.resource_version for event in events] == [str(n) for n in range(20)]


def then_closed(*parts: bytes) -> Answer:
    """Sends these parts and hangs up."""

    def answer(tls: ssl.SSLSocket, _server: RawServer) -> None:
        tls.sendall(b"".join(parts))
        tls.close()

    return answer


HOSTILE: dict[str, Answer] = {
    "a line without end": forever(CHUNKED, chunk(CHUNK)),
    "one chunk of 2 GB": forever(CHUNKED + b"80000000\r\n", CHUNK),
    "a chunk size without end": forever(CHUNKED, b"1" * 65_536),
    "a trailer without end": forever(CHUNKED + b"0\r\n", CHUNK),
    "trailers without end": forever(CHUNKED + b"0\r\n", b"a: b\r\n" * 1000),
    "no chunks": forever(b"HTTP/1.1 200 OK\r\n\r\n", CHUNK),
    "a length": says(http(b'{"type":"ADDED","object":{}}\n')),
    "gzip": says(CHUNKED[:-2] + b"Content-Encoding: gzip\r\n\r\n" + chunk(b"x")),
    "a million headers": forever(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n" * 1000),
    "not JSON": says(CHUNKED + chunk(b"<html>\n")),
    "JSON that is no event": says(CHUNKED + chunk(b"[1]\n")),
    "an event without object": says(CHUNKED + chunk(b'{"type":"ADDED"}\n')),
    "an object that is text": says(CHUNKED + chunk(b'{"type":"ADDED","object":"x"}\n')),
    "metadata that is text": says(CHUNKED + line("MODIFIED", metadata="x")),
    "deep JSON": says(CHUNKED + chunk(b'{"type":"BOOKMARK","object":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n")),
    "an unknown type": says(CHUNKED + line("EXPLODED", metadata={})),
    "an object of 3 MiB": says(CHUNKED + line("ADDED", spec="x" * 3_000_000)),
    "an error without a code": says(CHUNKED + line("ERROR", message="x" * 100_000)),
    "an error that is text": says(CHUNKED + chunk(b'{"type":"ERROR","object":"x"}\n')),
    "a redirect": says(http(b"", "Location: https://127.0.0.1:1/", status="307 Go")),
    "half a chunk": then_closed(CHUNKED, b"ff\r\nabc"),
    "not HTTP": says(b"SSH-2.0-OpenSSH_9\r\n\r\n"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_s17_watch__what_no_honest_server_sends__capped(
    name: str,
    reader: Callable[..., KubeReader],  # noqa: F811 - the fixture
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("clusters.watch.WATCH_SECONDS", (1, 1))
    monkeypatch.setattr("clusters.watch.GRACE_SECONDS", 1.0)
    before, began = memory(), time.monotonic()

    with pytest.raises(ClusterError) as refused:
        list(reader(HOSTILE[name]).watch(SERVICES, "1"))

    assert isinstance(refused.value, BadAnswerError | OutcomeUnknownError)
    assert len(refused.value.message) <= 2_100
    assert time.monotonic() - began < 10
    assert memory() - before < 200 * 1024 * 1024


def test_s17_watch__silent_server__given_up_after_the_silence(
    reader: Callable[..., KubeReader],  # noqa: F811 - the fixture
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def silent(tls: ssl.SSLSocket, server: RawServer) -> None:
        tls.sendall(CHUNKED)
        server.stopping.wait()

    monkeypatch.setattr("clusters.watch.SILENCE_SECONDS", 0.2)
    began = time.monotonic()

    with pytest.raises(OutcomeUnknownError, match="broke"):
        list(reader(silent).watch(SERVICES, "1"))

    assert time.monotonic() - began < 5


def test_s17_watch__events_without_end__the_reader_holds_the_server_up(
    reader: Callable[..., KubeReader],  # noqa: F811 - the fixture
) -> None:
    sent: list[int] = []
    event = line("ADDED", metadata={"uid": "u", "resourceVersion": "1"}, spec="x" * 100_000)

    def flood(tls: ssl.SSLSocket, server: RawServer) -> None:
        tls.sendall(CHUNKED)
        while not server.stopping.is_set():
            tls.sendall(event)
            sent.append(len(event))

    stream = reader(flood).watch(SERVICES, "1")
    running = iter(stream)
    next(running)
    threading.Event().wait(0.5)  # as long as it likes: the kernel's buffers are full long before

    assert sum(sent) < 64 * 1024 * 1024
    stream.stop()
    running.close()  # type: ignore[attr-defined]  # a generator


def test_s17_list__a_trailer_without_end__capped(reader: Callable[..., KubeReader]) -> None:  # noqa: F811
    page = b'{"metadata":{},"items":[]}'
    before = memory()

    with pytest.raises(ClusterError):
        reader(forever(CHUNKED + chunk(page) + b"0\r\n", CHUNK)).list_objects(SERVICES)

    assert memory() - before < 400 * 1024 * 1024
