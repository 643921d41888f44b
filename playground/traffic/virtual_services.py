"""Istio's VirtualServices and DestinationRules as Envoy's routes, as far as the worlds and MeshUI use them. Pure.

Not followed: delegates, ports, gateways other than the mesh, and traffic policies.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playground.traffic.config import SOURCE_LABELS
from playground.traffic.forwarding import Backend, failing, forward

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from playground.apiserver.jsontypes import Json
    from playground.traffic.model import Directory, Service

TEXT = {"exact": "exact", "prefix": "prefix"}
DEFAULT_RETRIES: Json = {"attempts": 2, "retryOn": "connect-failure,refused-stream,unavailable,cancelled"}
DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}


def effective(services: Sequence[Json], directory: Directory, service: Service, namespace: str) -> Json | None:
    """The VirtualService that decides for clients of `namespace`: private ones first, then the oldest."""
    candidates = [each for each in services if _claims(each, directory, service) and _is_seen(each, namespace)]
    candidates.sort(key=lambda each: (*_rank(each, namespace), each["metadata"]["name"]))
    return candidates[0] if candidates else None


def _claims(obj: Json, directory: Directory, service: Service) -> bool:
    spec, namespace = obj["spec"], obj["metadata"]["namespace"]
    gateways = spec.get("gateways") or ["mesh"]
    return "mesh" in gateways and any(directory.named(host, namespace) == service for host in spec.get("hosts") or ())


def _is_seen(obj: Json, namespace: str) -> bool:
    exported = obj["spec"].get("exportTo") or ["*"]
    own = obj["metadata"]["namespace"] == namespace
    return "*" in exported or namespace in exported or (own and "." in exported)


def _rank(obj: Json, namespace: str) -> tuple[bool, str]:
    exported = obj["spec"].get("exportTo") or ["*"]
    is_private = obj["metadata"]["namespace"] == namespace and exported == ["."]
    return not is_private, obj["metadata"].get("creationTimestamp", "")


def subset_labels(
    rules: Sequence[Json], directory: Directory, service: Service, subset: str
) -> Mapping[str, str] | None:
    """The labels of a subset, as the first DestinationRule of the host that has it says; None if none does."""
    ordered = sorted(rules, key=lambda each: (each["metadata"].get("creationTimestamp", ""), each["metadata"]["name"]))
    for rule in ordered:
        if directory.named(rule["spec"]["host"], rule["metadata"]["namespace"]) != service:
            continue
        for each in rule["spec"].get("subsets") or ():
            if each["name"] == subset:
                return dict(each.get("labels") or {})
    return None


def routes(obj: Json, rules: Sequence[Json], directory: Directory, namespace: str) -> list[Json]:
    """The routes of a VirtualService for clients of `namespace`, in its order."""
    name = f"VirtualService/{obj['metadata']['namespace']}/{obj['metadata']['name']}"
    made = []
    for rule in obj["spec"].get("http") or ():
        action = _action(rule, obj["metadata"]["namespace"], rules, directory)
        matches = [_match(each) for each in rule.get("match") or [{}] if _concerns(each, namespace)]
        made += [{"name": name, "match": match, **action} for match in matches]
    return made


def _concerns(match: Json, namespace: str) -> bool:
    return match.get("sourceNamespace", namespace) == namespace and "mesh" in (match.get("gateways") or ["mesh"])


def _match(match: Json) -> Json:
    made = _path(match.get("uri"), ignores_case=bool(match.get("ignoreUriCase")))
    headers = [*_named(match.get("headers") or {}), *_named(match.get("withoutHeaders") or {}, inverted=True)]
    for field, header in (("method", ":method"), ("authority", ":authority"), ("scheme", ":scheme")):
        headers += _named({header: match[field]}) if field in match else []
    for key, value in (match.get("sourceLabels") or {}).items():
        headers += [{"name": SOURCE_LABELS, "string_match": {"contains": f",{key}={value},"}}]
    queries = [_query(name, wanted) for name, wanted in (match.get("queryParams") or {}).items()]
    return {**made, **({"headers": headers} if headers else {}), **({"query_parameters": queries} if queries else {})}


def _path(uri: Json | None, *, ignores_case: bool) -> Json:
    """A path; Istio's prefix is one of letters, not of segments."""
    if not uri:
        return {"prefix": "/"}
    if "regex" in uri:
        return {"safe_regex": {"regex": uri["regex"]}}
    made: Json = {"path": uri["exact"]} if "exact" in uri else {"prefix": uri["prefix"]}
    return {**made, "case_sensitive": False} if ignores_case else made


