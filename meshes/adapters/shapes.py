"""What native objects must look like before they are read. A cluster may answer anything; what does not fit is named.

Structs hold only the fields that are read; msgspec says where a body differs. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, cast

import msgspec

from meshes.adapters.base import Problem
from meshui.lib.typed import converted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meshui.lib.jsontypes import JsonObject

Texts = dict[str, str]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=253, pattern=r"\A[^/%\s\x00-\x1f]+\Z")]
Label = Annotated[str, msgspec.Meta(max_length=63, pattern=r"\A[a-z0-9]([-a-z0-9]*[a-z0-9])?\Z")]
Weight = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]


class Metadata(msgspec.Struct, rename="camel"):
    """metadata of every kind."""

    name: Name
    uid: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    namespace: Label = ""
    resource_version: Annotated[str, msgspec.Meta(max_length=64)] = ""
    generation: int = 0
    creation_timestamp: str | None = None
    labels: Texts | None = None
    annotations: Texts | None = None


class Anything(msgspec.Struct):
    """A Namespace, or whatever is read by its metadata alone."""

    metadata: Metadata


class ServicePort(msgspec.Struct, rename="camel"):
    """spec.ports[] of a Service."""

    port: int = 0
    name: str | None = None
    app_protocol: str | None = None


class ServiceSpec(msgspec.Struct):
    """spec of a Service."""

    ports: list[ServicePort] | None = None
    selector: Texts | None = None


class Service(msgspec.Struct):
    """A Service of Kubernetes."""

    metadata: Metadata
    spec: ServiceSpec | None = None


class Container(msgspec.Struct):
    """A container: its name and image."""

    name: str = ""
    image: str | None = None


class PodSpec(msgspec.Struct):
    """spec of a pod."""

    containers: list[Container] | None = None


class PodTemplate(msgspec.Struct):
    """spec.template of a Deployment."""

    spec: PodSpec | None = None


class DeploymentSpec(msgspec.Struct):
    """spec of a Deployment."""

    template: PodTemplate | None = None


class DeploymentStatus(msgspec.Struct, rename="camel"):
    """status of a Deployment."""

    available_replicas: int | None = None


class Deployment(msgspec.Struct):
    """A Deployment: what runs in it and whether any of it is there."""

    metadata: Metadata
    spec: DeploymentSpec | None = None
    status: DeploymentStatus | None = None


class Port(msgspec.Struct):
    """destination.port."""

    number: int | None = None


class Destination(msgspec.Struct):
    """route[].destination."""

    host: str
    subset: str | None = None
    port: Port | None = None


class RouteEntry(msgspec.Struct):
    """http[].route[]. A weight is an int32, never negative."""

    destination: Destination
    weight: Weight | None = None


class HttpMatch(msgspec.Struct, rename="camel"):
    """http[].match[]: the parts that the neutral model has words for."""

    name: str | None = None
    uri: Texts | None = None
    method: Texts | None = None
    headers: dict[str, Texts | None] | None = None
    without_headers: dict[str, Texts | None] | None = None
    query_params: dict[str, Texts | None] | None = None
    ignore_uri_case: bool | None = None


class Delegate(msgspec.Struct):
    """http[].delegate."""

    name: str = ""
    namespace: str | None = None


class HttpRule(msgspec.Struct):
    """http[]."""

    name: str | None = None
    match: list[HttpMatch] | None = None
    route: list[RouteEntry] | None = None
    timeout: str | None = None
    delegate: Delegate | None = None


class VirtualServiceSpec(msgspec.Struct, rename="camel"):
    """spec of a VirtualService."""

    hosts: list[str] | None = None
    gateways: list[str] | None = None
    export_to: list[str] | None = None
    http: list[HttpRule] | None = None
    tcp: list[dict[str, Any]] | None = None
    tls: list[dict[str, Any]] | None = None


class VirtualService(msgspec.Struct):
    """A VirtualService of Istio."""

    metadata: Metadata
    spec: VirtualServiceSpec


class Subset(msgspec.Struct):
    """subsets[] of a DestinationRule."""

    name: str
    labels: Texts | None = None


class DestinationRuleSpec(msgspec.Struct):
    """spec of a DestinationRule."""

    host: str
    subsets: list[Subset] | None = None


class DestinationRule(msgspec.Struct):
    """A DestinationRule of Istio."""

    metadata: Metadata
    spec: DestinationRuleSpec


Shape = type[msgspec.Struct]
NUL = b"\\u0000"
"""As JSON writes the one character that PostgreSQL does not store."""


def fault_of(body: JsonObject, shape: Shape) -> str:
    """Why `body` cannot be read as `shape`: what was expected and where. Empty: it can."""
    try:
        converted(body, shape)
    except msgspec.ValidationError as error:
        return str(error)
    return "a NUL character stands in it" if NUL in msgspec.json.encode(body) else ""


def sound(
    items: Iterable[JsonObject], shape: Shape, *, is_namespaced: bool = True
) -> tuple[list[JsonObject], list[Problem]]:
    """Those of `items` that can be read as `shape` (and stand in a namespace), and a problem for every other."""
    good: list[JsonObject] = []
    problems: list[Problem] = []
    for body in items:
        fault = fault_of(body, shape)
        if not fault and is_namespaced and not cast("Any", body)["metadata"].get("namespace"):
            fault = "it stands in no namespace"
        if fault:
            problems.append(Problem(named(body), f"It is not what a {shape.__name__} looks like: {fault}."))
        else:
            good.append(body)
    return good, problems


def told_apart(items: Iterable[JsonObject], shape: Shape) -> tuple[list[JsonObject], dict[str, tuple[Problem, ...]]]:
    """As `sound`, with the problems by uid."""
    good: list[JsonObject] = []
    told: dict[str, tuple[Problem, ...]] = {}
    for body in items:
        found, problems = sound([body], shape)
        good += found
        if problems:
            uid = uid_of(body)
            told[uid] = (*told.get(uid, ()), *problems)
    return good, told


def uid_of(body: JsonObject) -> str:
    """metadata.uid of a body of any shape; empty: none."""
    metadata = body.get("metadata")
    return str((metadata if isinstance(metadata, dict) else {}).get("uid") or "")


def named(body: JsonObject) -> str:
    """`VirtualService shop/checkout`, as well as the body lets itself be named."""
    metadata = body.get("metadata")
    found = metadata if isinstance(metadata, dict) else {}
    parts = [str(found.get(key) or "")[:253] for key in ("namespace", "name")]
    return f"{str(body.get('kind') or 'object')[:63]} {'/'.join(part for part in parts if part) or '(no name)'}"
