"""The strict parser: S1 with its audit hook, every key of the table, and what is kept."""

from __future__ import annotations

import base64
import copy
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from hypothesis import given
from hypothesis import strategies as st

from clusters.kubeconfig import ChooseContextError, Finding, KubeconfigError, ParsedKubeconfig, parse_kubeconfig
from tests.clusters.makers import TOKEN, b64, document, kubeconfig, pair, without_context

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CANARY = "canary-file-and-process"
WATCHED = (
    "open",
    "socket.",
    "subprocess.",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.fork",
    "os.startfile",
)
_seen: list[str] = []
_is_watching = False


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _is_watching and event.startswith(WATCHED):
        _seen.append(f"{event} {arguments!r:.200}")


@pytest.fixture
def events() -> Iterator[list[str]]:
    """What Python's audit hook saw of processes, opened files and sockets while the test ran."""
    global _is_watching  # noqa: PLW0603 - a hook cannot be taken away again, so it is switched
    if not getattr(sys, "_meshui_hook", False):
        sys.addaudithook(_hook)
        sys._meshui_hook = True  # type: ignore[attr-defined]  # once per process
    parse_kubeconfig(kubeconfig().encode())  # what is imported at first use is imported now
    pair_user()
    _seen.clear()
    _is_watching = True
    yield _seen
    _is_watching = False


def pair_user(name: str = "meshui") -> dict[str, str]:
    """A user with a client certificate."""
    certificate, key = pair(name)
    return {"client-certificate-data": b64(certificate), "client-key-data": b64(key)}


def pem(key: Any, secret: bytes = b"") -> str:
    """A private key as base64 of PEM, encrypted with `secret` if given."""
    lock = BestAvailableEncryption(secret) if secret else NoEncryption()
    return b64(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock))


def with_user(**keys: Any) -> dict[str, Any]:
    """A token and these keys beside it."""
    return document(user={"token": TOKEN} | {key.replace("_", "-"): value for key, value in keys.items()})


def with_cluster(**keys: Any) -> dict[str, Any]:
    """These keys beside server and CA."""
    return document(cluster={key.replace("_", "-"): value for key, value in keys.items()})


def changed(**keys: Any) -> dict[str, Any]:
    """These keys at the top of the file."""
    return document() | {key.replace("_", "-"): value for key, value in keys.items()}


def in_context(**keys: Any) -> dict[str, Any]:
    """These keys in the context."""
    whole = document()
    whole["contexts"][0]["context"] |= keys
    return whole


def twice(plural: str) -> dict[str, Any]:
    """An entry twice in a list."""
    whole = document()
    whole[plural].append(copy.deepcopy(whole[plural][0]))
    return whole


