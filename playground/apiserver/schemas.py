"""Structural validation of custom resources, in the words of the real server."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from playground.apiserver.errors import FieldError
from playground.apiserver.schema_rules import check_list, check_object, check_text, show

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playground.apiserver.jsontypes import Json

INT_OR_STRING = "x-kubernetes-int-or-string"
DURATION = re.compile(r"^(([0-9]+(\.[0-9]*)?|\.[0-9]+)\s*(ns|us|µs|ms|s|m|h|d|w))+$")
DATE_TIME = re.compile(r"^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$")
INT32 = range(-(2**31), 2**31)


def validate(schema: Json, value: Any, path: str = "") -> Iterator[FieldError]:
    """Yield every fault of `value`."""
    if value is None and schema.get("nullable"):
        return
    wrong_type = _wrong_type(schema, value)
    if wrong_type:
        kind = "null" if value is None else wrong_type
        text = f'Invalid value: "{kind}": {path} in body must be of type {_expected(schema)}: "{kind}"'
        yield FieldError(path, text, "FieldValueTypeInvalid")
        return
    if "enum" in schema and value not in schema["enum"]:
        known = ", ".join(json.dumps(each) for each in schema["enum"])
        yield FieldError(path, f"Unsupported value: {show(value)}: supported values: {known}", "FieldValueNotSupported")
    if isinstance(value, dict):
        yield from _validate_object(schema, value, path)
    elif isinstance(value, list):
        yield from _validate_list(schema, value, path)
    elif isinstance(value, str):
        yield from _validate_text(schema, value, path)
    elif not isinstance(value, bool):
        yield from _validate_number(schema, value, path)
    yield from _validate_logic(schema, value, path)


def _expected(schema: Json) -> str:
    return str(schema.get("type") or "integer,string")


def _type_name(value: Any) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", type(None): "null"}
    return names.get(type(value), "object")


def _wrong_type(schema: Json, value: Any) -> str:
    """Return the name of the type that `value` has, if the schema asks for another one."""
    found = _type_name(value)
    if schema.get(INT_OR_STRING):
        return "" if found in {"integer", "string"} else found
    wanted = schema.get("type")
    if not wanted or found == wanted:
        return ""
    is_whole = found == "number" and wanted == "integer" and float(value).is_integer()
    if is_whole or (found == "integer" and wanted == "number"):
        return ""
    return found


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _validate_object(schema: Json, value: Json, path: str) -> Iterator[FieldError]:
    for name in schema.get("required") or ():
        if name not in value:
            yield FieldError(_join(path, name), "Required value", "FieldValueRequired")
    properties = schema.get("properties") or {}
    more = schema.get("additionalProperties")
    for key, child in value.items():
        child_schema = properties.get(key, more)
        if isinstance(child_schema, dict):
            yield from validate(child_schema, child, _join(path, key))
    if len(value) > schema.get("maxProperties", len(value)):
        text = f"Too many: {len(value)}: must have at most {schema['maxProperties']} items"
        yield FieldError(path, text, "FieldValueTooMany")
    if len(value) < schema.get("minProperties", 0):
        yield _invalid(path, value, f"{path} in body should have at least {schema['minProperties']} properties")
    yield from check_object(schema, value, path)


def _validate_list(schema: Json, value: list[Any], path: str) -> Iterator[FieldError]:
    if len(value) > schema.get("maxItems", len(value)):
        text = f"Too many: {len(value)}: must have at most {schema['maxItems']} items"
        yield FieldError(path, text, "FieldValueTooMany")
    if len(value) < schema.get("minItems", 0):
        text = f"Invalid value: {len(value)}: {path} in body should have at least {schema['minItems']} items"
        yield FieldError(path, text)
    items = schema.get("items") or {}
    for index, child in enumerate(value):
        yield from validate(items, child, f"{path}[{index}]")
    yield from check_list(schema, value, path)


def _validate_text(schema: Json, value: str, path: str) -> Iterator[FieldError]:
    if len(value) > schema.get("maxLength", len(value)):
        text = f"Too long: may not be more than {schema['maxLength']} bytes"
        yield FieldError(path, text, "FieldValueTooLong")
    if len(value) < schema.get("minLength", 0):
        yield _invalid(path, value, f"{path} in body should be at least {schema['minLength']} chars long")
    pattern = schema.get("pattern")
    if pattern and not re.search(pattern, value):
        yield _invalid(path, value, f"{path} in body should match '{pattern}'")
    if schema.get("format") == "date-time" and not DATE_TIME.match(value):
        yield _invalid(path, value, f'{path} in body must be of type date-time: "{value}"')
    if schema.get("format") == "duration" and not DURATION.match(value):
        yield _invalid(path, value, f'{path} in body must be of type duration: "{value}"')
    yield from check_text(schema, value, path)


def _validate_number(schema: Json, value: float, path: str) -> Iterator[FieldError]:
    if value < schema.get("minimum", value):
        yield _invalid(path, value, f"{path} in body should be greater than or equal to {schema['minimum']}")
    if value > schema.get("maximum", value):
        yield _invalid(path, value, f"{path} in body should be less than or equal to {schema['maximum']}")
    if schema.get("format") == "int32" and int(value) not in INT32:
        yield _invalid(path, value, f'{path} in body must be of type int32: "{value}"')


def _invalid(path: str, value: Any, why: str) -> FieldError:
    return FieldError(path, f"Invalid value: {show(value)}: {why}")


def _validate_logic(schema: Json, value: Any, path: str) -> Iterator[FieldError]:
    for each in schema.get("allOf") or ():
        yield from validate(each, value, path)
    any_of = schema.get("anyOf")
    if any_of and not schema.get(INT_OR_STRING) and not any(_fits(each, value) for each in any_of):
        yield _logic(path, "must validate at least one schema (anyOf)")
    one_of = schema.get("oneOf")
    if one_of:
        fitting = sum(_fits(each, value) for each in one_of)
        if fitting != 1:
            count = "none valid" if fitting == 0 else f"{fitting} valid alternatives"
            yield _logic(path, f"must validate one and only one schema (oneOf). Found {count}")
    if "not" in schema and _fits(schema["not"], value):
        yield _logic(path, "must not validate the schema (not)")


def _logic(path: str, what: str) -> FieldError:
    return FieldError("<nil>", f'Invalid value: "": "{path}" {what}')


def _fits(schema: Json, value: Any) -> bool:
    return next(validate(schema, value), None) is None
