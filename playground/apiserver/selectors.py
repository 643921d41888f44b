"""Label and field selectors, as text in a query and as objects in a spec."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playground.apiserver import errors

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    from playground.apiserver.jsontypes import Json

    Labels: TypeAlias = Mapping[str, str]
    Test: TypeAlias = Callable[[Labels], bool]

SET = re.compile(r"^(?P<key>[^\s!=,()]+)\s+(?P<operator>in|notin)\s+\((?P<values>[^()]*)\)$")
EQUAL = re.compile(r"^(?P<key>[^\s!=,()]+)\s*(?P<operator>==|=|!=)\s*(?P<value>[^\s!=,()]*)$")
EXISTS = re.compile(r"^(?P<not>!?)\s*(?P<key>[^\s!=,()]+)$")
FIELDS = ("metadata.name", "metadata.namespace")
# What some built-in kinds can be chosen by beside it.
FIELDS_OF = {
    "pods": ("spec.nodeName", "spec.restartPolicy", "spec.serviceAccountName", "status.phase", "status.podIP"),
}


def parse_labels(text: str) -> Test:
    """Return a test of labels. Raises ApiError 400 for what is no selector."""
    tests = [_requirement(part.strip()) for part in re.split(r",(?![^()]*\))", text) if part.strip()]
    return lambda labels: all(test(labels) for test in tests)


def _requirement(part: str) -> Test:
    if match := SET.match(part):
        values = {value.strip() for value in match["values"].split(",")}
        return _among(match["key"], values, is_wanted=match["operator"] == "in")
    if match := EQUAL.match(part):
        return _among(match["key"], {match["value"]}, is_wanted=match["operator"] != "!=")
    if match := EXISTS.match(part):
        key, is_wanted = match["key"], not match["not"]
        return lambda labels: (key in labels) == is_wanted
    raise errors.bad_request(f'unable to parse requirement: found "{part}", expected: identifier')


def _among(key: str, values: set[str], *, is_wanted: bool) -> Test:
    if is_wanted:
        return lambda labels: labels.get(key) in values
    return lambda labels: labels.get(key) not in values


def label_selector_matches(selector: Json | None, labels: Labels) -> bool:
    """Tell whether a LabelSelector object selects these labels; an empty one selects all, None nothing."""
    if selector is None:
        return False
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_expression_matches(each, labels) for each in selector.get("matchExpressions") or ())


def _expression_matches(expression: Json, labels: Labels) -> bool:
    key, values = expression["key"], expression.get("values") or ()
    match expression["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case _:
            return key not in labels


def parse_fields(text: str, kind: str = "") -> Callable[[Json], bool]:
    """Return a test of objects by the fields that their kind (`pods`) allows. Raises ApiError 400 for any other."""
    wanted: list[tuple[str, str, bool]] = []
    for part in filter(None, text.split(",")):
        match = EQUAL.match(part.strip())
        if match is None:
            raise errors.bad_request(f"invalid selector: '{text}'; can't understand '{part}'")
        if match["key"] not in (*FIELDS, *FIELDS_OF.get(kind, ())):
            raise errors.bad_request(f"field label not supported: {match['key']}")
        wanted.append((match["key"], match["value"], match["operator"] != "!="))
    return lambda obj: all((_field(obj, path) == value) == is_wanted for path, value, is_wanted in wanted)


def _field(obj: Json, path: str) -> object:
    part, _, name = path.partition(".")
    return (obj.get(part) or {}).get(name, "")
