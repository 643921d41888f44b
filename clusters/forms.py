"""The shapes of what people send about clusters. A kubeconfig is parsed here and never shown again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from clusters.kubeconfig import MAX_BYTES, ChooseContextError, KubeconfigError, parse_kubeconfig
from clusters.models import DNS_LABEL

if TYPE_CHECKING:
    from clusters.kubeconfig import ContextOption, Finding, ParsedKubeconfig

ROLES = [("reader", _("Reading")), ("writer", _("Writing: dry runs and applies changes"))]


class SecretText(forms.Textarea):
    """A text field that never gives back what was written into it."""

    def format_value(self, value: Any) -> str | None:
        """Nothing."""
        return None


def _label(label: Any, help_text: Any) -> forms.CharField:
    widget = forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false", "autocomplete": "off"})
    return forms.CharField(label=label, max_length=63, validators=[DNS_LABEL], widget=widget, help_text=help_text)


class KubeconfigForm(forms.Form):
    """A kubeconfig as text or file, and which of its contexts. After is_valid() `parsed` is what was kept of it.

    `findings` are all faults of the file at once; `options` its contexts where one must be chosen.
    """

    text = forms.CharField(
        label=_("Kubeconfig"),
        required=False,
        strip=False,
        max_length=MAX_BYTES,
        widget=SecretText(attrs={"rows": 10, "spellcheck": "false", "autocomplete": "off"}),
        help_text=_("Paste it here, or choose the file below. It is stored encrypted and never shown again."),
    )
    upload = forms.FileField(label=_("Kubeconfig file"), required=False, allow_empty_file=True)
    context = forms.CharField(
        label=_("Context"),
        required=False,
        max_length=253,
        help_text=_("Only needed where the file has several."),
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false", "autocomplete": "off"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.findings: tuple[Finding, ...] = ()
        self.options: tuple[ContextOption, ...] = ()
        self.preselected = ""
        self.parsed: ParsedKubeconfig | None = None

    def clean(self) -> dict[str, Any]:
        """Parse what was given; its text is dropped."""
        text, upload = self.cleaned_data.pop("text", ""), self.cleaned_data.pop("upload", None)
        if bool(text) == bool(upload):
            self.add_error("text", gettext("Give one kubeconfig: as text or as a file."))
            return self.cleaned_data
        raw = upload.read(MAX_BYTES + 1) if upload else text.encode("utf-8", "replace")
        self._parse(raw, self.cleaned_data.get("context", ""))
        return self.cleaned_data

    def _parse(self, raw: bytes, context: str) -> None:
        try:
            self.parsed = parse_kubeconfig(raw, context=context, allow_insecure=settings.ALLOW_INSECURE_TLS)
        except KubeconfigError as error:
            self.findings = error.findings
            self.add_error("text", gettext("This kubeconfig cannot be taken. What is wrong with it stands below."))
        except ChooseContextError as error:
            self.options, self.preselected = error.options, error.preselected
            self.add_error("context", gettext("The file has several contexts: write the name of one."))
        else:
            self.cleaned_data["kubeconfig"] = self.parsed


class AddClusterForm(KubeconfigForm):
    """A cluster to register."""

    name = forms.CharField(label=_("Name"), max_length=100, help_text=_("As people know it."))
    slug = _label(_("Short name"), _("Stands in URLs and grants: lower-case letters, digits, hyphens. It stays."))
    environment = _label(
        _("Environment"), _("Such as production or staging. Changes in production need two approvals.")
    )
    writes = forms.BooleanField(
        label=_("Use it for writing too"),
        required=False,
        help_text=_("Without it MeshUI only reads. You can upload another credential for writing later."),
    )
    field_order = ["name", "slug", "environment", "text", "upload", "context", "writes"]


class CredentialForm(KubeconfigForm):
    """A new credential of one role."""

    role = forms.ChoiceField(label=_("Use it for"), choices=ROLES)
    field_order = ["role", "text", "upload", "context"]
