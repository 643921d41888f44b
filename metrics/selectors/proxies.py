"""What version the proxies of a mesh run, beside the control plane that they should follow. Stored data alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext

from accounts.types import READ
from meshes.models import ControlPlane, Namespace
from meshes.selectors import list_meshes
from meshes.selectors.upgrades import standing
from meshui.lib import clock
from meshui.lib.errors import MissingError
from meshui.lib.rights import in_scope
from metrics.models import Collector
from metrics.types import ProxyCount

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping, Sequence
    from uuid import UUID

    from accounts.models import User
    from meshes.models import Mesh

STALE: Final = timedelta(minutes=5)
MOST_NAMED: Final = 6


@dataclass(slots=True)
class VersionLine:
    """Proxies of one version under control planes of one. `plane` empty: not known which.

    `state`: same, behind, too_far (behind by more than one minor version), ahead, unknown. `workloads`: namespace/name.
    """

    version: str
    plane: str
    state: str
    pods: int = 0
    workloads: list[str] = field(default_factory=list)

    @property
    def named(self) -> list[str]:
        """The first six."""
        return sorted(self.workloads)[:MOST_NAMED]

    @property
    def more(self) -> int:
        """How many are not named."""
        return len(self.workloads) - len(self.named)


@dataclass(frozen=True, slots=True)
class ProxyVersions:
    """The proxies of one mesh that were seen, those to see to first. `at`: when; None: never. `is_stale`: long ago."""

    mesh: Mesh
    lines: tuple[VersionLine, ...]
    at: dt.datetime | None
    is_stale: bool

    @property
    def pods(self) -> int:
        """How many were seen."""
        return sum(line.pods for line in self.lines)


ORDER: Final = ("too_far", "behind", "ahead", "unknown", "same")


def proxy_versions(user: User, pk: UUID) -> ProxyVersions:
    """Of namespaces within the reader's scope. Raises MissingError, also where out of scope. Constant queries."""
    mesh = list_meshes(user).filter(pk=pk).first()
    if mesh is None:
        raise MissingError(gettext("There is no such mesh."), mend=gettext("Open the list of meshes."))
    spaces = Namespace.objects.filter(cluster=mesh.cluster, injected_by=mesh.kind, gone_at=None)
    revisions = dict(in_scope(spaces, user, READ).values_list("name", "revision"))
    planes = list(ControlPlane.objects.filter(mesh=mesh, gone_at=None))
    row = Collector.objects.filter(cluster=mesh.cluster).only("proxies", "proxies_at").first()
    counts = [ProxyCount(*each) for each in (row.proxies if row else ())]
    mine = [count for count in counts if count.mesh == mesh.kind and count.namespace in revisions]
    at = row.proxies_at if row else None
    is_stale = at is not None and clock.now() - at > STALE
    return ProxyVersions(mesh, tuple(_lines(mine, revisions, planes)), at, is_stale)


def _lines(
    counts: Iterable[ProxyCount], revisions: Mapping[str, str], planes: Sequence[ControlPlane]
) -> list[VersionLine]:
    found: dict[tuple[str, str], VersionLine] = {}
    for count in counts:
        plane = _plane(revisions[count.namespace], planes)
        line = found.setdefault(
            (count.version, plane), VersionLine(count.version, plane, standing(count.mesh, count.version, plane))
        )
        line.pods += count.pods
        line.workloads.append(f"{count.namespace}/{count.workload}")
    return sorted(found.values(), key=lambda line: (ORDER.index(line.state), -line.pods, line.version))


def _plane(revision: str, planes: Sequence[ControlPlane]) -> str:
    """The version of the control plane of a revision or a tag; of the only one where none is named."""
    named = [plane for plane in planes if revision == plane.revision or revision in plane.tags]
    versions = {plane.version for plane in (named if revision else planes)}
    return versions.pop() if len(versions) == 1 else ""
