"""S13: what production refuses to start with; each case in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.production import production_environment

pytestmark = pytest.mark.walks

ROOT = Path(__file__).resolve().parent.parent
IMPORT_WEB = ["-c", "import meshui.asgi"]
KEY = "q8Zt3vN1xR5kLw7Yc0Bf2Hs4Md6Pg9Ja-_EuTiOoXnVlCrDyWzQbSmKh"
UNSAFE: dict[str, tuple[dict[str, str | None], str]] = {
    "short_secret_key": ({"MESHUI_SECRET_KEY": KEY[:49]}, "SYS003"),
    "one_letter_secret_key": ({"MESHUI_SECRET_KEY": "a" * 64}, "SYS003"),
    "known_secret_key": ({"MESHUI_SECRET_KEY": f"django-insecure-{KEY}"}, "SYS004"),
    "no_secret_key": ({"MESHUI_SECRET_KEY": None}, "Production needs MESHUI_SECRET_KEY"),
    "one_key_for_both": ({"MESHUI_SECRET_KEY": KEY, "MESHUI_CREDENTIAL_KEYS": KEY}, "SYS005"),
    "no_credential_keys": ({"MESHUI_CREDENTIAL_KEYS": None}, "Production needs MESHUI_CREDENTIAL_KEYS"),
    "no_token_peppers": ({"MESHUI_TOKEN_PEPPERS": None}, "Production needs MESHUI_TOKEN_PEPPERS"),
    "one_pepper_for_both": ({"MESHUI_SECRET_KEY": KEY, "MESHUI_TOKEN_PEPPERS": KEY}, "SYS013"),
    "any_host": ({"MESHUI_ALLOWED_HOSTS": "*"}, "SYS007"),
    "no_host": ({"MESHUI_ALLOWED_HOSTS": None}, "SYS007"),
    "loopback": ({"MESHUI_ALLOW_LOOPBACK": "1"}, "SYS008"),
    "no_broker": ({"MESHUI_BROKER_URL": None}, "SYS009"),
    "memory_broker": ({"MESHUI_BROKER_URL": "memory://"}, "SYS009"),
    "filesystem_broker": ({"MESHUI_BROKER_URL": "filesystem://"}, "SYS009"),
    "database_broker": ({"MESHUI_BROKER_URL": "sqla+sqlite:///x"}, "SYS009"),
    "redis_without_password": ({"MESHUI_BROKER_URL": "rediss://broker.example.org/0"}, "SYS010"),
    "sqlite": ({"MESHUI_DATABASE_URL": None}, "SYS011"),
    "proxies_of_anybody": ({"MESHUI_TRUSTED_PROXIES": "1"}, "SYS012"),
    "armed_crash_point": ({"MESHUI_CRASHPOINT": "after-send:SIGKILL:1"}, "SYS002"),
}


def start(arguments: list[str], **changed: str | None) -> subprocess.CompletedProcess[str]:
    env = production_environment(**changed)
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, env=env, capture_output=True, text=True, check=False)


def test_start__safe_settings__comes_up() -> None:
    done = start(IMPORT_WEB)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("case", UNSAFE)
def test_s13_start__unsafe_setting__exits(case: str) -> None:
    changed, reason = UNSAFE[case]

    done = start(IMPORT_WEB, **changed)

    assert done.returncode != 0
    assert reason in done.stderr


def test_s13_start__debug__exits(tmp_path: Path) -> None:
    (tmp_path / "debugging.py").write_text("from meshui.settings import *\nDEBUG = True\n")

    done = start(IMPORT_WEB, DJANGO_SETTINGS_MODULE="debugging", PYTHONPATH=f"{tmp_path}:{ROOT}")

    assert done.returncode != 0
    assert "SYS001: DEBUG is on" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["manage.py", "check"],
        ["manage.py", "migrate"],
        ["manage.py", "serve"],
        ["manage.py", "watch"],
        ["manage.py", "rotate_credentials"],
        ["-m", "uvicorn", "meshui.asgi:application", "--port", "0"],
        ["-m", "celery", "-A", "meshui", "worker"],
        ["-m", "celery", "-A", "meshui", "beat"],
    ],
    ids=" ".join,
)
def test_s13_start__any_process__refuses_alike(arguments: list[str]) -> None:
    done = start(arguments, MESHUI_ALLOW_LOOPBACK="1", C_FORCE_ROOT="1")

    assert done.returncode != 0
    assert "SYS008" in done.stderr


def test_s13_start__several_faults__all_named_and_no_value_shown() -> None:
    done = start(IMPORT_WEB, MESHUI_SECRET_KEY=f"changeme{KEY[:20]}", MESHUI_BROKER_URL="redis://broker.example.org/0")

    assert {"SYS003", "SYS004", "SYS010"} <= set(done.stderr.replace(":", " ").split())
    assert KEY[:20] not in done.stderr
