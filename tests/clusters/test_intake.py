"""The ways in without a kubeconfig: address, CA and token; and the cluster around MeshUI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from zeal import zeal_ignore

from clusters import intake, services
from clusters.clients import CredentialRejectedError
from clusters.connect import reader_for
from clusters.endpoints import EndpointRefusedError
from clusters.intake import InClusterError, in_cluster_connection, is_in_cluster, parse_direct
from clusters.kubeconfig import KubeconfigError
from clusters.models import Cluster, Credential, Health
from clusters.services import NewCluster
from meshui.lib.errors import DeniedError, UnavailableError
from tests.clusters.makers import SERVER, TOKEN, checked, pair
from tests.people import as_actor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from django.test import Client
    from pytest_django import Settings

    from accounts.models import User
    from playground.cluster import EmulatedCluster

CA = pair("ca")[0].decode()
ADD = "/clusters/add/address/"
IN = "/clusters/add/in-cluster/"


@pytest.fixture(autouse=True)
def several_acts() -> Iterator[None]:
    """A test calls verbs one after another, as many requests would: not the N+1 that zeal looks for."""
    with zeal_ignore():
        yield


def direct(**changed: Any) -> Any:
    """`parse_direct` of good parts, some of them changed."""
    return parse_direct(**({"server": SERVER, "ca_pem": CA, "token": TOKEN} | changed))


def filled(**changed: object) -> dict[str, object]:
    """What the form sends."""
    names = {"name": "EU West", "slug": "eu-west", "environment": "staging"}
    return {**names, "server": SERVER, "ca": CA, "token": TOKEN, **changed}


def test_direct__good_parts__as_a_kubeconfig_would_give() -> None:
    found = direct(server=f"  {SERVER}\n", token=f"{TOKEN}\n", tls_name="kubernetes.example")

    assert (found.server, found.tls_name, found.kind) == (SERVER, "kubernetes.example", "token")
    assert found.ca_pem == CA.strip()
    assert found.token.reveal() == TOKEN
    assert not found.skips_tls_verification


def test_direct__no_ca__public_roots() -> None:
    assert direct(ca_pem=" \n").ca_pem == ""


@pytest.mark.parametrize(
    ("changed", "field", "message", "mend"),
    [
        ({"server": ""}, "server", "is missing.", "https://host:port"),
        ({"ca_pem": "MIIC"}, "ca", "holds 0 certificates.", "-----BEGIN CERTIFICATE-----"),
        ({"ca_pem": f"{CA}\nand a word"}, "ca", "something else", "Paste the CA as PEM"),
        ({"ca_pem": CA * 21}, "ca", "holds 21 certificates", "Paste the CA as PEM"),
        ({"ca_pem": "é"}, "ca", "is not PEM.", "Paste the CA as PEM"),
        ({"ca_pem": CA * 200}, "ca", "is longer than 48 KiB.", "Paste the CA as PEM"),
        ({"token": ""}, "token", "is missing.", "create token meshui-reader"),
        ({"token": "two words"}, "token", "spaces", "create token meshui-reader"),
        ({"token": "x" * 16_385}, "token", "longer than 16 KiB", "create token meshui-reader"),
        ({"tls_name": "-bad-"}, "tls_name", "is not a host name.", "Leave it empty"),
    ],
)
def test_direct__bad_part__field_named_with_the_mend(
    changed: dict[str, str], field: str, message: str, mend: str
) -> None:
    with pytest.raises(KubeconfigError) as refused:
        direct(**changed)

    (finding,) = refused.value.findings
    assert finding.path == field
    assert message in finding.message
    assert mend in finding.mend
    assert TOKEN not in str(refused.value)


def test_direct__everything_wrong__all_at_once() -> None:
    with pytest.raises(KubeconfigError) as refused:
        direct(server="", ca_pem="no", token="", tls_name="_")

    assert {finding.path for finding in refused.value.findings} == {"server", "ca", "token", "tls_name"}


@pytest.mark.django_db
def test_add__by_address__registered_tested_and_reads(client: Client, admin: User, eu_west: EmulatedCluster) -> None:
    eu_west.grant("nobody", [])
    token = eu_west.server.issue_token("admin", ("system:masters",))
    client.force_login(admin)

    answer = client.post(ADD, filled(server=eu_west.url, ca=eu_west.ca_pem.decode(), token=token))

    cluster = checked(Cluster.objects.get())
    assert answer.status_code == 303
    assert (cluster.health, cluster.identity_uid, cluster.is_observe_only) == (Health.HEALTHY, eu_west.uid, True)
    assert token not in client.get("/clusters/eu-west/").content.decode()
    assert reader_for(cluster).identity().uid == eu_west.uid


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"token": ""}, "create token meshui-reader --duration=8760h"),
        ({"ca": "no"}, "-----BEGIN CERTIFICATE-----"),
        ({"server": "http://127.0.0.1:6443"}, "https"),
        ({"server": "https://169.254.169.254"}, "metadata"),
        ({"server": "https://user:pass@127.0.0.1:6443"}, "server"),
        ({"slug": "Not One"}, "lower-case"),
    ],
)
def test_add__by_address_with_a_fault__said_kept_apart_from_the_secret(
    client: Client, admin: User, changed: dict[str, str], said: str
) -> None:
    client.force_login(admin)

    answer = client.post(ADD, filled(**changed))

    page = answer.content.decode()
    assert answer.status_code == 422
    assert said in page
    assert "EU West" in page
    assert TOKEN not in page
    assert not Cluster.objects.exists()


@pytest.mark.django_db
def test_credential__by_address__replaces_of_the_same_server_alone(
    client: Client, admin: User, eu_west: EmulatedCluster
) -> None:
    client.force_login(admin)
    token = eu_west.server.issue_token("admin", ("system:masters",))
    good = {"server": eu_west.url, "ca": eu_west.ca_pem.decode(), "token": token}
    client.post(ADD, filled(**good))
    page = "/clusters/eu-west/credential/address/"

    other = client.post(page, good | {"role": "writer", "server": SERVER})
    replaced = client.post(page, good | {"role": "writer"})

    assert (other.status_code, replaced.status_code) == (422, 303)
    assert "of another server" in other.content.decode()
    assert [row.role for row in Credential.objects.order_by("role")] == ["reader", "writer"]


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, eu_west: EmulatedCluster) -> Path:
    """As in a pod of eu-west: its account's folder, and the address in the environment."""
    (tmp_path / "token").write_text(eu_west.server.issue_token("admin", ("system:masters",)) + "\n")
    (tmp_path / "ca.crt").write_bytes(eu_west.ca_pem)
    monkeypatch.setattr(intake, "ACCOUNT_FOLDER", tmp_path)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(eu_west.port))
    return tmp_path


