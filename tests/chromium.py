"""Finds a Chromium for tests: one that is installed, else Debian's (as root), else Playwright's own.

`python -m tests.chromium --install` installs one where there is none; `make test` calls it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


def installed_chromium() -> str | None:
    """The path that MESHUI_CHROMIUM names, else the first Chromium on PATH, else None."""
    if named := os.environ.get("MESHUI_CHROMIUM"):
        return named
    return next((found for name in NAMES if (found := shutil.which(name))), None)


def playwright_chromium() -> str | None:
    """Playwright's own Chromium, if it was downloaded."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - starts nothing unless it is asked

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def install() -> str:
    """The path of a Chromium; installs one if there is none. CalledProcessError if that fails."""
    if found := installed_chromium() or playwright_chromium():
        return found
    if os.geteuid() == 0 and shutil.which("apt-get"):
        quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        packages = ["chromium", "fonts-liberation"]
        for command in (
            ["apt-get", "update", "-qq"],
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages],
        ):
            subprocess.run(command, check=True, env=quiet, stdin=subprocess.DEVNULL)
    else:
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=True)
    found = installed_chromium() or playwright_chromium()
    if found is None:
        raise SystemExit("No Chromium, and none could be installed: install one, or name it by MESHUI_CHROMIUM.")
    return found


if __name__ == "__main__":
    path = install() if "--install" in sys.argv[1:] else installed_chromium() or playwright_chromium()
    sys.stdout.write(f"Chromium: {path}\n")
