"""Reading what stands behind an API server: pages of pods and Services through its own proxy, bounded.

Nothing is opened towards the cluster for it: whoever may use the proxies of the API may read metrics, and only by GET.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

import msgspec

from clusters.clients import BadAnswerError
from meshui.lib.typed import decoder_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clusters.transport import Transport

PAGE_BYTES: Final = 8 * 1024 * 1024
SECONDS: Final = 5.0
"""For one answer, all of it."""
MOST_PODS: Final = 500
NAME: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z", re.ASCII)


UID: Final = re.compile(r"[A-Za-z0-9-]{1,64}\Z")


class _Owner(msgspec.Struct, gc=False):
    kind: str = ""
    name: str = ""
    controller: bool = False


class _Meta(msgspec.Struct, gc=False, rename="camel"):
    name: str = ""
    uid: str = ""
    labels: dict[str, str] | None = None
    owner_references: list[_Owner] | None = None
    deletion_timestamp: str | None = None


class _Container(msgspec.Struct, gc=False):
    name: str = ""
    image: str = ""


class _Spec(msgspec.Struct, gc=False, rename="camel"):
    containers: list[_Container] | None = None
    init_containers: list[_Container] | None = None


class _Status(msgspec.Struct, gc=False):
    phase: str = ""


class _Pod(msgspec.Struct, gc=False):
    metadata: _Meta = msgspec.field(default_factory=_Meta)
    spec: _Spec = msgspec.field(default_factory=_Spec)
    status: _Status = msgspec.field(default_factory=_Status)


class _Pods(msgspec.Struct, gc=False):
    items: list[_Pod] | None = None


PODS: Final = decoder_of(_Pods)


class Pod(msgspec.Struct, gc=False, frozen=True):
    """A pod that runs: `owner` is its controller (a ReplicaSet …), `workload` what people deployed.

    `images`: of its containers, by their names.
    """

    namespace: str
    name: str
    uid: str
    owner: str
    workload: str
    containers: frozenset[str]
    images: tuple[tuple[str, str], ...] = ()


class Proxied:
    """Reads pods and Services of one cluster through its API server. Every call may raise a ClusterError."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def pods(self, namespace: str, selector: Mapping[str, str]) -> tuple[Pod, ...]:
        """Running pods of `namespace` with these labels, by name; the first 500 that the API server names.

        Raises ValueError where the namespace is no name.
        """
        wanted = ",".join(f"{key}={value}" for key, value in sorted(selector.items()))
        query = urlencode({"labelSelector": wanted, "limit": str(MOST_PODS)})
        data = self._transport.get(f"/api/v1/namespaces/{_name(namespace)}/pods?{query}", limit=PAGE_BYTES)
        try:
            found = PODS.decode(data).items or []
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadAnswerError("Its list of pods is not one that Kubernetes would send.") from error
        running = [pod for pod in found if _is_running(pod)]
        return tuple(sorted((_face(namespace, pod) for pod in running), key=lambda pod: pod.name))

    def pod_text(self, namespace: str, name: str, port: int, path: str) -> str:
        """The page `path` of a pod's `port`, as text. Raises ValueError for what is no name."""
        where = f"/api/v1/namespaces/{_name(namespace)}/pods/{_name(name)}:{port:d}/proxy{path}"
        data = self._transport.get(where, limit=PAGE_BYTES, accept="text/plain")
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise BadAnswerError("The answer of the pod is not text.") from error

    def service_bytes(self, namespace: str, name: str, port: int, path: str) -> bytes:
        """The page `path`, query and all, of a Service's `port` over http. Raises ValueError for what is no name."""
        where = f"/api/v1/namespaces/{_name(namespace)}/services/http:{_name(name)}:{port:d}/proxy{path}"
        return self._transport.get(where, limit=PAGE_BYTES)


def _is_running(pod: _Pod) -> bool:
    """Whether it runs, goes on to, and is called as Kubernetes calls pods."""
    meta = pod.metadata
    is_named = NAME.match(meta.name) is not None and UID.match(meta.uid) is not None
    return is_named and pod.status.phase == "Running" and meta.deletion_timestamp is None


def _name(text: str) -> str:
    """A name as it may stand in a path."""
    if not NAME.match(text):
        raise ValueError("not a name of Kubernetes")
    return text


def _face(namespace: str, pod: _Pod) -> Pod:
    meta = pod.metadata
    owner = next((one for one in meta.owner_references or () if one.controller), _Owner())
    images = tuple((one.name, one.image) for one in (*(pod.spec.containers or ()), *(pod.spec.init_containers or ())))
    containers = frozenset(name for name, _ in images)
    hashed = f"-{(meta.labels or {}).get('pod-template-hash', '')}"
    workload = owner.name.removesuffix(hashed) if owner.kind == "ReplicaSet" and hashed != "-" else owner.name
    return Pod(namespace, meta.name, meta.uid, owner.name, workload or meta.name, containers, images)
