"""Values that the verbs of clusters take, and what MeshUI needs to be allowed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from clusters.kubeconfig import ParsedKubeconfig


@dataclass(frozen=True, slots=True)
class NewCluster:
    """A cluster to add: names, where it belongs, what opens it. `writes`: the same credential also writes."""

    name: str
    slug: str
    environment: str
    kubeconfig: ParsedKubeconfig
    writes: bool = False


# (verb, group, resource): what reading needs, and what changing a route needs.
READ_NEEDS: Final = (
    ("list", "", "namespaces"),
    ("list", "", "services"),
    ("list", "apps", "deployments"),
    ("list", "networking.istio.io", "virtualservices"),
    ("list", "networking.istio.io", "destinationrules"),
)
WRITE_NEEDS: Final = (
    ("get", "networking.istio.io", "virtualservices"),
    ("patch", "networking.istio.io", "virtualservices"),
)
EXCESS: Final = (("*", "*", "*"), ("list", "", "secrets"), ("create", "", "pods"))
