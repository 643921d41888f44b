"""An API server in this process: start it, point a client at it, look at what the client did."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from playground.apiserver.admission import Admission, AdmissionRequest, Denial
from playground.apiserver.auth import Authenticator
from playground.apiserver.calls import Core
from playground.apiserver.connection import Listener
from playground.apiserver.controllers import Controllers
from playground.apiserver.exchange import Exchange
from playground.apiserver.faults import Faults, RequestRecord, Violation, record_of
from playground.apiserver.local import LocalObjects
from playground.apiserver.pki import Authority, server_context
from playground.apiserver.rbac import Authorizer, bootstrap_objects
from playground.apiserver.resources import Registry
from playground.apiserver.routing import Router
from playground.apiserver.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from typing import Self

    from playground.apiserver.jsontypes import Json
    from playground.apiserver.loop import Loop
    from playground.apiserver.messages import Request

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
        self._loops: list[Loop] = [Controllers(self._core, self.objects)] if controllers else []
        exchange = Exchange(self.faults, self._router.respond, self._remember, self._core.stopping)
        certificate, key = self._authority.server_certificate([HOST, "localhost", "kubernetes.default.svc"])
        self._listener = Listener(server_context(certificate, key, self.ca_pem), exchange.serve)
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
        for loop in self._loops:
            loop.start()
        return self

    def stop(self) -> None:
        """End all connections, watches and threads; the objects stay."""
        self._core.stopping.set()
        with self._core.store.changed:
            self._core.store.changed.notify_all()
        for loop in self._loops:
            loop.stop()
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

    def _remember(self, request: Request, status: int, user: str) -> None:
        if len(self.requests) >= MOST_RECORDS:
            del self.requests[: MOST_RECORDS // 2]
        self.requests.append(record_of(request, status, user))

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

    def add_loop(self, loop: Loop) -> None:
        """Let one more controller run with this server, from its next start on."""
        self._loops.append(loop)

    def become_another(self) -> None:
        """Be another cluster from now on, on the same address with the same CA: every object is a new one.

        Who signs in with a token or certificate of before is still let in: only its identity tells.
        """
        self._core.store.give_new_identities()

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
        changed = self._core.store.changed
        with changed:
            if not changed.wait_for(lambda: all(loop.is_idle() for loop in self._loops), seconds):
                raise TimeoutError(f"The controllers were not done after {seconds} s.")


def _namespace(name: str) -> Json:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
