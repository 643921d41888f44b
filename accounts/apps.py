"""The app's configuration, and the check that no view is reachable without a declared right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in
from django.core.checks import Error, register
from django.urls import URLPattern, URLResolver, get_resolver

from accounts.actions import ACTIONS
from audit.types import register_actions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from django.http import HttpRequest

    from accounts.models import User

# What nobody needs a right for: the way in and out, and where browsers report what they blocked.
PUBLIC: Final = frozenset({"account_login", "account_logout", "first-administrator", "set-password", "csp-report"})


class AccountsConfig(AppConfig):
    """Accounts."""

    name = "accounts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Make the actions known, and the check."""
        register_actions(ACTIONS)
        register(check_declared)
        user_logged_in.connect(begin_session)


def begin_session(request: HttpRequest, user: User, **kwargs: Any) -> None:
    """Every sign-in, by whichever way, has its row."""
    from accounts.sessions import begin  # noqa: PLC0415 - models are there by now

    begin(request, user)


def check_declared(app_configs: object, **kwargs: Any) -> list[Error]:
    """ACC001 for each URL whose view declares no right."""
    return [
        Error(
            f"The URL {pattern.pattern} leads to a view that declares no right.",
            hint="Set `needs` or `is_open` on the view, or name its URL in accounts.apps.PUBLIC.",
            obj=pattern.callback,
            id="ACC001",
        )
        for pattern in _patterns(get_resolver().url_patterns)
        if not is_declared(pattern)
    ]


def is_declared(pattern: URLPattern) -> bool:
    """Whether the view says which right it needs, or stands in PUBLIC."""
    view = getattr(pattern.callback, "view_class", getattr(pattern.callback, "cls", None))
    is_open = bool(getattr(view, "is_open", False))
    return is_open or bool(getattr(view, "needs", "")) or pattern.name in PUBLIC


def _patterns(patterns: Iterable[URLPattern | URLResolver]) -> Iterator[URLPattern]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _patterns(pattern.url_patterns)
        else:
            yield pattern
