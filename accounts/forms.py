"""The shapes of what people send about accounts; rights are the verbs' business."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.types import READ, ROLE_LABELS, VERB_LABELS, Scope

if TYPE_CHECKING:
    from collections.abc import Iterable

ROLE_CHOICES = list(ROLE_LABELS.items())
DAYS = [(7, _("7 days")), (30, _("30 days")), (90, _("90 days")), (365, _("a year"))]
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


class UtcField(forms.DateTimeField):
    """A moment in UTC, whatever zone the reader's pages show."""

    def to_python(self, value: Any) -> Any:
        """As DateTimeField, in UTC."""
        with timezone.override("UTC"):
            return super().to_python(value)

    def prepare_value(self, value: Any) -> Any:
        """As DateTimeField, in UTC."""
        with timezone.override("UTC"):
            return super().prepare_value(value)


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


class ScopeForm(forms.Form):
    """The axes of a scope, gathered into `scope`; an empty one restricts nothing."""

    environment = forms.CharField(label=_("Environments"), required=False, help_text=_("Exact names, with commas."))
    mesh = forms.CharField(label=_("Meshes"), required=False)
    cluster = forms.CharField(label=_("Clusters"), required=False)
    namespace = forms.CharField(label=_("Namespaces"), required=False)
    service = forms.CharField(label=_("Services"), required=False)

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


class GrantForm(ScopeForm):
    """A role within a scope."""

    role = forms.ChoiceField(label=_("Role"), choices=ROLE_CHOICES)
    expires_at = UtcField(
        label=_("Until (UTC)"), required=False, widget=forms.DateTimeInput(attrs={"type": "datetime-local"})
    )
    field_order = ["role"]


class TokenForm(ScopeForm):
    """A token: what uses it, what it may, for how long; of what its owner may."""

    name = forms.CharField(label=_("What uses it"), max_length=100, help_text=_("Such as: pipeline of checkout."))
    verbs = forms.MultipleChoiceField(
        label=_("It may"), required=False, widget=forms.CheckboxSelectMultiple, help_text=_("Looking is always part.")
    )
    days = forms.TypedChoiceField(label=_("For"), choices=DAYS, coerce=int, initial=30)
    cidrs = forms.CharField(
        label=_("From these networks alone"), required=False, help_text=_("Such as 10.1.0.0/16; empty: from anywhere.")
    )
    field_order = ["name", "verbs", "days", "cidrs"]

    def __init__(self, *args: Any, owner_verbs: Iterable[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(verb, label) for verb, label in VERB_LABELS.items() if verb in owner_verbs and verb != READ]
        cast("forms.MultipleChoiceField", self.fields["verbs"]).choices = choices

    def clean_cidrs(self) -> list[str]:
        """One by one."""
        return str(self.cleaned_data["cidrs"]).replace(",", " ").split()


class ProfileForm(forms.Form):
    """What somebody says about themselves."""

    display_name = _display_name()
    time_zone = forms.CharField(
        label=_("Time zone"),
        max_length=64,
        widget=forms.TextInput(attrs={"list": "zones", "autocomplete": "off", "spellcheck": "false"}),
        help_text=_("Such as Europe/Berlin. Times on pages are shown in it; history stays in UTC."),
    )


class ChangePasswordForm(forms.Form):
    """The present password, and the new one."""

    old = forms.CharField(
        label=_("Present password"),
        strip=False,
        max_length=4096,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    new = _new_password()


class CloseForm(forms.Form):
    """Why an account is closed."""

    reason = forms.CharField(label=_("Why"), max_length=4000)


class SavedViewForm(forms.Form):
    """A list under a name."""

    name = forms.CharField(label=_("Name of this view"), max_length=60)
    is_default = forms.BooleanField(label=_("Open the list with it"), required=False)
    at = forms.CharField(widget=forms.HiddenInput, max_length=2000)


class RenameViewForm(forms.Form):
    """Another name."""

    name = forms.CharField(max_length=60)
