"""Guards that stand before every patch."""

from __future__ import annotations

from typing import Any

import pytest

from clusters.clients import ObjectRef, Resource
from meshes.types import LiveRoute, Root, Route
from traffic.marks import PathMissingError, mark_of, mark_operations, rebased, value_at
from traffic.services.rollback import inverse

REF = ObjectRef(Resource("networking.istio.io", "v1", "virtualservices", "VirtualService"), "shop", "checkout")


def live(**metadata: Any) -> LiveRoute:
    body: dict[str, Any] = {
        "metadata": {"uid": "u", "resourceVersion": "5", **metadata},
        "spec": {"a": [{"w": 90}, {"w": 10}]},
    }
    return LiveRoute(Route(Root("checkout", "shop"), ()), REF, body)


def paths(found: LiveRoute) -> list[tuple[str, str]]:
    return [(op.op, op.path) for op in mark_operations(found, "m")]


def test_mark_operations__no_annotations__object_is_made_first() -> None:
    assert paths(live()) == [
        ("test", "/metadata/uid"),
        ("test", "/metadata/resourceVersion"),
        ("add", "/metadata/annotations"),
        ("add", "/metadata/annotations/meshui.io~1change"),
    ]


def test_mark_operations__earlier_mark__is_tested() -> None:
    marked = live(annotations={"meshui.io/change": "old", "other": "kept"})

    assert mark_of(marked) == "old"
    assert ("test", "/metadata/annotations/meshui.io~1change") in paths(marked)
    assert ("add", "/metadata/annotations") not in paths(marked)


def test_rebased__equal_weights_written_otherwise__tests_hold_what_is_there() -> None:
    operations: list[dict[str, Any]] = [
        {"op": "test", "path": "/spec/a/0/w", "value": 9},
        {"op": "replace", "path": "/spec/a/0/w", "value": 75},
    ]

    assert [op.value for op in rebased(operations, live().body)] == [90, 75]


@pytest.mark.parametrize("pointer", ["/spec/b", "/spec/a/2/w", "/spec/a/x", "/spec/a/0/w/x"])
def test_value_at__path_leads_nowhere__raises(pointer: str) -> None:
    with pytest.raises(PathMissingError):
        value_at(live().body, pointer)


def test_inverse__replaced_and_added__snapshot_comes_back() -> None:
    operations: list[dict[str, Any]] = [
        {"op": "test", "path": "/spec/a/0/w", "value": 90},
        {"op": "replace", "path": "/spec/a/0/w", "value": 75},
        {"op": "add", "path": "/spec/a/1/x", "value": 1},
    ]

    assert inverse(operations, live().body) == [
        {"op": "test", "path": "/spec/a/0/w", "value": 75},
        {"op": "test", "path": "/spec/a/1/x", "value": 1},
        {"op": "replace", "path": "/spec/a/0/w", "value": 90},
        {"op": "remove", "path": "/spec/a/1/x"},
    ]
