"""The one evaluator of scopes. Grants are read anew at every question: a right that was taken is gone at the next.

Inside of `read_once`, where requests run that only read, they are read once: such a page says one thing throughout.

`user` may be a User or an Actor. A person has the rights of their grants; a token those of its owner that it was given,
within its own scope, and never a vote. Services and the system have none; nor has `is_superuser` any. The system's own
acts are guarded by what they do, not by grants.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from django.db.models import Exists, ManyToOneRel, Model, OuterRef, Q

from accounts.models import Grant, Token
from accounts.types import ROLES, TOKEN_VERBS, Scope
from audit.types import Actor
from meshui.lib.rights import ScopeColumns

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from django.db.models import QuerySet

    from meshui.lib.rights import Place

M = TypeVar("M", bound=Model)
NOTHING = Q(pk__in=[])
Grants = tuple[tuple[frozenset[str], Any], ...]
"""What somebody was granted: the verbs of a role, and the scope as the row holds it."""
_read: ContextVar[dict[UUID, Grants] | None] = ContextVar("read_grants", default=None)


@contextmanager
def read_once() -> Iterator[None]:
    """The grants of a person are read at the first question of the block, and no more in it. For what only reads."""
    token = _read.set({})
    try:
        yield
    finally:
        _read.reset(token)


def has(user: object, verb: str) -> bool:
    """Whether `user` has a live grant of `verb` anywhere. One query; two for a token."""
    if _is_token(user):
        return bool(_bounds(user, verb))
    person = _person(user)
    return person is not None and any(verb in verbs for verbs, _ in _grants(person))


def may(user: object, verb: str, places: Iterable[Place]) -> bool:
    """Whether `user` has `verb` on every one of `places`, and there is one. One query."""
    wanted = list(places)
    bounds = _bounds(user, verb)
    return bool(wanted) and all(any(scope.holds(place) for scope in bounds) for place in wanted)


def verbs(user: object) -> frozenset[str]:
    """Every verb that `user` has somewhere. One query; two for a token."""
    person, token = _person(user), _token(user)
    if person is None or (_is_token(user) and token is None):
        return frozenset()
    found: frozenset[str] = frozenset().union(*(verbs for verbs, _ in _grants(person)))
    return found if token is None else found & TOKEN_VERBS & set(token.verbs)


def in_scope(queryset: QuerySet[M], user: object, verb: str) -> QuerySet[M]:
    """The rows of `queryset` on which `user` has `verb`. One query now, none later but the rows' own.

    A model without SCOPE, or without a column for an axis, is outside of every grant that restricts that axis.
    """
    return narrower(user, verb)(queryset)


def narrower(user: object, verb: str) -> Callable[[QuerySet[Any]], QuerySet[Any]]:
    """What narrows any queryset as `in_scope` does, by grants that were read once. One query now, two for a token."""
    bounds = _bounds(user, verb)
    return lambda queryset: _within(queryset, bounds)


class Held:
    """What one person holds now, read once: for a page that asks of several kinds of rows. One query, when made.

    Pages alone ask so: a token holds nothing here.
    """

    def __init__(self, user: object) -> None:
        person = None if _key(user) else _person(user)
        self._grants = () if person is None else _grants(person)
        self.verbs: frozenset[str] = frozenset().union(*(verbs for verbs, _ in self._grants))

    def narrow(self, queryset: QuerySet[M], verb: str) -> QuerySet[M]:
        """The rows of `queryset` on which the person has `verb`, as `in_scope` says it. No query but the rows' own."""
        return _within(queryset, _read_scopes(scope for verbs, scope in self._grants if verb in verbs))


def _within(queryset: QuerySet[M], bounds: list[Scope]) -> QuerySet[M]:
    """The rows inside of at least one of `bounds`; without any it is known at once, and asked of nobody."""
    if not bounds:
        return queryset.none()
    columns: ScopeColumns = getattr(queryset.model, "SCOPE", ScopeColumns())
    if not columns.every:
        return queryset.filter(_any_of(bounds, columns))
    rows = _rows_of(queryset.model, columns.every)
    inside = rows.model._base_manager.filter(_any_of(bounds, columns))  # noqa: SLF001 - as in _rows_of
    return queryset.filter(Exists(rows), ~Exists(rows.exclude(pk__in=inside)))


def in_each_scope(queryset: QuerySet[M], user: object, wanted: Sequence[str]) -> list[QuerySet[M]]:
    """As in_scope, once for each verb of `wanted`, in their order. For a person one query now for all of them."""
    if _is_token(user):
        return [in_scope(queryset, user, verb) for verb in wanted]
    person = _person(user)
    grants = () if person is None else _grants(person)
    return [_within(queryset, _read_scopes(scope for verbs, scope in grants if verb in verbs)) for verb in wanted]


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
        found.setdefault(person, []).extend(_read_scopes([stored]))
    return {person: Reach(tuple(bounds)) for person, bounds in found.items() if bounds}


def _person(user: object) -> UUID | None:
    """The account behind `user`; None for whoever is no person, or inactive as far as the object knows."""
    if isinstance(user, Actor):
        return UUID(user.user_id) if user.kind in {"person", "token"} and user.user_id else None
    pk = getattr(user, "pk", None)
    return pk if isinstance(pk, UUID) and getattr(user, "is_active", False) else None


def _is_token(user: object) -> bool:
    """Whether a token asks, be it known or not: it never falls back to what its owner may."""
    return user.kind == "token" if isinstance(user, Actor) else bool(_key(user))


def _key(user: object) -> str:
    """The key of the token that asks; empty for a person."""
    if isinstance(user, Actor):
        return user.auth.token_key if user.kind == "token" else ""
    return str(getattr(user, "token_key", ""))


def _token(user: object) -> Token | None:
    """The token that asks, read anew: None once it is over, revoked, or its owner's account closed."""
    key = _key(user)
    return Token.objects.live().filter(key=key).first() if key else None


def _bounds(user: object, verb: str) -> list[Scope]:
    """The scopes in which `user` has `verb` now."""
    person, token = _person(user), _token(user)
    if person is None:
        return []
    if not _is_token(user):
        return _granted(person, verb)
    if token is None or token.owner_id != person or verb not in TOKEN_VERBS & set(token.verbs):
        return []
    try:
        bounds = token.bounds
    except ValueError:
        return []
    return [both for scope in _granted(person, verb) if (both := scope.within(bounds))]


def _granted(person: UUID, verb: str) -> list[Scope]:
    """The scopes in which this person has `verb` now."""
    return _read_scopes(scope for verbs, scope in _grants(person) if verb in verbs)


def _grants(person: UUID) -> Grants:
    """What this person holds now; inside of `read_once` as it was read first. One query, or none."""
    known = _read.get()
    if known is not None and person in known:
        return known[person]
    rows = Grant.objects.live().of(person).values_list("role", "scope")
    found: Grants = tuple((ROLES.get(role, frozenset()), scope) for role, scope in rows)
    if known is not None:
        known[person] = found
    return found


def _read_scopes(rows: Iterable[object]) -> list[Scope]:
    """Scopes as rows hold them; one that is not valid gives nothing."""
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
