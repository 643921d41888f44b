"""Finding Linkerd: its control plane, version, trust, and what injects into a namespace. Facts: mesh-reference §2a."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from clusters.clients import ClusterError, ObjectRef, Resource
from meshes.adapters.base import Detected, FoundControlPlane, FoundMesh, Injection, Problem
from meshes.adapters.natives import (
    annotations_of,
    first_end_of,
    image_version,
    labels_of,
    name_of,
    namespace_of,
    trust_root_of,
)
from meshes.adapters.shapes import Deployment, sound
from meshes.types import Version
from meshui.lib.plain_yaml import PlainYamlError, parse_plain

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping, Sequence

    from clusters.clients import Reader
    from meshui.lib.jsontypes import JsonObject

CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")
COMPONENT = "linkerd.io/control-plane-component"
INJECT = "linkerd.io/inject"
NEEDED = ("destination", "identity", "proxy-injector")
"""What a control plane is made of; without one of them it is half removed."""
DEFAULT_TRUST_DOMAIN = "cluster.local"
DEFAULT_INBOUND = "all-unauthenticated"
"""What proxies let in where nobody says otherwise: plaintext, too."""
READY = ("availableReplicas", "readyReplicas", "numberAvailable")
EDGES = (((26, 6), 20), ((25, 10), 19), ((25, 4), 18))
"""The first edge release of a minor version 2.x: open releases carry a date alone."""


@dataclass
class _Told:
    """What the ConfigMaps of a control plane say; empty where one cannot be read: never guessed."""

    domain: str = ""
    version: str = ""
    inbound: str = ""
    root: str = ""
    root_ends_at: dt.datetime | None = None
    problems: list[Problem] = field(default_factory=list)


def detect(reader: Reader, workloads: Sequence[JsonObject]) -> Detected:
    """A control plane for each namespace with workloads of one; what it trusts stands in ConfigMaps beside them."""
    good, problems = sound(workloads, Deployment)
    found: dict[str, dict[str, JsonObject]] = {}
    for body in good:
        if component := labels_of(body).get(COMPONENT):
            found.setdefault(namespace_of(body), {})[component] = body
    domains: dict[str, list[FoundControlPlane]] = {}
    roots: dict[str, _Told] = {}
    for namespace, parts in found.items():
        if not set(parts) & set(NEEDED):
            continue  # an extension
        told = _told(reader, namespace)
        problems += [*told.problems, *_half(namespace, parts)]
        domains.setdefault(told.domain, []).append(_plane(namespace, parts, told))
        roots.setdefault(told.domain, told)
    meshes = tuple(_mesh(name, planes, roots[name]) for name, planes in domains.items())
    return Detected(meshes, tuple(problems))


def _mesh(domain: str, planes: Sequence[FoundControlPlane], told: _Told) -> FoundMesh:
    return FoundMesh("linkerd", domain, tuple(planes), told.root, told.root_ends_at)


def _half(namespace: str, parts: dict[str, JsonObject]) -> Iterator[Problem]:
    if missing := [name for name in NEEDED if name not in parts]:
        text = f"Half of a control plane: linkerd-{', linkerd-'.join(missing)} is not there."
        yield Problem(f"Linkerd in {namespace}", text)


def _plane(namespace: str, parts: dict[str, JsonObject], told: _Told) -> FoundControlPlane:
    """Ready where every needed part has an available replica."""
    first = next(parts[name] for name in NEEDED if name in parts)
    ready = [name in parts and _is_ready(parts[name]) for name in NEEDED]
    version = Version.parse(told.version) if told.version else _version(first)
    return FoundControlPlane(namespace, name_of(first), "", version, all(ready), inbound=told.inbound)


def _is_ready(body: JsonObject) -> bool:
    status = cast("dict[str, Any]", body.get("status") or {})
    return any(int(status.get(field) or 0) > 0 for field in READY)


def _version(body: JsonObject) -> Version:
    """By the tag of Linkerd's own image, else by who made it; a proxy beside it is another thing."""
    template = cast("dict[str, Any]", body.get("spec") or {}).get("template") or {}
    containers = (template.get("spec") or {}).get("containers") or []
    images = [str(c.get("image") or "") for c in containers if c.get("name") not in {"linkerd-proxy", "proxy"}]
    found = [image_version(image) for image in images]
    known = next((version for version in found if version.major), None)
    made_by = annotations_of(body).get("linkerd.io/created-by") or annotations_of(template).get("linkerd.io/created-by")
    if known is None and made_by:
        return Version.parse(made_by.rpartition(" ")[2])
    return known or next(iter(found), Version(0, 0, 0, ""))


def _told(reader: Reader, namespace: str) -> _Told:
    """A problem for each of the two that cannot be read."""
    found = _Told()
    ref = ObjectRef(CONFIG_MAPS, namespace, "linkerd-config")
    try:
        text = _key(reader, ref, "values")
        if text is None:
            found.problems.append(Problem(str(ref), "It holds no values: the trust domain is not known."))
        else:
            _learn(found, parse_plain(text))
    except (ClusterError, PlainYamlError) as error:
        found.problems.append(Problem(str(ref), f"{error} The trust domain is not known."))
    ref = ObjectRef(CONFIG_MAPS, namespace, "linkerd-identity-trust-roots")
    try:
        pem = _key(reader, ref, "ca-bundle.crt") or ""
        found.root, found.root_ends_at = trust_root_of(pem), first_end_of(pem)
    except ClusterError as error:
        found.problems.append(Problem(str(ref), f"{error} The root of trust is not known."))
    return found


def _learn(found: _Told, values: Mapping[str, Any]) -> None:
    """What the values of an installation say of trust."""
    domain = values.get("identityTrustDomain") or values.get("clusterDomain") or DEFAULT_TRUST_DOMAIN
    proxy = values.get("proxy")
    inbound = proxy.get("defaultInboundPolicy") if isinstance(proxy, dict) else None
    found.domain, found.version = str(domain)[:253], str(values.get("linkerdVersion") or "")
    found.inbound = str(inbound or DEFAULT_INBOUND)[:63]


def _key(reader: Reader, ref: ObjectRef, key: str) -> str | None:
    data = (reader.get_object(ref) or {}).get("data")
    text = data.get(key) if isinstance(data, dict) else None
    return text if isinstance(text, str) else None


def minor_of(version: Version) -> int | None:
    """The 2.x that a version is: `2.20.1` and `edge-26.6.3` are both 20. None: older or newer than what is known."""
    if version.major == 2:
        return version.minor
    return next((minor for since, minor in EDGES if (version.major, version.minor) >= since), None)


def injection(namespace: JsonObject) -> Injection:
    """By the namespace's annotation: a label of that name does nothing (mesh-reference §2a)."""
    told = annotations_of(namespace).get(INJECT)
    if told in {"enabled", "ingress"}:
        return Injection("injected", f"{INJECT}={told}")
    if told:
        return Injection("none", f"{INJECT}={told}")
    if INJECT in labels_of(namespace):
        return Injection("none", f"{INJECT} is a label here; only the annotation counts")
    return Injection("none", f"no annotation {INJECT}")
