"""Watches: from a version on, with selectors, bookmarks and an end; too old is 410."""

from __future__ import annotations

import statistics
import threading
import time
from typing import TYPE_CHECKING, Any

from tests.contract.api import PARTIAL, PARTIAL_LIST
from tests.contract.objects import widget

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.contract.api import Api
    from tests.contract.conftest import Server


def _seen(event: dict[str, Any]) -> tuple[str, str]:
    return event["type"], event["object"]["metadata"]["name"]


def _labelled(name: str, team: str) -> dict[str, Any]:
    obj = widget(name)
    obj["metadata"]["labels"] = {"team": team}
    return obj


def _take(events: Iterator[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    return [next(events) for _ in range(count)]


def _in_background(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_watch__from_a_version__only_what_came_later(api: Api, widgets: str) -> None:
    api.create(widgets, widget("old"))
    version = api.get(widgets).version

    with api.watch(f"{widgets}?watch=1&resourceVersion={version}&timeoutSeconds=10") as events:
        api.create(widgets, widget("new"))
        api.patch(f"{widgets}/old", [{"op": "replace", "path": "/spec/size", "value": 2}])
        gone = api.delete(f"{widgets}/new")
        seen = _take(events, 3)

    assert [_seen(event) for event in seen] == [("ADDED", "new"), ("MODIFIED", "old"), ("DELETED", "new")]
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in seen]
    assert versions == sorted(versions)
    assert versions[0] > int(version)
    assert seen[1]["object"]["spec"]["size"] == 2
    assert gone.status == 200


def test_watch__resumed_at_the_last_version__nothing_missed_or_doubled(api: Api, widgets: str) -> None:
    version = api.get(widgets).version
    with api.watch(f"{widgets}?watch=1&resourceVersion={version}&timeoutSeconds=10") as events:
        api.create(widgets, widget("one"))
        last = next(events)["object"]["metadata"]["resourceVersion"]
    api.create(widgets, widget("two"))
    api.create(widgets, widget("three"))

    with api.watch(f"{widgets}?watch=1&resourceVersion={last}&timeoutSeconds=10") as events:
        seen = _take(events, 2)

    assert [_seen(event) for event in seen] == [("ADDED", "two"), ("ADDED", "three")]


def test_watch__no_version__begins_with_what_is_there(api: Api, widgets: str) -> None:
    api.create(widgets, widget("one"))

    with api.watch(f"{widgets}?watch=1&timeoutSeconds=10") as events:
        first = next(events)
        api.create(widgets, widget("two"))
        second = next(events)

    assert [_seen(first), _seen(second)] == [("ADDED", "one"), ("ADDED", "two")]


def test_watch__label_selector__objects_enter_and_leave(api: Api, widgets: str) -> None:
    version = api.get(widgets).version
    path = f"{widgets}?watch=1&resourceVersion={version}&timeoutSeconds=10&labelSelector=team%3Da"
    move = "/metadata/labels/team"

    with api.watch(path) as events:
        api.create(widgets, _labelled("other", "b"))
        api.create(widgets, _labelled("one", "a"))
        api.patch(f"{widgets}/one", [{"op": "replace", "path": move, "value": "b"}])
        api.patch(f"{widgets}/other", [{"op": "replace", "path": move, "value": "a"}])
        seen = _take(events, 3)

    assert [_seen(event) for event in seen] == [("ADDED", "one"), ("DELETED", "one"), ("ADDED", "other")]


def test_watch__one_name__others_unseen(api: Api, widgets: str) -> None:
    version = api.get(widgets).version
    path = f"{widgets}?watch=1&resourceVersion={version}&timeoutSeconds=10&fieldSelector=metadata.name%3Dtwo"

    with api.watch(path) as events:
        api.create(widgets, widget("one"))
        api.create(widgets, widget("two"))
        seen = next(events)

    assert _seen(seen) == ("ADDED", "two")


def test_watch__partial_metadata__no_spec(api: Api, widgets: str) -> None:
    version = api.get(widgets).version

    with api.watch(f"{widgets}?watch=1&resourceVersion={version}&timeoutSeconds=10", accept=PARTIAL) as events:
        api.create(widgets, widget("one"))
        seen = next(events)

    assert seen["object"]["kind"] == "PartialObjectMetadata"
    assert (_seen(seen), "spec" in seen["object"]) == (("ADDED", "one"), False)


def test_watch__asked_for_the_form_of_a_list__no_events_at_all(api: Api, widgets: str) -> None:
    api.create(widgets, widget("one"))

    with api.watch(f"{widgets}?watch=1&timeoutSeconds=1", accept=PARTIAL_LIST) as events:
        seen = list(events)

    assert seen == []


def test_watch__time_is_no_number__bad_request(api: Api, widgets: str) -> None:
    refused = api.get(f"{widgets}?watch=1&timeoutSeconds=soon")

    assert refused.refusal() == (400, "BadRequest", 'strconv.ParseInt: parsing "soon": invalid syntax')


def test_watch__time_is_over__server_ends_it(api: Api, widgets: str) -> None:
    version = api.get(widgets).version
    began = time.monotonic()

    with api.watch(f"{widgets}?watch=1&resourceVersion={version}&timeoutSeconds=1") as events:
        seen = list(events)

    assert seen == []
    assert 0.9 < time.monotonic() - began < 5


def test_watch__bookmarks_allowed__one_before_the_end(api: Api, widgets: str) -> None:
    api.create(widgets, widget("one"))
    version = api.get(widgets).version

    with api.watch(f"{widgets}?watch=1&resourceVersion={version}&timeoutSeconds=5&allowWatchBookmarks=true") as events:
        seen = list(events)

    assert {event["type"] for event in seen} == {"BOOKMARK"}
    bookmark = seen[-1]["object"]
    assert (bookmark["kind"], bookmark["apiVersion"]) == ("Widget", "contract.meshui.io/v1")
    assert int(bookmark["metadata"]["resourceVersion"]) >= int(version)


def test_watch__version_too_old__error_event_410(api: Api, server: Server, widgets: str) -> None:
    api.create(widgets, widget("one"))
    server.compact()

    with api.watch(f"{widgets}?watch=1&resourceVersion=1&timeoutSeconds=5") as events:
        seen = list(events)

    assert [event["type"] for event in seen] == ["ERROR"]
    status = seen[0]["object"]
    assert (status["kind"], status["status"], status["code"]) == ("Status", "Failure", 410)
    assert status["reason"] in {"Expired", "Gone"}
    assert status["message"].startswith("too old resource version: 1 (")


def test_watch__already_running__survives_a_compaction(api: Api, server: Server, widgets: str) -> None:
    version = api.get(widgets).version

    with api.watch(f"{widgets}?watch=1&resourceVersion={version}&timeoutSeconds=10") as events:
        api.create(widgets, widget("one"))
        first = next(events)
        server.compact()
        api.create(widgets, widget("two"))
        second = next(events)

    assert [_seen(first), _seen(second)] == [("ADDED", "one"), ("ADDED", "two")]


def test_watch__object_held_by_finalizer__modified_then_deleted(api: Api, widgets: str) -> None:
    obj = widget("one")
    obj["metadata"]["finalizers"] = ["contract.meshui.io/hold"]
    api.create(widgets, obj)
    version = api.get(widgets).version

    with api.watch(f"{widgets}?watch=1&resourceVersion={version}&timeoutSeconds=10") as events:
        api.delete(f"{widgets}/one")
        api.patch(f"{widgets}/one", [{"op": "remove", "path": "/metadata/finalizers"}])
        seen = _take(events, 2)

    assert [_seen(event) for event in seen] == [("MODIFIED", "one"), ("DELETED", "one")]


def test_watch__write__event_comes_at_once(api: Api, widgets: str) -> None:
    version = api.get(widgets).version
    sent: list[float] = []
    took: list[float] = []

    def write() -> None:
        sent.append(time.monotonic())
        api.create(widgets, widget(f"w{len(sent)}"))

    with api.watch(f"{widgets}?watch=1&resourceVersion={version}&timeoutSeconds=30") as events:
        for _ in range(5):
            writer = _in_background(write)
            next(events)
            took.append(time.monotonic() - sent[-1])
            writer.join()

    assert statistics.median(took) < 1  # 5 ms on a quiet machine


def test_watch__send_initial_events__begins_with_them(api: Api, widgets: str) -> None:
    api.create(widgets, widget("one"))
    path = (
        f"{widgets}?watch=1&timeoutSeconds=5&sendInitialEvents=true"
        "&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan"
    )

    with api.watch(path) as events:
        first, second = _take(events, 2)

    assert _seen(first) == ("ADDED", "one")
    assert second["type"] == "BOOKMARK"
    assert second["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
