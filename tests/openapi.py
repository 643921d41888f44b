"""The OpenAPI document as a source of requests: its operations, values that fit it and values that do not, its verdict.

Values come from a seeded generator, so that a failure can be had again from the seed that the test says.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import jsonschema

from meshui.rest.schema import openapi

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from random import Random

METHODS: Final = ("get", "post", "put", "patch", "delete")
PROBLEM: Final = "application/problem+json"
HUGE: Final = 10**30
TEXTS: Final = (
    "", " ", "\0", "\ud800", "\U0001f4a5", "x" * 300, "x" * 5000, "../../etc/passwd", "' OR 1=1 --", "<script>",
    "${jndi:ldap://x}", "{{7*7}}", "%s%n", "-1", "1e400", "NaN", "null", "\r\nX-Evil: 1", "\u202egnp", "a" * 64,
    "__class__", "169.254.169.254", "javascript:alert(1)", "=cmd()", "9" * 40,
)  # fmt: skip
ANYTHING: Final[tuple[Any, ...]] = (
    None, True, False, 0, -1, 1, HUGE, -HUGE, 1.5, 1e308, [], {}, [[]], [None], {"": None}, {"a": {"b": []}}, "x", "0",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one address."""

    path: str
    method: str
    said: Mapping[str, Any] = field(repr=False, hash=False, compare=False)

    @property
    def name(self) -> str:
        """Its operationId."""
        return str(self.said["operationId"])

    def parameters(self, where: str) -> list[Mapping[str, Any]]:
        """Those in the path, the query or the headers."""
        return [each for each in self.said.get("parameters", ()) if each["in"] == where]

    @property
    def body(self) -> Mapping[str, Any] | None:
        """The schema of what it takes."""
        content = self.said.get("requestBody", {}).get("content", {})
        found: Mapping[str, Any] | None = content.get("application/json", {}).get("schema")
        return found

    def url(self, values: Mapping[str, object]) -> str:
        """The address with these values."""
        return re.sub(r"\{(\w+)\}", lambda name: quote(str(values[name[1]]).encode("utf-8", "replace")), self.path)


def operations() -> list[Operation]:
    """Every one of the document."""
    return [
        Operation(path, method, said[method])
        for path, said in openapi()["paths"].items()
        for method in METHODS
        if method in said
    ]


