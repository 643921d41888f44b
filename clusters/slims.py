"""Objects as bytes, without managedFields and kubectl's copy of them: nothing is decoded but what names them. Pure."""

from __future__ import annotations

import msgspec

from clusters.clients import BadAnswerError, Head, Resource, Slim
from meshui.lib.typed import decoder_of

MAX_OBJECT_BYTES = 2 * 1024 * 1024
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class EncodedMeta(msgspec.Struct, gc=False, rename="camel", omit_defaults=True):
    """What is kept of an object's metadata; managedFields and everything else is skipped undecoded."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, msgspec.Raw] | None = None
    owner_references: list[msgspec.Raw] | None = None

    def head(self) -> Head:
        """Its name and version."""
        return Head(self.uid, self.namespace, self.name, self.resource_version)


class Container(msgspec.Struct, gc=False, omit_defaults=True):
    """A container, as far as it tells product and version."""

    name: str = ""
    image: str | None = None


class PodSpec(msgspec.Struct, gc=False, rename="camel", omit_defaults=True):
    """spec of a pod: what runs in it."""

    containers: list[Container] | None = None
    init_containers: list[Container] | None = None


class PodMeta(msgspec.Struct, gc=False, omit_defaults=True):
    """metadata of a pod template."""

    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


class Template(msgspec.Struct, gc=False, omit_defaults=True):
    """spec.template of a workload."""

    metadata: PodMeta | None = None
    spec: PodSpec | None = None


class WorkloadSpec(msgspec.Struct, gc=False, omit_defaults=True):
    """spec of a workload."""

    replicas: int | None = None
    template: Template | None = None


class WorkloadStatus(msgspec.Struct, gc=False, rename="camel", omit_defaults=True):
    """status of a workload: the counts of Deployments and StatefulSets, then those of DaemonSets."""

    replicas: int | None = None
    ready_replicas: int | None = None
    available_replicas: int | None = None
    desired_number_scheduled: int | None = None
    number_ready: int | None = None
    number_available: int | None = None


class WorkloadBody(msgspec.Struct, gc=False, rename="camel", omit_defaults=True):
    """A Deployment, StatefulSet or DaemonSet without what decides nothing here: volumes, probes, resources."""

    api_version: str = ""
    kind: str = ""
    metadata: EncodedMeta = msgspec.field(default_factory=EncodedMeta)
    spec: WorkloadSpec | None = None
    status: WorkloadStatus | None = None


FIELDS = decoder_of(dict[str, msgspec.Raw])
META = decoder_of(EncodedMeta)
ENCODER = msgspec.json.Encoder()
NO_META = msgspec.Raw(b"{}")


def thin_of(body: WorkloadBody, resource: Resource) -> Slim:
    """A workload with nothing but what stands in WorkloadBody. Raises BadAnswerError."""
    meta = body.metadata
    if meta.annotations:
        meta.annotations.pop(LAST_APPLIED, None)
    body.api_version, body.kind = resource.api_version, resource.kind
    return _bounded(Slim(meta.head(), ENCODER.encode(body)), resource)


def _bounded(slim: Slim, resource: Resource) -> Slim:
    if len(slim.data) > MAX_OBJECT_BYTES:
        raise BadAnswerError(f"It sends too much: one of its {resource.plural} is larger than 2 MiB.")
    return slim


def slim_of(raw: msgspec.Raw | bytes, resource: Resource) -> Slim:
    """An object of `resource`, with the kind that items of a list do not say. Raises BadAnswerError."""
    if len(raw) > MAX_OBJECT_BYTES:
        raise BadAnswerError(f"It sends too much: one of its {resource.plural} is larger than 2 MiB.")
    try:
        fields = FIELDS.decode(raw)
        meta = META.decode(fields.pop("metadata", NO_META))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadAnswerError(f"One of its {resource.plural} is not one that Kubernetes would send.") from error
    if meta.annotations:
        meta.annotations.pop(LAST_APPLIED, None)
    whole = {**fields, "apiVersion": resource.api_version, "kind": resource.kind, "metadata": meta}
    return Slim(meta.head(), ENCODER.encode(whole))
