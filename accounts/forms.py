"""The shapes of what people send about accounts; rights are the verbs' business."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.utils.translation import gettext_lazy as _

from accounts.types import ROLE_LABELS, Scope

ROLE_CHOICES = list(ROLE_LABELS.items())
RULES = _("At least 12 characters; not a common one, not like your name.")


def _username() -> forms.CharField:
    return forms.CharField(
        label=_("Username"),
        max_length=150,
        validators=[UnicodeUsernameValidator()],
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}),
    )


def _display_name() -> forms.CharField:
    widget = forms.TextInput(attrs={"autocomplete": "name"})
    return forms.CharField(
        label=_("Name"), max_length=150, widget=widget, help_text=_("As colleagues know the person.")
    )


def _new_password() -> forms.CharField:
    widget = forms.PasswordInput(attrs={"autocomplete": "new-password"})
    return forms.CharField(label=_("Password"), strip=False, max_length=4096, widget=widget, help_text=RULES)


class PasswordForm(forms.Form):
    """A first password."""

    password = _new_password()


class FirstAdministratorForm(forms.Form):
    """The first person."""

    username = _username()
    display_name = _display_name()
    password = _new_password()


class InviteForm(forms.Form):
    """A person and their roles, everywhere; narrower grants are given on the person's page."""

    username = _username()
    display_name = _display_name()
    roles = forms.MultipleChoiceField(
        label=_("Roles, everywhere"), choices=ROLE_CHOICES, required=False, widget=forms.CheckboxSelectMultiple
    )


class GrantForm(forms.Form):
    """A role within a scope."""

    role = forms.ChoiceField(label=_("Role"), choices=ROLE_CHOICES)
    environment = forms.CharField(label=_("Environments"), required=False, help_text=_("Exact names, with commas."))
    mesh = forms.CharField(label=_("Meshes"), required=False)
    cluster = forms.CharField(label=_("Clusters"), required=False)
    namespace = forms.CharField(label=_("Namespaces"), required=False)
    service = forms.CharField(label=_("Services"), required=False)
    expires_at = forms.DateTimeField(
        label=_("Until (UTC)"), required=False, widget=forms.DateTimeInput(attrs={"type": "datetime-local"})
    )

    def clean(self) -> dict[str, Any]:
        """Gather the axes into `scope`."""
        data = dict(super().clean() or self.cleaned_data)
        lists = {axis: str(data.pop(axis, "")).replace(",", " ").split() for axis in Scope.__slots__}
        scope = {axis: names for axis, names in lists.items() if names}
        try:
            Scope.parsed(scope)
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error
        return {**data, "scope": scope}
