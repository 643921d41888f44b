"""The OpenAPI document as people read it: operations by subject, and the shapes they take and show. Pure."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

METHODS: Final = ("get", "post", "put", "patch", "delete")
REF: Final = "#/components/schemas/"
REFUSED: Final = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Entry:
    """A parameter of an operation, or a field of a shape. `kind`: its type in words; `shape`: the one it holds."""

    name: str
    kind: str
    shape: str
    is_required: bool
    text: str
    place: str = ""


@dataclass(frozen=True, slots=True)
class Shape:
    """A named object and its fields."""

    name: str
    text: str
    fields: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, what it says, and the shape it shows; empty: none."""

    status: str
    text: str
    shape: str
    is_refusal: bool


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one address. `body`: the shape it takes; `example`: of that, as JSON; both empty: none."""

    name: str
    method: str
    path: str
    tag: str
    summary: str
    text: str
    parameters: tuple[Entry, ...]
    body: str
    example: str
    answers: tuple[Answer, ...]

    @property
    def curl(self) -> str:
        """A command that asks it, for a shell that knows $SITE."""
        parts = ["curl -sS -K meshui.curl"]
        parts += [f"-X {self.method}"] if self.method != "GET" else []
        parts += [f'"$SITE{self.path}"']
        parts += [f'-H "{each.name}: …"' for each in self.parameters if each.place == "header" and each.is_required]
        if self.example:
            parts += ['-H "Content-Type: application/json"', f"--data '{self.example}'"]
        return " \\\n  ".join(parts)


def operations_of(document: Mapping[str, Any]) -> list[Operation]:
    """All of them, in the order of the document."""
    return [
        _operation(document, path, method, found)
        for path, methods in document["paths"].items()
        for method, found in methods.items()
        if method in METHODS
    ]


def shapes_of(document: Mapping[str, Any], operation: Operation) -> list[Shape]:
    """What `operation` takes and shows, and every shape inside of those, each once, the outer ones first."""
    schemas = document["components"]["schemas"]
    waiting = deque([operation.body, *(answer.shape for answer in operation.answers)])
    found: dict[str, Shape] = {}
    while waiting:
        name = waiting.popleft()
        if not name or name in found or "properties" not in schemas[name]:
            continue
        found[name] = shape = Shape(name, schemas[name].get("description", ""), tuple(_fields(schemas, name)))
        waiting += [field.shape for field in shape.fields]
    return list(found.values())


def _operation(document: Mapping[str, Any], path: str, method: str, found: Mapping[str, Any]) -> Operation:
    schemas = document["components"]["schemas"]
    body = _shown(found.get("requestBody", {}))
    examples = schemas.get(body, {}).get("examples", [])
    return Operation(
        name=found["operationId"],
        method=method.upper(),
        path=path,
        tag=found["tags"][0],
        summary=found.get("summary", ""),
        text=found.get("description", ""),
        parameters=tuple(_parameter(schemas, each) for each in found.get("parameters", ())),
        body=body if schemas.get(body, {}).get("properties") else "",
        example=json.dumps(examples[0]) if examples else "",
        answers=tuple(_answer(status, answer) for status, answer in sorted(found["responses"].items())),
    )


def _parameter(schemas: Mapping[str, Any], found: Mapping[str, Any]) -> Entry:
    kind, shape = _kind(schemas, found["schema"])
    return Entry(
        found["name"], kind, shape, bool(found.get("required")), found.get("description", ""), place=found["in"]
    )


def _answer(status: str, found: Mapping[str, Any]) -> Answer:
    return Answer(status, found.get("description", ""), _shown(found), REFUSED in found.get("content", {}))


def _shown(holder: Mapping[str, Any]) -> str:
    """The name of the shape in a body or an answer."""
    for content in holder.get("content", {}).values():
        return str(content["schema"].get("$ref", "")).removeprefix(REF)
    return ""


def _fields(schemas: Mapping[str, Any], name: str) -> Iterator[Entry]:
    required = schemas[name].get("required", ())
    for field, schema in schemas[name]["properties"].items():
        kind, shape = _kind(schemas, schema)
        yield Entry(field, kind, shape, field in required, schema.get("description", ""))


def _kind(schemas: Mapping[str, Any], schema: Mapping[str, Any]) -> tuple[str, str]:
    """A schema in words, and the name of the shape that it holds."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(REF)
        return ("", name) if "properties" in schemas[name] else _kind(schemas, schemas[name])
    for word in ("allOf", "oneOf", "anyOf"):
        if word in schema:
            return _joined([_kind(schemas, each) for each in schema[word]])
    if "enum" in schema:
        return " | ".join(json.dumps(value) for value in schema["enum"]), ""
    if isinstance(schema.get("type"), list):
        return _joined([_kind(schemas, {**schema, "type": each}) for each in schema["type"]])
    if schema.get("type") == "array":
        kind, shape = _kind(schemas, schema.get("items", {}))
        return f"list of {kind}".strip(), shape
    return str(schema.get("format") or schema.get("type") or "any"), ""


def _joined(kinds: list[tuple[str, str]]) -> tuple[str, str]:
    """One of several."""
    words = [kind for kind, _ in kinds if kind]
    return " | ".join(dict.fromkeys(words)), next((shape for _, shape in kinds if shape), "")
