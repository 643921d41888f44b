"""An API server in this process: start it, point a client at it, look at what the client did."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from playground.apiserver.admission import Admission, AdmissionRequest, Denial
from playground.apiserver.auth import Authenticator
from playground.apiserver.calls import Core
from playground.apiserver.connection import Connection, Listener
from playground.apiserver.controllers import Controllers
from playground.apiserver.faults import Faults, RequestRecord, Violation
from playground.apiserver.local import LocalObjects
from playground.apiserver.messages import Request, Response
from playground.apiserver.pki import Authority, server_context
from playground.apiserver.rbac import Authorizer, bootstrap_objects
from playground.apiserver.resources import Registry
from playground.apiserver.routing import Router
from playground.apiserver.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from typing import Self

    from playground.apiserver.faults import Fault
    from playground.apiserver.jsontypes import Json

HOST = "127.0.0.1"
MOST_RECORDS = 20_000  # of the requests that are remembered
NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")


class ApiServer:
    """One emulated Kubernetes API server on 127.0.0.1, over HTTPS with a CA of its own.

    It asks everybody to sign in, evaluates RBAC, and keeps its objects in memory: they survive `stop` and `start`.
    """

    def __init__(self, name: str, *, port: int = 0, controllers: bool = True) -> None:
        """Make the CA and the objects of an empty cluster; nothing listens before `start`."""
        self.name = name
        self.port = port
        self.faults = Faults()
        self.requests: list[RequestRecord] = []
        self.violations: list[Violation] = []
        self._authority = Authority(name)
        store = Store()
        self._core = Core(
            store=store,
            registry=Registry(),
            authenticator=Authenticator(store, f"https://{name}.playground.local"),
            authorizer=Authorizer(store),
            admission=Admission(store),
            stopping=threading.Event(),
        )
        self._router = Router(self._core, self.violations)
        self.objects = LocalObjects(self._core)
        self._controllers = Controllers(self._core, self.objects) if controllers else None
        certificate, key = self._authority.server_certificate([HOST, "localhost", "kubernetes.default.svc"])
        self._listener = Listener(server_context(certificate, key, self.ca_pem), self._serve)
        self.objects.load([_namespace(each) for each in NAMESPACES])
        self.objects.load(bootstrap_objects())
        store.compact()

    @property
    def ca_pem(self) -> bytes:
        """The certificate of the CA."""
        return self._authority.pem

    @property
    def url(self) -> str:
        """Where the server listens."""
        return f"https://{HOST}:{self.port}"

    @property
    def revision(self) -> int:
        """The resourceVersion of the last write."""
        return self._core.store.revision

    @property
    def git_version(self) -> str:
        """What /version says."""
        return self._router.git_version

    @git_version.setter
    def git_version(self, value: str) -> None:
        self._router.git_version = value

    @property
    def bookmark_seconds(self) -> float:
        """How often a watch that allows bookmarks gets one."""
        return self._core.bookmark_seconds

    @bookmark_seconds.setter
    def bookmark_seconds(self, value: float) -> None:
        self._core.bookmark_seconds = value

    @property
    def core(self) -> Core:
        """The parts, for what is built on this server."""
        return self._core

    def start(self) -> Self:
        """Listen, on the port of the last time if there was one."""
        self._core.stopping.clear()
        self.port = self._listener.start(HOST, self.port, self.name)
        if self._controllers is not None:
            self._controllers.start()
        return self

    def stop(self) -> None:
        """End all connections, watches and threads; the objects stay."""
        self._core.stopping.set()
        with self._core.store.changed:
            self._core.store.changed.notify_all()
        if self._controllers is not None:
            self._controllers.stop()
        self._listener.stop()

    def restart(self) -> None:
        """Stop and start on the same port."""
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def _serve(self, connection: Connection, request: Request) -> bool:
        """Answer one request, with the fault that waits for it; tell whether the connection lives on."""
        fault = self.faults.take(request)
        if fault is not None and not self._before(fault, request):
            self._remember(request, 0, "")
            return False
        if fault is not None and fault.response is not None:
            response, user = fault.response, ""
        else:
            response, user = self._router.respond(request)
        kind = fault.kind if fault else ""
        self._remember(request, 0 if kind == "drop_reply" else response.status, user)
        if kind == "drop_reply":
            return False
        if request.method == "HEAD":
            response = Response(response.status, b"", response.content_type, response.headers)
        connection.write(response, is_cut=kind == "cut_body")
        return kind != "cut_body" and request.headers.get("connection", "").lower() != "close"

    def _before(self, fault: Fault, request: Request) -> bool:
        """Do what a fault does before the request is done; tell whether it is to be done at all."""
        if fault.kind == "black_hole":
            self._core.stopping.wait()
        if fault.kind == "delay":
            self._core.stopping.wait(fault.seconds)
        if fault.function is not None:
            fault.function(request)
        return fault.kind not in {"black_hole", "drop_request"}

    def _remember(self, request: Request, status: int, user: str) -> None:
        if len(self.requests) >= MOST_RECORDS:
            del self.requests[: MOST_RECORDS // 2]
        self.requests.append(
            RequestRecord(
                method=request.method,
                path=request.path,
                query=request.query,
                content_type=request.content_type,
                user_agent=request.user_agent,
                user=user,
                status=status,
                body=request.body,
            )
        )

    def issue_token(self, user: str, groups: Sequence[str] = ()) -> str:
        """Return a bearer token of a user in groups."""
        return self._core.authenticator.issue_token(user, groups)

    def revoke_token(self, token: str) -> None:
        """Let a bearer token be worth nothing from now on."""
        self._core.authenticator.revoke_token(token)

    def issue_client_certificate(self, user: str, groups: Sequence[str] = ()) -> tuple[bytes, bytes]:
        """Return certificate and key (PEM) of a user in groups."""
        return self._authority.client_certificate(user, groups)

    def add_admission_hook(
        self, hook: Callable[[AdmissionRequest], Denial | None], *, resources: Collection[str] = ()
    ) -> None:
        """Ask `hook` before each write of `resources` (like "virtualservices.networking.istio.io"; all, if empty)."""
        self._core.admission.add_hook(hook, resources)

    def remove_admission_hook(self, hook: Callable[[AdmissionRequest], Denial | None]) -> None:
        """Ask `hook` no more."""
        self._core.admission.remove_hook(hook)

    def add_webhook_service(self, namespace: str, name: str, handler: Callable[[Json], Json]) -> None:
        """Let `handler` (AdmissionReview to AdmissionReview) stand behind a Service that configurations name."""
        self._core.admission.services[namespace, name] = handler

    def compact(self) -> None:
        """Make earlier versions too old for continue tokens and new watches. Running watches go on."""
        self._core.store.compact()

    def expire_watches(self) -> None:
        """End every running watch with the ERROR event 410."""
        self._core.watch_epoch += 1
        with self._core.store.changed:
            self._core.store.changed.notify_all()

    def settle(self, seconds: float = 10.0) -> None:
        """Wait until the controllers have nothing left to do. Raises TimeoutError."""
        if self._controllers is not None:
            self._controllers.settle(seconds)


def _namespace(name: str) -> Json:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
