"""Custom resources: defined through the API, judged by their schema, pruned, filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from lab.waiting import until
from tests.contract.conftest import DEFINITIONS
from tests.contract.objects import GROUP, widget, widget_definition

if TYPE_CHECKING:
    from tests.contract.api import Api

INVALID = f'Widget.{GROUP} "one" is invalid: '


@pytest.mark.parametrize(
    ("spec", "message", "cause"),
    [
        ({"size": 101}, "spec.size: Invalid value: 101: spec.size in body should be less than or equal to 100", ""),
        ({"size": -1}, "spec.size: Invalid value: -1: spec.size in body should be greater than or equal to 0", ""),
        (
            {"size": "big"},
            'spec.size: Invalid value: "string": spec.size in body must be of type integer: "string"',
            "FieldValueTypeInvalid",
        ),
        (
            {"size": 1.5},
            "spec.size in body must be of type int",
            "FieldValueTypeInvalid",
        ),
        (
            {"size": True},
            "spec.size in body must be of type int",
            "FieldValueTypeInvalid",
        ),
        ({"size": None}, "spec.size: Required value", "FieldValueRequired"),
        (
            {"colour": "blue"},
            'spec.colour: Unsupported value: "blue": supported values: "red", "green"',
            "FieldValueNotSupported",
        ),
        ({"code": "A1"}, "spec.code: Invalid value: \"A1\": spec.code in body should match '^[a-z]+$'", ""),
        ({"code": "abcdefghi"}, "spec.code: Too long: may not be more than 8 bytes", "FieldValueTooLong"),
        ({"parts": [{}, {}, {}, {}]}, "spec.parts: Too many: 4: must have at most 3 items", "FieldValueTooMany"),
        (
            {"parts": [{"name": 7}]},
            'spec.parts[0].name: Invalid value: "integer": spec.parts[0].name in body must be of type string: ',
            "FieldValueTypeInvalid",
        ),
        (
            {"parts": {}},
            'spec.parts: Invalid value: "object": spec.parts in body must be of type array: "object"',
            "FieldValueTypeInvalid",
        ),
        (
            {"tags": {"a": 1}},
            'spec.tags.a: Invalid value: "integer": spec.tags.a in body must be of type string: "integer"',
            "FieldValueTypeInvalid",
        ),
        (
            {"port": True},
            'spec.port: Invalid value: "boolean": spec.port in body must be of type integer,string: "boolean"',
            "FieldValueTypeInvalid",
        ),
        ({"choice": {"left": "a", "right": "b"}}, "must validate one and only one schema (oneOf)", ""),
        ({"choice": {}}, "must validate one and only one schema (oneOf). Found none valid", ""),
    ],
)
def test_schema__bad_field__invalid_with_its_cause(
    api: Api, widgets: str, spec: dict[str, Any], message: str, cause: str
) -> None:
    refused = api.create(widgets, widget("one", **{"size": 1, **spec}))

    status, reason, text = refused.refusal()
    assert (status, reason) == (422, "Invalid")
    assert text.startswith(INVALID)
    assert message in text
    details = refused.body["details"]
    assert (details["name"], details["group"], details["kind"]) == ("one", GROUP, "Widget")
    assert (cause or "FieldValueInvalid") in [each["reason"] for each in details["causes"]]


@pytest.mark.parametrize(
    "spec",
    [
        {"size": 0},
        {"size": 100},
        {"size": 5.0},
        {"ratio": 1},
        {"ratio": 0.25},
        {"port": 80},
        {"port": "http"},
        {"note": None},
        {"colour": "green", "code": "abc", "tags": {"a": "b"}, "parts": [{"name": "x"}]},
        {"free": {"any": {"thing": [1, "two", None]}}},
        {"choice": {"left": "a"}},
    ],
)
def test_schema__good_fields__kept_as_written(api: Api, widgets: str, spec: dict[str, Any]) -> None:
    made = api.create(f"{widgets}?fieldValidation=Strict", widget("one", **{"size": 1, **spec}))

    assert made.status == 201, made.body
    assert made.body["spec"] == {"mode": "plain", "size": 1, **spec}


def test_schema__required_field_absent__invalid(api: Api, widgets: str) -> None:
    obj = widget("one")
    obj["spec"] = {}

    refused = api.create(widgets, obj)

    assert refused.refusal() == (422, "Invalid", f"{INVALID}spec.size: Required value")
    assert refused.body["details"]["causes"] == [
        {"reason": "FieldValueRequired", "message": "Required value", "field": "spec.size"}
    ]


def test_schema__several_faults__all_are_named(api: Api, widgets: str) -> None:
    refused = api.create(widgets, widget("one", size=101, colour="blue"))

    message = refused.refusal()[2]
    assert message.startswith(f"{INVALID}[")
    assert message.endswith("]")
    assert "spec.size: Invalid value: 101" in message
    assert 'spec.colour: Unsupported value: "blue"' in message
    assert {each["field"] for each in refused.body["details"]["causes"]} == {"spec.size", "spec.colour"}


def test_default__field_absent_or_null__filled_in(api: Api, widgets: str) -> None:
    absent = api.create(widgets, widget("one"))
    null = api.create(widgets, widget("two", mode=None))
    given = api.create(widgets, widget("three", mode="loud"))

    assert [each.body["spec"]["mode"] for each in (absent, null, given)] == ["plain", "plain", "loud"]


def test_null__field_that_may_not_be_null__counts_as_absent(api: Api, widgets: str) -> None:
    made = api.create(widgets, widget("one", code=None, note=None, tags=None, free={"any": None}))

    assert made.status == 201
    assert made.body["spec"] == {"size": 1, "mode": "plain", "note": None, "free": {"any": None}}


def test_pruning__unknown_fields__gone_but_where_they_are_welcome(api: Api, widgets: str) -> None:
    obj = widget("one", zzz=1, parts=[{"name": "a", "odd": 1}], free={"any": 1})
    obj["extra"] = {"a": 1}

    made = api.create(widgets, obj)

    assert made.status == 201
    assert made.body["spec"] == {"size": 1, "mode": "plain", "parts": [{"name": "a"}], "free": {"any": 1}}
    assert "extra" not in made.body


def test_strict__unknown_fields__refused_with_their_paths(api: Api, widgets: str) -> None:
    obj = widget("one", zzz=1, parts=[{"name": "a", "odd": 1}])

    refused = api.create(f"{widgets}?fieldValidation=Strict", obj)

    status, reason, message = refused.refusal()
    assert (status, reason) == (400, "BadRequest")
    assert message.startswith('Widget in version "v1" cannot be handled as a Widget: strict decoding error: ')
    assert 'unknown field "spec.zzz"' in message
    assert 'unknown field "spec.parts[0].odd"' in message
    assert api.get(f"{widgets}/one").status == 404


def test_strict__unknown_field_of_metadata__refused(api: Api, widgets: str) -> None:
    obj = widget("one")
    obj["metadata"]["labls"] = {}

    status, reason, message = api.create(f"{widgets}?fieldValidation=Strict", obj).refusal()

    assert (status, reason) == (400, "BadRequest")
    assert message.endswith('strict decoding error: unknown field "metadata.labls"')


def test_strict__field_stands_twice__refused(api: Api, widgets: str) -> None:
    body = (
        b'{"apiVersion":"contract.meshui.io/v1","kind":"Widget","metadata":{"name":"one"},"spec":{"size":1,"size":2}}'
    )

    refused = api.call("POST", f"{widgets}?fieldValidation=Strict", body)
    taken = api.call("POST", f"{widgets}?fieldValidation=Ignore", body)

    status, reason, message = refused.refusal()
    assert (status, reason) == (400, "BadRequest")
    assert 'strict decoding error: duplicate field "spec.size"' in message
    assert taken.body["spec"]["size"] == 2


def test_warn__unknown_field__taken_with_a_warning(api: Api, widgets: str) -> None:
    warned = api.create(f"{widgets}?fieldValidation=Warn", widget("one", zzz=1))
    default = api.create(widgets, widget("two", zzz=1))
    ignored = api.create(f"{widgets}?fieldValidation=Ignore", widget("three", zzz=1))

    assert [each.status for each in (warned, default, ignored)] == [201, 201, 201]
    assert warned.headers["Warning"] == '299 - "unknown field \\"spec.zzz\\""'
    assert default.headers["Warning"] == warned.headers["Warning"]
    assert "Warning" not in ignored.headers


def test_strict__json_patch_adds_unknown_field__refused(api: Api, widgets: str) -> None:
    api.create(widgets, widget("one"))
    operations = [{"op": "add", "path": "/spec/zzz", "value": 1}]

    refused = api.patch(f"{widgets}/one?fieldValidation=Strict", operations)
    pruned = api.patch(f"{widgets}/one?fieldValidation=Ignore", operations)

    status, reason, message = refused.refusal()
    assert (status, reason) == (422, "Invalid")
    assert message.startswith(' "" is invalid: patch: Invalid value: "{')
    assert message.endswith('strict decoding error: unknown field "spec.zzz"')
    assert [cause["field"] for cause in refused.body["details"]["causes"]] == ["patch"]
    assert (pruned.status, "zzz" in pruned.body["spec"]) == (200, False)


def test_field_validation__unknown_word__invalid(api: Api, widgets: str) -> None:
    status, reason, message = api.create(f"{widgets}?fieldValidation=Harsh", widget("one")).refusal()

    assert (status, reason) == (422, "Invalid")
    assert 'fieldValidation: Unsupported value: "Harsh"' in message


def test_definition__made__established_and_served_then_gone(api: Api, place: str) -> None:
    path = f"/apis/{GROUP}/v1/namespaces/{place}/gears"
    made = api.create(DEFINITIONS, widget_definition("gears", "Gear"))
    assert made.status == 201
    name = f"{DEFINITIONS}/gears.{GROUP}"

    def is_established() -> bool:
        conditions = api.get(name).body.get("status", {}).get("conditions") or []
        return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)

    until(is_established, seconds=30, what="the definition to be established")
    until(lambda: api.get(path).status == 200, seconds=30, what="gears to be served")
    gear = api.create(path, {**widget("one"), "kind": "Gear"})
    api.delete(name)

    assert gear.status == 201
    until(lambda: api.get(path).status == 404, seconds=30, what="gears to be unknown")


def test_definition__name_is_not_plural_dot_group__invalid(api: Api) -> None:
    definition = widget_definition("cogs", "Cog")
    definition["metadata"]["name"] = "cog.contract.meshui.io"

    status, reason, message = api.create(DEFINITIONS, definition).refusal()

    assert (status, reason) == (422, "Invalid")
    assert 'must be spec.names.plural+"."+spec.group' in message
