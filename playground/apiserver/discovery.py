"""What can be asked here: version, groups, kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playground.apiserver.resources import ALL_VERBS, REVIEWS

if TYPE_CHECKING:
    from playground.apiserver.jsontypes import Json
    from playground.apiserver.resources import Registry, Resource

# How a server of this line sorts the versions of one group: v1 before v1beta1 before v1alpha3.
ORDER = {"v": 2, "beta": 1, "alpha": 0}
HEALTH = frozenset({"/healthz", "/livez", "/readyz"})


def version_info(git_version: str) -> Json:
    """Return the body of /version."""
    major, minor, *_ = git_version.removeprefix("v").split(".")
    return {
        "major": major,
        "minor": minor,
        "gitVersion": git_version,
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "",
        "platform": "linux/amd64",
    }


def discover(path: str, registry: Registry) -> Json | None:
    """Return the body of /api, /apis and what lies below them down to a group's version; None for any other path."""
    parts = path.strip("/").split("/")
    if parts == ["api"]:
        addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1"}]
        return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": addresses}
    if parts == ["api", "v1"]:
        return _resources(registry, "", "v1")
    if parts == ["apis"]:
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": _groups(registry)}
    if parts[0] == "apis" and len(parts) == 2:
        found = [group for group in _groups(registry) if group["name"] == parts[1]]
        return {"kind": "APIGroup", "apiVersion": "v1", **found[0]} if found else None
    if parts[0] == "apis" and len(parts) == 3:
        return _resources(registry, parts[1], parts[2])
    return None


def _rank(version: str) -> tuple[int, str]:
    kind = next((word for word in ("alpha", "beta") if word in version), "v")
    return -ORDER[kind], version


def _groups(registry: Registry) -> list[Json]:
    versions: dict[str, set[str]] = {}
    for resource in registry:
        if resource.group:
            versions.setdefault(resource.group, set()).add(resource.version)
    groups = []
    for name, found in versions.items():
        served = [{"groupVersion": f"{name}/{version}", "version": version} for version in sorted(found, key=_rank)]
        groups.append({"name": name, "versions": served, "preferredVersion": served[0]})
    return groups


def _resources(registry: Registry, group: str, version: str) -> Json | None:
    found = [each for each in registry if (each.group, each.version) == (group, version)]
    if not found:
        return None
    kinds: list[Json] = []
    for resource in found:
        kinds += _kind(resource)
    group_version = f"{group}/{version}" if group else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": kinds}


def _kind(resource: Resource) -> list[Json]:
    verbs = ["create"] if resource in REVIEWS else list(ALL_VERBS)
    base: Json = {"name": resource.plural, "singularName": resource.kind.lower(), "namespaced": resource.namespaced}
    base |= {"kind": resource.kind, "verbs": verbs}
    if resource.short_names:
        base["shortNames"] = list(resource.short_names)
    kinds = [base]
    if resource.has_status:
        verbs = ["get", "patch", "update"]
        kinds.append({**base, "name": f"{resource.plural}/status", "singularName": "", "verbs": verbs})
    if resource.key in {"pods", "services"}:
        options = {"kind": f"{resource.kind}ProxyOptions", "verbs": ["create", "delete", "get", "patch", "update"]}
        kinds.append({**base, "name": f"{resource.plural}/proxy", "singularName": "", **options})
        kinds[-1].pop("shortNames", None)
    if resource.plural == "serviceaccounts":
        token = {"name": "serviceaccounts/token", "singularName": "", "namespaced": True, "kind": "TokenRequest"}
        kinds.append({**token, "group": "authentication.k8s.io", "version": "v1", "verbs": ["create"]})
    return kinds
