"""Linkerd's mTLS by namespace: it is automatic between meshed pods, and plaintext of others is let in unless forbidden.

What forbids it: the inbound policy by default of the control plane, a namespace's or a pod's annotation, and Servers
with their authorizations, port by port. Pure. Facts: mesh-reference §2c.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from clusters.clients import Resource
from meshes.adapters.mtls import DEFAULT, MESH, NAMESPACE, PERMISSIVE, STRICT, UNKNOWN, FoundMtls, FoundPart
from meshes.adapters.natives import annotations_of, namespace_of, titled
from meshes.adapters.shapes import Metadata, Texts  # noqa: TC001 - msgspec looks them up
from meshui.lib.typed import converted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import TypeVar

    from meshes.adapters.mtls import PodTemplate, Secured
    from meshui.lib.jsontypes import JsonObject

    P = TypeVar("P", bound=msgspec.Struct)

GROUP = "policy.linkerd.io"
KINDS = (
    ("servers", "Server", ("v1beta3", "v1beta2", "v1beta1")),
    ("authorizationpolicies", "AuthorizationPolicy", ("v1alpha1",)),
    ("serverauthorizations", "ServerAuthorization", ("v1beta1",)),
)
"""Plural, kind, and its versions, newest first."""
ANNOTATION = "config.linkerd.io/default-inbound-policy"
INBOUND = {
    "all-unauthenticated": PERMISSIVE,
    "cluster-unauthenticated": PERMISSIVE,
    "audit": PERMISSIVE,
    "all-authenticated": STRICT,
    "cluster-authenticated": STRICT,
    "deny": STRICT,
}
"""What an inbound policy lets in: with `deny` what is authorized, Server by Server, and nothing else."""
MEANS_MTLS = {"MeshTLSAuthentication", "ServiceAccount"}
UNREAD = "{} could not be read, so it is not known which ports differ: give the reader the right to list them."
RESTART = "Proxies read it when they start: pods that run since before it was set keep what they had."


class LabelExpression(msgspec.Struct):
    """podSelector.matchExpressions[]."""

    key: str
    operator: str
    values: list[str] | None = None

    @property
    def words(self) -> str:
        """`tier In (a, b)`, `tier Exists`."""
        return f"{self.key} {self.operator}" + (f" ({', '.join(self.values)})" if self.values else "")


class PodSelector(msgspec.Struct, rename="camel"):
    """spec.podSelector of a Server."""

    match_labels: Texts | None = None
    match_expressions: list[LabelExpression] | None = None

    def takes(self, labels: Mapping[str, str]) -> bool:
        """Whether pods with these labels are meant."""
        is_like = (self.match_labels or {}).items() <= dict(labels).items()
        return is_like and all(_holds(each, labels) for each in self.match_expressions or ())

    @property
    def words(self) -> str:
        """`app=ledger, tier In (a, b)`; of all pods `any label`."""
        parts = [f"{key}={value}" for key, value in sorted((self.match_labels or {}).items())]
        parts += [each.words for each in self.match_expressions or ()]
        return ", ".join(parts) or "any label"


class ServerSpec(msgspec.Struct, rename="camel"):
    """spec of a Server."""

    port: int | str
    pod_selector: PodSelector | None = None
    access_policy: str = "deny"


class Server(msgspec.Struct):
    """A Server of Linkerd: one port of some pods."""

    metadata: Metadata
    spec: ServerSpec


class Ref(msgspec.Struct):
    """What a policy is for, or what it asks of clients."""

    kind: str
    name: str = ""


class AuthorizationSpec(msgspec.Struct, rename="camel"):
    """spec of an AuthorizationPolicy."""

    target_ref: Ref
    required_authentication_refs: list[Ref] = []


class AuthorizationPolicy(msgspec.Struct):
    """An AuthorizationPolicy of Linkerd."""

    metadata: Metadata
    spec: AuthorizationSpec


class MeshTls(msgspec.Struct, rename={"unauthenticated_tls": "unauthenticatedTLS"}):
    """spec.client.meshTLS."""

    unauthenticated_tls: bool = False


class Client(msgspec.Struct, rename={"mesh_tls": "meshTLS"}):
    """spec.client of a ServerAuthorization."""

    unauthenticated: bool = False
    mesh_tls: MeshTls | None = None


class ServerChoice(msgspec.Struct):
    """spec.server of a ServerAuthorization: by name, else by a selector."""

    name: str | None = None


class ServerAuthorizationSpec(msgspec.Struct):
    """spec of a ServerAuthorization."""

    server: ServerChoice
    client: Client


class ServerAuthorization(msgspec.Struct):
    """A ServerAuthorization of Linkerd."""

    metadata: Metadata
    spec: ServerAuthorizationSpec


@dataclass(frozen=True, slots=True)
class _Opening:
    """Something that lets clients in that do not say who they are. `server` empty: of any Server of its namespace."""

    namespace: str
    server: str
    title: str


def policy_kinds(served: frozenset[str]) -> tuple[Resource, ...]:
    """Servers and what authorizes their clients, each in the newest version that the cluster serves."""
    found = []
    for plural, kind, versions in KINDS:
        version = next((each for each in versions if f"{GROUP}/{each}" in served), None)
        if version is not None:
            found.append(Resource(GROUP, version, plural, kind))
    return tuple(found)


def modes(seen: Secured) -> dict[str, FoundMtls]:
    """Of each namespace that is to be judged."""
    unread = [kind for plural, kind, _ in KINDS if plural in seen.unread]
    servers, faults = _read(seen.policies.get("servers", ()), Server)
    openings = list(_openings(seen, faults))
    found = {}
    for name in seen.spaces:
        base = _base(name, seen)
        here = [(body, server) for body, server in servers if namespace_of(body) == name]
        parts = [*_annotated(seen.pods(name), base.base), *_at_ports(here, openings, seen.pods(name), base.base)]
        note = base.note
        if unread or name in faults:
            text = UNREAD.format(", ".join(f"{kind}s" for kind in unread) or "A policy of this namespace")
            parts, note = [FoundPart("ports", UNKNOWN, "")], text
        found[name] = FoundMtls(base.base, base.scope, base.origin, tuple(parts), note)
    return found


def _base(name: str, seen: Secured) -> FoundMtls:
    """The annotation of the namespace, else what the control plane says, which is one for each cluster."""
    told = annotations_of(seen.bodies[name]).get(ANNOTATION) if name in seen.bodies else None
    if told:
        return FoundMtls(INBOUND.get(told, UNKNOWN), NAMESPACE, f"{ANNOTATION}={told}", note=RESTART)
    said = {plane.inbound for plane in seen.planes}
    if len(said) != 1 or not (inbound := said.pop()):
        text = "What it lets in by default is not known: its configuration could not be read."
        return FoundMtls(UNKNOWN, DEFAULT, "", note=text)
    scope = DEFAULT if inbound == "all-unauthenticated" else MESH
    return FoundMtls(INBOUND.get(inbound, UNKNOWN), scope, f"defaultInboundPolicy: {inbound}")


def _annotated(pods: Sequence[PodTemplate], base: str) -> Iterator[FoundPart]:
    """Workloads whose pods say something else than their namespace."""
    for each in pods:
        told = each.annotations.get(ANNOTATION)
        if told and (mode := INBOUND.get(told, UNKNOWN)) != base:
            yield FoundPart(f"pods of {each.workload}", mode, f"{ANNOTATION}={told}", (each.workload,))


def _at_ports(
    servers: Sequence[tuple[JsonObject, Server]],
    openings: Sequence[_Opening],
    pods: Sequence[PodTemplate],
    base: str,
) -> Iterator[FoundPart]:
    """Ports whose Server lets in others than the rest of the namespace does."""
    for body, server in servers:
        selector = server.spec.pod_selector
        if selector is None:
            continue  # of machines outside the cluster
        mode, origin = INBOUND.get(server.spec.access_policy, UNKNOWN), titled(body)
        names = (server.metadata.namespace, server.metadata.name)
        opened = next((each for each in openings if each.namespace == names[0] and each.server in {"", names[1]}), None)
        if mode == STRICT and opened is not None:
            mode, origin = PERMISSIVE, f"{origin}, {opened.title}"
        if mode != base:
            meant = tuple(each.workload for each in pods if selector.takes(each.labels))
            yield FoundPart(f"port {server.spec.port} of pods with {selector.words}", mode, origin, meant)


def _openings(seen: Secured, faults: set[str]) -> Iterator[_Opening]:
    """Authorizations that ask for no mutual TLS. One for a route or the namespace counts for every Server there."""
    policies, broken = _read(seen.policies.get("authorizationpolicies", ()), AuthorizationPolicy)
    older, unreadable = _read(seen.policies.get("serverauthorizations", ()), ServerAuthorization)
    faults |= broken | unreadable
    for body, policy in policies:
        target = policy.spec.target_ref
        if not any(ref.kind in MEANS_MTLS for ref in policy.spec.required_authentication_refs):
            yield _Opening(namespace_of(body), target.name if target.kind == "Server" else "", titled(body))
    for body, old in older:
        tls = old.spec.client.mesh_tls
        if old.spec.client.unauthenticated or tls is None or tls.unauthenticated_tls:
            yield _Opening(namespace_of(body), old.spec.server.name or "", titled(body))


def _read(bodies: Sequence[JsonObject], shape: type[P]) -> tuple[list[tuple[JsonObject, P]], set[str]]:
    """Those that are what they say, and the namespaces of those that are not."""
    found: list[tuple[JsonObject, P]] = []
    faults: set[str] = set()
    for body in bodies:
        try:
            found.append((body, converted(body, shape)))
        except msgspec.ValidationError:
            faults.add(namespace_of(body))
    return found, faults


def _holds(each: LabelExpression, labels: Mapping[str, str]) -> bool:
    value = labels.get(each.key)
    match each.operator:
        case "In":
            return value is not None and value in (each.values or ())
        case "NotIn":
            return value is None or value not in (each.values or ())
        case "Exists":
            return value is not None
    return value is None
