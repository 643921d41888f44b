"""A tour through all pages of the demo: found by following links, as people find them."""

from __future__ import annotations

import re
from collections import Counter, deque
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urljoin, urlsplit

from django.urls import Resolver404, URLPattern, URLResolver, get_resolver, resolve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

SIGN_IN: Final = re.compile(r"^  (\w+) +(\S+)   ", re.MULTILINE)
"""A line of what the demo prints: name, password, what they do."""
SAME_NAME: Final = 2
IN_STATES: Final = {"traffic:change-detail": 9}
"""Addresses of one name that are looked at: pages of changes lead elsewhere in each state."""
LEADS: Final = {"a": ("href",), "form": ("action",)}
ANYWHERE: Final = ("hx-get", "data-href")


@dataclass(frozen=True)
class Stop:
    """A page of the tour: the name of its URL, an address with that name, and who found it."""

    name: str
    path: str
    person: str

    @property
    def file(self) -> str:
        """For the file of its picture."""
        return self.name.replace(":", "-")


class _Links(HTMLParser):
    """Where a page leads to: links, forms that ask, fragments."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.files: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep what it leads to."""
        given = dict(attrs)
        if tag == "form" and (given.get("method") or "get").lower() != "get":
            return
        if tag == "a" and "download" in given:
            self.files.append(given.get("href") or "")
            return
        self.found += [value for name in (*LEADS.get(tag, ()), *ANYWHERE) if (value := given.get(name))]


def pages() -> dict[str, URLPattern]:
    """Every URL that answers a GET with a page or a fragment; the API speaks for itself."""
    return {name: pattern for name, pattern in _routes() if _can_be_looked_at(name, pattern)}


def sign_ins(printed: str) -> dict[str, str]:
    """Name → password, from what the demo printed."""
    return dict(SIGN_IN.findall(printed))


@dataclass
class Finder:
    """Follows the links of one person, through as many addresses of one name of a URL as states may differ by.

    `found`: the first address of each name; `files`: names of what is only downloaded.
    """

    page: Page
    person: str
    found: dict[str, Stop] = field(default_factory=dict)
    files: set[str] = field(default_factory=set)
    broken: list[str] = field(default_factory=list)

    def walk(self, *start: str) -> dict[str, Stop]:
        """All that can be reached from `start`."""
        waiting, seen = deque(start), Counter[str]()
        been: set[str] = set()
        while waiting:
            path = waiting.popleft()
            stop = self._stop(path)
            where = urlsplit(path).path
            if stop is None or where in been or seen[stop.name] == IN_STATES.get(stop.name, SAME_NAME):
                continue
            been.add(where)
            seen[stop.name] += 1
            self.found.setdefault(stop.name, stop)
            waiting += self._leads(path)
        return self.found

    def _stop(self, path: str) -> Stop | None:
        try:
            match = resolve(urlsplit(path).path)
        except Resolver404:
            return None
        name = match.view_name
        return Stop(name, path, self.person) if name in pages() else None

    def _leads(self, path: str) -> list[str]:
        answer = self.page.request.get(path, headers={"Accept": "text/html"})
        if answer.status != 200:
            self.broken.append(f"{self.person}: {path} answers {answer.status}")
        if "html" not in answer.headers.get("content-type", ""):
            return []
        links = _Links()
        links.feed(answer.text())
        files = [self._stop(urljoin(path, link)) for link in links.files]
        self.files |= {stop.name for stop in files if stop is not None}
        joined = (urlsplit(urljoin(path, link)) for link in links.found)
        origin = urlsplit(answer.url).netloc
        return [
            f"{each.path}?{each.query}" if each.query else each.path
            for each in joined
            if each.path and each.netloc in {"", origin}
        ]


def _routes() -> Iterator[tuple[str, URLPattern]]:
    def walk(patterns: list[Any], space: str) -> Iterator[tuple[str, URLPattern]]:
        for each in patterns:
            if isinstance(each, URLResolver):
                yield from walk(each.url_patterns, each.namespace or space)
            else:
                yield (f"{space}:{each.name}" if space else str(each.name)), each

    yield from walk(get_resolver().url_patterns, "")


def _can_be_looked_at(name: str, pattern: URLPattern) -> bool:
    view = getattr(pattern.callback, "view_class", None)
    return not name.startswith("api:") and (view is None or hasattr(view, "get"))
