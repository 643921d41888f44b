"""Asks the one evaluator of rights that `settings.RIGHTS` names, so that audit and meshui.ui need not know accounts.

A model that can be seen in part says which of its columns decide: `SCOPE = ScopeColumns(...)`.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, TypeVar, cast

from django.conf import settings

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from uuid import UUID

    from django.db.models import Model, QuerySet

    M = TypeVar("M", bound=Model)
else:
    M = TypeVar("M")

AXES = ("environment", "mesh", "cluster", "namespace", "service")


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is, on the axes of a scope. An axis that does not apply is empty: no restriction fits it."""

    environment: str = ""
    mesh: str = ""
    cluster: str = ""
    namespace: str = ""
    service: str = ""


@dataclass(frozen=True, slots=True)
class ScopeColumns:
    """ORM paths of the columns that hold an object's place.

    `every` names a relation: then the paths are of its rows, all of them must be in scope, and there must be one.
    """

    environment: str = ""
    mesh: str = ""
    cluster: str = ""
    namespace: str = ""
    service: str = ""
    every: str = ""


class Person(Protocol):
    """What the evaluator needs of a user."""

    @property
    def pk(self) -> UUID: ...
    @property
    def is_active(self) -> bool: ...


class Reach(Protocol):
    """Where one person has one verb, as it was when it was read."""

    def holds(self, places: Iterable[Place]) -> bool:
        """Whether every one of `places` is within, and there is one."""


class Evaluator(Protocol):
    """The module that `settings.RIGHTS` names."""

    def has(self, user: object, verb: str) -> bool:
        """Whether `user` has a live grant of `verb` anywhere."""

    def may(self, user: object, verb: str, places: Iterable[Place]) -> bool:
        """Whether `user` has `verb` on every one of `places` (and there is one)."""

    def in_scope(self, queryset: QuerySet[M], user: object, verb: str) -> QuerySet[M]:
        """The rows of `queryset` on which `user` has `verb`; its model says where its place stands (SCOPE)."""

    def in_each_scope(self, queryset: QuerySet[M], user: object, wanted: Sequence[str]) -> list[QuerySet[M]]:
        """As in_scope, once for each verb of `wanted`."""

    def verbs(self, user: object) -> frozenset[str]:
        """Every verb that `user` has somewhere."""

    def reaches(self, people: Collection[UUID], verb: str) -> Mapping[UUID, Reach]:
        """Of all of `people` at once: where they have `verb`; who has it nowhere is left out."""


def evaluator() -> Evaluator:
    """The evaluator in force."""
    return cast("Evaluator", import_module(settings.RIGHTS))


def has(user: object, verb: str) -> bool:
    """Whether `user` has `verb` anywhere: for menus and the first gate of a page."""
    return evaluator().has(user, verb)


def may(user: object, verb: str, places: Iterable[Place]) -> bool:
    """Whether `user` has `verb` on every one of `places`."""
    return evaluator().may(user, verb, places)


def in_scope(queryset: QuerySet[M], user: object, verb: str) -> QuerySet[M]:
    """The rows of `queryset` on which `user` has `verb`."""
    return evaluator().in_scope(queryset, user, verb)


def in_each_scope(queryset: QuerySet[M], user: object, wanted: Sequence[str]) -> list[QuerySet[M]]:
    """The rows of `queryset` on which `user` has each verb of `wanted`, in their order; grants are read once."""
    return evaluator().in_each_scope(queryset, user, wanted)
