"""Guards that stand before every patch."""

from __future__ import annotations

from typing import Any

import pytest

from traffic.marks import mark_of, mark_operations, marked, rebased
from traffic.patches import PathMissingError, apply_operations, inverse, value_at


def live(**metadata: Any) -> dict[str, Any]:
    return {
        "metadata": {"uid": "u", "resourceVersion": "5", **metadata},
        "spec": {"a": [{"w": 90}, {"w": 10}]},
    }


def paths(found: dict[str, Any]) -> list[tuple[str, str]]:
    return [(op.op, op.path) for op in mark_operations(found, "m")]


def test_mark_operations__no_annotations__object_is_made_first() -> None:
    assert paths(live()) == [
        ("test", "/metadata/uid"),
        ("test", "/metadata/resourceVersion"),
        ("add", "/metadata/annotations"),
        ("add", "/metadata/annotations/meshui.io~1change"),
    ]


def test_mark_operations__earlier_mark__is_tested() -> None:
    found = live(annotations={"meshui.io/change": "old", "other": "kept"})

    assert mark_of(found) == "old"
    assert ("test", "/metadata/annotations/meshui.io~1change") in paths(found)
    assert ("add", "/metadata/annotations") not in paths(found)


def test_rebased__equal_weights_written_otherwise__tests_hold_what_is_there() -> None:
    operations: list[dict[str, Any]] = [
        {"op": "test", "path": "/spec/a/0/w", "value": 9},
        {"op": "replace", "path": "/spec/a/0/w", "value": 75},
    ]

    assert [op.value for op in rebased(operations, live())] == [90, 75]


@pytest.mark.parametrize("pointer", ["/spec/b", "/spec/a/2/w", "/spec/a/x", "/spec/a/0/w/x"])
def test_value_at__path_leads_nowhere__raises(pointer: str) -> None:
    with pytest.raises(PathMissingError):
        value_at(live(), pointer)


def test_inverse__replaced_and_added__snapshot_comes_back() -> None:
    operations: list[dict[str, Any]] = [
        {"op": "test", "path": "/spec/a/0/w", "value": 90},
        {"op": "replace", "path": "/spec/a/0/w", "value": 75},
        {"op": "add", "path": "/spec/a/1/x", "value": 1},
    ]

    assert inverse(operations, live()) == [
        {"op": "test", "path": "/spec/a/0/w", "value": 75},
        {"op": "test", "path": "/spec/a/1/x", "value": 1},
        {"op": "replace", "path": "/spec/a/0/w", "value": 90},
        {"op": "remove", "path": "/spec/a/1/x"},
    ]


def test_inverse__list_changed_its_length__taken_back_in_reverse() -> None:
    operations: list[dict[str, Any]] = [
        {"op": "test", "path": "/spec/a/1/w", "value": 10},
        {"op": "replace", "path": "/spec/a/1/w", "value": 30},
        {"op": "remove", "path": "/spec/a/0"},
        {"op": "add", "path": "/spec/a/1", "value": {"w": 70}},
    ]
    before = live()

    after = apply_operations(before, operations)

    assert after["spec"] == {"a": [{"w": 30}, {"w": 70}]}
    assert apply_operations(after, inverse(operations, before)) == before


def test_marked__read_from_a_server__created_without_what_the_server_writes() -> None:
    body = {**live(generation=3, managedFields=[], labels={"a": "b"}), "status": {"x": 1}}

    made = marked(body, "m")

    assert made["metadata"] == {"labels": {"a": "b"}, "annotations": {"meshui.io/change": "m"}}
    assert "status" not in made
