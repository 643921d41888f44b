"""Production with throw-away values: `python -m tests.production manage.py check --deploy` runs a command in it."""

from __future__ import annotations

import base64
import os
import secrets
import subprocess
import sys


def production_environment(**changed: str | None) -> dict[str, str]:
    """An environment that production starts with, `changed` by name (None = absent)."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MESHUI_", "DJANGO_"))}
    made: dict[str, str | None] = {
        "DJANGO_SETTINGS_MODULE": "meshui.settings",
        "MESHUI_ENV": "production",
        "MESHUI_SITE_URL": "https://meshui.example.org",
        "MESHUI_ALLOWED_HOSTS": "meshui.example.org",
        "MESHUI_SECRET_KEY": secrets.token_urlsafe(64),
        "MESHUI_CREDENTIAL_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "MESHUI_TOKEN_PEPPERS": secrets.token_urlsafe(32),
        "MESHUI_DATABASE_URL": "postgresql://meshui:throwaway@127.0.0.1:1/meshui",
        "MESHUI_BROKER_URL": "rediss://:throwaway@127.0.0.1:1/0",
    }
    made |= changed
    return kept | {name: value for name, value in made.items() if value is not None}


if __name__ == "__main__":
    sys.exit(subprocess.run([sys.executable, *sys.argv[1:]], env=production_environment(), check=False).returncode)