def resolved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema behind a reference; of a choice with null the other."""
    if "$ref" in schema:
        return resolved(openapi()["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    for many in ("oneOf", "anyOf", "allOf"):
        if many in schema:
            return resolved(next(each for each in schema[many] if each.get("type") != "null"))
    return schema


def example_of(operation: Operation) -> dict[str, Any]:
    """What the document says that it would take."""
    found: dict[str, Any] = (resolved(operation.body or {}).get("examples") or [{}])[0]
    return dict(found)


def kind_of(schema: Mapping[str, Any]) -> str:
    """Its type, but for null."""
    kinds = schema.get("type", "string")
    return next(kind for kind in kinds if kind != "null") if isinstance(kinds, list) else str(kinds)


class Values:
    """What may be sent: `fitting` as the document says it, often at a bound; `foreign` otherwise."""

    def __init__(self, random: Random, known: Mapping[str, list[object]]) -> None:
        self.random, self.known = random, known

    def fitting(self, schema: Mapping[str, Any], name: str = "") -> Any:
        """A value that the schema allows: one that means something here, if there is one of that name."""
        schema = resolved(schema)
        if name in self.known and self.random.random() < 0.8:
            return self.random.choice(self.known[name])
        if "enum" in schema:
            return self.random.choice(schema["enum"])
        return getattr(self, f"_{kind_of(schema)}")(schema, name)

    def foreign(self, schema: Mapping[str, Any], name: str = "") -> Any:
        """Another type, a value out of bounds, a hostile text; of an object one property that is so."""
        schema = resolved(schema)
        if kind_of(schema) == "object" and schema.get("properties") and self.random.random() < 0.8:
            return self._spoilt(schema)
        if kind_of(schema) == "array" and self.random.random() < 0.5:
            return [self.foreign(schema["items"], name)] * self.random.choice((1, 2, 50))
        if kind_of(schema) == "string" and self.random.random() < 0.7:
            return self.random.choice(TEXTS)
        return self.random.choice(ANYTHING)

    def _spoilt(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        made: dict[str, Any] = self._object(schema, "")
        name = self.random.choice([*schema["properties"], "colour", "id", "state", "is_superuser"])
        if name in made and self.random.random() < 0.2:
            del made[name]
        else:
            made[name] = self.foreign(schema["properties"].get(name, {}), name)
        return made

    def _object(self, schema: Mapping[str, Any], _name: str) -> dict[str, Any]:
        if "properties" not in schema:
            child = schema.get("additionalProperties")
            keys = self.random.sample(["v1", "v2", "x", "y"], self.random.choice((1, 2)))
            return {key: self.fitting(child, key) if isinstance(child, dict) else "x" for key in keys}
        needed = set(schema.get("required", ()))
        chosen = {name: each for name, each in schema["properties"].items() if name in needed or self._tossed()}
        return {name: self.fitting(each, name) for name, each in chosen.items() if not each.get("readOnly")}

    def _array(self, schema: Mapping[str, Any], name: str) -> list[Any]:
        low = schema.get("minItems", 0)
        return [self.fitting(schema["items"], name) for _ in range(self.random.choice((low, low + 1, low + 2)))]

    def _string(self, schema: Mapping[str, Any], _name: str) -> str:
        if schema.get("format") == "uuid":
            return f"00000000-0000-0000-0000-{self.random.randrange(10**6):012d}"
        if schema.get("pattern", "").startswith('^"[1-9]'):
            return f'"{self.random.randrange(1, 4)}-"'
        longest = int(schema.get("maxLength", 40))
        return "x" * self.random.choice((max(1, int(schema.get("minLength", 1))), min(longest, 8), min(longest, 4000)))

    def _integer(self, schema: Mapping[str, Any], _name: str) -> int:
        low, high = schema.get("minimum", 1), schema.get("maximum", 10**6)
        return int(self.random.choice((low, high, (low + high) // 2)))

    def _number(self, schema: Mapping[str, Any], name: str) -> float:
        return self._integer(schema, name)

    def _boolean(self, _schema: Mapping[str, Any], _name: str) -> bool:
        return self._tossed()

    def _tossed(self) -> bool:
        return self.random.random() < 0.5


def require_answer(operation: Operation, answer: Any) -> None:
    """Fail if `answer` is none that the document knows: its status, its type, every field of its body."""
    status = str(answer.status_code)
    said = operation.said["responses"]
    assert status in said, f"{operation.name}: {status} is not in the document: {answer.content[:500]!r}"
    content = said[status].get("content", {})
    if not content:
        assert answer.content == b"", (operation.name, status, answer.content[:500])
        return
    kind = answer["Content-Type"].partition(";")[0]
    assert kind in content, f"{operation.name}: {status} as {kind}, not {list(content)}"
    if answer.status_code >= 400:
        assert kind == PROBLEM
    validator(operation.path, operation.method, status, kind).validate(json.loads(answer.content))


@cache
def validator(path: str, method: str, status: str, kind: str) -> Any:
    """Of one answer; a field that the document does not name is refused."""
    document = openapi()
    components = json.loads(json.dumps(document["components"]))
    for component in components["schemas"].values():
        component.setdefault("additionalProperties", False)
    said = document["paths"][path][method]["responses"][status]["content"][kind]["schema"]
    return jsonschema.Draft202012Validator(said | {"components": components})


def undeclared_methods() -> Iterator[tuple[str, str]]:
    """(path, method) of everything that the document does not know of its own addresses."""
    for path, said in openapi()["paths"].items():
        for method in (*METHODS, "trace"):
            if method not in said:
                yield path, method
