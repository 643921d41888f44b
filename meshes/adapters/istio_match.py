"""Matches of VirtualServices, both ways. What the model has no words for is `opaque` and written as it was. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import msgspec

from meshes.adapters.edits import normal
from meshes.adapters.natives import plain
from meshes.adapters.shapes import HttpMatch
from meshes.types import HeaderMatch, Match, PathMatch, QueryMatch
from meshui.lib.canonical import canonical
from meshui.lib.typed import converted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshes.types import StringMatchType

STRING_MATCHES = {"exact", "prefix", "regex"}
KNOWN = ("uri", "method", "headers", "withoutHeaders", "queryParams", "name")
OPAQUE = {"scheme", "authority", "port", "sourceLabels", "gateways", "sourceNamespace", "statPrefix", "ignoreUriCase"}
"""What a match may hold beside what the model has words for."""


def match_of(match: dict[str, Any]) -> Match:
    """Parts that the model cannot say become `opaque`; nothing is dropped, for that would widen the match."""
    opaque: dict[str, Any] = {}
    opaque.update({key: value for key, value in match.items() if key not in KNOWN and value is not None})
    path = None
    if uri := match.get("uri"):
        kind, value = next(iter(uri.items()))
        if kind in STRING_MATCHES and not match.get("ignoreUriCase"):
            path = PathMatch(cast("Any", kind), str(value))
        else:
            opaque["uri"] = uri
    method = match.get("method") or {}
    if method and set(method) != {"exact"}:
        opaque["method"] = method
    return Match(
        path=path,
        methods=(str(method["exact"]),) if set(method) == {"exact"} else (),
        headers=tuple(sorted(_headers(match, opaque), key=lambda h: (h.name, h.is_inverted))),
        query=tuple(
            QueryMatch(name, *_string(value)) for name, value in sorted(_sayable(match, "queryParams", opaque).items())
        ),
        opaque=tuple(sorted((key, canonical(plain(value)).decode()) for key, value in opaque.items())),
    )


def _headers(match: dict[str, Any], opaque: dict[str, Any]) -> Iterator[HeaderMatch]:
    for field, is_inverted in (("headers", False), ("withoutHeaders", True)):
        for name, value in _sayable(match, field, opaque).items():
            yield HeaderMatch(name.lower(), *_string(value), is_inverted)


def _sayable(match: dict[str, Any], field: str, opaque: dict[str, Any]) -> dict[str, Any]:
    """The string matches of `field` that the model has words for; the others go into `opaque`."""
    found = match.get(field) or {}
    strange = {name: value for name, value in found.items() if value and next(iter(value)) not in STRING_MATCHES}
    if strange:
        opaque[field] = strange
    return {name: value for name, value in found.items() if name not in strange}


def _string(value: dict[str, Any] | None) -> tuple[StringMatchType, str]:
    if not value:
        return "present", ""
    kind, text = next(iter(value.items()))
    return cast("StringMatchType", kind), str(text)


def match_fault(match: Match) -> str:
    """Why a VirtualService cannot hold `match` exactly; empty: it can. Never written wider than it is."""
    if match.path and match.path.type == "segments":
        return (
            f"Istio compares a path prefix by letters, so {match.path.value} would also take {match.path.value}x. "
            f"Match the exact path, and the prefix {match.path.value}/ beside it."
        )
    if len(match.methods) > 1:
        return "Istio matches one method: add a match for each."
    if "suffix" in {*(h.type for h in match.headers), *(q.type for q in match.query)}:
        return "Istio has no match by suffix: use a regular expression."
    if strange := {field for field, _ in match.opaque} - OPAQUE - set(KNOWN):
        return f"Istio has no words for {', '.join(sorted(strange))}."
    try:
        converted(native_match(match), HttpMatch)
        is_same = normal(match_of(native_match(match))) == normal(match)
    except (msgspec.ValidationError, ValueError, TypeError, AttributeError):
        is_same = False
    return "" if is_same else "Istio cannot hold this match exactly."


def native_match(match: Match) -> dict[str, Any]:
    """As a VirtualService holds it."""
    found: dict[str, Any] = {}
    if match.path:
        found["uri"] = {match.path.type: match.path.value}
    if match.methods:
        found["method"] = {"exact": match.methods[0]}
    for header in match.headers:
        field = "withoutHeaders" if header.is_inverted else "headers"
        found.setdefault(field, {})[header.name] = _native_string(header.type, header.value)
    for part in match.query:
        found.setdefault("queryParams", {})[part.name] = _native_string(part.type, part.value)
    for field, text in match.opaque:
        value = json.loads(text)
        found[field] = {**found[field], **value} if field in found else value
    return found


def _native_string(kind: StringMatchType, value: str) -> dict[str, str]:
    return {} if kind == "present" else {kind: value}
