"""Matches of the Gateway API, both ways. A path prefix is by whole segments here: another match than Istio's. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from meshes.adapters.edits import normal
from meshes.adapters.natives import plain
from meshes.types import HeaderMatch, Match, PathMatch, QueryMatch
from meshui.lib.canonical import canonical

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshes.types import StringMatchType

PATHS = {"Exact": "exact", "PathPrefix": "segments", "RegularExpression": "regex"}
STRINGS: dict[str, StringMatchType] = {"Exact": "exact", "RegularExpression": "regex"}
NATIVE = {"exact": "Exact", "segments": "PathPrefix", "regex": "RegularExpression"}
FIELDS = ("path", "method", "headers", "queryParams")


def matches_of(rule: dict[str, Any], protocol: str) -> tuple[Match, ...]:
    """Of one rule; the match that the API server fills in where there is none says nothing, and is none."""
    found = tuple(match_of(match, protocol) for match in rule.get("matches") or [])
    return () if found == (Match(),) else found


def match_of(match: dict[str, Any], protocol: str) -> Match:
    """Parts that the model cannot say become `opaque`; nothing is dropped, for that would widen the match."""
    opaque: dict[str, Any] = {key: value for key, value in match.items() if key not in FIELDS and value is not None}
    path = _path(match.get("path"), opaque) if protocol == "http" else _grpc_path(match.get("method"), opaque)
    method = match.get("method") if protocol == "http" else None
    headers = [HeaderMatch(h["name"].lower(), *_string(h)) for h in _sayable(match, "headers", opaque)]
    query = [QueryMatch(q["name"], *_string(q)) for q in _sayable(match, "queryParams", opaque)]
    return Match(
        path=path,
        methods=(str(method),) if method else (),
        headers=tuple(sorted(headers, key=lambda h: h.name)),
        query=tuple(sorted(query, key=lambda q: q.name)),
        opaque=tuple(sorted((key, canonical(plain(value)).decode()) for key, value in opaque.items())),
    )


def _path(path: dict[str, Any] | None, opaque: dict[str, Any]) -> PathMatch | None:
    if not path:
        return None
    kind, value = path.get("type") or "PathPrefix", str(path.get("value") or "/")
    if kind not in PATHS:
        opaque["path"] = path
        return None
    if kind == "PathPrefix":
        value = value.rstrip("/")  # /api/ and /api are one prefix, and / is every path
        return PathMatch("segments", value) if value else None
    return PathMatch("exact" if kind == "Exact" else "regex", value)


def _grpc_path(method: dict[str, Any] | None, opaque: dict[str, Any]) -> PathMatch | None:
    """A method of gRPC is the path /service/method; a method without its service has no such words."""
    if not method:
        return None
    service, name = method.get("service"), method.get("method")
    if (method.get("type") or "Exact") != "Exact" or not service:
        opaque["method"] = method
        return None
    return PathMatch("exact", f"/{service}/{name}") if name else PathMatch("segments", f"/{service}")


def _sayable(match: dict[str, Any], field: str, opaque: dict[str, Any]) -> Iterator[dict[str, Any]]:
    found = match.get(field) or []
    strange = [part for part in found if (part.get("type") or "Exact") not in STRINGS]
    if strange:
        opaque[field] = strange
    yield from (part for part in found if part not in strange)


def _string(part: dict[str, Any]) -> tuple[StringMatchType, str]:
    return STRINGS[part.get("type") or "Exact"], str(part["value"])


def match_fault(match: Match, protocol: str) -> str:
    """Why a route of the Gateway API cannot hold `match` exactly; empty: it can. Never written wider than it is."""
    if match.path and match.path.type == "prefix":
        return (
            f"The Gateway API compares a path prefix by whole segments, so {match.path.value} would not take "
            f"{match.path.value}x as it does elsewhere. Match by segments, or by a regular expression."
        )
    if len(match.methods) > 1:
        return "The Gateway API matches one method: add a match for each."
    if any(header.is_inverted for header in match.headers):
        return "The Gateway API has no match by the absence of a header."
    if {*(h.type for h in match.headers), *(q.type for q in match.query)} - {"exact", "regex"}:
        return (
            "The Gateway API compares headers and query parameters whole or by a regular expression alone: "
            "write a prefix as one."
        )
    try:
        is_same = normal(match_of(native_match(match, protocol), protocol)) == normal(match)
    except (ValueError, KeyError, TypeError, AttributeError):
        is_same = False
    return "" if is_same and not match.opaque else "The Gateway API cannot hold this match exactly."


def native_match(match: Match, protocol: str) -> dict[str, Any]:
    """As a route holds it, every type written."""
    found: dict[str, Any] = {}
    if match.path and protocol == "http":
        found["path"] = {"type": NATIVE[match.path.type], "value": match.path.value}
    elif match.path:
        _, service, *rest = match.path.value.split("/")
        found["method"] = {"type": "Exact", "service": service, **({"method": rest[0]} if rest else {})}
    if match.methods:
        found["method"] = match.methods[0]
    for field, parts in (("headers", match.headers), ("queryParams", match.query)):
        if parts:
            found[field] = [{"name": p.name, "type": NATIVE[p.type], "value": p.value} for p in parts]
    return {**found, **{field: json.loads(text) for field, text in match.opaque}}
