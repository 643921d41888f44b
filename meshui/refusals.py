"""What production refuses to start with. Each refusal names the setting and the mend; tests: S13."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import Error
from django.core.exceptions import ImproperlyConfigured

from meshui.lib import crash

if TYPE_CHECKING:
    from collections.abc import Iterator

SHORTEST_KEY = 50
KNOWN_KEYS = ("django-insecure", "changeme", "change-me", "secret", "tests-only", "example")


def production_refusals() -> Iterator[Error]:
    """Every reason for which production must not start with the settings in force; none outside production."""
    if not settings.IS_PRODUCTION:
        return
    yield from _debugging()
    yield from _keys()
    yield from _doors()
    yield from _services()


def refuse_production() -> None:
    """Raise ImproperlyConfigured with all refusals, if there is one."""
    found = [f"{error.id}: {error.msg} {error.hint}" for error in production_refusals()]
    if found:
        raise ImproperlyConfigured("Production does not start like this.\n" + "\n".join(found))


def _debugging() -> Iterator[Error]:
    if settings.DEBUG:
        yield Error("DEBUG is on: pages would show settings and source.", hint="Remove it.", id="SYS001")
    if os.environ.get(crash.ENV):
        yield Error(f"{crash.ENV} arms a crash point.", hint="It belongs to tests alone: unset it.", id="SYS002")


def _keys() -> Iterator[Error]:
    key, how = str(settings.SECRET_KEY), "Set MESHUI_SECRET_KEY to 64 random characters."
    if len(key) < SHORTEST_KEY or len(set(key)) < 10:
        yield Error(f"MESHUI_SECRET_KEY is short: {SHORTEST_KEY} random characters at least.", hint=how, id="SYS003")
    if key.lower().startswith(KNOWN_KEYS):
        yield Error("MESHUI_SECRET_KEY is a known one.", hint=how, id="SYS004")
    if key in settings.CREDENTIAL_KEYS:
        yield Error("MESHUI_SECRET_KEY is also a credential key.", hint="Give each its own value.", id="SYS005")
    if {key, *settings.CREDENTIAL_KEYS} & set(settings.TOKEN_PEPPERS):
        yield Error("A pepper of tokens is another key, too.", hint="Give MESHUI_TOKEN_PEPPERS its own.", id="SYS013")
    if not settings.CREDENTIAL_KEYS:
        yield Error("There is no key for credentials.", hint="Set MESHUI_CREDENTIAL_KEYS.", id="SYS006")


def _doors() -> Iterator[Error]:
    if not settings.ALLOWED_HOSTS or "*" in settings.ALLOWED_HOSTS:
        yield Error("MESHUI_ALLOWED_HOSTS lets any host in, or none.", hint="Name this site's host.", id="SYS007")
    if settings.ALLOW_LOOPBACK:
        yield Error("MESHUI_ALLOW_LOOPBACK lets clusters be addresses of this machine.", hint="Unset it.", id="SYS008")
    if settings.ALLAUTH_TRUSTED_PROXY_COUNT and not settings.PROXY_CIDRS:
        yield Error(
            "MESHUI_TRUSTED_PROXIES without MESHUI_PROXY_CIDRS: nobody is heard, so no request counts as https.",
            hint="Name the networks your proxies are in.",
            id="SYS012",
        )


def _services() -> Iterator[Error]:
    broker = urlsplit(settings.BROKER_URL)
    if broker.scheme not in {"redis", "rediss"}:
        yield Error(
            f"MESHUI_BROKER_URL is {broker.scheme or 'empty'}: other brokers lose the task in hand.",
            hint="Use rediss:// (or redis://) with a password.",
            id="SYS009",
        )
    elif not broker.password:
        yield Error("MESHUI_BROKER_URL has no password.", hint="Use rediss://:PASSWORD@HOST/0.", id="SYS010")
    if settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"):
        yield Error(
            "The database is SQLite, which holds one process.",
            hint="Set MESHUI_DATABASE_URL to a postgresql:// address.",
            id="SYS011",
        )
