"""UI101: every view, of a page or of the API, says which verb it needs, or that everybody signed in may open it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.checks import Error, register
from django.urls import URLPattern, URLResolver, get_resolver

from meshui.ui.needs import Needs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@register
def check_needs(app_configs: object, **kwargs: Any) -> list[Error]:
    """UI101 for each view in the URL conf that declares nothing."""
    return [
        Error(
            f"{view.__module__}.{view.__name__} says neither `needs` nor `is_open`.",
            hint='Write needs = "inventory.read" (a verb), or is_open = True for everybody signed in.',
            obj=view,
            id="UI101",
        )
        for view in sorted(set(_views(get_resolver().url_patterns)), key=str)
        if not view.needs and not view.is_open
    ]


def _views(patterns: Iterable[URLPattern | URLResolver]) -> Iterator[type[Needs]]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _views(pattern.url_patterns)
        else:
            view = getattr(pattern.callback, "view_class", None)
            if isinstance(view, type) and issubclass(view, Needs):
                yield view
