"""/me/: what concerns the person who asks, and nobody else."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import available_timezones

from django.contrib.auth import update_session_auth_hash
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext

from accounts import selectors, sessions
from accounts.forms import ChangePasswordForm, ProfileForm, TokenForm
from accounts.models import Token
from accounts.services import change_password, change_profile, end_other_sessions
from accounts.tokens import NewToken, make_token, revoke_token
from meshui.lib import rights
from meshui.ui.htmx import go_to
from meshui.ui.views import ActionView, ObjectListView, PageView

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet
    from django.http import HttpResponse


class MeView(PageView, ActionView):
    """/me/: my grants in words, my sessions, my name and time zone; POST changes the last two."""

    is_open = True
    page_template = "accounts/me.html"
    form_class = ProfileForm
    form_template = "accounts/me.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Everything of mine."""
        user = selectors.signed_in(self.request)
        mine = {"form": None, "refusal": None, **kwargs}
        known = {"display_name": user.display_name, "time_zone": user.time_zone}
        mine["form"] = mine["form"] or ProfileForm(initial=known)
        return super().get_context_data(
            **mine,
            grants=selectors.grants_in_words(user),
            sessions=sessions.of(user, self.request.session.session_key or ""),
            tokens=selectors.list_tokens(user).filter(revoked_at=None).count(),
            zones=sorted(available_timezones()),
        )

    def perform(self, data: dict[str, Any], **kwargs: Any) -> HttpResponse:
        """Change it."""
        change_profile(actor=selectors.actor_of(self.request), **data)
        return go_to(self.request, reverse("accounts:me"), said=gettext("Saved."))


class MyPasswordView(PageView, ActionView):
    """/me/password/: another password; every other session ends."""

    is_open = True
    page_template = "accounts/my_password.html"
    form_class = ChangePasswordForm
    form_template = "accounts/my_password.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The form."""
        return super().get_context_data(**{"form": ChangePasswordForm(), "refusal": None, **kwargs})

    def perform(self, data: dict[str, Any], **kwargs: Any) -> HttpResponse:
        """Change it; this session goes on under a new key."""
        key = self.request.session.session_key or ""
        user = change_password(actor=selectors.actor_of(self.request), session_key=key, **data)
        update_session_auth_hash(self.request, user)
        sessions.rename(key, self.request.session.session_key or "")
        said = gettext("Changed. Every other session of yours has ended.")
        return go_to(self.request, reverse("accounts:me"), said=said)


class OtherSessionsEndView(ActionView):
    """POST /me/sessions/end-others/."""

    is_open = True

    def perform(self, data: dict[str, Any], **kwargs: Any) -> HttpResponse:
        """End them."""
        key = self.request.session.session_key or ""
        end_other_sessions(actor=selectors.actor_of(self.request), session_key=key)
        return go_to(self.request, reverse("accounts:me"), said=gettext("Every other session of yours has ended."))


class MyTokensView(ObjectListView[Token], ActionView):
    """/me/tokens/: my tokens; POST makes one and shows its text once."""

    is_open = True
    is_scoped = True
    page_template = "accounts/my_tokens.html"
    sorts = {"made": ("-created_at", "-pk")}
    default_sort = "made"
    form_class = TokenForm
    form_template = "accounts/my_tokens.html"

    def get_queryset(self) -> QuerySet[Token]:
        """Mine."""
        return selectors.list_tokens(selectors.signed_in(self.request))

    def get_form_kwargs(self) -> dict[str, Any]:
        """What I may decides what is offered."""
        return {"data": self.request.POST, "owner_verbs": self._verbs()}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """My tokens and the form."""
        mine = {"form": None, "refusal": None, "made": None, **kwargs}
        mine["form"] = mine["form"] or TokenForm(owner_verbs=self._verbs())
        return super().get_context_data(**mine)

    def perform(self, data: dict[str, Any], **kwargs: Any) -> HttpResponse:
        """Make it; the page of the answer is the only place where its text ever stands."""
        lasts = timedelta(days=data["days"])
        new = NewToken(data["name"], data["verbs"], lasts, scope=data["scope"], cidrs=data["cidrs"])
        made = make_token(actor=selectors.actor_of(self.request), new=new)
        return render(self.request, self.page_template, self.get_context_data(made=made), status=201)

    def _verbs(self) -> frozenset[str]:
        return rights.evaluator().verbs(self.request.user)


class TokenRevokeView(ActionView):
    """POST /me/tokens/<id>/revoke/: mine, or as an Access admin anybody's."""

    is_open = True

    def perform(self, data: dict[str, Any], **kwargs: UUID) -> HttpResponse:
        """Revoke it."""
        token = revoke_token(actor=selectors.actor_of(self.request), token_id=kwargs["token_id"])
        is_mine = token.owner_id == selectors.signed_in(self.request).pk
        url = reverse("accounts:my-tokens" if is_mine else "accounts:tokens")
        return go_to(self.request, url, said=gettext("Revoked: it works no more."))
