"""What people said of the versions of backends: the same for everybody who may see the service."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from meshes.models import BackendVersion
from meshes.selectors.members import named

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from uuid import UUID

    At = tuple[UUID, str, str]
    Corrections = Mapping[str, BackendVersion]


def corrections_at(at: Collection[At]) -> Mapping[At, Corrections]:
    """Of services `at` (cluster, namespace, name), which the caller may see: by key of the backend. One query."""
    names = {(namespace, name) for _, namespace, name in at}
    rows = BackendVersion.objects.filter(
        named(names, "namespace", "service"), cluster__in={cluster for cluster, _, _ in at}
    )
    found: dict[At, dict[str, BackendVersion]] = defaultdict(dict)
    for row in rows.order_by():
        found[row.cluster_id, row.namespace, row.service][row.backend_key] = row
    return found


def versions_said(corrections: Corrections) -> dict[str, str]:
    """Key of the backend → the version that was said."""
    return {key: row.version for key, row in corrections.items()}
