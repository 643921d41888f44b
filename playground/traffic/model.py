"""What the traffic plane knows of a cluster: its Services, its pods and whose they are. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from playground.apiserver.jsontypes import Json

DOMAIN = "svc.cluster.local"
OUTSIDE = "-"  # the pod of a caller that is in no mesh; also what Envoy logs for what it does not know
PROXIES = frozenset({"istio-proxy", "linkerd-proxy"})
HASH = "pod-template-hash"


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod that runs and has a proxy of the mesh."""

    namespace: str
    name: str
    workload: str
    labels: Mapping[str, str]
    ip: str
    account: str

    @property
    def key(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"

    @property
    def app(self) -> str:
        """What its label says, else its workload."""
        return self.labels.get("app", self.workload)

    @property
    def version(self) -> str:
        """What its label says, else `latest`, as Istio has it."""
        return self.labels.get("version", "latest")


@dataclass(frozen=True, slots=True)
class Service:
    """A Service with a selector."""

    namespace: str
    name: str
    selector: Mapping[str, str]
    port: int

    @property
    def key(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"

    @property
    def host(self) -> str:
        """Its full name."""
        return f"{self.name}.{self.namespace}.{DOMAIN}"


@dataclass(frozen=True)
class Directory:
    """Services and pods by key."""

    services: Mapping[str, Service] = field(default_factory=dict)
    pods: Mapping[str, Pod] = field(default_factory=dict)

    def workloads(self, service: Service, labels: Mapping[str, str] | None = None) -> dict[str, list[Pod]]:
        """The pods of a Service by workload; with `labels` only those that bear them, as an Istio subset chooses."""
        wanted = {**service.selector, **(labels or {})}.items()
        found: dict[str, list[Pod]] = {}
        for pod in self.pods.values():
            if pod.namespace == service.namespace and wanted <= pod.labels.items():
                found.setdefault(pod.workload, []).append(pod)
        return found

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Where pods are, in order."""
        return tuple(sorted({pod.namespace for pod in self.pods.values()}))

    def named(self, host: str, namespace: str) -> Service | None:
        """The Service of a host as an object of `namespace` names it: short, with its namespace, or full."""
        name, _, rest = host.partition(".")
        place = rest.removesuffix(DOMAIN).rstrip(".").removesuffix(".svc") or namespace
        return self.services.get(f"{place}/{name}")


def read_directory(services: Iterable[Json], pods: Iterable[Json]) -> Directory:
    """What the objects of an API server say."""
    found = [_service(each) for each in services if (each.get("spec") or {}).get("selector")]
    meshed = [_pod(each) for each in pods if _is_meshed(each)]
    return Directory({each.key: each for each in found}, {each.key: each for each in meshed})


def cluster_name(service: Service, workload: str) -> str:
    """Envoy's cluster of a workload behind a Service; without a workload the one that nobody is behind."""
    return f"{service.key}|{workload}"


def _service(obj: Json) -> Service:
    metadata, spec = obj["metadata"], obj["spec"]
    ports = spec.get("ports") or [{"port": 80}]
    return Service(metadata["namespace"], metadata["name"], dict(spec["selector"]), int(ports[0]["port"]))


def _is_meshed(pod: Json) -> bool:
    spec = pod["spec"]
    containers = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    has_proxy = any(container["name"] in PROXIES for container in containers)
    return has_proxy and bool((pod.get("status") or {}).get("podIP")) and "deletionTimestamp" not in pod["metadata"]


def _pod(obj: Json) -> Pod:
    metadata, spec = obj["metadata"], obj["spec"]
    labels = dict(metadata.get("labels") or {})
    return Pod(
        namespace=metadata["namespace"],
        name=metadata["name"],
        workload=_workload(metadata, labels),
        labels=labels,
        ip=obj["status"]["podIP"],
        account=spec.get("serviceAccountName") or "default",
    )


def _workload(metadata: Json, labels: Mapping[str, str]) -> str:
    """The name of the Deployment behind a ReplicaSet, else of the owner, else the pod's own."""
    owners = metadata.get("ownerReferences") or ()
    name = str(owners[0]["name"]) if owners else str(metadata["name"])
    return name.removesuffix(f"-{labels[HASH]}") if HASH in labels else name
