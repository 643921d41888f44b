"""Sign-in and out, one-time links, and the people under Access."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.login import record_authentication
from allauth.account.views import LoginView
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import NON_FIELD_ERRORS
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import FormView, View

from accounts import selectors
from accounts.adapter import TOO_MANY, remember_device
from accounts.forms import FirstAdministratorForm, GrantForm, InviteForm, PasswordForm, TokenForm
from accounts.models import Token, User
from accounts.services import (
    TRIES_WINDOW,
    create_first_administrator,
    grant_role,
    invite_person,
    revoke_grant,
    set_first_password,
)
from accounts.tokens import NewToken, make_token, revoke_token
from meshui.lib import rights
from meshui.lib.clock import now
from meshui.lib.errors import RefusedError
from meshui.ui.htmx import go_to
from meshui.ui.views import ActionView, ObjectDetailView, ObjectListView

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet
    from django.forms import Form
    from django.http import HttpRequest, HttpResponse


class SignInView(LoginView):  # type: ignore[misc]  # allauth has no types
    """/sign-in/: name and password; 422 for a wrong one, 429 after too many."""

    template_name = "account/login.html"

    def form_valid(self, form: Form) -> HttpResponse:
        """Signed in: a session of 12 hours, and this browser is known from now on."""
        response: HttpResponse = super().form_valid(form)
        if self.request.user.is_authenticated:
            _begin(self.request, response)
        return response

    def form_invalid(self, form: Form) -> HttpResponse:
        """The form again, the same for every wrong try."""
        is_limited = form.has_error(NON_FIELD_ERRORS, TOO_MANY)
        context = self.get_context_data(form=form)
        response = render(self.request, self.template_name, context, status=429 if is_limited else 422)
        if is_limited:
            response["Retry-After"] = str(int(TRIES_WINDOW.total_seconds()))
        return response


def _begin(request: HttpRequest, response: HttpResponse) -> None:
    """The session ends 12 hours from now, whatever happens in it; the device is marked."""
    request.session.set_expiry(now() + timedelta(seconds=settings.SESSION_COOKIE_AGE))
    remember_device(response, request, selectors.signed_in(request).username)


class SignOutView(View):
    """POST /sign-out/."""

    def post(self, request: HttpRequest) -> HttpResponse:
        """End the session."""
        get_adapter(request).logout(request)
        return redirect("account_login")


@method_decorator([login_not_required, never_cache, sensitive_post_parameters("password")], name="dispatch")
class LinkView(FormView["Form"]):
    """A page behind a one-time link, for somebody who cannot sign in yet."""

    is_invitation = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The link, if it still works. Raises GoneError."""
        link = selectors.get_link(self.kwargs["token"], is_invitation=self.is_invitation)
        return super().get_context_data(**{"link": link, "refusal": None, **kwargs})

    def form_valid(self, form: Form) -> HttpResponse:
        """Use the link up; what was refused is shown above the form."""
        try:
            return self.use(form.cleaned_data)
        except RefusedError as refused:
            context = self.get_context_data(form=form, refusal=refused)
            return render(self.request, self.get_template_names(), context, status=refused.status)

    def form_invalid(self, form: Form) -> HttpResponse:
        """The form again."""
        return render(self.request, self.get_template_names(), self.get_context_data(form=form), status=422)

    def use(self, data: dict[str, Any]) -> HttpResponse:
        """Call the verb."""
        raise NotImplementedError


class FirstAdministratorView(LinkView):
    """/first-administrator/<token>/: makes the first person and signs them in."""

    is_invitation = False
    form_class = FirstAdministratorForm
    template_name = "accounts/first_administrator.html"

    def use(self, data: dict[str, Any]) -> HttpResponse:
        """Make the person, sign them in, lead to inviting others."""
        actor = selectors.stranger_of(self.request, data["username"])
        user = create_first_administrator(actor=actor, token=self.kwargs["token"], **data)
        record_authentication(self.request, user, method="one-time link")
        get_adapter(self.request).login(self.request, user)
        response = go_to(self.request, reverse("accounts:access"))
        _begin(self.request, response)
        return response


class SetPasswordView(LinkView):
    """/set-password/<token>/: the first password of somebody who was invited."""

    form_class = PasswordForm
    template_name = "accounts/set_password.html"

    def use(self, data: dict[str, Any]) -> HttpResponse:
        """Set it and lead to the sign-in."""
        link = selectors.get_link(self.kwargs["token"], is_invitation=True)
        actor = selectors.stranger_of(self.request, link.user.username if link.user else "")
        set_first_password(actor=actor, token=self.kwargs["token"], **data)
        return redirect("account_login")


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


class AllTokensView(ObjectListView[Token]):
    """/access/tokens/: everybody's."""

    needs = "access.manage"
    is_scoped = True
    page_template = "accounts/tokens.html"
    sorts = {"made": ("-created_at", "-pk")}
    default_sort = "made"

    def get_queryset(self) -> QuerySet[Token]:
        """All of them."""
        return selectors.list_tokens()


class TokenRevokeView(ActionView):
    """POST /me/tokens/<id>/revoke/: mine, or as an Access admin anybody's."""

    is_open = True

    def perform(self, data: dict[str, Any], **kwargs: UUID) -> HttpResponse:
        """Revoke it."""
        token = revoke_token(actor=selectors.actor_of(self.request), token_id=kwargs["token_id"])
        is_mine = token.owner_id == selectors.signed_in(self.request).pk
        url = reverse("accounts:my-tokens" if is_mine else "accounts:tokens")
        return go_to(self.request, url, said=gettext("Revoked: it works no more."))


class GrantRevokeView(ActionView):
    """POST /access/<id>/grants/<id>/revoke/."""

    needs = "access.manage"

    def perform(self, data: dict[str, Any], **kwargs: UUID) -> HttpResponse:
        """Revoke it."""
        revoke_grant(actor=selectors.actor_of(self.request), grant_id=kwargs["grant_id"])
        url = reverse("accounts:person", args=[kwargs["user_id"]])
        return go_to(self.request, url, said=gettext("Revoked."))