COMMAND = {"command": CANARY, "args": ["x"], "env": [{"name": "A", "value": "b"}]}
# name → (file as text or object, the path that the refusal names)
REFUSED: dict[str, tuple[Any, str]] = {
    **{
        f"exec {version}": (
            with_user(exec={"apiVersion": f"client.authentication.k8s.io/{version}", **COMMAND}),
            ".exec",
        )
        for version in ("v1", "v1beta1", "v1alpha1", "v9", "")
    },
    "exec alone": (document(user={"exec": COMMAND}), "users[u].user.exec"),
    "exec as text": (document(user={"exec": CANARY}), ".exec"),
    "exec as list": (document(user={"exec": [CANARY]}), ".exec"),
    **{
        f"auth-provider {name}": (
            document(user={"auth-provider": {"name": name, "config": {"cmd-path": CANARY}}}),
            "auth-provider",
        )
        for name in ("gcp", "azure", "oidc", "openstack")
    },
    "tokenFile": (document(user={"tokenFile": CANARY}), "tokenFile"),
    "tokenFile beside token": (with_user(tokenFile=CANARY), "tokenFile"),
    "token-file": (with_user(token_file=CANARY), "token-file"),
    "client-certificate": (document(user={"client-certificate": CANARY, "client-key": CANARY}), "client-certificate"),
    "client-key": (document(user={"client-key": CANARY}), "client-key"),
    "username": (document(user={"username": "a", "password": "b"}), "username"),
    "password": (document(user={"password": "b"}), "password"),
    **{name: (with_user(**{name: "root"}), name) for name in ("as", "as-uid", "as-groups", "as-user-extra")},
    "unknown key of a user": (with_user(impersonate="root"), "impersonate"),
    "certificate-authority": (with_cluster(certificate_authority=CANARY), "certificate-authority"),
    "proxy-url": (with_cluster(proxy_url="http://127.0.0.1:1"), "proxy-url"),
    "insecure-skip-tls-verify": (with_cluster(insecure_skip_tls_verify=True), "insecure-skip-tls-verify"),
    "insecure-skip-tls-verify yes": (with_cluster(insecure_skip_tls_verify="yes"), "insecure-skip-tls-verify"),
    "unknown key of a cluster": (with_cluster(api_version="v1"), "api-version"),
    "unknown key of a file": (changed(include=CANARY), "include"),
    "unknown key of a context": (in_context(shell=CANARY), "shell"),
    "namespace": (in_context(namespace="../../etc"), "namespace"),
    "no such cluster": (in_context(cluster="other"), "cluster"),
    "no such user": (in_context(user="other"), "user"),
    "user as list": (in_context(user=["u"]), "user"),
    "kind": (changed(kind="Secret"), "kind"),
    "apiVersion": (changed(apiVersion="v2"), "apiVersion"),
    "contexts missing": (changed(contexts=None), "contexts"),
    "clusters empty": (changed(clusters=[]), "clusters"),
    "users as mapping": (changed(users={"u": {}}), "users"),
    "101 users": (changed(users=[{"name": f"u{n}", "user": {"token": "x"}} for n in range(101)]), "users"),
    "entry with more": (changed(users=[{"name": "u", "user": {"token": "x"}, "exec": COMMAND}]), "users[0]"),
    "entry without name": (changed(users=[{"user": {"token": "x"}}]), "users[0]"),
    **{f"{plural} twice": (twice(plural), f"{plural}[1]") for plural in ("contexts", "clusters", "users")},
    "server missing": (with_cluster(server=""), "server"),
    "tls-server-name": (with_cluster(tls_server_name="a b"), "tls-server-name"),
    "CA no base64": (with_cluster(certificate_authority_data="%%%"), "certificate-authority-data"),
    "CA no PEM": (with_cluster(certificate_authority_data=b64(b"hello")), "certificate-authority-data"),
    "CA with a key": (with_cluster(certificate_authority_data=b64(b"".join(pair("ca")))), "certificate-authority-data"),
    "CA of 21": (with_cluster(certificate_authority_data=b64(pair("ca")[0] * 21)), "certificate-authority-data"),
    "CA too large": (with_cluster(certificate_authority_data="A" * 70_000), "certificate-authority-data"),
    "token with newline": (document(user={"token": "a\nX-Evil: b"}), "token"),
    "token with space": (document(user={"token": "a b"}), "token"),
    "token too long": (document(user={"token": "a" * 17_000}), "token"),
    "token beside certificate": (document(user={"token": TOKEN, **pair_user()}), "users[u].user"),
    "no credential": (document(user={}), "users[u].user"),
    "certificate without key": (document(user={"client-certificate-data": b64(pair()[0])}), "client-key-data"),
    "key of another": (
        document(user=pair_user() | {"client-key-data": b64(pair("other")[1])}),
        "client-key-data",
    ),
    "certificate over": (
        document(
            user={
                "client-certificate-data": b64(pair("old", days=-1)[0]),
                "client-key-data": b64(pair("old", days=-1)[1]),
            }
        ),
        "client-key-data",
    ),
    "key of 1024 bits": (
        document(user=pair_user() | {"client-key-data": pem(rsa.generate_private_key(65537, 1024))}),  # noqa: S505
        "client-key-data",
    ),
    "encrypted key": (
        document(user=pair_user() | {"client-key-data": pem(load_pem_private_key(pair()[1], None), b"x")}),
        "client-key-data",
    ),
    "merge key": ("apiVersion: v1\nkind: Config\n<<: {users: []}\n", "file"),
    "key twice": ('{"apiVersion": "v1", "kind": "Config", "kind": "Config"}', "file"),
    "an alias": ("a: &x {}\nb: *x\n", "file"),
    "a tag": ("!!python/object/apply:os.system [canary]", "file"),
    "not a mapping": ("- a", "file"),
    "empty": ("", "file"),
    "too large": ("#" + "x" * 300_000, "file"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_s01_kubeconfig__forbidden_key__refused(name: str, events: list[str]) -> None:
    given_file, path = REFUSED[name]
    raw = given_file if isinstance(given_file, str) else json.dumps(given_file)

    with pytest.raises(KubeconfigError) as refused:
        parse_kubeconfig(raw.encode())

    assert events == []
    assert any(path in finding.path for finding in refused.value.findings), refused.value.findings
    said = " ".join(f"{f.path} {f.message} {f.mend}" for f in refused.value.findings)
    assert CANARY not in said
    assert TOKEN not in said


def test_s01_kubeconfig__table__has_sixty_rows() -> None:
    assert len(REFUSED) >= 60


def test_s01_kubeconfig__canary_file__never_opened(tmp_path: Path, events: list[str]) -> None:
    canary = tmp_path / "token"
    canary.write_text("from the file", encoding="utf-8")
    seen_before = len(events)

    with pytest.raises(KubeconfigError):
        parse_kubeconfig(json.dumps(document(user={"tokenFile": str(canary)})).encode())

    assert events[seen_before:] == []


@pytest.mark.parametrize("raw", [b"\xff\xfe", b"a: \x00", "a: 1".encode("utf-16"), b"a: \xed\xa0\x80"])
def test_s01_kubeconfig__not_utf8__refused(raw: bytes) -> None:
    with pytest.raises(KubeconfigError):
        parse_kubeconfig(raw)


def test_parse_kubeconfig__several_faults__all_at_once_with_the_mend_for_this_context() -> None:
    whole = document(
        user={"exec": COMMAND, "tokenFile": "/x"}, cluster={"proxy-url": "x", "certificate-authority": "y"}
    )
    whole["contexts"][0]["name"] = "prod; rm -rf /"

    with pytest.raises(KubeconfigError) as refused:
        parse_kubeconfig(json.dumps(whole).encode())

    findings = {finding.path: finding for finding in refused.value.findings}
    assert set(findings) == {
        "clusters[k].cluster.proxy-url",
        "clusters[k].cluster.certificate-authority",
        "users[u].user.exec",
        "users[u].user.tokenFile",
    }
    assert "--context 'prod; rm -rf /' " in findings["users[u].user.exec"].mend
    assert "--flatten" in findings["clusters[k].cluster.certificate-authority"].mend


def test_parse_kubeconfig__token__kept_and_hidden() -> None:
    found = parse_kubeconfig(kubeconfig(cluster={"tls-server-name": "api.local", "disable-compression": True}).encode())

    assert (found.kind, found.server, found.tls_name, found.context) == (
        "token",
        "https://127.0.0.1:6443",
        "api.local",
        "c",
    )
    assert found.token.reveal() == TOKEN
    assert found.ca_pem == pair("ca")[0].decode()
    assert TOKEN not in repr(found)
    assert TOKEN not in f"{found}"


def test_parse_kubeconfig__certificate__kept_with_its_expiry() -> None:
    found = parse_kubeconfig(json.dumps(document(user=pair_user())).encode())

    assert found.kind == "certificate"
    assert found.expires_at is not None
    assert found.key_pem.reveal() == pair()[1].decode()
    assert "PRIVATE" not in repr(found)


@pytest.mark.parametrize("kind", ["ec", "rsa", "ed25519"])
def test_parse_kubeconfig__each_kind_of_key__taken(kind: str) -> None:
    certificate, key = pair("kinds", kind=kind)
    user = {"client-certificate-data": b64(certificate), "client-key-data": b64(key)}

    assert parse_kubeconfig(json.dumps(document(user=user)).encode()).kind == "certificate"


def test_parse_kubeconfig__jwt__its_own_expiry_is_shown() -> None:
    payload = base64.urlsafe_b64encode(b'{"exp": 1800000000}').decode().rstrip("=")

    found = parse_kubeconfig(json.dumps(document(user={"token": f"e30.{payload}.x"})).encode())

    assert found.expires_at is not None
    assert found.expires_at.timestamp() == 1_800_000_000


def test_parse_kubeconfig__several_contexts__names_and_why_each_cannot_be_added() -> None:
    text = without_context(kubeconfig())

    with pytest.raises(ChooseContextError) as choice:
        parse_kubeconfig(text.encode())
    chosen = parse_kubeconfig(text.encode(), context="good")

    assert [(option.name, bool(option.fault)) for option in choice.value.options] == [("good", False), ("bad", True)]
    assert choice.value.preselected == "c"
    assert chosen.context == "good"
    with pytest.raises(KubeconfigError, match="exec"):
        parse_kubeconfig(text.encode(), context="bad")
    with pytest.raises(KubeconfigError, match="has no context"):
        parse_kubeconfig(text.encode(), context="none")


def test_parse_kubeconfig__skipping_tls__only_where_the_operator_allows() -> None:
    raw = kubeconfig(cluster={"insecure-skip-tls-verify": True}).encode()

    found = parse_kubeconfig(raw, allow_insecure=True)

    assert found.skips_tls_verification


def test_parse_kubeconfig__without_ca__public_roots() -> None:
    whole = document()
    del whole["clusters"][0]["cluster"]["certificate-authority-data"]

    assert parse_kubeconfig(json.dumps(whole).encode()).ca_pem == ""


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8), lambda v: st.lists(v, max_size=2)
)
KEYS = st.sampled_from(["server", "token", "exec", "as", "proxy-url", "x", "name", "insecure-skip-tls-verify"])


@given(
    st.dictionaries(KEYS, VALUES, max_size=4),
    st.dictionaries(KEYS, VALUES, max_size=4),
    st.dictionaries(KEYS, VALUES, max_size=3),
)
def test_parse_kubeconfig__any_shape__kept_or_refused_in_words(
    user: dict[str, Any], cluster: dict[str, Any], top: dict[str, Any]
) -> None:
    whole = document(user=user, cluster=cluster) | top
    findings: tuple[Finding, ...] = ()
    found = None
    try:
        found = parse_kubeconfig(json.dumps(whole).encode())
    except KubeconfigError as refused:
        findings = refused.findings
    assert all(finding.path and finding.message for finding in findings)
    if found is None:
        return
    assert isinstance(found, ParsedKubeconfig)
    assert set(user) == {"token"}
    assert not {"proxy-url", "exec", "as", "x"} & (set(cluster) | set(top))


@given(st.binary(max_size=400))
def test_parse_kubeconfig__any_bytes__refused_in_words(raw: bytes) -> None:
    with pytest.raises((KubeconfigError, ChooseContextError)):
        parse_kubeconfig(raw)
