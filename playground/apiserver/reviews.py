"""Questions that are asked and never stored: access reviews, who am I, tokens of service accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playground.apiserver import errors
from playground.apiserver.decoding import read_object
from playground.apiserver.errors import FieldError
from playground.apiserver.jsontypes import timestamp
from playground.apiserver.messages import Target, answer
from playground.apiserver.resources import Resource

if TYPE_CHECKING:
    from playground.apiserver.calls import Call
    from playground.apiserver.jsontypes import Json
    from playground.apiserver.messages import Response

TOKEN_REQUEST = Resource("authentication.k8s.io", "v1", "tokenrequests", "TokenRequest")
SHORTEST_TOKEN, LONGEST_TOKEN = 600, 1 << 32


def review(call: Call) -> Response:
    """POST one of the reviews."""
    obj, _ = read_object(call.request)
    spec = obj.get("spec") or {}
    match call.resource.kind:
        case "SelfSubjectAccessReview":
            status = _access(call, spec)
        case "SelfSubjectRulesReview":
            status = _rules(call, spec)
        case _:
            user: Json = {"username": call.user.name, "groups": list(call.user.groups)}
            status = {"userInfo": user | ({"uid": call.user.uid} if call.user.uid else {})}
    head = {"kind": call.resource.kind, "apiVersion": call.resource.api_version}
    return answer(201, {**head, "metadata": {"creationTimestamp": None}, "spec": spec, "status": status})


def _access(call: Call, spec: Json) -> Json:
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    authorizer = call.core.authorizer
    if (resource is None) == (path is None):
        text = "Invalid value: exactly one of nonResourceAttributes or resourceAttributes must be specified"
        raise errors.invalid(call.resource, "", [FieldError("spec.resourceAttributes", text)])
    if path is not None:
        allowed = authorizer.allows_path(call.user, path.get("path", ""), path.get("verb", ""))
    else:
        asked = {key: value for key, value in (resource or {}).items() if isinstance(value, str)}
        target = Target(
            verb=asked.get("verb", ""),
            group=asked.get("group", ""),
            version=asked.get("version", ""),
            plural=asked.get("resource", ""),
            namespace=asked.get("namespace", ""),
            name=asked.get("name", ""),
            subresource=asked.get("subresource", ""),
        )
        allowed = authorizer.allows(call.user, target)
    return {"allowed": allowed}


def _rules(call: Call, spec: Json) -> Json:
    namespace = spec.get("namespace", "")
    if not namespace:
        raise errors.bad_request("no namespace on request")
    rules = list(call.core.authorizer.rules(call.user, namespace))
    fields = ("verbs", "apiGroups", "resources", "resourceNames")
    return {
        "resourceRules": [{key: rule[key] for key in fields if key in rule} for rule in rules if "resources" in rule],
        "nonResourceRules": [
            {key: rule[key] for key in ("verbs", "nonResourceURLs")} for rule in rules if "nonResourceURLs" in rule
        ],
        "incomplete": False,
    }


def token_request(call: Call) -> Response:
    """POST serviceaccounts/<name>/token: a signed token that ends. Raises ApiError 404, 422."""
    account = call.core.store.get("serviceaccounts", call.key)
    if account is None:
        raise errors.not_found(call.resource, call.target.name)
    obj, _ = read_object(call.request)
    spec = {"audiences": [], "expirationSeconds": 3600, **(obj.get("spec") or {})}
    seconds = int(spec["expirationSeconds"])
    if not SHORTEST_TOKEN <= seconds <= LONGEST_TOKEN:
        why = "less than 10 minutes" if seconds < SHORTEST_TOKEN else "larger than 2^32 seconds"
        fault = FieldError("spec.expirationSeconds", f"Invalid value: {seconds}: may not specify a duration {why}")
        raise errors.invalid(TOKEN_REQUEST, "", [fault])
    authenticator = call.core.authenticator
    spec["audiences"] = list(spec["audiences"] or [authenticator.issuer])
    token, ends = authenticator.service_account_token(account.object, seconds, spec["audiences"])
    metadata = {"name": account.name, "namespace": account.namespace, "creationTimestamp": timestamp()}
    status = {"token": token, "expirationTimestamp": timestamp(ends)}
    head = {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1"}
    return answer(201, {**head, "metadata": metadata, "spec": spec, "status": status})
