"""The proxies of the API server: a request to a port of a pod or of a Service, carried there by the server itself.

What listens on pods is not here: whoever runs the cluster hangs a `Reach` into the core. Without one every port
refuses, as in a cluster whose pods run nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from playground.apiserver import errors
from playground.apiserver.selectors import label_selector_matches
from playground.apiserver.store import key_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from playground.apiserver.calls import Call
    from playground.apiserver.jsontypes import Json
    from playground.apiserver.messages import Response

    Reach = Callable[[Json, int, str], Response | None]  # a pod, one of its ports, a path: None if nothing listens

DEFAULT_PORT = 80
SCHEMES = ("", "http", "https")


def proxy(call: Call) -> Response:
    """Answer as the pod or Service that the URL names: `name`, `name:port`, `scheme:name:port`.

    Raises ApiError 404 for what is not there, 400 for a name that is none, 503 for what cannot be reached.
    """
    name, port = _split(call)
    entry = call.core.store.get(call.resource.key, key_of(call.target.namespace, name))
    if entry is None:
        raise errors.not_found(call.resource, name)
    is_pod = call.resource.key == "pods"
    pod, number = (entry.object, _number(call, port)) if is_pod else _behind(call, entry.object, port)
    answer = call.core.reach(pod, number, _path(call)) if call.core.reach else None
    if answer is None:
        where = f"{(pod.get('status') or {}).get('podIP', '')}:{number}"
        raise errors.unavailable(f"error trying to reach service: dial tcp {where}: connect: connection refused")
    return answer


def _split(call: Call) -> tuple[str, str]:
    """The name and the port (empty if none is named) of what the URL names."""
    parts = call.target.name.split(":")
    scheme, name, port = {1: ("", *parts, ""), 2: ("", *parts), 3: tuple(parts)}.get(len(parts), ("?", "", ""))
    if scheme not in SCHEMES or not name:
        raise errors.bad_request(f'invalid {call.resource.kind.lower()} request "{call.target.name}"')
    return name, port


def _number(call: Call, port: str) -> int:
    if port and not port.isdigit():
        raise errors.bad_request(f'invalid {call.resource.kind.lower()} request "{call.target.name}"')
    return int(port or DEFAULT_PORT)


def _path(call: Call) -> str:
    return call.request.path.partition("/proxy")[2] or "/"


def _behind(call: Call, service: Json, port: str) -> tuple[Json, int]:
    """A ready pod of a Service, and the pod's port behind one of the Service's."""
    name = service["metadata"]["name"]
    ports = (service.get("spec") or {}).get("ports") or ()
    found = [each for each in ports if port in {each.get("name", ""), str(each["port"])}] or (
        list(ports) if not port and len(ports) == 1 else []
    )
    if not found:
        is_number = port.isdigit()  # a name is looked for among the endpoints
        text = f"no service port {port} found for service" if is_number else "no endpoints available for service"
        raise errors.unavailable(f'{text} "{name}"')
    selector = {"matchLabels": (service.get("spec") or {}).get("selector") or {}}
    for entry in call.core.store.entries("pods")[0]:
        is_here = entry.namespace == call.target.namespace and (entry.object.get("status") or {}).get("podIP")
        if is_here and label_selector_matches(selector, entry.object["metadata"].get("labels") or {}):
            target = found[0].get("targetPort", found[0]["port"])
            return entry.object, target if isinstance(target, int) else found[0]["port"]
    raise errors.unavailable(f'no endpoints available for service "{name}"')
