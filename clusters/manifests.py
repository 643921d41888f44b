"""The manifests of least rights that MeshUI prints: ServiceAccounts, what they may do, and how to make their tokens.

Made of clusters.types.NEEDS, so what is checked is what is granted. Never a wildcard, secrets, pods to write, or a verb
that is not used. Metrics through the API server are an extra that is asked for: nothing else needs pods. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from clusters.types import KUBE_SYSTEM, NEEDS, PROMETHEUS, READ_VERBS, WRITE_VERBS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from clusters.types import Need

FILE: Final = "meshui-rbac.yaml"
HOME: Final = "meshui"
READER, WRITER = "meshui-reader", "meshui-writer"
RBAC: Final = "rbac.authorization.k8s.io"
MESHES: Final = ("istio", "linkerd")


@dataclass(frozen=True, slots=True)
class Wish:
    """What a manifest is for. `namespaces` empty: the whole cluster; `meshes`: whose kinds are read.

    `metrics`: also what reading metrics through the API server's proxies needs.
    """

    writes: bool = False
    namespaces: tuple[str, ...] = ()
    meshes: tuple[str, ...] = MESHES
    metrics: bool = False

    def needs(self) -> tuple[Need, ...]:
        """The kinds it is about."""
        return tuple(need for need in NEEDS if not need.mesh or need.mesh in self.meshes)

    @property
    def accounts(self) -> tuple[str, ...]:
        """The ServiceAccounts it makes."""
        return (READER, WRITER) if self.writes else (READER,)


def rbac_manifest(wish: Wish) -> str:
    """The whole file."""
    documents = [_head(wish), *(_account(name) for name in wish.accounts)]
    documents += _narrow(wish) if wish.namespaces else _wide(wish)
    documents += _metrics(wish) if wish.metrics else ()
    return "---\n".join(documents)


def token_commands(wish: Wish, *, context: str = "") -> tuple[str, ...]:
    """What to type: apply the file, then a token for each ServiceAccount."""
    kubectl = f"kubectl --context {context}" if context else "kubectl"
    made = (f"{kubectl} -n {HOME} create token {name} --duration=8760h" for name in wish.accounts)
    return (f"{kubectl} apply -f {FILE}", *made)


def token_secret(name: str) -> str:
    """A Secret that the API server fills with a token that does not end: where `create token` gives only short ones."""
    return (
        "apiVersion: v1\n"
        "kind: Secret\n"
        "type: kubernetes.io/service-account-token\n"
        f"metadata: {{name: {name}, namespace: {HOME}, annotations: {{kubernetes.io/service-account.name: {name}}}}}\n"
    )


def secret_command(name: str, *, context: str = "") -> str:
    """Reads the token out of that Secret."""
    kubectl = f"kubectl --context {context}" if context else "kubectl"
    return f"{kubectl} -n {HOME} get secret {name} -o jsonpath='{{.data.token}}' | base64 -d"


def _head(wish: Wish) -> str:
    what = "reads and changes routes" if wish.writes else "only reads"
    where = f"in {', '.join(wish.namespaces)}" if wish.namespaces else "in the whole cluster"
    return (
        f"# The least rights with which MeshUI {what} {where}. Read it, then: kubectl apply -f {FILE}\n"
        f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {HOME}}}\n"
    )


def _account(name: str) -> str:
    return f"apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: {name}, namespace: {HOME}}}\n"


def _wide(wish: Wish) -> Iterator[str]:
    """Cluster roles; ConfigMaps by name in the namespace of their control plane."""
    open_needs = [need for need in wish.needs() if not need.names]
    yield _role("ClusterRole", "meshui-read", "", _read_rules(open_needs))
    yield _binding("ClusterRole", "meshui-read", "", wish.accounts)
    if wish.writes:
        yield _role("ClusterRole", "meshui-write-routes", "", _write_rules(open_needs))
        yield _binding("ClusterRole", "meshui-write-routes", "", (WRITER,))
    for need in wish.needs():
        if need.names:
            yield from _named(need, wish)


def _narrow(wish: Wish) -> Iterator[str]:
    """Roles in each chosen namespace; who the cluster is stands in kube-system, and only that is read there."""
    rule = _rule("", ["namespaces"], ("get",), names=(KUBE_SYSTEM,))
    yield _role("Role", "meshui-identity", KUBE_SYSTEM, [rule])
    yield _binding("Role", "meshui-identity", KUBE_SYSTEM, wish.accounts)
    needs = [need for need in wish.needs() if need.is_namespaced and not need.names]
    for namespace in wish.namespaces:
        own = _rule("", ["namespaces"], ("get",), names=(namespace,))
        yield _role("Role", "meshui-read", namespace, [own, *_read_rules(needs)])
        yield _binding("Role", "meshui-read", namespace, wish.accounts)
        if wish.writes:
            yield _role("Role", "meshui-write-routes", namespace, _write_rules(needs))
            yield _binding("Role", "meshui-write-routes", namespace, (WRITER,))
    for need in wish.needs():
        if need.home in wish.namespaces:
            yield from _named(need, wish)


def _named(need: Need, wish: Wish) -> Iterator[str]:
    note = f"# Where there is no namespace {need.home}, kubectl says so about these two and applies the rest.\n"
    note += "# Other revisions of istiod: add istio-<revision> to the names.\n" if need.mesh == "istio" else ""
    rule = _rule(need.group, [need.resource], need.read_verbs, names=need.names)
    yield note + _role("Role", "meshui-read-config", need.home, [rule])
    yield _binding("Role", "meshui-read-config", need.home, wish.accounts)


def _metrics(wish: Wish) -> Iterator[str]:
    """For the reader: pages of pods by GET, and the Services where a Prometheus may be, by name."""
    rules = [_rule("", ["pods"], ("list",)), _rule("", ["pods/proxy"], ("get",))]
    note = "# For metrics: GET to any port of these pods through the API server. Leave it out if a Prometheus is set.\n"
    for namespace in wish.namespaces or ("",):
        kind = "Role" if namespace else "ClusterRole"
        yield note + _role(kind, "meshui-read-metrics", namespace, rules)
        yield _binding(kind, "meshui-read-metrics", namespace, (READER,))
    homes = dict.fromkeys(namespace for namespace, _, _ in PROMETHEUS)
    for home in homes:
        if wish.namespaces and home not in wish.namespaces:
            continue
        names = [f'"http:{name}:{port}"' for namespace, name, port in PROMETHEUS if namespace == home]
        note = f"# Where there is no namespace {home}, kubectl says so about these two and applies the rest.\n"
        yield note + _role(
            "Role", "meshui-read-prometheus", home, [_rule("", ["services/proxy"], ("get",), names=names)]
        )
        yield _binding("Role", "meshui-read-prometheus", home, (READER,))


def _read_rules(needs: Sequence[Need]) -> list[str]:
    """A rule per API group."""
    groups = dict.fromkeys(need.group for need in needs)
    return [_rule(group, [n.resource for n in needs if n.group == group], READ_VERBS) for group in groups]


def _write_rules(needs: Sequence[Need]) -> list[str]:
    written = [need for need in needs if need.is_written]
    groups = dict.fromkeys(need.group for need in written)
    return [_rule(group, [n.resource for n in written if n.group == group], WRITE_VERBS) for group in groups]


def _rule(group: str, resources: Sequence[str], verbs: Sequence[str], *, names: Sequence[str] = ()) -> str:
    only = f", resourceNames: [{', '.join(names)}]" if names else ""
    kinds = ", ".join(resources)
    groups = group or '""'
    return f"- {{apiGroups: [{groups}], resources: [{kinds}]{only}, verbs: [{', '.join(verbs)}]}}"


def _role(kind: str, name: str, namespace: str, rules: Sequence[str]) -> str:
    lines = [f"apiVersion: {RBAC}/v1", f"kind: {kind}", f"metadata: {_metadata(name, namespace)}", "rules:", *rules]
    return "\n".join(lines) + "\n"


def _binding(kind: str, name: str, namespace: str, accounts: Sequence[str]) -> str:
    lines = [f"apiVersion: {RBAC}/v1", f"kind: {kind}Binding", f"metadata: {_metadata(name, namespace)}"]
    lines += [f"roleRef: {{apiGroup: {RBAC}, kind: {kind}, name: {name}}}", "subjects:"]
    lines += [f"- {{kind: ServiceAccount, name: {account}, namespace: {HOME}}}" for account in accounts]
    return "\n".join(lines) + "\n"


def _metadata(name: str, namespace: str) -> str:
    return f"{{name: {name}, namespace: {namespace}}}" if namespace else f"{{name: {name}}}"
