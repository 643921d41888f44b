"""Sign-in and out, and what stands behind one-time links."""

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
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import FormView, View

from accounts import selectors
from accounts.adapter import TOO_MANY, remember_device
from accounts.forms import FirstAdministratorForm, PasswordForm
from accounts.services import (
    TRIES_WINDOW,
    create_first_administrator,
    set_first_password,
)
from meshui.lib.clock import now
from meshui.lib.errors import RefusedError
from meshui.ui.htmx import go_to

if TYPE_CHECKING:
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
