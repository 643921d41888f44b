"""The shapes of what people send about clusters. What opens one is parsed here and never shown again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.conf import settings
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from clusters.intake import InClusterError, in_cluster_connection, parse_direct
from clusters.kubeconfig import MAX_BYTES, ChooseContextError, KubeconfigError, parse_kubeconfig
from clusters.manifests import MESHES, Wish
from clusters.models import DNS_LABEL

if TYPE_CHECKING:
    from collections.abc import Callable

    from clusters.kubeconfig import ContextOption, Finding, ParsedKubeconfig

ROLES = [("reader", _("Reading")), ("writer", _("Writing: dry runs and applies changes"))]
PLAIN = {"autocapitalize": "none", "spellcheck": "false", "autocomplete": "off"}
CANNOT = _("This connection cannot be taken: see what is wrong with it.")


class SecretText(forms.Textarea):
    """A text field that never gives back what was written into it."""

    def format_value(self, value: Any) -> str | None:
        """Nothing."""
        return None


class NamespacesField(forms.CharField):
    """Names of namespaces, separated by spaces, commas or lines; a tuple."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, max_length=4_000, widget=forms.Textarea(attrs={"rows": 2, **PLAIN}), **kwargs)

    def clean(self, value: Any) -> tuple[str, ...]:
        """Each name once, in order. Raises ValidationError on what is no name."""
        names = tuple(dict.fromkeys(re.split(r"[\s,]+", super().clean(value).strip())))
        for name in filter(None, names):
            DNS_LABEL(name)
        return tuple(filter(None, names))


def _label(label: Any, help_text: Any) -> forms.CharField:
    widget = forms.TextInput(attrs=PLAIN)
    return forms.CharField(label=label, max_length=63, validators=[DNS_LABEL], widget=widget, help_text=help_text)


class IntakeForm(forms.Form):
    """One way to say what opens a cluster. After is_valid() `kubeconfig` is in cleaned_data: what was kept of it.

    `findings` are all faults at once, `options` the contexts where one must be chosen. `account_context` is set where a
    ServiceAccount of its own is the mend: the context, quoted for a shell, or empty.
    """

    submit: ClassVar[Any] = _("Register and test")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.findings: tuple[Finding, ...] = ()
        self.options: tuple[ContextOption, ...] = ()
        self.preselected = ""
        self.account_context: str | None = None

    def take(self, parse: Callable[[], ParsedKubeconfig], *, blamed: str | None) -> None:
        """Keep what `parse` gives; its faults are shown, and the field `blamed` is marked."""
        try:
            self.cleaned_data["kubeconfig"] = parse()
        except KubeconfigError as error:
            self.findings = error.findings
            if any(finding.needs_account for finding in error.findings):
                self.account_context = error.context
            self.add_error(blamed, CANNOT)
        except ChooseContextError as error:
            self.options, self.preselected = error.options, error.preselected
            self.add_error("context", gettext("The file has several contexts: write the name of one."))
        except InClusterError as error:
            self.add_error(None, str(error))


class KubeconfigForm(IntakeForm):
    """A kubeconfig as text or file, and which of its contexts."""

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
        widget=forms.TextInput(attrs=PLAIN),
    )

    def clean(self) -> dict[str, Any]:
        """Parse what was given; its text is dropped."""
        text, upload = self.cleaned_data.pop("text", ""), self.cleaned_data.pop("upload", None)
        if bool(text) == bool(upload):
            self.add_error("text", gettext("Give one kubeconfig: as text or as a file."))
            return self.cleaned_data
        raw = upload.read(MAX_BYTES + 1) if upload else text.encode("utf-8", "replace")
        rules = {"context": self.cleaned_data.get("context", ""), "allow_insecure": settings.ALLOW_INSECURE_TLS}
        self.take(lambda: parse_kubeconfig(raw, **rules), blamed="text")
        return self.cleaned_data


class AddressForm(IntakeForm):
    """The server's address, its CA and a token."""

    server = forms.CharField(
        label=_("Address of the API server"),
        max_length=300,
        widget=forms.TextInput(attrs={**PLAIN, "inputmode": "url", "placeholder": "https://10.0.0.1:6443"}),
        help_text=_("As `kubectl cluster-info` says it. A host and a port, nothing else."),
    )
    ca = forms.CharField(
        label=_("CA certificate"),
        required=False,
        max_length=64 * 1024,
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false", "autocomplete": "off"}),
        help_text=_("PEM. Empty: the certificate is of a public CA."),
    )
    token = forms.CharField(
        label=_("Token"),
        max_length=16 * 1024,
        widget=SecretText(attrs={"rows": 3, "spellcheck": "false", "autocomplete": "off"}),
        help_text=_("Of a ServiceAccount. It is stored encrypted and never shown again."),
    )
    tls_name = forms.CharField(
        label=_("Name in its certificate"),
        required=False,
        max_length=253,
        widget=forms.TextInput(attrs=PLAIN),
        help_text=_("Only if it is not the host of the address."),
    )

    def clean(self) -> dict[str, Any]:
        """Check the parts by the rules of kubeconfigs; the token is dropped."""
        given = {name: self.cleaned_data.pop(name, "") for name in ("server", "ca", "token", "tls_name")}
        if not self.errors:
            self.take(
                lambda: parse_direct(
                    server=given["server"], ca_pem=given["ca"], token=given["token"], tls_name=given["tls_name"]
                ),
                blamed=None,
            )
        return self.cleaned_data


