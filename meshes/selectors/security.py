"""Who takes plaintext in a mesh, namespace by namespace, and when what it trusts ends. Stored data alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Count

from accounts.types import READ
from meshes.adapters.mtls import DISABLED, MIXED, PERMISSIVE, STRICT, UNKNOWN
from meshes.models import MtlsMode, Workload
from meshui.lib import clock
from meshui.lib.rights import in_scope

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from accounts.models import User
    from meshes.models import Mesh

ORDER: Final = (DISABLED, MIXED, PERMISSIVE, UNKNOWN, STRICT)
"""Worst first."""
MAX_LINES: Final = 100
BARE: Final = "none"
"""What a workload says that wants no proxy."""
SOON_DAYS, AT_ONCE_DAYS = 30, 7


@dataclass(frozen=True, slots=True)
class Ending:
    """When a certificate ends. `days`: whole ones that are left, negative: it ended. `tone`: ok, warn, crit."""

    ends_at: dt.datetime
    days: int
    tone: str


@dataclass(frozen=True, slots=True)
class MtlsLine:
    """One namespace. `bare`: its workloads whose pods want no proxy, for which none of this holds."""

    row: MtlsMode
    bare: int

    @property
    def parts(self) -> list[dict[str, Any]]:
        """Pods and ports that differ: where, mode, origin, workloads."""
        return list(self.row.parts)


@dataclass(frozen=True, slots=True)
class MtlsView:
    """A mesh's namespaces, worst first, at most 100. `counts`: of all of them, by mode; modes that none has are 0."""

    lines: tuple[MtlsLine, ...]
    counts: Mapping[str, int]

    @property
    def total(self) -> int:
        """All namespaces that were judged."""
        return sum(self.counts.values())

    @property
    def strict(self) -> int:
        """Those that take mutual TLS alone."""
        return self.counts[STRICT]

    @property
    def unknown(self) -> int:
        """Those of which it is not known."""
        return self.counts[UNKNOWN]

    @property
    def more(self) -> int:
        """Those that are not shown."""
        return self.total - len(self.lines)


def mtls_view(user: User, mesh: Mesh) -> MtlsView:
    """The namespaces of `mesh` within the reader's scope. Two queries."""
    rows = MtlsMode.objects.filter(cluster=mesh.cluster, mesh_kind=mesh.kind, gone_at=None)
    found = sorted(in_scope(rows, user, READ), key=lambda row: (ORDER.index(row.mode), row.namespace))
    bare = _bare(user, mesh)
    counts = dict.fromkeys(ORDER, 0) | Counter(row.mode for row in found)
    return MtlsView(tuple(MtlsLine(row, bare.get(row.namespace, 0)) for row in found[:MAX_LINES]), counts)


def ending_of(moment: dt.datetime | None) -> Ending | None:
    """How near the end of a certificate is; None: it is not known."""
    if moment is None:
        return None
    days = (moment - clock.now()).days
    tone = "crit" if days < AT_ONCE_DAYS else "warn" if days < SOON_DAYS else "ok"
    return Ending(moment, days, tone)


def _bare(user: User, mesh: Mesh) -> dict[str, int]:
    rows = Workload.objects.filter(cluster=mesh.cluster, gone_at=None, injection=BARE)
    counted = in_scope(rows, user, READ).order_by("namespace").values_list("namespace")
    return dict(counted.annotate(Count("pk")))
