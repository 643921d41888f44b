"""Reading routes of the Gateway API whose parent is a Service. Pure. An absent weight is 1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from meshes.adapters.base import Problem, UnreadableRouteError
from meshes.adapters.edits import named_rules
from meshes.adapters.gateway_kinds import GROUP, POLICY_GROUP, group_of, is_service, parents_of
from meshes.adapters.gateway_match import matches_of
from meshes.adapters.gateway_shapes import GatewayRoute
from meshes.adapters.natives import milliseconds, namespace_of
from meshes.adapters.shapes import fault_of, named
from meshes.adapters.shares import basis_points
from meshes.types import FULL, Backend, Root, Route, Rule, WeightedBackend
from meshui.lib.canonical import NotCanonicalError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal

    from meshes.adapters.gateway_kinds import Flavour
    from meshui.lib.jsontypes import JsonObject

RULE_FIELDS = {"name", "matches", "backendRefs", "filters", "timeouts"}


def protocol_of(body: JsonObject) -> Literal["http", "grpc"]:
    """By its kind."""
    return "grpc" if body.get("kind") == "GRPCRoute" else "http"


def route_of(body: JsonObject, flavour: Flavour) -> tuple[Route, tuple[Problem, ...]]:
    """A route with a Service as parent, and what of it the model has no words for.

    Raises UnreadableRouteError where nothing sensible can be said: not the shape, no Service, no rule.
    """
    if fault := fault_of(body, GatewayRoute):
        raise UnreadableRouteError([Problem(named(body), f"It is not what a route looks like: {fault}.")])
    spec = cast("dict[str, Any]", body["spec"])
    parents = parents_of(body)
    if not parents:
        raise UnreadableRouteError([Problem("spec.parentRefs", "None of its parents is a Service.")])
    if not spec.get("rules"):
        raise UnreadableRouteError([Problem("spec.rules", "It has no rule: there is nothing to split.")])
    problems = list(_unsaid(body, flavour))
    try:
        rules = [_rule(index, rule, body, flavour, problems) for index, rule in enumerate(spec["rules"])]
    except NotCanonicalError as error:
        raise UnreadableRouteError([Problem("spec.rules", f"A match cannot be told exactly: {error}.")]) from error
    first, namespace = parents[0], namespace_of(body)
    root = Root(first.service, first.namespace, first.port)
    scope = "producer" if first.namespace == namespace else f"consumer({namespace})"
    return Route(root, named_rules(tuple(rules)), protocol_of(body), scope), tuple(problems)


def _unsaid(body: JsonObject, flavour: Flavour) -> Iterator[Problem]:
    spec = cast("dict[str, Any]", body["spec"])
    for ref in spec.get("parentRefs") or []:
        if not is_service(ref):
            kind = ref.get("kind") or "Gateway"
            yield Problem("spec.parentRefs", f"It also decides at {kind} {ref.get('name')}.")
        elif ref.get("group") == "core" and not flavour.takes_core:
            text = 'Group "core" means nothing to Istio, so the route does nothing there: write group: "".'
            yield Problem("spec.parentRefs", text)
    parents = parents_of(body)
    for parent in parents[1:]:
        where = f"{parent.namespace}/{parent.service}" + (f":{parent.port}" if parent.port else "")
        yield Problem("spec.parentRefs", f"It also decides for {where}: weights move for all of them.")
    if any(parent.section for parent in parents):
        yield Problem("spec.parentRefs", "It names a section of the Service, which is not shown; it stays as it is.")
    if spec.get("hostnames"):
        yield Problem("spec.hostnames", "Host names of a route of a Service mean nothing.")


def _rule(index: int, rule: dict[str, Any], body: JsonObject, flavour: Flavour, problems: list[Problem]) -> Rule:
    where = f"spec.rules[{index}]"
    refs = rule.get("backendRefs") or []
    backends = _backends(refs, namespace_of(body), flavour)
    filters = [str(found["type"]) for found in rule.get("filters") or []]
    if not refs and "RequestRedirect" not in filters:
        problems.append(Problem(where, flavour.bare))
    if refs and not any(weighted.weight_bp for weighted in backends):
        problems.append(Problem(f"{where}.backendRefs", flavour.zero))
    for weighted, ref in zip(backends, refs, strict=True):
        if weighted.backend.service != ref["name"]:
            problems.append(
                Problem(f"{where}.backendRefs", f"{weighted.backend.service} is no Service: it stays as it is.")
            )
    timeouts = rule.get("timeouts") or {}
    return Rule(
        name=str(rule.get("name") or ""),
        matches=matches_of(rule, protocol_of(body)),
        backends=backends,
        timeout_ms=milliseconds(timeouts.get("request")),
        extras=tuple(sorted({*_extras(rule, refs, filters)})),
    )


def _extras(rule: dict[str, Any], refs: list[dict[str, Any]], filters: list[str]) -> Iterator[str]:
    yield from (f"filter {name}" for name in filters)
    yield from (f"filter {found['type']} of {ref['name']}" for ref in refs for found in ref.get("filters") or [])
    yield from (field for field, value in rule.items() if field not in RULE_FIELDS and value is not None)
    yield from (f"timeouts.{field}" for field in rule.get("timeouts") or {} if field != "request")


def _backends(refs: list[dict[str, Any]], namespace: str, flavour: Flavour) -> tuple[WeightedBackend, ...]:
    weights = [1 if ref.get("weight") is None else int(ref["weight"]) for ref in refs]
    shares = [FULL] if len(refs) == 1 and not flavour.single_counts else basis_points(weights)
    return tuple(
        WeightedBackend(
            backend=backend_of(ref, namespace),
            weight_bp=share,
            native_weight=None if ref.get("weight") is None else str(ref["weight"]),
        )
        for ref, share in zip(refs, shares, strict=True)
    )


def backend_of(ref: dict[str, Any], namespace: str) -> Backend:
    """A backendRef; what is no Service is named by its kind too."""
    kind, group = ref.get("kind") or "Service", ref.get("group") or ""
    is_plain = kind == "Service" and group in {"", "core"}
    name = str(ref["name"]) if is_plain else f"{kind}/{ref['name']}"
    return Backend("service", name, str(ref.get("namespace") or namespace), ref.get("port"))


def with_defaults(body: JsonObject) -> dict[str, Any]:
    """spec with what the API server fills in, so that what was sent and what was stored compare equal.

    Rules are without their names: a name moves no request.
    """
    spec = cast("dict[str, Any]", body.get("spec") or {})
    namespace, group = namespace_of(body), group_of(body) or GROUP
    parents = [_parent(ref, namespace, group) for ref in spec.get("parentRefs") or []]
    rules = [_full_rule(rule, namespace, protocol_of(body)) for rule in spec.get("rules") or []]
    return {**spec, "parentRefs": parents, "rules": rules}


def _parent(ref: dict[str, Any], namespace: str, group: str) -> dict[str, Any]:
    found = {
        "group": GROUP if group != POLICY_GROUP else POLICY_GROUP,
        "kind": "Gateway",
        "namespace": namespace,
        **ref,
    }
    return {**found, "group": ""} if is_service(ref) else found


def _full_rule(rule: dict[str, Any], namespace: str, protocol: str) -> dict[str, Any]:
    found = {key: value for key, value in rule.items() if key != "name"}
    matches = [_full_match(match, protocol) for match in rule.get("matches") or ([{}] if protocol == "http" else [])]
    refs = [_full_ref(ref, namespace) for ref in rule.get("backendRefs") or []]
    return {**found, "matches": matches, "backendRefs": refs}


def _full_match(match: dict[str, Any], protocol: str) -> dict[str, Any]:
    found = dict(match)
    if protocol == "http":
        found["path"] = {"type": "PathPrefix", "value": "/", **(match.get("path") or {})}
    elif match.get("method"):
        found["method"] = {"type": "Exact", **match["method"]}
    for field in ("headers", "queryParams"):
        if match.get(field):
            found[field] = [{"type": "Exact", **part} for part in match[field]]
    return found


def _full_ref(ref: dict[str, Any], namespace: str) -> dict[str, Any]:
    found = {"group": "", "kind": "Service", "namespace": namespace, "weight": 1, **ref}
    return {**found, "group": ""} if found["group"] == "core" else found
