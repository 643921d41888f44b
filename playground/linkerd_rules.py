"""What Linkerd's policy validator refuses of routes whose parent is a Service, as far as Linkerd's reference says it.

Linkerd's control plane cannot be built for the lab: unlike Istio's rules, these are proved against nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from playground.acceptance import reference
from playground.apiserver.admission import AdmissionRequest, Denial
from playground.apiserver.schema_rules import milliseconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playground.apiserver.jsontypes import Json

WEBHOOK = "linkerd-policy-validator.linkerd.io"


def linkerd_validator(request: AdmissionRequest) -> Denial | None:
    """Refuse what Linkerd would refuse; an admission hook for the kinds in LINKERD_ROUTES."""
    spec = (request.object or {}).get("spec") or {}
    if not any(_is_service(ref) for ref in spec.get("parentRefs") or ()):
        return None
    fault = next(_faults(spec), "")
    return Denial(fault, 400, WEBHOOK) if fault else None


def _is_service(ref: Json) -> bool:
    return reference({**ref, "group": ""} if ref.get("group") == "core" else ref, "").is_service


def _faults(spec: Json) -> Iterator[str]:
    for rule in spec.get("rules") or ():
        for backend in rule.get("backendRefs") or ():
            if _is_service(backend) and "port" not in backend:
                yield f"cannot reference a Service without a port: {backend['name']}"
        timeouts = rule.get("timeouts") or {}
        request, backend_request = timeouts.get("request"), timeouts.get("backendRequest")
        if request and backend_request and milliseconds(backend_request) > milliseconds(request):
            yield f"backendRequest timeout ({backend_request}) must not be greater than request timeout ({request})"
