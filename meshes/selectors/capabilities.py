"""What the meshes of a user's clusters can hold: the versions found there, and what their adapters answer for them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from django.utils.translation import gettext

from accounts.types import READ
from meshes.abilities import abilities_of
from meshes.adapters.registry import adapter_for, all_adapters
from meshes.models import ControlPlane
from meshes.types import Version
from meshui.lib.rights import in_scope

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from django.db.models import QuerySet

    from accounts.models import User
    from clusters.models import Cluster
    from meshes.abilities import Ability, Feature
    from meshes.adapters.base import Capabilities
    from meshes.models import Mesh

MAX_FOUND = 500
ANSWERS = ("can", "loses", "cannot")


@dataclass(frozen=True, slots=True)
class FoundVersion:
    """A version of a mesh, and the clusters (slugs) where it runs; none: it is the newest that is known."""

    version: str
    clusters: tuple[str, ...]
    can: Capabilities


@dataclass(frozen=True, slots=True)
class Column:
    """Versions of one mesh that can do the same. `versions`: those found, else the newest known."""

    kind: str
    label: str
    known: tuple[str, str]
    versions: tuple[FoundVersion, ...]
    abilities: tuple[Ability, ...]

    @property
    def can(self) -> Capabilities:
        """What all of its versions have in common."""
        return self.versions[0].can

    @property
    def is_found(self) -> bool:
        """Whether a cluster has it."""
        return bool(self.versions[0].clusters)


@dataclass(frozen=True, slots=True)
class FeatureRow:
    """One feature and what each column answers."""

    feature: Feature
    answers: tuple[Ability, ...]

    @property
    def label(self) -> str:
        """What it is, in the reader's language."""
        return gettext(self.feature.label)


def capability_columns(
    user: User, *, cluster: Cluster | None = None, mesh: Mesh | None = None, known_too: bool = True
) -> list[Column]:
    """Of what runs in all clusters, in one, or of one mesh; those found first. `known_too`: also what runs nowhere.

    Two queries.
    """
    planes = ControlPlane.objects.filter(gone_at=None, cluster__removed_at=None)
    if cluster is not None:
        planes = planes.filter(cluster=cluster)
    if mesh is not None:
        planes = planes.filter(mesh=mesh)
    found = _found(in_scope(planes, user, READ))
    kinds = [adapter.kind for adapter in all_adapters() if known_too or adapter.kind in found]
    columns = [column for kind in kinds for column in _columns(kind, found.get(kind, {}))]
    return sorted(columns, key=lambda column: not column.is_found)


def feature_rows(columns: Sequence[Column], *, text: str = "") -> list[FeatureRow]:
    """A row for each feature whose words hold `text`, over all columns."""
    rows = [FeatureRow(answers[0].feature, answers) for answers in zip(*(c.abilities for c in columns), strict=True)]
    wanted = text.casefold()
    return [row for row in rows if wanted in f"{row.label} {row.feature.id}".casefold()]


def ability_counts(kind: str) -> dict[str, int]:
    """How many features a mesh can hold, loses something of, cannot hold. No query."""
    return dict.fromkeys(ANSWERS, 0) | Counter(ability.answer for ability in _abilities(kind))


def abilities_by_answer(kind: str) -> dict[str, tuple[Ability, ...]]:
    """The features that a mesh can hold, loses something of, cannot hold. No query."""
    found = _abilities(kind)
    return {answer: tuple(each for each in found if each.answer == answer) for answer in ANSWERS}


def _found(planes: QuerySet[ControlPlane]) -> dict[str, dict[str, tuple[str, ...]]]:
    """Kind → version → clusters."""
    rows = planes.order_by("mesh__kind", "version", "cluster__slug").values_list(
        "mesh__kind", "version", "cluster__slug"
    )
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for kind, version, slug in rows.distinct()[:MAX_FOUND]:
        there = found.setdefault(kind, {})
        there[version] = (*there.get(version, ()), slug)
    return found


def _columns(kind: str, found: dict[str, tuple[str, ...]]) -> Iterable[Column]:
    """The versions of a mesh, those together that can do the same."""
    adapter = adapter_for(kind)
    alike: dict[Capabilities, list[FoundVersion]] = {}
    for text, clusters in (found or {adapter.known[1]: ()}).items():
        can = adapter.capabilities(Version.parse(text))
        alike.setdefault(replace(can, is_known=True, nearest=""), []).append(FoundVersion(text, clusters, can))
    return [Column(kind, adapter.label, adapter.known, tuple(each), _abilities(kind)) for each in alike.values()]


@cache
def _abilities(kind: str) -> tuple[Ability, ...]:
    return abilities_of(adapter_for(kind))
