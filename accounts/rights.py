"""The one evaluator of scopes. Grants are read anew at every question: a right that was taken is gone at the next.

`user` may be a User or an Actor. Only a person has rights: tokens, services and the system have none; nor has
`is_superuser` any. The system's own acts are guarded by what they do, not by grants.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from django.db.models import Exists, ManyToOneRel, Model, OuterRef, Q

from accounts.models import Grant
from accounts.types import ROLES, Scope
from audit.types import Actor
from meshui.lib.rights import ScopeColumns

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from django.db.models import QuerySet

    from meshui.lib.rights import Place

M = TypeVar("M", bound=Model)
NOTHING = Q(pk__in=[])


def has(user: object, verb: str) -> bool:
    """Whether `user` has a live grant of `verb` anywhere. One query."""
    person = _person(user)
    return person is not None and Grant.objects.live().of(person).carrying(verb).exists()


def may(user: object, verb: str, places: Iterable[Place]) -> bool:
    """Whether `user` has `verb` on every one of `places`, and there is one. One query."""
    wanted = list(places)
    bounds = _bounds(user, verb)
    return bool(wanted) and all(any(scope.holds(place) for scope in bounds) for place in wanted)


def verbs(user: object) -> frozenset[str]:
    """Every verb that `user` has somewhere. One query."""
    person = _person(user)
    if person is None:
        return frozenset()
    roles = Grant.objects.live().of(person).values_list("role", flat=True)
    return frozenset().union(*(ROLES.get(role, frozenset()) for role in set(roles)))


def in_scope(queryset: QuerySet[M], user: object, verb: str) -> QuerySet[M]:
    """The rows of `queryset` on which `user` has `verb`. One query now, none later but the rows' own.

    A model without SCOPE, or without a column for an axis, is outside of every grant that restricts that axis.
    """
    bounds = _bounds(user, verb)
    columns: ScopeColumns = getattr(queryset.model, "SCOPE", ScopeColumns())
    if not columns.every:
        return queryset.filter(_any_of(bounds, columns))
    rows = _rows_of(queryset.model, columns.every)
    inside = rows.model._base_manager.filter(_any_of(bounds, columns))  # noqa: SLF001 - as in _rows_of
    return queryset.filter(Exists(rows), ~Exists(rows.exclude(pk__in=inside)))


@dataclass(frozen=True, slots=True)
class Reach:
    """The scopes in which one person has one verb, as they were read."""

    bounds: tuple[Scope, ...]

    def holds(self, places: Iterable[Place]) -> bool:
        """Whether every one of `places` is within one of them, and there is one."""
        wanted = list(places)
        return bool(wanted) and all(any(scope.holds(place) for scope in self.bounds) for place in wanted)


def reaches(people: Collection[UUID], verb: str) -> dict[UUID, Reach]:
    """Of all of `people` at once: where they have `verb`; who has it nowhere is left out. One query."""
    found: dict[UUID, list[Scope]] = {}
    rows = Grant.objects.live().filter(user_id__in=people).carrying(verb)
    for person, stored in rows.values_list("user_id", "scope"):
        found.setdefault(person, []).extend(_parsed([stored]))
    return {person: Reach(tuple(bounds)) for person, bounds in found.items() if bounds}


def _person(user: object) -> UUID | None:
    """The account behind `user`; None for whoever is no person, or inactive as far as the object knows."""
    if isinstance(user, Actor):
        return UUID(user.user_id) if user.kind == "person" and user.user_id else None
    pk = getattr(user, "pk", None)
    return pk if isinstance(pk, UUID) and getattr(user, "is_active", False) else None


def _bounds(user: object, verb: str) -> list[Scope]:
    """The scopes in which `user` has `verb` now."""
    person = _person(user)
    if person is None:
        return []
    return _parsed(Grant.objects.live().of(person).carrying(verb).values_list("scope", flat=True))


def _parsed(rows: Iterable[object]) -> list[Scope]:
    """The scopes in `rows`. A grant whose row holds no valid scope gives nothing."""
    scopes = []
    for stored in rows:
        try:
            scopes.append(Scope.parsed(stored))
        except ValueError:
            continue
    return scopes


def _any_of(bounds: list[Scope], columns: ScopeColumns) -> Q:
    """Rows inside of at least one scope."""
    found = NOTHING
    for scope in bounds:
        axes = scope.axes()
        if not axes:
            return Q()
        if all(getattr(columns, axis) for axis in axes):
            found |= Q(**{f"{getattr(columns, axis)}__in": names for axis, names in axes.items()})
    return found


def _rows_of(model: type[Model], relation: str) -> QuerySet[Any]:
    """The rows of `relation` that belong to the outer row."""
    field = model._meta.get_field(relation)  # noqa: SLF001 - Django's public way to the fields
    if not isinstance(field, ManyToOneRel):
        raise TypeError(f"{model.__name__}.SCOPE.every={relation!r} must be the reverse side of a foreign key.")
    manager = field.related_model._base_manager  # noqa: SLF001 - every row counts, whatever the default manager hides
    return manager.filter(**{field.field.name: OuterRef("pk")})
