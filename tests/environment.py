"""What tests run on, set before Django reads its settings (`-p tests.environment` in pyproject.toml).

A data folder of their own, frozen keys, no setting of the developer's shell; with MESHUI_TEST_DATABASE=postgres a real
PostgreSQL, started once and shared by the processes of xdist (each makes its own database in it).
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.servers import PostgresServer, Server

if TYPE_CHECKING:
    from collections.abc import Generator

SECRET_KEY = "tests-only-secret-key-0123456789-abcdefghijklmnopqrstuvwxyz"  # noqa: S105 - frozen, of tests alone
CREDENTIAL_KEY = "dGVzdHMtb25seS1jcmVkZW50aWFsLWtleS0wMDAwMDE="
KEPT = ("MESHUI_TEST_", "MESHUI_LAB_", "MESHUI_UPDATE_", "MESHUI_CHROMIUM", "MESHUI_SCREENSHOTS")
_servers: list[Server] = []
_folders: list[Path] = []


def data_dir() -> Path:
    """The folder of this test process; goes when it ends."""
    return _folders[0]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests() -> Generator[None]:
    """Set the environment; a wrapper, so that it runs before pytest-django loads the settings."""
    is_worker = "PYTEST_XDIST_WORKER" in os.environ
    folder = Path(tempfile.mkdtemp(prefix="meshui-tests-"))
    _folders.append(folder)
    shared_url = os.environ.get("MESHUI_DATABASE_URL", "") if is_worker else ""
    for name in [name for name in os.environ if name.startswith("MESHUI_") and not name.startswith(KEPT)]:
        del os.environ[name]
    if os.environ.get("MESHUI_TEST_DATABASE") == "postgres":
        os.environ["MESHUI_DATABASE_URL"] = shared_url or _start_postgres(folder)
    os.environ |= {
        "MESHUI_DATA_DIR": str(folder),
        "MESHUI_SECRET_KEY": SECRET_KEY,
        "MESHUI_CREDENTIAL_KEYS": CREDENTIAL_KEY,
        "MESHUI_TOKEN_PEPPERS": "tests-only-pepper",
        "MESHUI_API_RATE": "100000/min",
        "MESHUI_ALLOW_LOOPBACK": "1",
    }
    return (yield)


def _start_postgres(folder: Path) -> str:
    server = PostgresServer(folder)
    _servers.append(server)
    return server.url


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    """The end of a run that began."""
    _end()


@atexit.register  # a run that could not even begin (settings that raise) is never unconfigured
def _end() -> None:
    """End what was started here and remove the folder."""
    while _servers:
        _servers.pop().stop()
    while _folders:
        shutil.rmtree(_folders.pop(), ignore_errors=True)