class InClusterForm(IntakeForm):
    """The cluster that MeshUI runs in: nothing to fill in."""

    def clean(self) -> dict[str, Any]:
        """Look at the pod's own account."""
        self.take(in_cluster_connection, blamed=None)
        return self.cleaned_data


class NamesForm(forms.Form):
    """What a cluster is called, where it belongs, and how far it is read."""

    name = forms.CharField(label=_("Name"), max_length=100, help_text=_("As people know it."))
    slug = _label(_("Short name"), _("Stands in URLs and grants: lower-case letters, digits, hyphens. It stays."))
    environment = _label(
        _("Environment"), _("Such as production or staging. Changes in production need two approvals.")
    )
    namespaces = NamespacesField(
        label=_("Only these namespaces"),
        help_text=_("Only if the credential may not read the whole cluster. Empty: everything in it."),
    )
    writes = forms.BooleanField(
        label=_("Use it for writing too"),
        required=False,
        help_text=_("Without it MeshUI only reads. You can bring another credential for writing later."),
    )


NAMES_FIRST = ["name", "slug", "environment"]
NAMES_LAST = ["namespaces", "writes"]


class AddClusterForm(KubeconfigForm, NamesForm):
    """A cluster to register, by a kubeconfig."""

    field_order = [*NAMES_FIRST, "text", "upload", "context", *NAMES_LAST]


class AddByAddressForm(AddressForm, NamesForm):
    """A cluster to register, by its address."""

    field_order = [*NAMES_FIRST, "server", "ca", "token", "tls_name", *NAMES_LAST]


class AddInClusterForm(InClusterForm, NamesForm):
    """The cluster around MeshUI, to register."""

    field_order = [*NAMES_FIRST, *NAMES_LAST]


class RoleForm(forms.Form):
    """What a new credential is for."""

    role = forms.ChoiceField(label=_("Use it for"), choices=ROLES)


class CredentialForm(KubeconfigForm, RoleForm):
    """A new credential of one role, by a kubeconfig."""

    submit = _("Replace and test")
    field_order = ["role", "text", "upload", "context"]


class CredentialByAddressForm(AddressForm, RoleForm):
    """A new credential of one role, by address, CA and token."""

    submit = _("Replace and test")
    field_order = ["role", "server", "ca", "token", "tls_name"]


class CredentialInClusterForm(InClusterForm, RoleForm):
    """The pod's own account as the credential of one role."""

    submit = _("Replace and test")


class ReasonForm(forms.Form):
    """Why something that cannot be taken back lightly is done."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=4_000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("One sentence. It stands in the history."),
    )


class AdoptForm(ReasonForm):
    """Which identity is adopted, as it was seen, and why."""

    uid = forms.CharField(max_length=64, widget=forms.HiddenInput)


class NamespacesForm(forms.Form):
    """How far a cluster is read."""

    namespaces = NamespacesField(
        label=_("Only these namespaces"), help_text=_("Separated by spaces. Empty: everything in the cluster.")
    )


class RightsForm(forms.Form):
    """Which manifest is wanted, all of it in the URL."""

    writes = forms.BooleanField(label=_("Also change routes"), required=False)
    namespaces = NamespacesField(
        label=_("Only in these namespaces"), help_text=_("Separated by spaces. Empty: in the whole cluster.")
    )
    mesh = forms.MultipleChoiceField(
        label=_("Meshes"),
        required=False,
        choices=[("istio", "Istio"), ("linkerd", "Linkerd")],
        widget=forms.CheckboxSelectMultiple,
        help_text=_("None ticked: both."),
    )
    metrics = forms.BooleanField(
        label=_("Also read metrics through the API server"),
        required=False,
        help_text=_(
            "Lists pods, and reads pages of their proxies and of a Prometheus by GET. Not needed with an address."
        ),
    )

    def wish(self) -> Wish:
        """What was asked for; the default where it cannot be read."""
        if not self.is_valid():
            return Wish()
        chosen = tuple(self.cleaned_data["mesh"]) or MESHES
        return Wish(self.cleaned_data["writes"], self.cleaned_data["namespaces"], chosen, self.cleaned_data["metrics"])
