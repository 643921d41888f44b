"""Finding Istio: control planes, trust, revisions and their tags, and what injects into a namespace. Facts: §1a."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from clusters.clients import ClusterError, ObjectRef, Resource
from meshes.adapters.base import Detected, FoundControlPlane, FoundMesh, Injection, Problem
from meshes.adapters.natives import first_end_of, image_version, labels_of, name_of, namespace_of, trust_root_of
from meshes.adapters.shapes import Deployment, sound
from meshes.types import Version
from meshui.lib.plain_yaml import PlainYamlError, parse_plain

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping, Sequence

    from clusters.clients import Reader
    from meshui.lib.jsontypes import JsonObject

CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")
WEBHOOKS = Resource(
    "admissionregistration.k8s.io",
    "v1",
    "mutatingwebhookconfigurations",
    "MutatingWebhookConfiguration",
    namespaced=False,
)
DEFAULT_TRUST_DOMAIN = "cluster.local"
DEFAULT_ROOT = "istio-system"
"""Where policies for the whole mesh stand unless its configuration says otherwise."""
DEFAULT = "default"
REVISION = "istio.io/rev"
TAG = "istio.io/tag"
MODE = "istio.io/dataplane-mode"
WAYPOINT = "istio.io/use-waypoint"
VERSION_LABELS = ("app.kubernetes.io/version", "operator.istio.io/version")
READY = ("availableReplicas", "readyReplicas", "numberAvailable")


@dataclass
class _Told:
    """What the ConfigMaps beside a control plane say; empty where one cannot be read: never guessed."""

    domain: str = ""
    policy_namespace: str = ""
    root: str = ""
    root_ends_at: dt.datetime | None = None
    problems: list[Problem] = field(default_factory=list)


def detect(reader: Reader, workloads: Sequence[JsonObject]) -> Detected:
    """Control planes are workloads labelled app=istiod; their trust stands in ConfigMaps beside them."""
    good, problems = sound(workloads, Deployment)
    domains: dict[str, list[FoundControlPlane]] = {}
    roots: dict[str, _Told] = {}
    for plane in [control_plane(body) for body in good if labels_of(body).get("app") == "istiod"]:
        told = _told(reader, plane)
        domains.setdefault(told.domain, []).append(replace(plane, policy_namespace=told.policy_namespace))
        problems += told.problems
        if told.root and roots.setdefault(told.domain, told).root != told.root:
            text = f"It has another root certificate than the other control planes of trust domain {told.domain}."
            problems.append(Problem(f"{plane.namespace}/{plane.name}", text))
    meshes = tuple(_mesh(name, planes, roots.get(name) or _Told()) for name, planes in domains.items())
    return Detected(meshes, tuple(problems))


def _mesh(domain: str, planes: Sequence[FoundControlPlane], told: _Told) -> FoundMesh:
    return FoundMesh("istio", domain, tuple(planes), told.root, told.root_ends_at)


def control_plane(body: JsonObject) -> FoundControlPlane:
    """One istiod: its revision by label, its version by the tag of container `discovery`'s image, else by label."""
    spec = cast("dict[str, Any]", body.get("spec") or {})
    containers = ((spec.get("template") or {}).get("spec") or {}).get("containers") or []
    images = [str(c.get("image") or "") for c in containers if c.get("name") == "discovery"]
    status = cast("dict[str, Any]", body.get("status") or {})
    labels = labels_of(body)
    version = image_version(images[0]) if images else Version(0, 0, 0, "")
    if not version.major:
        told = next((labels[name] for name in VERSION_LABELS if labels.get(name)), "")
        version = Version.parse(told) if told else version
    return FoundControlPlane(
        namespace=namespace_of(body),
        name=name_of(body),
        revision=labels.get(REVISION) or DEFAULT,
        version=version,
        is_ready=any(int(status.get(field) or 0) > 0 for field in READY),
    )


def _told(reader: Reader, plane: FoundControlPlane) -> _Told:
    """A problem for each of the two that cannot be read."""
    found = _Told()
    name = "istio" if plane.revision == DEFAULT else f"istio-{plane.revision}"
    try:
        text = _key(reader, plane.namespace, name, "mesh")
        if text is None:
            words = "It holds no mesh configuration: the trust domain is not known."
            found.problems.append(Problem(_words(plane, name), words))
        else:
            _learn(found, parse_plain(text), _words(plane, name))
    except (ClusterError, PlainYamlError) as error:
        found.problems.append(Problem(_words(plane, name), f"{error} The trust domain is not known."))
    try:
        pem = _key(reader, plane.namespace, "istio-ca-root-cert", "root-cert.pem") or ""
        found.root, found.root_ends_at = trust_root_of(pem), first_end_of(pem)
    except ClusterError as error:
        text = f"{error} The root of trust is not known."
        found.problems.append(Problem(_words(plane, "istio-ca-root-cert"), text))
    return found


def _learn(found: _Told, mesh: Mapping[str, Any], where: str) -> None:
    """What a MeshConfig says of trust."""
    found.domain = str(mesh.get("trustDomain") or DEFAULT_TRUST_DOMAIN)[:253]
    found.policy_namespace = str(mesh.get("rootNamespace") or DEFAULT_ROOT)[:253]
    if mesh.get("enableAutoMtls") == "false":  # plain YAML: all is text
        text = "enableAutoMtls is off: clients send plaintext unless a DestinationRule asks for mutual TLS."
        found.problems.append(Problem(where, text))


def _words(plane: FoundControlPlane, name: str) -> str:
    return str(ObjectRef(CONFIG_MAPS, plane.namespace, name))


def _key(reader: Reader, namespace: str, name: str, key: str) -> str | None:
    body = reader.get_object(ObjectRef(CONFIG_MAPS, namespace, name))
    data = (body or {}).get("data")
    text = data.get(key) if isinstance(data, dict) else None
    return text if isinstance(text, str) else None


def tags_of(webhooks: Iterable[JsonObject]) -> dict[str, str]:
    """Tag → revision, as the injection webhooks of Istio say."""
    labels = [labels_of(body) for body in webhooks]
    return {found[TAG]: found[REVISION] for found in labels if found.get(TAG) and found.get(REVISION)}


def injection(namespace: JsonObject, tags: Mapping[str, str]) -> Injection:
    """Who gives the pods of a namespace a proxy, by its labels: the table of mesh-reference §1a."""
    labels = labels_of(namespace)
    switch, revision = labels.get("istio-injection"), labels.get(REVISION)
    if switch == "enabled":
        return Injection("injected", "istio-injection=enabled", tags.get(DEFAULT, DEFAULT))
    if revision and switch != "disabled":
        found = tags.get(revision, revision)
        is_tag = "" if found == revision else f", a tag of revision {found}"
        return Injection("injected", f"{REVISION}={revision}{is_tag}", found)
    if labels.get(MODE) == "ambient":
        waypoint = labels.get(WAYPOINT)
        beside = f", waypoint {waypoint}" if waypoint and waypoint != "none" else ", no waypoint"
        return Injection("ambient", f"{MODE}=ambient{beside}")
    return Injection("none", "istio-injection=disabled" if switch == "disabled" else "no injection label")


def has_waypoint(namespace: JsonObject) -> bool:
    """Whether the namespace names a waypoint for its services."""
    return labels_of(namespace).get(WAYPOINT, "none") != "none"
