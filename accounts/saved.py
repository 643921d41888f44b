"""Saved views: lists under names of one's own. Everybody has their own; nobody sees those of others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from accounts.models import SavedView
from accounts.selectors import get_user, person_of
from audit.services import about, record, verb
from meshui.lib.errors import InvalidError, MissingError

if TYPE_CHECKING:
    from uuid import UUID

    from accounts.models import User
    from audit.types import Actor

MOST: Final = 100
NAME_LENGTH: Final = 60


def list_saved_views(user: User) -> list[SavedView]:
    """Those of `user`, by page and name. One query."""
    return list(SavedView.objects.filter(user=user))


def get_saved_view(user: User, view_id: UUID | str) -> SavedView:
    """One of `user`'s own. Raises MissingError, also for those of others. One query."""
    return _own(str(user.pk), view_id)


def default_queries(user: User) -> dict[str, str]:
    """Path → the query that the list has without one. One query."""
    return dict(SavedView.objects.filter(user=user, is_default=True).exclude(query="").values_list("path", "query"))


@verb("accounts.view.saved")
def save_view(*, actor: Actor, path: str, query: str, name: str, is_default: bool = False) -> SavedView:
    """Keep a list under a name; a view of this name of the same page is replaced.

    Raises DeniedError for whoever is no person, InvalidError without a name or with more than a hundred views.
    """
    owner, words = get_user(_person(actor)), _named(name)
    if SavedView.objects.filter(user=owner).count() >= MOST:
        raise InvalidError("These are too many saved views.", mend="Delete some that you do not use.")
    if is_default:
        SavedView.objects.filter(user=owner, path=path).update(is_default=False)
    made, _ = SavedView.objects.update_or_create(
        user=owner, path=path, name=words, defaults={"query": query, "is_default": is_default}
    )
    record("accounts.view.saved", actor=actor, target=made, path=path, is_default=is_default)
    return made


@verb("accounts.view.renamed")
def rename_view(*, actor: Actor, view_id: UUID | str, name: str) -> SavedView:
    """Another name for one's own view. Raises MissingError, InvalidError if it is taken or empty."""
    view, words = _own(_person(actor), view_id), _named(name)
    about(view)
    if SavedView.objects.filter(user=view.user_id, path=view.path, name=words).exclude(pk=view.pk).exists():
        raise InvalidError(f"You have a view “{words}” of this list.", mend="Choose another name, or delete that one.")
    view.name = words
    view.save(update_fields=["name"])
    record("accounts.view.renamed", actor=actor, target=view)
    return view


@verb("accounts.view.default_set")
def set_default_view(*, actor: Actor, view_id: UUID | str, is_default: bool) -> SavedView:
    """Whether the list opens with this view. Raises MissingError."""
    view = _own(_person(actor), view_id)
    about(view)
    SavedView.objects.filter(user=view.user_id, path=view.path).update(is_default=False)
    view.is_default = is_default
    view.save(update_fields=["is_default"])
    record("accounts.view.default_set", actor=actor, target=view, is_default=is_default)
    return view


@verb("accounts.view.deleted")
def delete_view(*, actor: Actor, view_id: UUID | str) -> None:
    """Forget it. Raises MissingError."""
    view = _own(_person(actor), view_id)
    about(view)
    record("accounts.view.deleted", actor=actor, target=view)
    view.delete()


def _own(user_id: str, view_id: UUID | str) -> SavedView:
    view = SavedView.objects.filter(pk=view_id, user_id=user_id).first()
    if view is None:
        raise MissingError("There is no such view.", mend="Open the list and look at its views.")
    return view


def _person(actor: Actor) -> str:
    return person_of(actor, "Only people have saved views.")


def _named(name: str) -> str:
    words = " ".join(name.split())
    if not words or len(words) > NAME_LENGTH:
        raise InvalidError(f"A view needs a name of at most {NAME_LENGTH} characters.")
    return words
