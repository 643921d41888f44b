"""Settings from the environment, typed, with errors that name the variable and the mend."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

PREFIX = "MESHUI_"
LOCK_SECONDS = 5
CONNECT_SECONDS = 5


def text(name: str, default: str = "") -> str:
    """MESHUI_`name`, or the content of the file that MESHUI_`name`_FILE names."""
    path = os.environ.get(f"{PREFIX}{name}_FILE")
    if path:
        return Path(path).read_text(encoding="utf-8").strip()
    return os.environ.get(PREFIX + name, default)


def flag(name: str, *, default: bool = False) -> bool:
    """1, true, yes, on → True; 0, false, no, off, empty → False."""
    value = os.environ.get(PREFIX + name, "").strip().lower()
    if not value:
        return default
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    raise ImproperlyConfigured(f"{PREFIX}{name}={value!r} is neither true nor false: use 1 or 0.")


def number(name: str, default: float) -> float:
    """A number of seconds, hours, pieces."""
    value = os.environ.get(PREFIX + name, "").strip()
    if not value:
        return default
    try:
        return float(value)
    except ValueError as error:
        raise ImproperlyConfigured(f"{PREFIX}{name}={value!r} is not a number.") from error


def words(name: str) -> list[str]:
    """A list, separated by commas, spaces or (in a file) lines."""
    return text(name).replace(",", " ").split()


def networks(name: str) -> list[str]:
    """A list of networks as CIDR, each in its own form."""
    found = []
    for word in words(name):
        try:
            found.append(str(ipaddress.ip_network(word)))
        except ValueError as error:
            raise ImproperlyConfigured(f"{PREFIX}{name}: {word} is not a network like 10.0.0.0/8.") from error
    return found


def database(url: str, data_dir: Path) -> dict[str, Any]:
    """Django's settings of a database. Empty `url`: SQLite in `data_dir`, one writer, durable."""
    if not url:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": data_dir / "meshui.sqlite3",
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                # FULL: with NORMAL a power loss may drop an intent that was already acted on.
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA recursive_triggers=ON;",
            },
        }
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"}:
        raise ImproperlyConfigured(
            f"{PREFIX}DATABASE_URL must begin with postgresql:// (or be empty for SQLite), not {parts.scheme}://."
        )
    query = dict(parse_qsl(parts.query))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": query.pop("host", parts.hostname or ""),
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 60,
        # A database that is gone, or a lock that is held, ends the request: nothing waits without end.
        "OPTIONS": {"connect_timeout": str(CONNECT_SECONDS), "options": f"-c lock_timeout={LOCK_SECONDS}s", **query},
    }


def limit_statements(database: dict[str, Any], seconds: int) -> None:
    """No statement of this process runs longer, on PostgreSQL; call it before the first connection.

    What the address says itself (`?options=-c statement_timeout=…`) counts.
    """
    options = database["OPTIONS"]
    given = options.get("options", "")
    if database["ENGINE"].endswith("postgresql") and "statement_timeout" not in given:
        options["options"] = f"{given} -c statement_timeout={seconds}s".strip()
