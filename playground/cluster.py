"""One emulated cluster: an API server with Istio's kinds, its validator and its injector, and kubeconfigs for it."""

from __future__ import annotations

import base64
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

from playground.acceptance import ISTIO, LINKERD, LINKERD_ROUTES, Acceptance
from playground.apiserver.errors import ApiError
from playground.apiserver.rbac import MASTERS
from playground.apiserver.resources import RBAC
from playground.apiserver.server import ApiServer
from playground.definitions import definitions
from playground.injector import SERVICES, injector, linkerd_injector
from playground.istio_rules import RESOURCES, istio_validator
from playground.linkerd_rules import linkerd_validator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Self

    from playground.apiserver.faults import Faults
    from playground.apiserver.jsontypes import Json, Objects


class EmulatedCluster:
    """A cluster that needs nothing but Python. Nobody who talks to it can tell, as far as the contract suite goes."""

    def __init__(
        self, name: str, *, port: int = 0, controllers: bool = True, istio: bool = True, linkerd: bool = False
    ) -> None:
        """Make an empty cluster; a mesh's kinds are known, its webhooks answer, its controller writes status."""
        self.name = name
        self.server = ApiServer(name, port=port, controllers=controllers)
        if istio or linkerd:
            self.load(definitions("gateway"))
        if istio:
            self._install_istio()
        if linkerd:
            self._install_linkerd()

    def _install_istio(self) -> None:
        self.load(definitions("istio"))
        self.server.add_admission_hook(istio_validator, resources=RESOURCES)
        for revision, service in SERVICES.items():
            self.server.add_webhook_service("istio-system", service, injector(revision))
        self.server.add_loop(Acceptance(self.server, ISTIO))

    def _install_linkerd(self) -> None:
        self.load(definitions("linkerd"))
        self.server.add_admission_hook(linkerd_validator, resources=LINKERD_ROUTES)
        inject = linkerd_injector(lambda name: self.get("Namespace", name))
        self.server.add_webhook_service("linkerd", "linkerd-proxy-injector", inject)
        self.server.add_loop(Acceptance(self.server, LINKERD))

    @property
    def url(self) -> str:
        """Where the API server listens."""
        return self.server.url

    @property
    def port(self) -> int:
        """The port of `url`; 0 before the first start unless one was asked for."""
        return self.server.port

    @property
    def ca_pem(self) -> bytes:
        """The CA that signed the server's certificate."""
        return self.server.ca_pem

    @property
    def uid(self) -> str:
        """What names a cluster for good: the uid of namespace kube-system."""
        return str(self.get("Namespace", "kube-system")["metadata"]["uid"])

    def start(self) -> Self:
        """Listen."""
        self.server.start()
        return self

    def stop(self) -> None:
        """End all threads; the objects stay."""
        self.server.stop()

    def restart(self) -> None:
        """Stop and start on the same port."""
        self.server.restart()

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    @property
    def faults(self) -> Faults:
        """What shall go wrong with its API."""
        return self.server.faults

    @contextmanager
    def unreachable(self) -> Iterator[None]:
        """Refuse every connection while the block runs; then answer again on the same address."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def settle(self, seconds: float = 10.0) -> None:
        """Wait until pods and EndpointSlices are as they should be. Raises TimeoutError."""
        self.server.settle(seconds)

    def kubeconfig(self, user: str = "admin", groups: Sequence[str] = (), *, certificate: bool = False) -> str:
        """Return a kubeconfig of a user in groups: a bearer token, or a client certificate. RBAC limits it."""
        if certificate:
            pem, key = self.server.issue_client_certificate(user, groups)
            return self._kubeconfig(user, {"client-certificate-data": _base64(pem), "client-key-data": _base64(key)})
        return self.token_kubeconfig(self.server.issue_token(user, groups), user)

    def admin_kubeconfig(self, *, certificate: bool = False) -> str:
        """Return a kubeconfig that may do everything."""
        return self.kubeconfig("admin", (MASTERS,), certificate=certificate)

    def service_account_kubeconfig(self, namespace: str, name: str) -> str:
        """Return a kubeconfig with a token of a ServiceAccount, made if it is not there."""
        return self.token_kubeconfig(self.token(namespace, name), name)

    def token(self, namespace: str, name: str, *, seconds: int = 3600 * 24) -> str:
        """Return a token of a ServiceAccount, made if it is not there."""
        head = {"apiVersion": "v1", "kind": "ServiceAccount"}
        self._ensure({**head, "metadata": {"name": name, "namespace": namespace}})
        account = self.get("ServiceAccount", name, namespace)
        return self.server.core.authenticator.service_account_token(account, seconds, ())[0]

    def token_kubeconfig(self, token: str, user: str = "token") -> str:
        """Return a kubeconfig with a bearer token."""
        return self._kubeconfig(user, {"token": token})

    def _kubeconfig(self, user: str, credential: Json) -> str:
        cluster = {"server": self.url, "certificate-authority-data": _base64(self.ca_pem)}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": self.name, "cluster": cluster}],
            "users": [{"name": user, "user": credential}],
            "contexts": [{"name": self.name, "context": {"cluster": self.name, "user": user}}],
            "current-context": self.name,
        }
        return json.dumps(config, indent=2) + "\n"  # JSON is YAML

    def grant(
        self, user: str, rules: Sequence[Json], *, namespace: str = "", service_account_namespace: str = ""
    ) -> None:
        """Give a user (or a ServiceAccount) rights by RBAC rules: in a namespace, or everywhere."""
        kind = "Role" if namespace else "ClusterRole"
        metadata = {"name": f"grant-{user.replace(':', '-')}"} | ({"namespace": namespace} if namespace else {})
        subject = {"kind": "User", "name": user, "apiGroup": RBAC}
        if service_account_namespace:
            subject = {"kind": "ServiceAccount", "name": user, "namespace": service_account_namespace}
        head = {"apiVersion": f"{RBAC}/v1", "metadata": metadata}
        self._replace({**head, "kind": kind, "rules": list(rules)})
        reference = {"apiGroup": RBAC, "kind": kind, "name": metadata["name"]}
        self._replace({**head, "kind": f"{kind}Binding", "roleRef": reference, "subjects": [subject]})

    def _ensure(self, obj: Json) -> None:
        try:
            self.load([obj])
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise

    def _replace(self, obj: Json) -> None:
        self._ensure(obj)
        metadata = obj["metadata"]
        content = {key: value for key, value in obj.items() if key != "metadata"}
        self.edit(obj["kind"], metadata["name"], metadata.get("namespace", ""), lambda old: old.update(content))

    def load(self, objects: Iterable[Json]) -> Objects:
        """Create objects in this process: no RBAC, no admission, status kept; definitions and namespaces first."""
        return self.server.objects.load(objects)

    def get(self, kind: str, name: str, namespace: str = "") -> Json:
        """Return an object; `kind` is "VirtualService" or "virtualservices.networking.istio.io". Raises KeyError."""
        return self.server.objects.get(kind, name, namespace)

    def list(self, kind: str, namespace: str = "") -> Objects:
        """Return all objects of a kind, in one namespace if one is named."""
        return self.server.objects.list(kind, namespace)

    def wait(self, kind: str, name: str, namespace: str, met: Callable[[Json], bool], *, seconds: float = 30.0) -> Json:
        """Return an object once `met` is true of it; absent counts as not met. Raises TimeoutError."""
        return self.server.objects.wait(kind, name, namespace, met, seconds=seconds)

    def edit(
        self, kind: str, name: str, namespace: str, change: Callable[[Json], None], *, manager: str = "kubectl-edit"
    ) -> Json:
        """Let another hand change an object (RBAC and admission are not asked); return what it is then."""
        return self.server.objects.edit(kind, name, namespace, change, manager=manager)

    def set_status(self, kind: str, name: str, namespace: str, status: Json, *, manager: str = "controller") -> Json:
        """Write an object's status as its controller does; return what it is then."""
        return self.server.objects.set_status(kind, name, namespace, status, manager=manager)

    def delete(self, kind: str, name: str, namespace: str = "") -> None:
        """Delete an object, or mark it if finalizers hold it."""
        self.server.objects.delete(kind, name, namespace)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
