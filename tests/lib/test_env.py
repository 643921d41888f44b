"""meshui/lib/env.py: typed settings with errors that name the variable."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.core.exceptions import ImproperlyConfigured

from meshui.lib import env

if TYPE_CHECKING:
    from pathlib import Path


def test_text__file_named__content_without_end_of_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from-file\n")
    monkeypatch.setenv("MESHUI_SECRET_KEY", "from-environment")
    monkeypatch.setenv("MESHUI_SECRET_KEY_FILE", str(tmp_path / "key"))

    assert env.text("SECRET_KEY") == "from-file"


def test_words__file_named__its_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("one\ntwo\n")
    monkeypatch.setenv("MESHUI_CREDENTIAL_KEYS_FILE", str(tmp_path / "keys"))

    assert env.words("CREDENTIAL_KEYS") == ["one", "two"]


def test_words__commas_and_spaces__both_separate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHUI_ALLOWED_HOSTS", "a.example, b.example  c.example")

    assert env.words("ALLOWED_HOSTS") == ["a.example", "b.example", "c.example"]


@pytest.mark.parametrize(("value", "expected"), [("1", True), ("Yes", True), ("off", False), ("0", False), ("", True)])
def test_flag__known_word__read(monkeypatch: pytest.MonkeyPatch, value: str, expected: bool) -> None:  # noqa: FBT001
    monkeypatch.setenv("MESHUI_SOME_FLAG", value)

    assert env.flag("SOME_FLAG", default=True) is expected


def test_flag__other_word__refused_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHUI_ALLOW_LOOPBACK", "maybe")

    with pytest.raises(ImproperlyConfigured, match="MESHUI_ALLOW_LOOPBACK='maybe'"):
        env.flag("ALLOW_LOOPBACK")


def test_number__not_a_number__refused_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHUI_LEASE_SECONDS", "five")

    with pytest.raises(ImproperlyConfigured, match="MESHUI_LEASE_SECONDS='five'"):
        env.number("LEASE_SECONDS", 5)


def test_database__empty__sqlite_that_waits_and_is_durable(tmp_path: Path) -> None:
    made = env.database("", tmp_path)

    assert made["NAME"] == tmp_path / "meshui.sqlite3"
    assert made["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert "synchronous=FULL" in made["OPTIONS"]["init_command"]


def test_database__postgresql__every_part_read(tmp_path: Path) -> None:
    made = env.database("postgresql://m%40x:p%2Fw@db.example:6432/mesh?sslmode=verify-full", tmp_path)

    assert made["ENGINE"] == "django.db.backends.postgresql"
    assert (made["USER"], made["PASSWORD"], made["HOST"], made["PORT"], made["NAME"]) == (
        "m@x",
        "p/w",
        "db.example",
        "6432",
        "mesh",
    )
    assert made["OPTIONS"] == {"connect_timeout": "5", "options": "-c lock_timeout=5s", "sslmode": "verify-full"}


def test_limit_statements__postgresql__beside_what_the_address_says(tmp_path: Path) -> None:
    plain = env.database("postgresql://m@db.example/mesh", tmp_path)
    own = env.database("postgresql://m@db.example/mesh?options=-c%20statement_timeout%3D3s", tmp_path)
    sqlite = env.database("", tmp_path)
    before = dict(sqlite["OPTIONS"])

    for made in (plain, own, sqlite):
        env.limit_statements(made, 10)

    assert plain["OPTIONS"]["options"] == "-c lock_timeout=5s -c statement_timeout=10s"
    assert own["OPTIONS"]["options"] == "-c statement_timeout=3s"
    assert sqlite["OPTIONS"] == before


def test_networks__one_that_is_none__named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHUI_PROXY_CIDRS", "10.0.0.0/8, 2001:db8::/32")
    assert env.networks("PROXY_CIDRS") == ["10.0.0.0/8", "2001:db8::/32"]

    monkeypatch.setenv("MESHUI_PROXY_CIDRS", "10.0.0.1/8")
    with pytest.raises(ImproperlyConfigured, match="PROXY_CIDRS"):
        env.networks("PROXY_CIDRS")


def test_database__other_scheme__refused(tmp_path: Path) -> None:
    with pytest.raises(ImproperlyConfigured, match="not mysql://"):
        env.database("mysql://x/y", tmp_path)
