"""What routes of the Gateway API must look like before they are read: HTTPRoute, GRPCRoute, Linkerd's own. Pure."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from meshes.adapters.shapes import Metadata  # noqa: TC001 - msgspec reads the annotations

Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
GatewayWeight = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]


class ParentRef(msgspec.Struct, rename="camel"):
    """parentRefs[]."""

    name: str
    group: str | None = None
    kind: str | None = None
    namespace: str | None = None
    port: Port | None = None
    section_name: str | None = None


class BackendRef(msgspec.Struct):
    """rules[].backendRefs[]."""

    name: str
    group: str | None = None
    kind: str | None = None
    namespace: str | None = None
    port: Port | None = None
    weight: GatewayWeight | None = None
    filters: list[dict[str, Any]] | None = None


class TypedValue(msgspec.Struct):
    """A path."""

    type: str | None = None
    value: str | None = None


class NamedValue(msgspec.Struct):
    """A header or a query parameter."""

    name: str
    value: str
    type: str | None = None


class GrpcMethod(msgspec.Struct):
    """matches[].method of a GRPCRoute."""

    type: str | None = None
    service: str | None = None
    method: str | None = None


class GatewayMatch(msgspec.Struct, rename="camel"):
    """rules[].matches[]: of an HTTPRoute a method is a word, of a GRPCRoute an object."""

    path: TypedValue | None = None
    headers: list[NamedValue] | None = None
    query_params: list[NamedValue] | None = None
    method: str | GrpcMethod | None = None


class Filter(msgspec.Struct):
    """rules[].filters[]."""

    type: str


class Timeouts(msgspec.Struct, rename="camel"):
    """rules[].timeouts."""

    request: str | None = None
    backend_request: str | None = None


class GatewayRule(msgspec.Struct, rename="camel"):
    """rules[]."""

    name: str | None = None
    matches: list[GatewayMatch] | None = None
    backend_refs: list[BackendRef] | None = None
    filters: list[Filter] | None = None
    timeouts: Timeouts | None = None


class GatewayRouteSpec(msgspec.Struct, rename="camel"):
    """spec of a route."""

    parent_refs: list[ParentRef] | None = None
    hostnames: list[str] | None = None
    rules: list[GatewayRule] | None = None


class Condition(msgspec.Struct, rename="camel"):
    """status.parents[].conditions[]."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    observed_generation: int | None = None


class ParentStatus(msgspec.Struct, rename="camel"):
    """status.parents[]."""

    parent_ref: ParentRef
    controller_name: str = ""
    conditions: list[Condition] | None = None


class GatewayStatus(msgspec.Struct):
    """status of a route."""

    parents: list[ParentStatus] | None = None


class GatewayRoute(msgspec.Struct):
    """A route of the Gateway API."""

    metadata: Metadata
    spec: GatewayRouteSpec
    status: GatewayStatus | None = None
