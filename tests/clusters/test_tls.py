"""S3: whose certificate is believed."""

from __future__ import annotations

import datetime as dt
import os
import ssl
from typing import TYPE_CHECKING, Any

import pytest

from clusters.clients import NotSentError
from clusters.connect import tls_context
from clusters.kube_lists import KubeReader
from clusters.secrets import Opened, Secret
from tests.clusters.makers import pair
from tests.clusters.raw_server import Authority, raw_server, server_context
from tests.clusters.test_hostile import http, says, transport_to

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_django.fixtures import Settings

VERSION = says(http(b'{"gitVersion": "v1.36.2"}'))
OVER = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)


def ask(context: ssl.SSLContext, ca_pem: str, *, tls_name: str = "") -> tuple[str, list[bytes]]:
    """What the server says its version is, and the requests that reached it. Raises ClusterError."""
    with raw_server(context, VERSION) as server:
        reader = KubeReader(transport_to(server.url, ca_pem, tls_name=tls_name))
        try:
            return reader.version().git_version, server.requests
        finally:
            reader.close()


def test_tls__certificate_of_the_given_ca__believed(tmp_path: Path) -> None:
    authority = Authority()

    assert ask(server_context(authority.issue(), tmp_path), authority.pem)[0] == "v1.36.2"


def test_tls__name_of_its_own__checked_instead_of_the_host(tmp_path: Path) -> None:
    authority = Authority()
    context = server_context(authority.issue("api.local"), tmp_path)

    assert ask(context, authority.pem, tls_name="api.local")[0] == "v1.36.2"
    with pytest.raises(NotSentError):
        ask(context, authority.pem)


def old_protocol(folder: Path, authority: Authority) -> ssl.SSLContext:
    """A server that speaks TLS 1.1 at most."""
    context = server_context(authority.issue(), folder)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


@pytest.mark.parametrize(
    "fault", ["expired", "wrong host", "self-signed", "other CA", "CA swapped", "old version", "no CA"]
)
def test_s03_tls__bad_certificate__refused(fault: str, tmp_path: Path) -> None:
    authority, other = Authority(), Authority()
    certificate = {
        "expired": authority.issue(end=OVER),
        "wrong host": authority.issue("10.0.0.1"),
        "self-signed": b"".join(pair("127.0.0.1")),
        "other CA": other.issue(),
    }.get(fault, authority.issue())
    believed = {"CA swapped": other.pem, "no CA": ""}.get(fault, authority.pem)
    context = old_protocol(tmp_path, authority) if fault == "old version" else server_context(certificate, tmp_path)

    with raw_server(context, VERSION) as server:
        reader = KubeReader(transport_to(server.url, believed))
        with pytest.raises(NotSentError):
            reader.version()
        reader.close()

    assert server.requests == []


def test_s03_tls__skipped_by_the_file__only_with_the_operators_setting(settings: Settings) -> None:
    skipping = Opened(Secret("x"), "", Secret(""), "", skips_tls_verification=True)

    settings.ALLOW_INSECURE_TLS = False
    checked = tls_context(skipping)
    settings.ALLOW_INSECURE_TLS = True
    skipped = tls_context(skipping)

    assert (checked.verify_mode, checked.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert (skipped.verify_mode, skipped.check_hostname) == (ssl.CERT_NONE, False)
    assert skipped.minimum_version == ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize("has_memfd", [True, False])
def test_tls_context__client_key__leaves_no_file(
    has_memfd: bool,  # noqa: FBT001 - a case of the table
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    certificate, key = pair("client")
    opened = Opened(Secret(""), certificate.decode(), Secret(key.decode()), "", skips_tls_verification=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    if not has_memfd:
        monkeypatch.delattr(os, "memfd_create")

    tls_context(opened)

    assert list(tmp_path.iterdir()) == []


def test_tls_context__key_log_asked_by_the_environment__not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log: Any = tmp_path / "keys.log"
    monkeypatch.setenv("SSLKEYLOGFILE", str(log))
    authority = Authority()

    ask(server_context(authority.issue(), tmp_path), authority.pem)

    assert not log.exists()
