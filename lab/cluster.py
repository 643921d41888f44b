"""One cluster of the lab as tests see it: credentials, test data, independent reads, a hand on its API server."""

import base64
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.client import Answer, ApiError, Client, Object, parse_yaml
from lab.pki import Authority
from lab.processes import Server
from lab.waiting import until

_DAY_SECONDS = 24 * 3600
_EDIT_ATTEMPTS = 5


@dataclass(frozen=True, eq=False, kw_only=True)
class Cluster:
    """A running cluster. Everything here goes straight to the API server, never through MeshUI."""

    name: str
    port: int
    authority: Authority = field(repr=False)
    client: Client = field(repr=False)
    api_server: Server = field(repr=False)
    istio: bool
    xds_port: int = 0
    """Where its istiod configures Envoys; 0: it has none."""

    @property
    def url(self) -> str:
        """The API server's address."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def ca_pem(self) -> bytes:
        """The certificate authority of this cluster alone."""
        return self.authority.pem

    @property
    def uid(self) -> str:
        """The uid of namespace kube-system, which names the cluster."""
        return str(self.get("Namespace", "kube-system")["metadata"]["uid"])

    # Credentials

    def kubeconfig(self, user: str = "admin", groups: Sequence[str] = ()) -> str:
        """A kubeconfig with a client certificate for any user; its rights come from RBAC."""
        pair = self.authority.issue_client(user, groups)
        return self._kubeconfig(
            {"client-certificate-data": _base64(pair.certificate), "client-key-data": _base64(pair.key)}
        )

    def admin_kubeconfig(self) -> str:
        """A kubeconfig that may do everything."""
        return self.kubeconfig("admin", ["system:masters"])

    def token(self, namespace: str, name: str, *, seconds: int = _DAY_SECONDS) -> str:
        """A bearer token for the service account, which is made if it is absent."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts"
        made = self.request("POST", path, body={"metadata": {"name": name}})
        if made.status not in (201, 409):
            raise ApiError(f"service account {namespace}/{name}", made)
        answer = self.request("POST", f"{path}/{name}/token", body={"spec": {"expirationSeconds": seconds}})
        if answer.status != 201:
            raise ApiError(f"token of {namespace}/{name}", answer)
        return str(answer.body["status"]["token"])

    def token_kubeconfig(self, token: str) -> str:
        """A kubeconfig with a bearer token."""
        return self._kubeconfig({"token": token})

    def service_account_kubeconfig(self, namespace: str, name: str) -> str:
        """A kubeconfig with a day's token for the service account, which is made if it is absent."""
        return self.token_kubeconfig(self.token(namespace, name))

    def grant(
        self, user: str, rules: Sequence[Object], *, namespace: str = "", service_account_namespace: str = ""
    ) -> None:
        """Give RBAC `rules` to a user, or to the service account `user` of a namespace; in one namespace or in all."""
        kind = "Role" if namespace else "ClusterRole"
        metadata: Object = {"generateName": "lab-", **({"namespace": namespace} if namespace else {})}
        group = "rbac.authorization.k8s.io"
        shared = {"apiVersion": f"{group}/v1", "metadata": metadata}
        role = self.client.create({**shared, "kind": kind, "rules": list(rules)})
        subject: Object = {"kind": "User", "name": user, "apiGroup": group}
        if service_account_namespace:
            subject = {"kind": "ServiceAccount", "name": user, "namespace": service_account_namespace}
        reference = {"apiGroup": group, "kind": kind, "name": role["metadata"]["name"]}
        self.client.create({**shared, "kind": f"{kind}Binding", "subjects": [subject], "roleRef": reference})

    # Test data and reads

    def load(self, objects: str | Path | Iterable[Object]) -> list[Object]:
        """Create YAML text, a YAML file or objects: namespaces and CRDs first, CRDs waited for, status kept."""
        if isinstance(objects, Path):
            return self.client.load(parse_yaml(objects.read_text()))
        return self.client.load(parse_yaml(objects) if isinstance(objects, str) else objects)

    def get(self, kind: str, name: str, namespace: str = "") -> Object:
        """The object as it is now. Raises KeyError if it is absent."""
        return self.client.get(kind, name, namespace)

    def list(self, kind: str, namespace: str = "") -> "list[Object]":
        """All objects of a kind, in one namespace or in all."""
        return self.client.list(kind, namespace)

    def edit(
        self, kind: str, name: str, namespace: str, change: Callable[[Object], Any], *, manager: str = "kubectl-edit"
    ) -> Object:
        """A foreign hand changes an object: read, `change` in place, replace; again if somebody was faster."""
        for attempt in range(1, _EDIT_ATTEMPTS + 1):
            item = self.get(kind, name, namespace)
            change(item)
            try:
                return self.client.put(kind, item, manager=manager)
            except ApiError as error:
                if error.status != 409 or attempt == _EDIT_ATTEMPTS:
                    raise
        raise AssertionError("unreachable: the last attempt returns or raises")

    def set_status(
        self, kind: str, name: str, namespace: str, status: Object, *, manager: str = "controller"
    ) -> Object:
        """Write an object's status as its controller would; for meshes whose controller cannot be built."""
        path = self.client.resource(kind).path(namespace, name) + "/status"
        patch = "application/merge-patch+json"
        answer = self.request(
            "PATCH", path, body={"status": status}, content_type=patch, query={"fieldManager": manager}
        )
        if answer.status != 200:
            raise ApiError(f"status of {kind} {name}", answer)
        return answer.body

    def delete(self, kind: str, name: str, namespace: str = "") -> None:
        """Delete an object and wait until it is gone."""
        self.client.delete(kind, name, namespace)
        until(lambda: not self._exists(kind, name, namespace), seconds=60, what=f"{kind} {name} to be gone")

    def wait(
        self, kind: str, name: str, namespace: str, met: Callable[[Object], bool], *, seconds: float = 30
    ) -> Object:
        """The object once `met` is true of it; absent counts as not met. Raises TimeoutError."""
        seen: list[Object] = []

        def is_met() -> bool:
            seen[:] = [self.get(kind, name, namespace)] if self._exists(kind, name, namespace) else []
            return bool(seen) and met(seen[0])

        until(is_met, seconds=seconds, what=f"{kind} {namespace}/{name} in cluster {self.name}")
        return seen[0]

    def request(self, method: str, path: str, **parts: Any) -> Answer:
        """One raw request: see lab.client.Client.request. The administrator's, unless `token` is given."""
        return self.client.request(method, path, **parts)

    # The API server itself

    def stop_api_server(self) -> None:
        """End it in an orderly way; the data stays in etcd."""
        self.api_server.stop()

    def kill_api_server(self) -> None:
        """End it with SIGKILL."""
        self.api_server.kill()

    def start_api_server(self) -> None:
        """Start it again on the same port with the same data, and wait until it is ready."""
        self.api_server.start()
        self.api_server.wait_ready(self.client.is_ready)

    def restart_api_server(self) -> None:
        """Stop and start."""
        self.stop_api_server()
        self.start_api_server()

    def pause_api_server(self) -> None:
        """Freeze it: connections stay open and nothing answers."""
        self.api_server.pause()

    def resume_api_server(self) -> None:
        """Let it go on after `pause_api_server()`."""
        self.api_server.resume()

    def _exists(self, kind: str, name: str, namespace: str) -> bool:
        try:
            self.get(kind, name, namespace)
        except KeyError:
            return False
        return True

    def _kubeconfig(self, user: Object) -> str:
        cluster = {"server": self.url, "certificate-authority-data": _base64(self.ca_pem)}
        context = {"cluster": self.name, "user": "lab"}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": self.name, "cluster": cluster}],
            "users": [{"name": "lab", "user": user}],
            "contexts": [{"name": self.name, "context": context}],
            "current-context": self.name,
        }
        return json.dumps(document, indent=2)  # JSON is YAML


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
