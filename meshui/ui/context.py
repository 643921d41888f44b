"""Context of every page: theme, navigation, who is signed in. Works without a session too, for pages of errors."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from django.conf import settings
from django.urls import reverse
from django.utils.functional import SimpleLazyObject
from django.utils.translation import get_language, gettext_lazy

from meshui.lib import rights
from meshui.ui import wording

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.utils.functional import _StrPromise

PRODUCT: Final = "MeshUI"
SEARCH_URL: Final = "/search/"  # pages of apps above this one
SCOPE_URL: Final = "/scope/"
THEMES: Final = frozenset({"light", "dark", "system"})
ENVIRONMENT: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Entry:
    """A page of the side bar: who has `needs` somewhere sees it. `key` follows g; `group` is its heading."""

    key: str
    label: str | _StrPromise
    url: str
    icon: str
    needs: str
    group: str | _StrPromise = ""


@dataclass(frozen=True, slots=True)
class NavItem:
    """An entry as one person sees it on one page."""

    key: str
    label: str
    url: str
    icon: str
    head: str
    is_current: bool


CHANGE: Final = gettext_lazy("Change")
GOVERN: Final = gettext_lazy("Govern")
ENTRIES: Final = (
    Entry("f", gettext_lazy("Fleet"), "/", "layout-dashboard", "inventory.read"),
    Entry("i", gettext_lazy("Inbox"), "/inbox/", "user-check", "inventory.read"),
    Entry("k", gettext_lazy("Clusters"), "/clusters/", "server", "inventory.read"),
    Entry("m", gettext_lazy("Meshes"), "/meshes/", "waypoints", "inventory.read"),
    Entry("s", gettext_lazy("Services"), "/services/", "box", "inventory.read"),
    Entry("t", gettext_lazy("Topology"), "/topology/", "network", "inventory.read"),
    Entry(
        "c", gettext_lazy("Change requests"), "/changes/", "git-pull-request", "inventory.read", gettext_lazy("Change")
    ),
    Entry("", gettext_lazy("Drift"), "/drift/", "equal-not", "inventory.read", CHANGE),
    Entry("a", gettext_lazy("Audit"), "/audit/", "scroll-text", "audit.read", GOVERN),
    Entry("", gettext_lazy("Access"), "/access/", "users", "access.manage", GOVERN),
)


class PageContext:
    """What base.html needs of `request`; the navigation costs one query, when it is drawn."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        self.product = PRODUCT
        self.search_url = SEARCH_URL
        self.scope_url = SCOPE_URL
        self.version = settings.VERSION
        self.language = get_language() or settings.LANGUAGE_CODE
        theme = request.COOKIES.get("theme", "")
        self.theme = theme if theme in THEMES else "system"
        self.relative_words = wording.relative_words()
        self.request_id = str(getattr(request, "request_id", ""))
        self.env = env_of(request)
        self.nav: Any = SimpleLazyObject(self._build_nav)

    @property
    def is_signed_in(self) -> bool:
        """Whether somebody is."""
        user = getattr(self._request, "user", None)
        return user is not None and user.is_authenticated

    @property
    def person_name(self) -> str:
        """Who is signed in; empty for nobody."""
        return str(self._request.user) if self.is_signed_in else ""

    @property
    def person_note(self) -> str:
        """The name used to sign in, where it says more than the name above it."""
        name = self._request.user.get_username() if self.is_signed_in else ""
        return name if name != self.person_name else ""

    @property
    def me_url(self) -> str:
        """Where whoever is signed in finds what concerns them."""
        return reverse("accounts:me")

    @property
    def person_key(self) -> str:
        """Tells the people of one browser apart, for what it keeps of each."""
        return str(self._request.user.pk) if self.is_signed_in else ""

    @property
    def sign_out_url(self) -> str:
        """Where the sign-out form posts."""
        return reverse("account_logout")

    def _build_nav(self) -> list[NavItem]:
        verbs = rights.evaluator().verbs(self._request.user) if self.is_signed_in else frozenset()
        shown = [entry for entry in ENTRIES if entry.needs in verbs]
        kept = f"?{urlencode({'env': self.env})}" if self.env else ""
        return [_item(entry, before, self._request.path, kept) for before, entry in pairwise([None, *shown]) if entry]


def env_of(request: HttpRequest) -> str:
    """The environment that the URL narrows lists to; empty for all. What is no name of one is none."""
    asked = request.GET.get("env", "")
    return asked if ENVIRONMENT.fullmatch(asked) else ""


def _item(entry: Entry, before: Entry | None, path: str, kept: str) -> NavItem:
    """An entry; the first of a group carries its heading. `kept`: what its link takes along."""
    head = "" if before is not None and before.group == entry.group else str(entry.group)
    return NavItem(entry.key, str(entry.label), entry.url + kept, entry.icon, head, _is_at(entry.url, path))


def _is_at(url: str, path: str) -> bool:
    return path == url if url == "/" else path.startswith(url)


def page(request: HttpRequest) -> dict[str, Any]:
    """The context processor."""
    return {"page": PageContext(request)}
