"""/search/: the palette's answers, and the same as a page for whoever has no script."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy, ngettext

from accounts.selectors import signed_in
from meshui.ui.context import ENTRIES
from meshui.ui.needs import is_text
from meshui.ui.statuses import status_of
from meshui.ui.views import PageView
from traffic.search import LEAST, MOST, PER_KIND, Found, search

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from django.utils.functional import _StrPromise

DO: Final = ("propose ", "split ")
"""What may stand before the name of a service whose split is meant."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One answer. `key`: what is pressed after g to come there, too."""

    label: str
    url: str
    icon: str
    note: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """The answers of one kind."""

    title: str
    hits: tuple[Hit, ...]


@dataclass(frozen=True, slots=True)
class Deed:
    """Something to do that needs no object: who has `right` somewhere may find it."""

    label: str | _StrPromise
    url: str
    icon: str
    right: str


DEEDS: Final = (
    Deed(gettext_lazy("Register a cluster"), "clusters:cluster-add", "plus", "cluster.manage"),
    Deed(
        gettext_lazy("Propose a split: choose a service"), "meshes:service-list", "sliders-horizontal", "change.propose"
    ),
    Deed(gettext_lazy("Print the manifest of least rights"), "clusters:rights", "shield-check", "cluster.manage"),
    Deed(gettext_lazy("Invite a person or grant a role"), "accounts:access", "users", "access.manage"),
)


class SearchView(PageView):
    """/search/?q=: pages, clusters, meshes, services, changes and deeds, as far as the reader may see and do them."""

    is_open = True
    page_template = "traffic/search.html"
    partial = "results"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The groups; none for what is no text."""
        text = " ".join(self.request.GET.get("q", "").split())[:MOST]
        text = text if is_text(text) else ""
        groups = tuple(group for group in groups_of(text, search(signed_in(self.request), sought(text))) if group.hits)
        count = sum(len(group.hits) for group in groups)
        said = ngettext("%(n)d result", "%(n)d results", count) % {"n": count}
        return super().get_context_data(text=text, groups=groups, said=said, is_short=len(text) < LEAST, **kwargs)


def sought(text: str) -> str:
    """What is looked for among objects: `split checkout` means checkout."""
    return next((text[len(word) :] for word in DO if text.lower().startswith(word)), text)


def groups_of(text: str, found: Found) -> Iterator[Group]:
    """Objects first, worth a name; then what to do, then pages. Before anything is written: deeds and pages."""
    yield Group(gettext("Change requests"), tuple(_changes(found)))
    yield Group(gettext("Services"), tuple(_services(found)))
    yield Group(gettext("Clusters"), tuple(_clusters(found)))
    yield Group(gettext("Meshes"), tuple(_meshes(found)))
    yield Group(gettext("Do"), tuple(_deeds(text, found))[:PER_KIND])
    yield Group(gettext("Pages"), tuple(_pages(text, found.verbs))[:PER_KIND])


def _changes(found: Found) -> Iterator[Hit]:
    for change in found.changes:
        url = reverse("traffic:change-detail", args=[change.number])
        word = str(status_of(change.state, "change").word)
        yield Hit(f"#{change.number} {change.title}", url, "git-pull-request", word)


def _services(found: Found) -> Iterator[Hit]:
    for service in found.services:
        url = reverse("meshes:service-detail", args=["all", service.namespace, service.name])
        note = ngettext("in %(n)d cluster", "in %(n)d clusters", service.clusters) % {"n": service.clusters}
        yield Hit(f"{service.namespace}/{service.name}", url, "box", note)


def _clusters(found: Found) -> Iterator[Hit]:
    for cluster in found.clusters:
        url = reverse("clusters:cluster-detail", args=[cluster.slug])
        yield Hit(cluster.name, url, "server", cluster.environment)


def _meshes(found: Found) -> Iterator[Hit]:
    for mesh in found.meshes:
        url = reverse("meshes:mesh-detail", args=[mesh.pk])
        yield Hit(gettext("%(mesh)s in %(cluster)s") % {"mesh": mesh.label, "cluster": mesh.cluster}, url, "waypoints")


def _deeds(text: str, found: Found) -> Iterator[Hit]:
    for service in found.services:
        if service.can_propose:
            name = f"{service.namespace}/{service.name}"
            url = reverse("traffic:split", args=["all", service.namespace, service.name])
            yield Hit(gettext("Propose a split for %(service)s") % {"service": name}, url, "sliders-horizontal")
    for deed in DEEDS:
        if deed.right in found.verbs and _holds(deed.label, text):
            yield Hit(str(deed.label), reverse(deed.url), deed.icon)


def _pages(text: str, verbs: Iterable[str]) -> Iterator[Hit]:
    for entry in ENTRIES:
        if entry.needs in verbs and _holds(entry.label, text):
            yield Hit(str(entry.label), entry.url, entry.icon, key=entry.key)


def _holds(label: object, text: str) -> bool:
    """Whether every word of `text` begins a word of `label`."""
    words = str(label).lower().split()
    return all(any(word.startswith(part) for word in words) for part in text.lower().split())
