"""The strict parser of what people upload. Pure: no Django, no network, no file, no process.

No library loader ever sees an uploaded kubeconfig: exec plugins, auth providers, token files and proxies run or read
things (security §2). What is kept is a new object made of checked fields; the text is forgotten.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from clusters import certificates
from meshui.lib.plain_yaml import PlainYamlError, parse_plain

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES = 256 * 1024
MAX_ENTRIES = 100
MAX_BASE64 = 64 * 1024
MAX_TOKEN = 16 * 1024
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
HOST = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9.]{0,251}[A-Za-z0-9])?")
TOKEN = re.compile(r"[\x21-\x7e]+")

TAKEN = {
    "file": {"apiVersion", "kind", "clusters", "users", "contexts", "current-context"},
    "context": {"cluster", "user", "namespace"},
    "cluster": {"server", "certificate-authority-data", "tls-server-name"},
    "user": {"token", "client-certificate-data", "client-key-data"},
}
INERT = {
    "file": {"preferences", "extensions"},
    "context": {"extensions"},
    "cluster": {"extensions", "disable-compression"},
    "user": {"extensions"},
}
FLATTEN = "Embed the data: kubectl config view --minify --flatten --raw --context {context}"
MAKE_TOKEN = (
    "Use a service account: kubectl --context {context} apply -f meshui-rbac.yaml, then "
    "kubectl --context {context} -n meshui create token meshui-reader --duration=8760h"
)
REFUSED = {
    "cluster": {
        "certificate-authority": ("is a path on somebody's machine.", FLATTEN),
        "proxy-url": ("would send everything through an address of the file's choosing.", "Remove it."),
    },
    "user": {
        "exec": ("runs a command on the server; MeshUI never does.", MAKE_TOKEN),
        "auth-provider": ("runs a command or calls a login service.", MAKE_TOKEN),
        "tokenFile": ("is a path on somebody's machine.", MAKE_TOKEN),
        "client-certificate": ("is a path on somebody's machine.", FLATTEN),
        "client-key": ("is a path on somebody's machine.", FLATTEN),
        "username": ("belongs to password sign-in, which Kubernetes no longer has.", MAKE_TOKEN),
        "password": ("belongs to password sign-in, which Kubernetes no longer has.", MAKE_TOKEN),
        "as": ("acts as somebody else.", "Give the credential its own rights."),
        "as-uid": ("acts as somebody else.", "Give the credential its own rights."),
        "as-groups": ("acts as somebody else.", "Give the credential its own rights."),
        "as-user-extra": ("acts as somebody else.", "Give the credential its own rights."),
    },
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault: where in the file, what, and how to mend it. Never a value from the file."""

    path: str
    message: str
    mend: str = ""


