"""What MeshUI needs to be allowed in a cluster, as data: what is checked, what is shown, what the manifests grant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import datetime as dt

READ_VERBS: Final = ("get", "list", "watch")
WRITE_VERBS: Final = ("get", "list", "patch", "create", "delete")
KUBE_SYSTEM: Final = "kube-system"


@dataclass(frozen=True, slots=True)
class SyncFact:
    """How what is stored of a cluster stands to what is there, for one reader. `word`: a status of kind sync.

    `managed`: objects that MeshUI wrote last there, `drifted` of them are otherwise by now; `read_at`: as of when.
    """

    word: str
    read_at: dt.datetime | None
    managed: int = 0
    drifted: int = 0


class Asked(NamedTuple):
    """One right to ask for. Empty namespace: everywhere; empty name: every object."""

    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Need:
    """One kind: what it is read for, and what is missing without it. `is_written`: MeshUI also changes it.

    `names` and `home`: only these objects, in this namespace, by get. `without_watch` is what a refused watch costs.
    """

    group: str
    resource: str
    purpose: str
    without: str
    is_written: bool = False
    is_namespaced: bool = True
    names: tuple[str, ...] = ()
    home: str = ""
    mesh: str = ""

    @property
    def label(self) -> str:
        """`virtualservices.networking.istio.io`, `services`, `configmaps istio`."""
        kind = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{kind} {', '.join(self.names)}" if self.names else kind

    @property
    def read_verbs(self) -> tuple[str, ...]:
        """What reading needs."""
        return ("get",) if self.names else READ_VERBS


ISTIO: Final = "networking.istio.io"
GATEWAY: Final = "gateway.networking.k8s.io"
LINKERD: Final = "policy.linkerd.io"
MODES: Final = "Whether pods take plaintext is not known."
WORKLOADS: Final = "Its pods are not counted: versions, readiness and some control planes are not shown."
NEEDS: Final = (
    Need("", "namespaces", "Namespaces, and which mesh takes their pods", "No namespaces.", is_namespaced=False),
    Need("", "services", "Services: what routes point to", "No services; routes are shown without them."),
    Need("apps", "deployments", "Control planes, versions of a service", WORKLOADS),
    Need("apps", "statefulsets", "Versions of a service", WORKLOADS),
    Need("apps", "daemonsets", "Versions of a service", WORKLOADS),
    Need(
        "admissionregistration.k8s.io",
        "mutatingwebhookconfigurations",
        "Which revision of a mesh takes new pods",
        "Injection is read from labels alone.",
        is_namespaced=False,
    ),
    Need(
        ISTIO,
        "virtualservices",
        "Routes of Istio",
        "No routes of Istio, no changes to them.",
        is_written=True,
        mesh="istio",
    ),
    Need(
        ISTIO,
        "destinationrules",
        "Subsets: the versions that routes of Istio name",
        "Subsets are not known, so no split of Istio can be changed.",
        is_written=True,
        mesh="istio",
    ),
    Need(
        "",
        "configmaps",
        "The trust domain, roots and policies' place of Istio",
        "The trust domain of Istio is not known, nor where policies for the whole mesh stand.",
        names=("istio", "istio-ca-root-cert"),
        home="istio-system",
        mesh="istio",
    ),
    Need(
        "security.istio.io",
        "peerauthentications",
        "Which namespaces of Istio take plaintext",
        MODES,
        mesh="istio",
    ),
    Need(
        GATEWAY, "httproutes", "HTTP routes of the Gateway API", "No HTTP routes of the Gateway API.", is_written=True
    ),
    Need(
        GATEWAY, "grpcroutes", "gRPC routes of the Gateway API", "No gRPC routes of the Gateway API.", is_written=True
    ),
    Need(LINKERD, "httproutes", "Routes of Linkerd", "No routes of Linkerd.", is_written=True, mesh="linkerd"),
    Need(
        "linkerd.io",
        "serviceprofiles",
        "Profiles that take the place of routes of Linkerd",
        "A route that a ServiceProfile switches off looks as if it worked.",
        mesh="linkerd",
    ),
    *(
        Need(LINKERD, plural, "Which ports of Linkerd take plaintext", MODES, mesh="linkerd")
        for plural in ("servers", "authorizationpolicies", "serverauthorizations")
    ),
    Need(
        "",
        "configmaps",
        "The trust domain, roots and inbound policy of Linkerd",
        "The trust domain of Linkerd is not known, nor what its proxies let in.",
        names=("linkerd-config", "linkerd-identity-trust-roots"),
        home="linkerd",
        mesh="linkerd",
    ),
)
EXCESS: Final = (Asked("*", "*", "*"), Asked("list", "", "secrets"), Asked("create", "", "pods"))
"""What rings: more than MeshUI ever needs."""
PROMETHEUS: Final = (
    ("istio-system", "prometheus", 9090),
    ("linkerd-viz", "prometheus", 9090),
    ("monitoring", "prometheus-operated", 9090),
    ("monitoring", "prometheus-k8s", 9090),
    ("monitoring", "kube-prometheus-stack-prometheus", 9090),
    ("monitoring", "prometheus-server", 80),
    ("prometheus", "prometheus-server", 80),
)
"""Where meshes' own add-ons and kube-prometheus put a Prometheus: namespace, Service, port. Asked in this order."""
