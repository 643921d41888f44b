"""Where metrics of a cluster come from, as people say it. What opens a Prometheus is never shown again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from clusters.secrets import Secret
from metrics.models import SourceKind
from metrics.services.source import TENANT_HEADERS, SourceSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from metrics.models import Source

PLAIN: Final = {"autocapitalize": "none", "spellcheck": "false", "autocomplete": "off"}
NEEDED: Final = {SourceKind.URL: ("url",), SourceKind.SERVICE: ("namespace", "service")}


class SecretInput(forms.PasswordInput):
    """A field that never gives back what was written into it."""

    def __init__(self) -> None:
        super().__init__(render_value=False, attrs={**PLAIN, "autocomplete": "new-password"})


class SourceForm(forms.Form):
    """All kinds in one form: fields of another kind than the chosen one are left aside."""

    kind = forms.ChoiceField(label=_("Where from"), choices=SourceKind.choices, widget=forms.RadioSelect)
    url = forms.CharField(
        label=_("Address of the Prometheus"),
        required=False,
        max_length=300,
        widget=forms.URLInput(attrs=PLAIN),
        help_text=_("By its address alone: https://prometheus.example.org"),
    )
    auth = forms.ChoiceField(
        label=_("Signed in to by"),
        required=False,
        choices=[("", _("nothing")), ("bearer", _("a token")), ("basic", _("user:password"))],
        help_text=_("Only for an address."),
    )
    secret = forms.CharField(
        label=_("Token, or user:password"),
        required=False,
        max_length=8_000,
        widget=SecretInput(),
        help_text=_("Encrypted and never shown again; to be given anew whenever the address is saved."),
    )
    ca_pem = forms.CharField(
        label=_("Its CA"),
        required=False,
        max_length=64_000,
        widget=forms.Textarea(attrs={"rows": 3, **PLAIN}),
        help_text=_("PEM. Empty: the public ones."),
    )
    tenant_header = forms.ChoiceField(
        label=_("Header of the tenant"),
        required=False,
        choices=[("", _("none")), *((name, name) for name in sorted(TENANT_HEADERS))],
    )
    tenant = forms.CharField(label=_("Tenant"), required=False, max_length=150, widget=forms.TextInput(attrs=PLAIN))
    namespace = forms.CharField(
        label=_("Namespace of the Prometheus in the cluster"),
        required=False,
        max_length=253,
        widget=forms.TextInput(attrs=PLAIN),
    )
    service = forms.CharField(
        label=_("Its Service"), required=False, max_length=253, widget=forms.TextInput(attrs=PLAIN)
    )
    port = forms.IntegerField(label=_("Its port"), required=False, min_value=1, max_value=65_535)
    labels = forms.CharField(
        label=_("Labels that every query bears"),
        required=False,
        max_length=1_000,
        widget=forms.TextInput(attrs=PLAIN),
        help_text=_("For a Prometheus of several clusters: cluster=eu-west, separated by spaces; at most five."),
    )

    def clean_labels(self) -> dict[str, str]:
        """Name and value of each. Raises ValidationError for what is none."""
        found: dict[str, str] = {}
        for pair in self.cleaned_data["labels"].replace(",", " ").split():
            name, sign, value = pair.partition("=")
            if not (sign and name and value):
                raise forms.ValidationError(gettext("Write each as name=value: %(pair)s is not.") % {"pair": pair})
            found[name] = value.strip('"')
        return found

    def clean(self) -> dict[str, Any]:
        """What the chosen kind needs is there."""
        data = super().clean() or {}
        for name in NEEDED.get(data.get("kind", ""), ()):
            if not data.get(name):
                self.add_error(name, gettext("This source needs it."))
        return data


def settings_of(data: Mapping[str, Any]) -> SourceSettings:
    """What is wanted, of the cleaned data of a SourceForm."""
    wanted = {**data, "secret": Secret(data["secret"]), "port": data["port"] or 9090}
    if wanted["kind"] != SourceKind.URL:
        wanted |= {"url": "", "auth": "", "secret": Secret(""), "ca_pem": "", "tenant_header": "", "tenant": ""}
    return SourceSettings(**wanted)


def initial_of(source: Source | None) -> dict[str, Any]:
    """What the form begins with: the source as it is set, but for what opens it."""
    if source is None:
        return {"kind": SourceKind.AUTO.value, "port": 9090}
    names = ("kind", "url", "auth", "tenant_header", "tenant", "namespace", "service", "port")
    labels = " ".join(f"{name}={value}" for name, value in source.labels.items())
    return {**{name: getattr(source, name) for name in names}, "labels": labels}