def test_in_cluster__in_a_pod__address_and_ca_of_it_and_no_token_kept(pod: Path, eu_west: EmulatedCluster) -> None:
    found = in_cluster_connection()

    assert is_in_cluster()
    assert (found.server, found.kind) == (eu_west.url, "in-cluster")
    assert found.ca_pem.encode() == eu_west.ca_pem
    assert not found.token


def test_in_cluster__ipv6__in_brackets(pod: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT_HTTPS", "6443")

    assert in_cluster_connection().server == "https://[fd00::1]:6443"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("token", None, "Give the pod a ServiceAccount"),
        ("ca.crt", None, "Give the pod a ServiceAccount"),
        ("token", b"two words", "holds no token"),
        ("token", b"", "holds no token"),
        ("token", b"\xff", "cannot be read"),
        ("ca.crt", b"none", "holds 0 certificates"),
    ],
)
def test_in_cluster__file_missing_or_bad__named_with_the_mend(
    pod: Path, name: str, content: bytes | None, said: str
) -> None:
    (pod / name).unlink() if content is None else (pod / name).write_bytes(content)

    with pytest.raises(InClusterError) as refused:
        in_cluster_connection()

    assert str(pod / name) in str(refused.value)
    assert said in str(refused.value)
    assert is_in_cluster() is (content is not None)


def test_in_cluster__elsewhere__refused(pod: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST")

    assert not is_in_cluster()
    with pytest.raises(InClusterError, match="KUBERNETES_SERVICE_HOST is not set"):
        in_cluster_connection()


@pytest.mark.django_db
def test_add__in_cluster__reads_with_the_token_of_the_moment(
    client: Client, admin: User, pod: Path, eu_west: EmulatedCluster
) -> None:
    client.force_login(admin)
    first = (pod / "token").read_text().strip()

    answer = client.post(IN, {"name": "Here", "slug": "here", "environment": "staging", "writes": "on"})

    cluster = checked(Cluster.objects.get())
    assert answer.status_code == 303
    assert (cluster.health, cluster.identity_uid) == (Health.HEALTHY, eu_west.uid)
    (pod / "token").write_text(eu_west.server.issue_token("admin", ("system:masters",)))
    eu_west.server.revoke_token(first)
    assert reader_for(cluster).identity().uid == eu_west.uid
    (pod / "token").write_text(first)
    with pytest.raises(CredentialRejectedError):
        reader_for(cluster).identity()
    (pod / "token").unlink()
    with pytest.raises(UnavailableError, match="cannot be read"):
        reader_for(cluster)


@pytest.mark.django_db
def test_add__in_cluster_elsewhere__no_tab_and_refused_with_what_is_missing(client: Client, admin: User) -> None:
    client.force_login(admin)

    tabs = client.get("/clusters/add/").content.decode()
    answer = client.post(IN, {"name": "Here", "slug": "here", "environment": "staging"})

    assert IN not in tabs
    assert answer.status_code == 422
    assert "does not run in a pod" in answer.content.decode()
    assert not Cluster.objects.exists()


@pytest.mark.django_db
def test_in_cluster__private_address__taken_and_metadata_never(
    admin: User, pod: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.ALLOWED_CIDRS = []
    actor = as_actor(admin)
    by_hand = direct(server="https://10.96.0.1:443")
    for host in ("10.96.0.1", "169.254.169.254"):
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
        around = in_cluster_connection()
        if host == "10.96.0.1":
            services.require_callable(actor=actor, kubeconfig=around)
        else:
            with pytest.raises(EndpointRefusedError):
                services.require_callable(actor=actor, kubeconfig=around)

    with pytest.raises(EndpointRefusedError, match="private"):
        services.require_callable(actor=actor, kubeconfig=by_hand)


@pytest.mark.django_db
def test_in_cluster__without_the_right__denied(pod: Path, viewer: User) -> None:
    new = NewCluster("Here", "here", "staging", in_cluster_connection())

    with pytest.raises(DeniedError):
        services.add_cluster(actor=as_actor(viewer), new=new)
