"""/views/: the saved views of the person who asks, and what they do with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib.auth.signals import user_logged_in
from django.http import Http404
from django.urls import Resolver404, resolve, reverse
from django.utils.translation import gettext

from accounts import saved
from accounts.forms import RenameViewForm, SavedViewForm
from accounts.selectors import actor_of, signed_in
from meshui.lib import rights
from meshui.ui.htmx import SeeOther, go_to
from meshui.ui.places import own_place, place_at
from meshui.ui.views import DEFAULTS, ActionView, PageView

if TYPE_CHECKING:
    from django.forms import BaseForm
    from django.http import HttpRequest, HttpResponse

    from accounts.models import SavedView, User
    from meshui.ui.places import At


class SavedViewsView(PageView, ActionView):
    """/views/?at=/clusters/?health=unreachable: the views of that list; POST keeps it as one."""

    is_open = True
    page_template = "accounts/saved_views.html"
    partial = "sheet"
    form_class: ClassVar[type[BaseForm] | None] = SavedViewForm
    form_template = "accounts/saved_views.html#sheet"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Those of the list first, then all others that may still be opened."""
        at = place_at(self.request.POST.get("at") or self.request.GET.get("at", ""))
        user = signed_in(self.request)
        readable = Readable(self.request)
        views = [view for view in saved.list_saved_views(user) if readable.has(view.path)]
        return super().get_context_data(
            at=at,
            can_save=readable.has(at.path),
            here=[view for view in views if view.path == at.path],
            elsewhere=[view for view in views if view.path != at.path],
            **{"form": SavedViewForm(initial={"at": at.url}), "refusal": None, **kwargs},
        )

    def perform(self, data: dict[str, Any], **kwargs: Any) -> HttpResponse:
        """Keep it, if the person may read that list."""
        at: At | None = own_place(data["at"])
        if at is None or not Readable(self.request).has(at.path):
            raise Http404
        made = saved.save_view(
            actor=actor_of(self.request),
            path=at.path,
            query=at.query,
            name=data["name"],
            is_default=data["is_default"],
        )
        remember_defaults(self.request, signed_in(self.request))
        return go_to(self.request, made.url, said=gettext("Saved as “%(name)s”.") % {"name": made.name})


class SavedViewView(PageView):
    """/views/<id>/: on to the list; 404 for a view of others, or of a list that one may not read any more."""

    is_open = True

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """303."""
        view = saved.get_saved_view(signed_in(request), kwargs["view_id"])
        if not Readable(request).has(view.path):
            raise Http404
        return SeeOther(view.url)


class SavedViewVerbView(ActionView):
    """One verb on one view; then the views of its list."""

    is_open = True

    def perform(self, data: dict[str, Any], **kwargs: Any) -> HttpResponse:
        """Call it."""
        view = saved.get_saved_view(signed_in(self.request), kwargs["view_id"])
        said = self.act(view, data)
        remember_defaults(self.request, signed_in(self.request))
        return go_to(self.request, f"{reverse('accounts:saved-views')}?at={view.path}", said=said)

    def act(self, view: SavedView, data: dict[str, Any]) -> str:
        """The verb; what is said when it is done."""
        raise NotImplementedError


class SavedViewRenameView(SavedViewVerbView):
    """POST /views/<id>/rename/."""

    form_class = RenameViewForm

    def act(self, view: SavedView, data: dict[str, Any]) -> str:
        """Another name."""
        saved.rename_view(actor=actor_of(self.request), view_id=view.pk, name=data["name"])
        return gettext("Renamed.")

    def respond_again(self, status: int, **kwargs: Any) -> HttpResponse:
        """Without a name there is nothing to draw again: the views say what is asked."""
        return go_to(self.request, reverse("accounts:saved-views"), said=gettext("A view needs a name."))


class SavedViewDefaultView(SavedViewVerbView):
    """POST /views/<id>/default/: the list opens with it, or no longer."""

    def act(self, view: SavedView, data: dict[str, Any]) -> str:
        """The other way than it is."""
        saved.set_default_view(actor=actor_of(self.request), view_id=view.pk, is_default=not view.is_default)
        return gettext("The list opens with it.") if not view.is_default else gettext("The list opens without a view.")


class SavedViewDeleteView(SavedViewVerbView):
    """POST /views/<id>/delete/."""

    def act(self, view: SavedView, data: dict[str, Any]) -> str:
        """Forget it."""
        saved.delete_view(actor=actor_of(self.request), view_id=view.pk)
        return gettext("Deleted.")


class Readable:
    """Which paths are lists that the person of `request` may read. One query."""

    def __init__(self, request: HttpRequest) -> None:
        self._verbs = rights.evaluator().verbs(request.user)

    def has(self, path: str) -> bool:
        """Whether a list is there, and they have what it needs."""
        try:
            view: Any = getattr(resolve(path).func, "view_class", None)
        except Resolver404:
            return False
        return bool(getattr(view, "keeps_views", False)) and (not view.needs or view.needs in self._verbs)


def remember_defaults(request: HttpRequest, user: User) -> None:
    """Keep in the session what lists open with, so that no list has to ask. Another session learns it at sign-in."""
    request.session[DEFAULTS] = saved.default_queries(user)


def on_sign_in(sender: object, request: HttpRequest | None, user: User, **kwargs: Any) -> None:
    """The default views of who signs in."""
    if request is not None and hasattr(request, "session"):
        remember_defaults(request, user)


user_logged_in.connect(on_sign_in, dispatch_uid="accounts.views.saved_views")
