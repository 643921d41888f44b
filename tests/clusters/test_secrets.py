"""Credentials at rest: S5, and S4's part: nothing but connect ever sees them in clear."""

from __future__ import annotations

import base64
import copy
import json
import logging
import pickle
from io import StringIO
from typing import TYPE_CHECKING

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import connection

from audit.selectors import get_event, list_events
from audit.types import SYSTEM
from clusters import services
from clusters.apps import check_keys
from clusters.connect import reader_for
from clusters.models import Cluster, Credential
from clusters.secrets import CredentialUnreadableError, Opened, Secret, key_id, open_sealed, seal
from meshui.lib.errors import DeniedError, UnavailableError
from tests.clusters.makers import TOKEN, b64, document, pair, register, registrar
from tests.people import as_actor

if TYPE_CHECKING:
    from pytest_django.fixtures import Settings

KEYS = [Fernet.generate_key().decode() for _ in range(3)]


def opened() -> Opened:
    """A token with its CA."""
    return Opened(Secret("canary"), "", Secret(""), "CA", skips_tls_verification=False)


def test_seal__opened_again__is_the_same_and_hides_itself() -> None:
    sealed = seal(opened(), cluster_id="c1", role="reader", keys=KEYS)

    found = open_sealed(sealed, cluster_id="c1", role="reader", keys=KEYS)

    assert (found.token.reveal(), found.ca_pem) == ("canary", "CA")
    assert b"canary" not in sealed
    assert "canary" not in f"{found!r} {found} {found.token}"


@pytest.mark.parametrize(("cluster_id", "role"), [("c2", "reader"), ("c1", "writer"), ("", "")])
def test_s05_credential__moved_or_keyless__refused(cluster_id: str, role: str) -> None:
    sealed = seal(opened(), cluster_id="c1", role="reader", keys=KEYS)

    with pytest.raises(CredentialUnreadableError, match="another cluster or role"):
        open_sealed(sealed, cluster_id=cluster_id, role=role, keys=KEYS)
    with pytest.raises(CredentialUnreadableError, match="No key"):
        open_sealed(sealed, cluster_id="c1", role="reader", keys=[Fernet.generate_key().decode()])
    with pytest.raises(CredentialUnreadableError, match="No key"):
        open_sealed(sealed[:-5] + b"AAAAA", cluster_id="c1", role="reader", keys=KEYS)


def test_secret__pickled_copied_or_dumped__refused() -> None:
    for leak in (pickle.dumps, copy.deepcopy, json.dumps):
        with pytest.raises(TypeError):
            leak(Secret("canary"))


@pytest.mark.django_db
def test_s05_credential__row_moved_to_another_cluster__cannot_be_used() -> None:
    mine, other = register("mine"), register("other")
    stolen = Credential.objects.get(cluster=other, role="reader")

    Credential.objects.filter(cluster=mine, role="reader").update(ciphertext=stolen.ciphertext)

    with pytest.raises(UnavailableError, match="another cluster or role"):
        reader_for(mine)


@pytest.mark.django_db
def test_s05_credential__database_without_keys__unreadable(settings: Settings) -> None:
    cluster = register("mine")
    settings.CREDENTIAL_KEYS = [KEYS[0]]

    with pytest.raises(UnavailableError, match="No key") as refused:
        reader_for(cluster)

    assert "MESHUI_CREDENTIAL_KEYS" in refused.value.mend


@pytest.mark.django_db
def test_s05_rotation__stopped_after_each_batch__resumes_and_loses_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = register("mine")
    row = Credential.objects.get(cluster=cluster, role="reader")
    clusters = [Cluster(slug=f"c{n}", name=f"c{n}", environment="x", created_at=cluster.created_at) for n in range(40)]
    Cluster.objects.bulk_create(clusters)
    old = settings.CREDENTIAL_KEYS[0]
    for made in clusters:
        sealed = seal(opened(), cluster_id=str(made.pk), role="reader", keys=[old])
        values = {"kind": "token", "key_id": row.key_id, "ciphertext": sealed, "fingerprint": "x"}
        Credential.objects.create(cluster=made, role="reader", created_at=row.created_at, **values)
    settings.CREDENTIAL_KEYS = [KEYS[0], old]
    monkeypatch.setattr("clusters.services.credentials.ROTATED_AT_ONCE", 4)

    done = 0
    while count := services.rotate_credentials(actor=SYSTEM):
        done += count
        remaining = Credential.objects.exclude(key_id=key_id(KEYS[0])).count()
        assert remaining == 41 - done
    settings.CREDENTIAL_KEYS = [KEYS[0]]

    assert done == 41
    for credential in Credential.objects.all():
        owner = {"cluster_id": str(credential.cluster_id), "role": credential.role}
        assert open_sealed(bytes(credential.ciphertext), **owner, keys=[KEYS[0]]).token
    assert list_events(action="clusters.credentials.rotated").count() == 11


@pytest.mark.django_db
def test_rotation__key_gone__batch_refused_and_named(settings: Settings) -> None:
    register("mine")
    settings.CREDENTIAL_KEYS = [KEYS[0]]

    with pytest.raises(CommandError, match="No key in MESHUI_CREDENTIAL_KEYS"):
        call_command("rotate_credentials")

    assert Credential.objects.exclude(key_id=key_id(KEYS[0])).exists()


@pytest.mark.django_db
def test_rotation__by_a_person__denied() -> None:
    with pytest.raises(DeniedError):
        services.rotate_credentials(actor=as_actor(registrar()))


@pytest.mark.django_db
def test_rotation__nothing_to_do__says_so() -> None:
    register("mine")
    said = StringIO()

    call_command("rotate_credentials", stdout=said)

    assert "0 credentials" in said.getvalue()


@pytest.mark.django_db
def test_s04_canary__rows_events_and_log__absent(caplog: pytest.LogCaptureFixture) -> None:
    certificate, key = pair("canary")
    user = {"client-certificate-data": b64(certificate), "client-key-data": b64(key)}
    with caplog.at_level(logging.DEBUG):
        register("by-token", writes=True)
        register("by-certificate", text=json.dumps(document(user=user)))

    dump = _dump() + caplog.text.encode()
    for event in list_events():
        dump += get_event(event.seq).text.encode()

    secret = key.decode().split("\n")[1]
    for canary in (TOKEN, base64.b64encode(TOKEN.encode()).decode(), secret, b64(key)[60:120]):
        assert canary.encode() not in dump


def _dump() -> bytes:
    """Every cell of every table, as a thief of the database would read it."""
    cells: list[bytes] = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608 - our own tables
            for row in cursor.fetchall():
                cells += [bytes(c) if isinstance(c, bytes | memoryview) else str(c).encode() for c in row]
    return b"\n".join(cells)


@pytest.mark.django_db
def test_check_keys__key_dropped_too_early__error_before_the_deployment(settings: Settings) -> None:
    register("mine")
    good = check_keys()

    settings.CREDENTIAL_KEYS = [KEYS[0]]
    bad = check_keys()

    assert good == []
    assert [message.id for message in bad] == ["CLS001"]