def _text(wanted: Json) -> Json:
    if "regex" in wanted:
        return {"safe_regex": {"regex": wanted["regex"]}}
    return next(({TEXT[kind]: wanted[kind]} for kind in TEXT if kind in wanted), {})


def _named(wanted: Mapping[str, Json], *, inverted: bool = False) -> Iterator[Json]:
    for name, text in wanted.items():
        found = _text(text)
        how = {"string_match": found} if found else {"present_match": True}
        yield {"name": name, **how, **({"invert_match": True} if inverted else {})}


def _query(name: str, wanted: Json) -> Json:
    found = _text(wanted)
    return {"name": name, **({"string_match": found} if found else {"present_match": True})}


def _action(rule: Json, namespace: str, rules: Sequence[Json], directory: Directory) -> Json:
    if "redirect" in rule:
        wanted = rule["redirect"]
        hosts = {"host_redirect": wanted["authority"]} if "authority" in wanted else {}
        return {"redirect": hosts | ({"path_redirect": wanted["uri"]} if "uri" in wanted else {})}
    if "directResponse" in rule:
        return failing(rule["directResponse"]["status"])
    destinations = rule.get("route") or ()
    backends = [_backend(each, namespace, rules, directory) for each in destinations]
    if len(backends) == 1:
        backends = [Backend(backends[0].service, 1, backends[0].labels, backends[0].is_known)]
    if not sum(backend.weight for backend in backends):
        return failing(503)
    return {**forward(directory, backends, **_options(rule, namespace, rules, directory)), **_faults(rule)}


def _backend(entry: Json, namespace: str, rules: Sequence[Json], directory: Directory) -> Backend:
    destination = entry["destination"]
    service = directory.named(destination["host"], namespace)
    weight, subset = entry.get("weight", 0), destination.get("subset", "")
    if service is None or not subset:
        return Backend(service, weight)
    labels = subset_labels(rules, directory, service, subset)
    return Backend(service, weight, labels or {}, is_known=labels is not None)


def _options(rule: Json, namespace: str, rules: Sequence[Json], directory: Directory) -> Json:
    options: Json = {"timeout": f"{_seconds(rule.get('timeout', '0s')):g}s"}
    retries: Json = rule.get("retries") or DEFAULT_RETRIES
    if retries.get("attempts", 0):
        policy: Json = {"retry_on": retries.get("retryOn") or DEFAULT_RETRIES["retryOn"]}
        policy["num_retries"] = retries["attempts"]
        if "perTryTimeout" in retries:
            policy["per_try_timeout"] = f"{_seconds(retries['perTryTimeout']):g}s"
        options["retry_policy"] = policy
    if (rule.get("rewrite") or {}).get("uri"):
        options["prefix_rewrite"] = rule["rewrite"]["uri"]
    mirrors = list(_mirrors(rule, namespace, rules, directory))
    return {**options, **({"request_mirror_policies": mirrors} if mirrors else {})}


def _mirrors(rule: Json, namespace: str, rules: Sequence[Json], directory: Directory) -> Iterator[Json]:
    wanted = [(each["destination"], each.get("percentage")) for each in rule.get("mirrors") or ()]
    if "mirror" in rule:
        wanted.append((rule["mirror"], rule.get("mirrorPercentage")))
    for destination, percentage in wanted:
        backend = _backend({"destination": destination, "weight": 1}, namespace, rules, directory)
        action = forward(directory, [backend])["route"]
        cluster = action.get("cluster") or action["weighted_clusters"]["clusters"][0]["name"]
        share = {"numerator": round((percentage or {"value": 100})["value"] * 10_000), "denominator": "MILLION"}
        yield {"cluster": cluster, "runtime_fraction": {"default_value": share}}


def _faults(rule: Json) -> Json:
    fault, made = rule.get("fault") or {}, {}
    for kind, target in (("delay", {"fixedDelay": "fixed_delay"}), ("abort", {"httpStatus": "http_status"})):
        for name, envoy_name in target.items():
            if name in (fault.get(kind) or {}):
                value = fault[kind][name]
                share = round(fault[kind].get("percentage", {}).get("value", 0) * 10_000)
                value = f"{_seconds(value):g}s" if kind == "delay" else value
                made[kind] = {envoy_name: value, "percentage": {"numerator": share, "denominator": "MILLION"}}
    if not made:
        return {}
    kind = "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault"
    return {"typed_per_filter_config": {"envoy.filters.http.fault": {"@type": kind, **made}}}


def _seconds(text: str) -> float:
    return sum(float(number) * SECONDS[unit] for number, unit in DURATION.findall(text))
