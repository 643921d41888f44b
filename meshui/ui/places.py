"""A page of this site as another page names it: `?at=/clusters/?health=unreachable`. Nothing of another site is one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.http import QueryDict
from django.utils.http import url_has_allowed_host_and_scheme

from meshui.ui.needs import is_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.http import HttpRequest

LONGEST = 2000


@dataclass(frozen=True, slots=True)
class At:
    """A path and its query, empty parameters dropped."""

    path: str = "/"
    query: str = ""

    @property
    def params(self) -> Mapping[str, str]:
        """The parameters, the last of each name."""
        return QueryDict(self.query).dict()

    @property
    def url(self) -> str:
        """As a link."""
        return f"{self.path}?{self.query}" if self.query else self.path


def place_at(text: str) -> At:
    """The page that `text` names, without its place in the pages of a list; the first page for what names none."""
    return own_place(text) or At()


def own_place(text: str) -> At | None:
    """As `place_at`; None for what names no page of this site."""
    is_own = len(text) <= LONGEST and text.startswith("/") and url_has_allowed_host_and_scheme(text, allowed_hosts=None)
    if not is_own or not is_text(text):
        return None
    found = urlsplit(text)
    return At(found.path, plain_query(found.query))


def came_from(request: HttpRequest) -> str:
    """The page of this site with the link that was followed, for those without script; empty if it is not known."""
    found = urlsplit(request.headers.get("Referer", ""))
    return f"{found.path}?{found.query}" if found.netloc == request.get_host() else ""


def plain_query(query: str) -> str:
    """Without empty parameters, and without the cursor of a page of a list."""
    params = QueryDict(query[:LONGEST], mutable=True)
    for name in list(params):
        values = [value for value in params.getlist(name) if value and name != "after"]
        if values:
            params.setlist(name, values)
        else:
            del params[name]
    return params.urlencode()


def with_params(at: At, **changes: str) -> str:
    """The URL of the page with these parameters; an empty one is dropped."""
    params = QueryDict(at.query, mutable=True)
    for name, value in changes.items():
        params[name] = value
    return At(at.path, plain_query(params.urlencode())).url
