"""Where the metrics of a cluster come from and how that goes, for its page. Nothing secret is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from metrics.models import Collector, Source, SourceKind

if TYPE_CHECKING:
    import datetime as dt

    from clusters.models import Cluster


@dataclass(frozen=True, slots=True)
class SourceFace:
    """How metrics were set to be read (`kind`, `label`), who answered last, when something came last, what is wrong.

    `source` and `succeeded_at` empty: nobody answered yet.
    """

    kind: str
    label: str
    source: str = ""
    succeeded_at: dt.datetime | None = None
    problem: str = ""
    settings: Source | None = None


def source_face(cluster: Cluster) -> SourceFace:
    """Of one cluster. Two queries."""
    source = Source.objects.filter(cluster=cluster).first()
    collector = Collector.objects.filter(cluster=cluster).first()
    kind = SourceKind(source.kind) if source else SourceKind.AUTO
    if collector is None:
        return SourceFace(kind.value, str(kind.label), settings=source)
    return SourceFace(
        kind.value, str(kind.label), collector.source, collector.succeeded_at, collector.problem, settings=source
    )
