"""What one person sees of one environment, or of all: the rows that the parts of the fleet are made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from django.db.models import Model

from accounts.types import READ
from clusters.models import Cluster
from meshes.models import Mesh, MtlsMode, Route, Service
from meshes.selectors import Counts, counts_in, kept
from metrics.models import Series
from traffic.models import Change
from traffic.selectors import here

if TYPE_CHECKING:
    from collections.abc import Collection

    from django.db.models import QuerySet

    from accounts.rights import Held
    from meshes.models import ManagedRoute

M = TypeVar("M", bound=Model)
Selectors = dict[tuple[str, str, str], dict[str, str]]


@dataclass(frozen=True, slots=True)
class Sight:
    """`held`: the grants, read once; `environment` empty: all of them. No query but the rows' own.

    `read`: selectors of services that were asked for, by clusters: one look sees each once.
    """

    held: Held
    environment: str = ""
    read: dict[frozenset[str], Selectors] = field(default_factory=dict, compare=False, repr=False)

    def clusters(self) -> QuerySet[Cluster]:
        """Clusters."""
        rows = self.held.narrow(Cluster.objects.all(), READ)
        return rows.filter(environment=self.environment) if self.environment else rows

    def meshes(self) -> QuerySet[Mesh]:
        """Meshes that are there."""
        return self._there(Mesh.objects.filter(gone_at=None))

    def modes(self) -> QuerySet[MtlsMode]:
        """Who takes plaintext: a row for each namespace whose pods a mesh takes."""
        return self._there(MtlsMode.objects.filter(gone_at=None))

    def services(self) -> QuerySet[Service]:
        """Services that are there, a row per cluster."""
        return self._there(Service.objects.filter(gone_at=None))

    def selectors(self, clusters: Collection[str]) -> Selectors:
        """(cluster's slug, namespace, name) → what chooses its pods, of the services there. One query, once."""
        asked = frozenset(clusters)
        if asked not in self.read:
            rows = self.services().filter(cluster__slug__in=asked).order_by()
            columns = rows.values_list("cluster__slug", "namespace", "name", "selector")
            self.read[asked] = {(slug, namespace, name): selector or {} for slug, namespace, name, selector in columns}
        return self.read[asked]

    def routes(self) -> QuerySet[Route]:
        """Routes that are there."""
        return self._there(Route.objects.filter(gone_at=None))

    def managed(self) -> QuerySet[ManagedRoute]:
        """Routes that MeshUI wrote last; not what it deleted, unless somebody made that again."""
        return self._there(kept())

    def measured(self) -> QuerySet[Series]:
        """What is measured of services, their backends and their callers."""
        return self._there(Series.objects.all())

    def counts(self) -> Counts:
        """Services, routes, managed routes and who takes plaintext, cluster by cluster. One query."""
        return counts_in(self.services(), self.routes(), self.managed(), self.modes())

    def changes(self) -> QuerySet[Change]:
        """Change requests, by all of their targets."""
        return here(self.held.narrow(Change.objects.all(), READ), self.environment)

    def _there(self, rows: QuerySet[M]) -> QuerySet[M]:
        found = self.held.narrow(rows.filter(cluster__removed_at=None), READ)
        return found.filter(cluster__environment=self.environment) if self.environment else found
