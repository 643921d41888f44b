"""What connections the pods of a namespace take: the words for it that all meshes share. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from meshes.adapters.base import FoundControlPlane, Injection
    from meshui.lib.jsontypes import JsonObject

STRICT: Final = "strict"
"""Connections with mutual TLS alone."""
PERMISSIVE: Final = "permissive"
"""Plaintext too."""
DISABLED: Final = "disabled"
"""Plaintext alone."""
MIXED: Final = "mixed"
"""Some pods or ports otherwise than the others."""
UNKNOWN: Final = "unknown"
"""What decides could not be read: neither strict nor plaintext."""
MESH, NAMESPACE, DEFAULT = "mesh", "namespace", "default"
"""Who says what holds for a whole namespace: an object for all of the mesh, one of the namespace's own, nobody."""


@dataclass(frozen=True, slots=True)
class FoundPart:
    """Pods or ports of a namespace that take other connections than the rest of it.

    `where`: which, in words. `origin`: the object that says so. `workloads`: by name, those whose pods are meant now.
    """

    where: str
    mode: str
    origin: str
    workloads: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FoundMtls:
    """What a namespace's pods take. `base`: what holds where no part differs; `mode`: the word for all of it.

    `scope`: mesh, namespace or default; `origin`: the object that says so, of the default what it is. `note`: what one
    should know besides, or why nothing is known.
    """

    base: str
    scope: str
    origin: str
    parts: tuple[FoundPart, ...] = ()
    note: str = ""

    @property
    def mode(self) -> str:
        """strict, permissive, disabled, mixed or unknown."""
        modes = {self.base, *(part.mode for part in self.parts)}
        if UNKNOWN in modes:
            return UNKNOWN
        return self.base if len(modes) == 1 else MIXED


@dataclass(frozen=True, slots=True)
class PodTemplate:
    """The pods of one workload."""

    workload: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Secured:
    """What is known of one cluster that says who must prove who they are.

    `policies`: by plural; a kind in `unread` is served and was not read. `spaces`: namespaces to judge whose pods the
    mesh takes, and how; `bodies`: the same as they are. `seen`: the names of all namespaces that are read.
    `planes`: the mesh's control planes; `pods`: of a namespace.
    """

    spaces: Mapping[str, Injection]
    bodies: Mapping[str, JsonObject]
    seen: frozenset[str]
    planes: Sequence[FoundControlPlane]
    pods: Callable[[str], Sequence[PodTemplate]]
    policies: Mapping[str, Sequence[JsonObject]] = field(default_factory=dict)
    unread: frozenset[str] = frozenset()
