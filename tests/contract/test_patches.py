"""JSON Patch, the only way in which MeshUI changes an object; and merge patch, which it never sends."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.contract.objects import GROUP, config_map, splitting, widget

if TYPE_CHECKING:
    from tests.contract.api import Api

REFUSED = "the server rejected our request due to an error in our request"
MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def _op(name: str, path: str, *value: Any, **more: Any) -> dict[str, Any]:
    return {"op": name, "path": path, **({"value": value[0]} if value else {}), **more}


def test_json_patch__tests_hold__weights_replaced_and_the_rest_untouched(api: Api, virtual_services: str) -> None:
    made = api.create(virtual_services, splitting("checkout", v1=90, v2=10))
    route = "/spec/http/0/route"

    patched = api.patch(
        f"{virtual_services}/checkout?fieldManager=meshui&fieldValidation=Strict",
        [
            _op("test", "/metadata/uid", made.uid),
            _op("test", "/metadata/resourceVersion", made.version),
            _op("test", f"{route}/0/weight", 90),
            _op("test", f"{route}/1/weight", 10),
            _op("replace", f"{route}/0/weight", 75),
            _op("replace", f"{route}/1/weight", 25),
            _op("add", "/metadata/annotations", {}),
            _op("add", "/metadata/annotations/meshui.io~1change", "1/1/1/1"),
        ],
    )

    assert patched.status == 200
    assert patched.body["spec"] == splitting("checkout", v1=75, v2=25)["spec"]
    assert patched.body["metadata"]["annotations"] == {"meshui.io/change": "1/1/1/1"}
    assert patched.generation == made.generation + 1
    assert patched.uid == made.uid


@pytest.mark.parametrize(
    "operation",
    [
        pytest.param(_op("test", "/spec/size", 9), id="test-value"),
        pytest.param(_op("test", "/spec/size", "1"), id="test-type"),
        pytest.param(_op("test", "/spec/absent", 1), id="test-absent"),
        pytest.param(_op("test", "/metadata/uid", "other"), id="test-uid"),
        pytest.param(_op("test", "/spec/parts/7/name", "a"), id="test-index"),
        pytest.param(_op("test", "/spec/absent/deep", None), id="test-deep-absent"),
        pytest.param(_op("test", "/spec/parts/7", None), id="test-null-index"),
        pytest.param(_op("test", "/spec/size", 1.0), id="test-float"),
        pytest.param(_op("test", "/spec/size", True), id="test-bool"),  # noqa: FBT003 - a value
        pytest.param({"op": "frobnicate", "path": "/spec/size"}, id="unknown-operation"),
        pytest.param({"op": "add", "value": 1}, id="no-path"),
        pytest.param(_op("remove", "/spec/absent"), id="remove-absent"),
        pytest.param(_op("add", "/spec/absent/deep", 1), id="add-without-parent"),
        pytest.param(_op("add", "/spec/parts/7", {}), id="add-index"),
        pytest.param(_op("replace", "/spec/parts/7", {}), id="replace-index"),
        pytest.param({"op": "move", "from": "/spec/absent", "path": "/spec/code"}, id="move-absent"),
        pytest.param({"op": "copy", "from": "/spec/parts/7", "path": "/spec/code"}, id="copy-absent-index"),
    ],
)
def test_json_patch__operation_cannot_be_done__invalid_and_nothing_written(
    api: Api, widgets: str, operation: dict[str, Any]
) -> None:
    made = api.create(widgets, widget("one", parts=[{"name": "a"}]))

    refused = api.patch(f"{widgets}/one", [_op("replace", "/spec/size", 5), operation])

    assert refused.refusal() == (422, "Invalid", REFUSED)
    assert refused.body["details"] == {}
    assert api.get(f"{widgets}/one").body == made.body


def test_json_patch__every_operation__does_what_rfc_6902_says(api: Api, widgets: str) -> None:
    api.create(widgets, widget("one", code="abc", parts=[{"name": "a"}, {"name": "b"}], tags={"a/b": "1", "c~d": "2"}))

    patched = api.patch(
        f"{widgets}/one",
        [
            _op("test", "/spec/tags/a~1b", "1"),
            _op("test", "/spec/tags/c~0d", "2"),
            _op("test", "/spec/parts", [{"name": "a"}, {"name": "b"}]),
            _op("add", "/spec/parts/-", {"name": "d"}),
            _op("remove", "/spec/parts/0"),
            _op("add", "/spec/parts/1", {"name": "c"}),
            {"op": "move", "from": "/spec/code", "path": "/spec/tags/code"},
            {"op": "copy", "from": "/spec/tags/code", "path": "/spec/note"},
            _op("replace", "/spec/size", 7),
        ],
    )

    assert patched.status == 200, patched.body
    spec = patched.body["spec"]
    assert spec["parts"] == [{"name": "b"}, {"name": "c"}, {"name": "d"}]
    assert spec["tags"] == {"a/b": "1", "c~d": "2", "code": "abc"}
    assert (spec["note"], spec["size"], "code" in spec) == ("abc", 7, False)


def test_json_patch__eight_at_once_with_the_same_test__one_wins(api: Api, widgets: str) -> None:
    made = api.create(widgets, widget("one"))

    def patch(size: int) -> int:
        test = _op("test", "/metadata/resourceVersion", made.version)
        return api.patch(f"{widgets}/one", [test, _op("replace", "/spec/size", size)]).status

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(patch, range(2, 10)))

    assert statuses == [200] + [422] * 7
    assert api.get(f"{widgets}/one").generation == 2


def test_json_patch__eight_at_once_without_a_test__all_are_written(api: Api, widgets: str) -> None:
    api.create(widgets, widget("one", tags={"first": "1"}))

    def patch(number: int) -> int:
        return api.patch(f"{widgets}/one", [_op("add", f"/spec/tags/t{number}", "1")]).status

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(patch, range(8)))

    written = api.get(f"{widgets}/one")
    assert statuses == [200] * 8
    assert (len(written.body["spec"]["tags"]), written.generation) == (9, 9)


def test_json_patch__stale_version_replaced__conflict(api: Api, widgets: str) -> None:
    made = api.create(widgets, widget("one"))
    api.patch(f"{widgets}/one", [_op("replace", "/spec/size", 2)])

    refused = api.patch(
        f"{widgets}/one",
        [_op("replace", "/metadata/resourceVersion", made.version), _op("replace", "/spec/size", 3)],
    )

    message = f'Operation cannot be fulfilled on widgets.{GROUP} "one": {MODIFIED}'
    assert refused.refusal() == (409, "Conflict", message)


def test_json_patch__result_breaks_the_schema__invalid_with_causes(api: Api, widgets: str) -> None:
    api.create(widgets, widget("one"))

    refused = api.patch(f"{widgets}/one", [_op("replace", "/spec/size", 101)])

    status, reason, message = refused.refusal()
    assert (status, reason) == (422, "Invalid")
    assert message == (
        f'Widget.{GROUP} "one" is invalid: spec.size: Invalid value: 101: '
        "spec.size in body should be less than or equal to 100"
    )


def test_json_patch__absent_object__not_found(api: Api, widgets: str) -> None:
    refused = api.patch(f"{widgets}/one", [_op("replace", "/spec/size", 2)])

    assert refused.refusal() == (404, "NotFound", f'widgets.{GROUP} "one" not found')


def test_json_patch__body_is_no_list__bad_request(api: Api, widgets: str) -> None:
    api.create(widgets, widget("one"))

    status, reason, message = api.patch(f"{widgets}/one", {"op": "replace"}).refusal()

    assert (status, reason) == (400, "BadRequest")
    assert message.startswith("error decoding patch: json: cannot unmarshal object into Go value of type ")


def test_json_patch__nothing_changes__same_version(api: Api, widgets: str) -> None:
    made = api.create(widgets, widget("one"))

    same = api.patch(f"{widgets}/one", [_op("replace", "/spec/size", 1)])

    assert (same.status, same.version, same.generation) == (200, made.version, 1)


def test_json_patch__core_object__works_alike(api: Api, config_maps: str) -> None:
    api.create(config_maps, config_map("one", a="1"))

    patched = api.patch(f"{config_maps}/one", [_op("test", "/data/a", "1"), _op("replace", "/data/a", "2")])
    refused = api.patch(f"{config_maps}/one", [_op("test", "/data/a", "1"), _op("replace", "/data/a", "3")])

    assert patched.body["data"] == {"a": "2"}
    assert refused.refusal() == (422, "Invalid", REFUSED)


def test_json_patch__null_is_tested__absent_counts_as_null(api: Api, widgets: str) -> None:
    api.create(widgets, widget("one", note=None))

    there = api.patch(f"{widgets}/one", [_op("test", "/spec/note", None), _op("replace", "/spec/size", 2)])
    absent = api.patch(f"{widgets}/one", [_op("test", "/spec/code", None), _op("replace", "/spec/size", 3)])

    assert (there.status, absent.status) == (200, 200)


def test_json_patch__replace_of_an_absent_member__adds_it(api: Api, widgets: str) -> None:
    """Unlike RFC 6902: only a `test` keeps a patch from writing what was not there."""
    api.create(widgets, widget("one"))

    added = api.patch(f"{widgets}/one", [_op("replace", "/spec/code", "abc")])

    assert (added.status, added.body["spec"]["code"]) == (200, "abc")


def test_json_patch__copy_of_an_absent_member__copies_null(api: Api, widgets: str) -> None:
    api.create(widgets, widget("one"))

    copied = api.patch(f"{widgets}/one", [{"op": "copy", "from": "/spec/absent", "path": "/spec/note"}])

    assert (copied.status, copied.body["spec"]["note"]) == (200, None)


def test_json_patch__negative_index__counts_from_the_end(api: Api, widgets: str) -> None:
    api.create(widgets, widget("one", parts=[{"name": "a"}, {"name": "b"}]))

    replaced = api.patch(f"{widgets}/one", [_op("replace", "/spec/parts/-1", {"name": "z"})])

    assert replaced.body["spec"]["parts"] == [{"name": "a"}, {"name": "z"}]


def test_json_patch__empty__same_version(api: Api, widgets: str) -> None:
    made = api.create(widgets, widget("one"))

    assert api.patch(f"{widgets}/one", []).version == made.version


def test_json_patch__identity_changed__refused(api: Api, widgets: str) -> None:
    api.create(widgets, widget("one"))

    uid = api.patch(f"{widgets}/one", [_op("replace", "/metadata/uid", "other")])
    name = api.patch(f"{widgets}/one", [_op("replace", "/metadata/name", "two")])
    kind = api.patch(f"{widgets}/one", [_op("replace", "/kind", "Gadget")])

    immutable = 'metadata.uid: Invalid value: "other": field is immutable'
    assert uid.refusal() == (422, "Invalid", f'Widget.{GROUP} "one" is invalid: {immutable}')
    message = "the name of the object (two) does not match the name on the URL (one)"
    assert name.refusal() == (400, "BadRequest", message)
    message = f'Gadget.{GROUP} "one" is invalid: kind: Invalid value: "Gadget": must be Widget'
    assert kind.refusal() == (422, "Invalid", message)


def test_merge_patch__list_in_it__is_replaced_whole(api: Api, widgets: str) -> None:
    api.create(widgets, widget("one", code="abc", parts=[{"name": "a"}, {"name": "b"}]))

    merged = api.merge(f"{widgets}/one", {"spec": {"code": None, "parts": [{"name": "z"}]}})

    assert merged.status == 200
    assert merged.body["spec"] == {"size": 1, "mode": "plain", "parts": [{"name": "z"}]}


def test_patch__unknown_media_type__unsupported(api: Api, widgets: str) -> None:
    api.create(widgets, widget("one"))

    refused = api.call("PATCH", f"{widgets}/one", {}, content_type="application/strategic-merge-patch+json")

    status, reason, message = refused.refusal()
    assert (status, reason) == (415, "UnsupportedMediaType")
    assert "application/json-patch+json" in message
