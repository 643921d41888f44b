"""Who may do what: roles and bindings as objects in the store, read at each request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playground.apiserver import errors
from playground.apiserver.resources import RBAC, Resource
from playground.apiserver.selectors import label_selector_matches
from playground.apiserver.store import key_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from playground.apiserver.jsontypes import Json
    from playground.apiserver.messages import Target, User
    from playground.apiserver.store import Store

MASTERS = "system:masters"
READ = ["get", "list", "watch"]
WRITE = ["create", "delete", "deletecollection", "patch", "update"]
CONTENT = {
    "": ["configmaps", "events", "pods", "serviceaccounts", "services"],
    "apps": ["daemonsets", "deployments", "replicasets", "statefulsets"],
    "discovery.k8s.io": ["endpointslices"],
}


def _role(name: str, rules: list[Json], aggregates: str = "") -> Json:
    labels = {"kubernetes.io/bootstrapping": "rbac-defaults"}
    role: Json = {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole", "metadata": {"name": name, "labels": labels}}
    role["rules"] = rules
    if aggregates:
        selector = {"matchLabels": {f"rbac.authorization.k8s.io/aggregate-to-{aggregates}": "true"}}
        role["aggregationRule"] = {"clusterRoleSelectors": [selector]}
    return role


def _binding(role: str, group: str) -> Json:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": role, "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"}},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": RBAC, "kind": "Group", "name": group}],
    }


def bootstrap_objects() -> list[Json]:
    """Return the roles and bindings that every cluster has from the start."""
    everything = [
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
        {"nonResourceURLs": ["*"], "verbs": ["*"]},
    ]
    paths = ["/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/readyz", "/version", "/version/"]
    discovery = [{"nonResourceURLs": paths, "verbs": ["get"]}]
    asking = [
        {
            "apiGroups": ["authorization.k8s.io"],
            "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
            "verbs": ["create"],
        },
        {"apiGroups": ["authentication.k8s.io"], "resources": ["selfsubjectreviews"], "verbs": ["create"]},
    ]
    view = [{"apiGroups": [group], "resources": names, "verbs": READ} for group, names in CONTENT.items()]
    view.append({"apiGroups": [""], "resources": ["namespaces"], "verbs": READ})
    change = [{"apiGroups": [group], "resources": names, "verbs": WRITE} for group, names in CONTENT.items()]
    secrets = [{"apiGroups": [""], "resources": ["secrets"], "verbs": [*READ, *WRITE]}]
    roles = [{"apiGroups": [RBAC], "resources": ["roles", "rolebindings"], "verbs": [*READ, *WRITE]}]
    return [
        _role("cluster-admin", everything),
        _role("system:discovery", discovery),
        _role("system:basic-user", asking),
        _role("view", view, "view"),
        _role("edit", [*view, *change, *secrets], "edit"),
        _role("admin", [*view, *change, *secrets, *roles], "admin"),
        _binding("cluster-admin", MASTERS),
        _binding("system:discovery", "system:authenticated"),
        _binding("system:basic-user", "system:authenticated"),
    ]


class Authorizer:
    """Evaluates RBAC."""

    def __init__(self, store: Store) -> None:
        """Read roles and bindings from `store`."""
        self._store = store

    def rules(self, user: User, namespace: str) -> Iterator[Json]:
        """Yield every rule that binds `user`, cluster-wide and (if one is named) in a namespace."""
        if MASTERS in user.groups:
            yield {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
            yield {"nonResourceURLs": ["*"], "verbs": ["*"]}
        for kind, place in (("clusterrolebindings", ""), ("rolebindings", namespace)):
            if kind == "rolebindings" and not namespace:
                continue
            for entry in self._store.entries(f"{kind}.{RBAC}")[0]:
                if entry.namespace == place and _binds(entry.object, user):
                    yield from self._role_rules(entry.object["roleRef"], place)

    def _role_rules(self, reference: Json, namespace: str) -> Iterator[Json]:
        is_cluster = reference["kind"] == "ClusterRole"
        plural = "clusterroles" if is_cluster else "roles"
        entry = self._store.get(f"{plural}.{RBAC}", key_of("" if is_cluster else namespace, reference["name"]))
        if entry is None:
            return
        yield from entry.object.get("rules") or ()
        for selector in (entry.object.get("aggregationRule") or {}).get("clusterRoleSelectors", ()):
            for other in self._store.entries(f"clusterroles.{RBAC}")[0]:
                if label_selector_matches(selector, other.object["metadata"].get("labels") or {}):
                    yield from other.object.get("rules") or ()

    def allows(self, user: User, target: Target) -> bool:
        """Tell whether `user` may do what `target` names."""
        return any(_allows(rule, target) for rule in self.rules(user, target.namespace))

    def allows_path(self, user: User, path: str, verb: str) -> bool:
        """Tell whether `user` may call a URL that names no resource."""
        return any(
            _has(rule["verbs"], verb) and any(_path_matches(pattern, path) for pattern in rule["nonResourceURLs"])
            for rule in self.rules(user, "")
            if "nonResourceURLs" in rule
        )

    def require(self, user: User, target: Target) -> None:
        """Raise ApiError 403, in the server's words, if `user` may not."""
        if self.allows(user, target):
            return
        place = f'in the namespace "{target.namespace}"' if target.namespace else "at the cluster scope"
        why = (
            f'User "{user.name}" cannot {target.verb} resource "{target.full_resource}" '
            f'in API group "{target.group}" {place}'
        )
        raise errors.forbidden(Resource(target.group, target.version, target.plural, ""), target.name, why)

    def require_path(self, user: User, path: str, verb: str) -> None:
        """Raise ApiError 403 if `user` may not call a URL that names no resource."""
        if not self.allows_path(user, path, verb):
            text = f'forbidden: User "{user.name}" cannot {verb} path "{path}"'
            raise errors.ApiError(403, "Forbidden", text, {})


def _has(allowed: Sequence[str], wanted: str) -> bool:
    return "*" in allowed or wanted in allowed


def _path_matches(pattern: str, path: str) -> bool:
    return path.startswith(pattern[:-1]) if pattern.endswith("*") else path == pattern


def _allows(rule: Json, target: Target) -> bool:
    names = rule.get("resourceNames") or ()
    resources = rule.get("resources") or ()
    return (
        _has(rule.get("verbs") or (), target.verb)
        and _has(rule.get("apiGroups") or (), target.group)
        and (_has(resources, target.full_resource) or f"*/{target.subresource}" in resources)
        and (not names or target.name in names)
    )


def _binds(binding: Json, user: User) -> bool:
    namespace = binding["metadata"].get("namespace", "")
    for subject in binding.get("subjects") or ():
        kind, name = subject["kind"], subject["name"]
        if kind == "ServiceAccount":
            name = f"system:serviceaccount:{subject.get('namespace') or namespace}:{name}"
        if (name in user.groups) if kind == "Group" else (name == user.name):
            return True
    return False
