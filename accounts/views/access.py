"""/access/: who may do what, with which tokens, and where they are signed in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext

from accounts import selectors, sessions
from accounts.filters import SessionFilter, TokenFilter
from accounts.forms import CloseForm, GrantForm, InviteForm
from accounts.models import Token, User, UserSession
from accounts.services import close_account, end_session, grant_role, invite_person, open_account, revoke_grant
from meshui.ui import wording
from meshui.ui.htmx import go_to
from meshui.ui.views import ActionView, ObjectDetailView, ObjectListView

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet
    from django.http import HttpResponse


class AccessView(ObjectListView[User], ActionView):
    """/access/: who may do what; POST invites somebody and shows the link once."""

    needs = "access.manage"
    is_scoped = True
    page_template = "accounts/access.html"
    sorts = {"name": ("username",)}
    default_sort = "name"
    form_class = InviteForm
    form_template = "accounts/access.html"

    def get_queryset(self) -> QuerySet[User]:
        """Everybody."""
        return selectors.list_people()

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """People and the form; only for those who may see them, also when a form is drawn again."""
        self.require()
        return super().get_context_data(**{"form": InviteForm(), "refusal": None, "invited": None, **kwargs})

    def perform(self, data: dict[str, Any], **kwargs: Any) -> HttpResponse:
        """Invite; the page of the answer is the only place where the link ever stands."""
        token = invite_person(actor=selectors.actor_of(self.request), **data)
        url = self.request.build_absolute_uri(reverse("accounts:set-password", args=[token]))
        invited = {"name": data["display_name"], "url": url}
        return render(self.request, self.page_template, self.get_context_data(invited=invited), status=201)


class PersonView(ObjectDetailView[User], ActionView):
    """/access/<id>/: the grants of one person; POST adds one."""

    needs = "access.manage"
    is_scoped = True
    page_template = "accounts/person.html"
    context_object_name = "person"
    slug_field = "pk"
    slug_url_kwarg = "user_id"
    form_class = GrantForm
    form_template = "accounts/person.html"

    def get_queryset(self) -> QuerySet[User]:
        """Everybody."""
        return selectors.list_people()

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The person and the form; only for those who may see them, also when a form is drawn again."""
        self.require()
        return super().get_context_data(**{"form": GrantForm(), "refusal": None, **kwargs})

    def perform(self, data: dict[str, Any], **kwargs: Any) -> HttpResponse:
        """Grant it."""
        grant_role(actor=selectors.actor_of(self.request), user_id=kwargs["user_id"], **data)
        return go_to(self.request, self.request.path, said=gettext("Granted."))


class AllTokensView(ObjectListView[Token]):
    """/access/tokens/: everybody's."""

    needs = "access.manage"
    is_scoped = True
    page_template = "accounts/tokens.html"
    sorts = {"made": ("-created_at", "-pk")}
    default_sort = "made"

    filterset_class = TokenFilter

    def get_queryset(self) -> QuerySet[Token]:
        """All of them."""
        return selectors.list_tokens()


class GrantRevokeView(ActionView):
    """POST /access/<id>/grants/<id>/revoke/."""

    needs = "access.manage"

    def perform(self, data: dict[str, Any], **kwargs: UUID) -> HttpResponse:
        """Revoke it."""
        revoke_grant(actor=selectors.actor_of(self.request), grant_id=kwargs["grant_id"])
        url = reverse("accounts:person", args=[kwargs["user_id"]])
        return go_to(self.request, url, said=gettext("Revoked."))


class SessionsView(ObjectListView[UserSession]):
    """/access/sessions/: where everybody is signed in."""

    needs = "access.manage"
    is_scoped = True
    page_template = "accounts/sessions.html"
    filterset_class = SessionFilter
    sorts = {"started": ("-started_at", "-pk")}
    default_sort = "started"

    def get_queryset(self) -> QuerySet[UserSession]:
        """Those that can still be used."""
        return sessions.live()

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """With how long they last, and which one asks."""
        return super().get_context_data(
            idle=wording.span(settings.SESSION_IDLE_SECONDS),
            longest=wording.span(settings.SESSION_COOKIE_AGE),
            this=self.request.session.session_key,
            **kwargs,
        )


class SessionEndView(ActionView):
    """POST /me/sessions/<id>/end/: mine, or as an Access admin anybody's."""

    is_open = True

    def perform(self, data: dict[str, Any], **kwargs: UUID) -> HttpResponse:
        """End it."""
        row = end_session(actor=selectors.actor_of(self.request), session_id=kwargs["session_id"])
        is_mine = row.user_id == selectors.signed_in(self.request).pk
        url = reverse("accounts:me" if is_mine else "accounts:sessions")
        return go_to(self.request, url, said=gettext("Ended: that browser has to sign in again."))


class AccountCloseView(ActionView):
    """POST /access/<id>/close/."""

    needs = "access.manage"
    form_class = CloseForm

    def perform(self, data: dict[str, Any], **kwargs: UUID) -> HttpResponse:
        """Close it."""
        close_account(actor=selectors.actor_of(self.request), user_id=kwargs["user_id"], reason=data["reason"])
        return go_to(self.request, reverse("accounts:person", args=[kwargs["user_id"]]), said=gettext("Closed."))


class AccountOpenView(ActionView):
    """POST /access/<id>/open/."""

    needs = "access.manage"

    def perform(self, data: dict[str, Any], **kwargs: UUID) -> HttpResponse:
        """Open it again."""
        open_account(actor=selectors.actor_of(self.request), user_id=kwargs["user_id"])
        return go_to(self.request, reverse("accounts:person", args=[kwargs["user_id"]]), said=gettext("Open again."))
