"""Keys that the embedded default makes for itself, once, as 0600 files beside the data; production brings its own."""

from __future__ import annotations

import base64
import os
import secrets
from typing import TYPE_CHECKING

from django.core.exceptions import ImproperlyConfigured

if TYPE_CHECKING:
    from pathlib import Path


def kept_in(folder: Path, name: str, is_production: bool) -> str:  # noqa: FBT001 - a fact of the process, given once
    """The key kept in `folder`/`name`, made at the first call. Production: refused, the operator sets it."""
    return _kept(folder, name, is_production, lambda: secrets.token_urlsafe(64), "MESHUI_SECRET_KEY")


def fernet_kept_in(folder: Path, is_production: bool) -> list[str]:  # noqa: FBT001 - as above
    """The Fernet keys that encrypt credentials: first encrypts, all decrypt."""
    made = _kept(
        folder,
        "credential.keys",
        is_production,
        lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "MESHUI_CREDENTIAL_KEYS",
    )
    return made.split()


def peppers_kept_in(folder: Path, is_production: bool) -> list[str]:  # noqa: FBT001 - as above
    """The peppers under which API tokens are kept: the first makes, all check."""
    made = _kept(folder, "token.peppers", is_production, lambda: secrets.token_urlsafe(32), "MESHUI_TOKEN_PEPPERS")
    return made.split()


def _kept(folder: Path, name: str, is_production: bool, make: object, variable: str) -> str:  # noqa: FBT001 - as above
    if is_production:
        raise ImproperlyConfigured(f"Production needs {variable} (or {variable}_FILE).")
    path = folder / name
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        value = str(make()) if callable(make) else ""
        temporary = folder / f".{name}.{os.getpid()}"
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(value)
        try:
            os.link(temporary, path)  # the first of two processes wins
        except FileExistsError:
            pass
        finally:
            temporary.unlink()
    return path.read_text(encoding="utf-8").strip()
