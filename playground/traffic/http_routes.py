"""HTTPRoutes whose parent is a Service, and Linkerd's ServiceProfiles, as Envoy's routes. Pure.

Followed: matches, weights, timeouts, header modifiers, redirects. A mirror or a rewrite is Istio's alone, and not made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from playground.acceptance import reference
from playground.traffic.forwarding import Backend, failing, forward

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from playground.apiserver.jsontypes import Json
    from playground.traffic.model import Directory, Service


def attached(objects: Sequence[Json], service: Service, namespace: str) -> list[Json]:
    """The routes of a Service for clients of `namespace`, the oldest first.

    Routes of the clients' own namespace stand in place of those of the Service's.
    """
    found = sorted((each for each in objects if _is_parent(each, service)), key=_age)
    own = [each for each in found if each["metadata"]["namespace"] == namespace]
    producers = [each for each in found if each["metadata"]["namespace"] == service.namespace]
    return own or producers


def _age(obj: Json) -> tuple[str, str]:
    return obj["metadata"].get("creationTimestamp", ""), obj["metadata"]["name"]


def _is_parent(obj: Json, service: Service) -> bool:
    namespace = obj["metadata"]["namespace"]
    for parent in obj["spec"].get("parentRefs") or ():
        is_core = parent.get("group") in {"", "core"} and parent.get("kind") == "Service"
        found = (parent.get("namespace", namespace), parent["name"])
        is_port = parent.get("port", service.port) == service.port
        if is_core and found == (service.namespace, service.name) and is_port:
            return not _is_refused(obj)
    return False


def _is_refused(obj: Json) -> bool:
    answers = (obj.get("status") or {}).get("parents") or ()
    conditions = [each for answer in answers for each in answer.get("conditions") or ()]
    return any((each["type"], each["status"]) == ("Accepted", "False") for each in conditions)


def routes(objects: Sequence[Json], directory: Directory, service: Service, *, is_linkerd: bool) -> list[Json]:
    """The routes of attached objects, the most exact match first, as the Gateway API orders them."""
    made = []
    for obj in objects:
        group = obj["apiVersion"].partition("/")[0]
        name = f"{obj['kind']}/{group}/{obj['metadata']['namespace']}/{obj['metadata']['name']}"
        for rule in obj["spec"].get("rules") or ():
            action = _action(rule, obj["metadata"]["namespace"], directory, service, is_linkerd=is_linkerd)
            made += [
                (_precedence(match), {"name": name, "match": _match(match), **action, **_headers(rule)})
                for match in rule.get("matches") or [{}]
            ]
    made.sort(key=lambda pair: pair[0])
    return [route for _, route in made]


def _precedence(match: Json) -> tuple[bool, int, bool, int, int]:
    path = match.get("path") or {}
    kind, value = path.get("type", "PathPrefix"), path.get("value", "/")
    is_exact, length = kind == "Exact", len(value)
    counts = (-len(match.get("headers") or ()), -len(match.get("queryParams") or ()))
    return not is_exact, -length, "method" not in match, *counts


def _match(match: Json) -> Json:
    headers = [_named(each) for each in match.get("headers") or ()]
    headers += [{"name": ":method", "string_match": {"exact": match["method"]}}] if "method" in match else []
    queries = [_named(each) for each in match.get("queryParams") or ()]
    made = _path(match.get("path") or {})
    return {**made, **({"headers": headers} if headers else {}), **({"query_parameters": queries} if queries else {})}


def _path(path: Json) -> Json:
    kind, value = path.get("type", "PathPrefix"), path.get("value", "/")
    if kind == "Exact":
        return {"path": value}
    if kind == "RegularExpression":
        return {"safe_regex": {"regex": value}}
    return {"path_separated_prefix": value.rstrip("/")} if value.rstrip("/") else {"prefix": "/"}


def _named(wanted: Json) -> Json:
    is_regex = wanted.get("type", "Exact") == "RegularExpression"
    text = {"safe_regex": {"regex": wanted["value"]}} if is_regex else {"exact": wanted["value"]}
    return {"name": wanted["name"], "string_match": text}


def _action(rule: Json, namespace: str, directory: Directory, service: Service, *, is_linkerd: bool) -> Json:
    for each in rule.get("filters") or ():
        if each["type"] == "RequestRedirect":
            return {"redirect": _redirect(each["requestRedirect"])}
    backends = list(_backends(rule, namespace, directory))
    if not backends and is_linkerd:
        backends = [Backend(service, 1)]  # no backend: the Service itself
    if len(backends) == 1 and is_linkerd:
        backends = [Backend(backends[0].service, 1)]
    if not sum(backend.weight for backend in backends):
        return failing(500)
    timeout = (rule.get("timeouts") or {}).get("request")
    return forward(directory, backends, timeout=_duration(timeout or "0s"))


def _backends(rule: Json, namespace: str, directory: Directory) -> Iterator[Backend]:
    for each in rule.get("backendRefs") or ():
        found = reference(each, namespace)
        service = directory.services.get(f"{found.namespace}/{found.name}") if found.is_service else None
        yield Backend(service, each.get("weight", 1))


def _duration(text: str) -> str:
    units = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
    unit = next(unit for unit in units if text.endswith(unit))
    return f"{float(text.removesuffix(unit)) * units[unit]:g}s"


def _redirect(wanted: Json) -> Json:
    made = {"host_redirect": wanted["hostname"]} if "hostname" in wanted else {}
    path = wanted.get("path") or {}
    return made | ({"path_redirect": path["replaceFullPath"]} if "replaceFullPath" in path else {})


def _headers(rule: Json) -> Json:
    """Header modifiers of a rule."""
    made: Json = {}
    for each in rule.get("filters") or ():
        for kind, side in (("RequestHeaderModifier", "request"), ("ResponseHeaderModifier", "response")):
            if each["type"] == kind:
                change = each[f"{side}HeaderModifier"]
                made[f"{side}_headers_to_add"] = [
                    {"header": {"key": header["name"], "value": header["value"]}, "append_action": action}
                    for field, action in (("set", "OVERWRITE_IF_EXISTS_OR_ADD"), ("add", "APPEND_IF_EXISTS_OR_ADD"))
                    for header in change.get(field) or ()
                ]
                made[f"{side}_headers_to_remove"] = list(change.get("remove") or ())
    return made


def profile(objects: Sequence[Json], service: Service, namespace: str) -> Json | None:
    """The ServiceProfile that puts a Service's routes out of work: one of the clients' namespace, else of its own."""
    found = [each for each in objects if each["metadata"]["name"] == service.host]
    for place in (namespace, service.namespace):
        for each in found:
            if each["metadata"]["namespace"] == place:
                return each
    return None


def profile_routes(obj: Json, directory: Directory, service: Service) -> list[Json]:
    """The one route of a ServiceProfile: to its overrides by weight, else to the Service."""
    backends = []
    for each in (obj.get("spec") or {}).get("dstOverrides") or ():
        host = each["authority"].partition(":")[0]
        backends.append(Backend(directory.named(host, service.namespace), _milli(each["weight"])))
    if not sum(backend.weight for backend in backends):
        backends = [Backend(service, 1)]
    name = f"ServiceProfile/linkerd.io/{obj['metadata']['namespace']}/{obj['metadata']['name']}"
    return [{"name": name, "match": {"prefix": "/"}, **forward(directory, backends)}]


def _milli(quantity: object) -> int:
    text = str(quantity)
    return int(text.removesuffix("m")) if text.endswith("m") else round(float(text) * 1000)