class KubeconfigError(ValueError):
    """The file cannot be taken; `findings` are all the reasons at once."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__("; ".join(f"{f.path}: {f.message}" for f in findings))
        self.findings = tuple(findings)


@dataclass(frozen=True, slots=True)
class ContextOption:
    """One context to choose; `fault` says why it cannot be added, empty if it can."""

    name: str
    fault: str = ""


class ChooseContextError(ValueError):
    """Several contexts and none chosen; `options` in the order of the file, `preselected` is current-context."""

    def __init__(self, options: tuple[ContextOption, ...], preselected: str) -> None:
        super().__init__("Choose one of the contexts.")
        self.options = options
        self.preselected = preselected


@dataclass(frozen=True, slots=True)
class ParsedKubeconfig:
    """What is kept: address, CA (PEM, empty = public roots), and exactly one credential. Its repr shows no secret."""

    context: str
    server: str
    ca_pem: str
    tls_name: str
    skips_tls_verification: bool
    token: str = field(default="", repr=False)
    certificate_pem: str = field(default="", repr=False)
    key_pem: str = field(default="", repr=False)
    namespace: str = ""
    expires_at: datetime | None = None

    @property
    def kind(self) -> str:
        """token or certificate."""
        return "token" if self.token else "certificate"


def parse_kubeconfig(raw: bytes, *, context: str = "", allow_insecure: bool = False) -> ParsedKubeconfig:
    """The one context of a kubeconfig, checked. Raises KubeconfigError, ChooseContextError."""
    document = _document(raw)
    findings = list(_check_file(document))
    if findings:
        raise KubeconfigError(findings)
    lists = {plural: _by_name(document, plural, findings) for plural in ("contexts", "clusters", "users")}
    if findings:
        raise KubeconfigError(findings)
    name = context or _only(lists["contexts"])
    if not name:
        raise _choice(document, lists, allow_insecure)
    if name not in lists["contexts"]:
        raise KubeconfigError([Finding("contexts", f"has no context “{name[:64]}”.", "Choose one that the file has.")])
    return _chosen(name, lists, allow_insecure)


def _document(raw: bytes) -> dict[str, Any]:
    if len(raw) > MAX_BYTES:
        raise KubeconfigError([Finding("file", "is larger than 256 KiB.", "Export one context with --minify.")])
    try:
        return parse_plain(raw.decode("utf-8", "strict"))
    except UnicodeDecodeError:
        raise KubeconfigError([Finding("file", "is not UTF-8 text.", "Upload the file as kubectl wrote it.")]) from None
    except PlainYamlError as error:
        raise KubeconfigError([Finding("file", str(error), "Upload the file as kubectl wrote it.")]) from None


def _check_file(document: dict[str, Any]) -> Iterator[Finding]:
    yield from _unknown(document, "file", "", "")
    if document.get("apiVersion") != "v1" or document.get("kind") != "Config":
        yield Finding("apiVersion, kind", "are not v1 and Config.", "Upload a kubeconfig.")
    for plural in ("contexts", "clusters", "users"):
        entries = document.get(plural)
        if not isinstance(entries, list) or not 0 < len(entries) <= MAX_ENTRIES:
            yield Finding(plural, f"is not a list of 1 to {MAX_ENTRIES} entries.", "Export one context with --minify.")


def _by_name(document: dict[str, Any], plural: str, findings: list[Finding]) -> dict[str, dict[str, Any]]:
    singular = plural[:-1]
    found: dict[str, dict[str, Any]] = {}
    for index, entry in enumerate(document[plural]):
        where = f"{plural}[{index}]"
        if not isinstance(entry, dict) or set(entry) - {"name", singular} or not isinstance(entry.get("name"), str):
            findings.append(Finding(where, f"is not a name and a {singular}.", "Upload the file as kubectl wrote it."))
        elif not isinstance(entry.get(singular), dict):
            findings.append(Finding(where, f"has no {singular}.", "Upload the file as kubectl wrote it."))
        elif entry["name"] in found:
            findings.append(Finding(where, f"bears the name of another {singular}.", "Remove one of the two."))
        else:
            found[entry["name"]] = entry[singular]
    return found


def _only(contexts: dict[str, dict[str, Any]]) -> str:
    return next(iter(contexts)) if len(contexts) == 1 else ""


def _choice(
    document: dict[str, Any],
    lists: dict[str, dict[str, dict[str, Any]]],
    allow_insecure: bool,  # noqa: FBT001
) -> ChooseContextError:
    options = []
    for name in lists["contexts"]:
        try:
            _chosen(name, lists, allow_insecure)
        except KubeconfigError as error:
            options.append(ContextOption(name, "; ".join(f"{f.path} {f.message}" for f in error.findings)))
        else:
            options.append(ContextOption(name))
    current = document.get("current-context")
    return ChooseContextError(tuple(options), current if isinstance(current, str) else "")


def _chosen(name: str, lists: dict[str, dict[str, dict[str, Any]]], allow_insecure: bool) -> ParsedKubeconfig:  # noqa: FBT001
    context = lists["contexts"][name]
    findings = list(_unknown(context, "context", f"contexts[{name}].", name))
    cluster = lists["clusters"].get(str(context.get("cluster")))
    user = lists["users"].get(str(context.get("user")))
    if cluster is None or user is None:
        findings.append(Finding(f"contexts[{name}]", "names a cluster or user that the file does not have."))
        raise KubeconfigError(findings)
    findings += _check_context(context, name)
    findings += _check_cluster(cluster, name, allow_insecure)
    findings += _check_user(user, name)
    if findings:
        raise KubeconfigError(findings)
    return _rebuilt(name, context, cluster, user)


def _unknown(node: dict[str, Any], kind: str, path: str, context: str) -> Iterator[Finding]:
    for key in node:
        where = f"{path}{key[:64]}"
        if key in REFUSED.get(kind, {}):
            message, mend = REFUSED[kind][key]
            yield Finding(where, message, mend.format(context=context))
        elif key == "insecure-skip-tls-verify" and kind == "cluster":
            continue
        elif key not in TAKEN[kind] and key not in INERT[kind]:
            yield Finding(where, "is not a key MeshUI knows.", "Remove it.")
        elif key in TAKEN[kind] and key not in {"clusters", "users", "contexts"} and not isinstance(node[key], str):
            yield Finding(where, "is not text.", "Upload the file as kubectl wrote it.")


def _check_context(context: dict[str, Any], name: str) -> Iterator[Finding]:
    namespace = context.get("namespace", "")
    if isinstance(namespace, str) and namespace and not LABEL.fullmatch(namespace):
        yield Finding(f"contexts[{name}].namespace", "is not a namespace's name.")


def _check_cluster(cluster: dict[str, Any], context: str, allow_insecure: bool) -> Iterator[Finding]:  # noqa: FBT001
    path = f"cluster of {context}."
    yield from _unknown(cluster, "cluster", path, context)
    skip = cluster.get("insecure-skip-tls-verify", "false")
    if skip not in {"true", "false"}:
        yield Finding(f"{path}insecure-skip-tls-verify", "is neither true nor false.")
    if skip == "true" and not allow_insecure:
        text = "would accept any server."
        yield Finding(f"{path}insecure-skip-tls-verify", text, "Give the CA as certificate-authority-data.")
    if not cluster.get("server"):
        yield Finding(f"{path}server", "is missing.")
    tls_name = cluster.get("tls-server-name", "")
    if isinstance(tls_name, str) and tls_name and not HOST.fullmatch(tls_name):
        yield Finding(f"{path}tls-server-name", "is not a host name.")
    if isinstance(cluster.get("certificate-authority-data"), str):
        yield from _check_ca(cluster["certificate-authority-data"], f"{path}certificate-authority-data")


def _check_ca(data: str, path: str) -> Iterator[Finding]:
    pem, fault = _decoded(data)
    fault = fault or certificates.bundle_fault(pem)
    if fault:
        yield Finding(path, fault, "Give 1 to 20 CA certificates as base64 of PEM.")


def _check_user(user: dict[str, Any], context: str) -> Iterator[Finding]:
    path = f"user of {context}."
    yield from _unknown(user, "user", path, context)
    has_token = bool(user.get("token"))
    has_certificate = bool(user.get("client-certificate-data")) or bool(user.get("client-key-data"))
    if has_token == has_certificate:
        mend = MAKE_TOKEN.format(context=context)
        yield Finding(path.rstrip("."), "must hold exactly one of token and client certificate with key.", mend)
        return
    if has_token and isinstance(user["token"], str):
        if len(user["token"]) > MAX_TOKEN or not TOKEN.fullmatch(user["token"]):
            yield Finding(f"{path}token", "is longer than 16 KiB or holds spaces or other characters.")
        return
    yield from _check_certificate(user, path)


def _check_certificate(user: dict[str, Any], path: str) -> Iterator[Finding]:
    certificate, fault = _decoded(user.get("client-certificate-data"))
    if fault:
        yield Finding(f"{path}client-certificate-data", fault)
    key, key_fault = _decoded(user.get("client-key-data"))
    if key_fault:
        yield Finding(f"{path}client-key-data", key_fault)
    if not fault and not key_fault and (pair := certificates.pair_fault(certificate, key)):
        yield Finding(f"{path}client-key-data", pair, "Give the unencrypted key of that certificate, both in date.")


def _decoded(data: object) -> tuple[str, str]:
    """(text, fault) of strict base64."""
    if not isinstance(data, str) or not data or len(data) > MAX_BASE64:
        return "", "is missing or longer than 64 KiB."
    try:
        return base64.b64decode(data, validate=True).decode("ascii"), ""
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return "", "is not base64 of PEM."


def _rebuilt(name: str, context: dict[str, Any], cluster: dict[str, Any], user: dict[str, Any]) -> ParsedKubeconfig:
    token = user.get("token", "")
    certificate = "" if token else _decoded(user["client-certificate-data"])[0]
    return ParsedKubeconfig(
        context=name,
        server=cluster["server"],
        ca_pem=_decoded(cluster["certificate-authority-data"])[0] if cluster.get("certificate-authority-data") else "",
        tls_name=cluster.get("tls-server-name", ""),
        skips_tls_verification=cluster.get("insecure-skip-tls-verify") == "true",
        token=token,
        certificate_pem=certificate,
        key_pem="" if token else _decoded(user["client-key-data"])[0],
        namespace=context.get("namespace", ""),
        expires_at=token_expiry(token) if token else certificates.expiry(certificate),
    )


def token_expiry(token: str) -> datetime | None:
    """The `exp` of a JWT, unverified: a hint for people. None if it is not a JWT."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        payload = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return datetime.fromtimestamp(int(payload["exp"]), timezone.utc)
    except (ValueError, KeyError, TypeError, OverflowError, OSError, RecursionError):
        return None
