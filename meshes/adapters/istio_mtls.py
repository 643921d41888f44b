"""Istio's mTLS by namespace: PeerAuthentications from wide to narrow, as istiod puts them together. Pure.

Workload over namespace over root namespace; of two of one reach the older one counts, and unset inherits (istiod:
pilot/pkg/security/authn). A selector in the root namespace does nothing; ports need one. Ambient never takes plaintext
alone: DISABLE is no mode there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from clusters.clients import Resource
from meshes.adapters.istio_detect import DEFAULT as DEFAULT_REVISION
from meshes.adapters.mtls import DEFAULT, DISABLED, MESH, NAMESPACE, PERMISSIVE, STRICT, UNKNOWN, FoundMtls, FoundPart
from meshes.adapters.natives import age_of, namespace_of, titled
from meshes.adapters.shapes import Metadata, Texts  # noqa: TC001 - msgspec looks them up
from meshui.lib.typed import converted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meshes.adapters.base import Injection
    from meshes.adapters.mtls import PodTemplate, Secured

GROUP = "security.istio.io"
VERSIONS = ("v1", "v1beta1")
"""Newest first; the same fields under each."""
PLURAL = "peerauthentications"
MODES = {"STRICT": STRICT, "PERMISSIVE": PERMISSIVE, "DISABLE": DISABLED}
UNSET = {None, "", "UNSET"}
AMBIENT = "ambient"
BY_DEFAULT = "Istio's default: both are taken"
NOT_DISABLED = "Ambient has no mode DISABLE: what asks for it is read as permissive."
UNREAD = "PeerAuthentications could not be read: give the reader the right to list them."


class Mtls(msgspec.Struct):
    """spec.mtls, and each of spec.portLevelMtls."""

    mode: str | None = None

    @property
    def word(self) -> str | None:
        """The mode that is asked for; None: none, what is above it counts."""
        return None if self.mode in UNSET else MODES.get(str(self.mode), UNKNOWN)


class Selector(msgspec.Struct, rename="camel"):
    """spec.selector."""

    match_labels: Texts | None = None


class Spec(msgspec.Struct, rename="camel"):
    """spec of a PeerAuthentication."""

    selector: Selector | None = None
    mtls: Mtls | None = None
    port_level_mtls: dict[str, Mtls | None] | None = None


class PeerAuthentication(msgspec.Struct):
    """A PeerAuthentication of Istio."""

    metadata: Metadata
    spec: Spec | None = None


@dataclass(frozen=True, slots=True)
class _Policy:
    """One PeerAuthentication: whom it is for (empty: all), what it asks for, and of which ports otherwise."""

    title: str
    selector: Texts
    word: str | None
    ports: dict[str, str | None]


@dataclass(slots=True)
class _Policies:
    """Those of a cluster by namespace, oldest first. `broken`: namespaces with one that is none."""

    of: dict[str, list[_Policy]] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)


def policy_kinds(served: frozenset[str]) -> tuple[Resource, ...]:
    """PeerAuthentications, in the newest version that the cluster serves."""
    version = next((v for v in VERSIONS if f"{GROUP}/{v}" in served), None)
    return (Resource(GROUP, version, PLURAL, "PeerAuthentication"),) if version else ()


def modes(seen: Secured) -> dict[str, FoundMtls]:
    """Of each namespace that is to be judged."""
    if PLURAL in seen.unread:
        return {name: FoundMtls(UNKNOWN, DEFAULT, "", note=UNREAD) for name in seen.spaces}
    policies = _read(seen)
    return {name: _mode(name, injection, policies, seen) for name, injection in seen.spaces.items()}


def _read(seen: Secured) -> _Policies:
    found = _Policies()
    for body in sorted(seen.policies.get(PLURAL, ()), key=age_of):
        place = namespace_of(body)
        try:
            spec = converted(body, PeerAuthentication).spec or Spec()
        except msgspec.ValidationError:
            found.broken.add(place)
            continue
        selector = (spec.selector.match_labels if spec.selector else None) or {}
        ports = {port: told.word if told else None for port, told in (spec.port_level_mtls or {}).items()}
        word = spec.mtls.word if spec.mtls else None
        found.of.setdefault(place, []).append(_Policy(titled(body), selector, word, ports))
    return found


def _mode(name: str, injection: Injection, policies: _Policies, seen: Secured) -> FoundMtls:
    root = _root_of(injection, seen)
    is_ambient = injection.state == AMBIENT
    found = _base(name, root, policies, seen)
    base, note = _as_enforced(found.base, is_ambient=is_ambient), found.note
    chosen = [policy for policy in policies.of.get(name, ()) if policy.selector and name != root]
    parts = tuple(_parts(chosen, base, seen.pods(name), is_ambient=is_ambient)) if chosen else ()
    asked = {found.base, *(word for policy in chosen for word in (policy.word, *policy.ports.values()))}
    if is_ambient and DISABLED in asked:
        note = NOT_DISABLED
    return FoundMtls(base, found.scope, found.origin, parts, note)


def _base(name: str, root: str, policies: _Policies, seen: Secured) -> FoundMtls:
    """What holds for the whole namespace: its own word, else that of the root namespace, else the default."""
    for place in dict.fromkeys((name, root)):
        if place in policies.broken:
            text = f"A PeerAuthentication in {place} is not what one looks like."
            return FoundMtls(UNKNOWN, DEFAULT, "", note=text)
        policy = next((each for each in policies.of.get(place, ()) if not each.selector), None)
        if policy is not None and policy.word is not None:
            note = f"{policy.title} asks for a mode that is not known." if policy.word == UNKNOWN else ""
            return FoundMtls(policy.word, MESH if place == root else NAMESPACE, policy.title, note=note)
    if not root:
        text = "Where policies for the whole mesh stand is not known: its configuration could not be read."
        return FoundMtls(UNKNOWN, DEFAULT, "", note=text)
    if root not in seen.seen:
        text = f"Policies for the whole mesh stand in namespace {root}, which is not read."
        return FoundMtls(UNKNOWN, DEFAULT, "", note=text)
    return FoundMtls(PERMISSIVE, DEFAULT, BY_DEFAULT)


def _root_of(injection: Injection, seen: Secured) -> str:
    """The root namespace of the revision that takes the pods; of all where none is named. Empty: not known."""
    wanted = injection.revision or DEFAULT_REVISION
    of_revision = [plane for plane in seen.planes if plane.revision == wanted]
    roots = {plane.policy_namespace for plane in of_revision or seen.planes}
    return roots.pop() if len(roots) == 1 else ""


def _parts(
    chosen: Sequence[_Policy], base: str, pods: Sequence[PodTemplate], *, is_ambient: bool
) -> Iterator[FoundPart]:
    """Of each policy with a selector, oldest first: its mode and those of its ports, where they differ."""
    taken: set[str] = set()
    for policy in chosen:
        meant = [each.workload for each in pods if policy.selector.items() <= dict(each.labels).items()]
        names = tuple(name for name in meant if name not in taken)
        taken.update(names)
        if meant and not names:
            continue  # older policies decide for all of its pods
        where = f"pods with {', '.join(f'{key}={value}' for key, value in sorted(policy.selector.items()))}"
        mode = _as_enforced(policy.word or base, is_ambient=is_ambient)
        if mode != base:
            yield FoundPart(where, mode, policy.title, names)
        for port, told in sorted(policy.ports.items()):
            at_port = _as_enforced(told or mode, is_ambient=is_ambient)
            if at_port != mode:
                yield FoundPart(f"port {port} of {where}", at_port, policy.title, names)


def _as_enforced(mode: str, *, is_ambient: bool) -> str:
    return PERMISSIVE if is_ambient and mode == DISABLED else mode
