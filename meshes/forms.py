"""What the correction of a service takes in: shape alone, the verbs decide the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django import forms
from django.utils.translation import gettext_lazy as _

from meshes.services.alignment import MAX_REASON, VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshes.alignment import VersionFound
    from meshes.models import BackendVersion
    from meshes.selectors import AlignedCluster
    from meshes.types import Backend

MAX_NAME = 253
MAX_KEY = 600


class CapabilityForm(forms.Form):
    """Which features are looked for."""

    q = forms.CharField(label=_("Feature"), required=False, max_length=100)


class ReasonForm(forms.Form):
    """Why it is so."""

    reason = forms.CharField(
        label=_("Why"),
        max_length=MAX_REASON,
        error_messages={"required": _("Say why: others read it, history keeps it.")},
    )


class VersionForm(ReasonForm):
    """Which version one backend is."""

    backend_key = forms.CharField(max_length=MAX_KEY, widget=forms.HiddenInput)
    version = forms.RegexField(
        rf"\A(?:{VERSION.pattern})\Z",
        label=_("Version"),
        max_length=63,
        error_messages={"invalid": _("Letters, digits, dots, hyphens and underscores, for example v2.")},
    )
    field_order = ("version", "reason")


class BackendForm(forms.Form):
    """A backend by its key."""

    backend_key = forms.CharField(max_length=MAX_KEY)


class LinkForm(ReasonForm):
    """The name under which a service is shown."""

    to_namespace = forms.CharField(label=_("Namespace"), max_length=MAX_NAME)
    to_name = forms.CharField(label=_("Service"), max_length=MAX_NAME)
    field_order = ("to_namespace", "to_name", "reason")


@dataclass(frozen=True, slots=True)
class BackendLine:
    """One backend of the service there, and the form that corrects its version."""

    backend: Backend
    found: VersionFound
    correction: BackendVersion | None
    form: VersionForm


class AlignmentBoard:
    """Everything that may be said of a service in one cluster: a form each, `refused` the one that was sent."""

    def __init__(self, here: AlignedCluster, refused: forms.Form | None = None) -> None:
        self.here = here
        self.lines = list(_lines(here, refused))
        self.link = refused if isinstance(refused, LinkForm) else LinkForm(auto_id="link-%s")
        is_reason = type(refused) is ReasonForm
        self.apart = refused if is_reason else ReasonForm(auto_id="apart-%s")
        self.refused = refused


def _lines(here: AlignedCluster, refused: forms.Form | None) -> Iterator[BackendLine]:
    """A line for each different backend of all routes there."""
    seen: set[str] = set()
    for route in here.routes:
        for backend in route.backends:
            if backend.key in seen:
                continue
            seen.add(backend.key)
            found = route.found[backend.key]
            is_sent = isinstance(refused, VersionForm) and refused.data.get("backend_key") == backend.key
            first = {"backend_key": backend.key, "version": found.version if found.is_told_apart else ""}
            form = refused if is_sent else VersionForm(initial=first, auto_id=f"v{len(seen)}-%s")
            yield BackendLine(backend, found, route.corrections.get(backend.key), form)  # type: ignore[arg-type]  # is_sent
