"""The kinds that every cluster has, as thin Structs: decoded from bytes, and only what a row or a detection needs."""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec

from clusters.clients import BadAnswerError, Resource, Slim
from clusters.slims import EncodedMeta, WorkloadBody
from meshui.lib.typed import decoder_of

NAMESPACES: Final = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
SERVICES: Final = Resource("", "v1", "services", "Service")
DEPLOYMENTS: Final = Resource("apps", "v1", "deployments", "Deployment")
STATEFUL_SETS: Final = Resource("apps", "v1", "statefulsets", "StatefulSet")
DAEMON_SETS: Final = Resource("apps", "v1", "daemonsets", "DaemonSet")
WORKLOADS: Final = (DEPLOYMENTS, STATEFUL_SETS, DAEMON_SETS)
BUILT_IN: Final = (NAMESPACES, SERVICES, *WORKLOADS)

Texts = dict[str, str]
T = TypeVar("T")


def kind_name(resource: Resource) -> str:
    """What its Sync row is called: `services`, `httproutes.gateway.networking.k8s.io`; one plural, several groups."""
    is_built_in = resource in BUILT_IN or not resource.group
    return resource.plural if is_built_in else f"{resource.plural}.{resource.group}"[:120]


class Port(msgspec.Struct, gc=False):
    """spec.ports[] of a Service."""

    port: int = 0
    name: str | None = None


class ServiceSpec(msgspec.Struct, gc=False):
    """spec of a Service."""

    ports: list[Port] | None = None
    selector: Texts | None = None


class ServiceBody(msgspec.Struct, gc=False):
    """A Service: ports and selector."""

    metadata: EncodedMeta
    spec: ServiceSpec | None = None


WORKLOAD = decoder_of(WorkloadBody)
SERVICE = decoder_of(ServiceBody)
ENCODER = msgspec.json.Encoder()


def trimmed(slim: Slim) -> Slim:
    """A workload with what detection and its row need. Raises BadAnswerError where it is not the shape of one."""
    return Slim(slim.head, ENCODER.encode(_decoded(WORKLOAD, slim)))


def workload_of(slim: Slim) -> WorkloadBody:
    """Raises BadAnswerError where it is not the shape of one."""
    return _decoded(WORKLOAD, slim)


def service_of(slim: Slim) -> ServiceBody:
    """Raises BadAnswerError where it is not the shape of one."""
    return _decoded(SERVICE, slim)


def _decoded(decoder: msgspec.json.Decoder[T], slim: Slim) -> T:
    try:
        return decoder.decode(slim.data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadAnswerError(str(error)) from error
