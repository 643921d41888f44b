"""The strict parser of what people upload. Pure: no Django, no network, no file, no process.

No library loader ever sees an uploaded kubeconfig: exec plugins, auth providers, token files and proxies run or read
things (docs/security.md). What is kept is a new object made of checked fields; the text is forgotten.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import shlex
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from clusters import certificates
from clusters.secrets import Secret
from meshui.lib.plain_yaml import PlainYamlError, parse_plain
from meshui.lib.typed import converted

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES = 256 * 1024
MAX_ENTRIES = 100
MAX_BASE64 = 64 * 1024
MAX_TOKEN = 16 * 1024
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
HOST = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9.]{0,251}[A-Za-z0-9])?")
TOKEN = re.compile(r"[\x21-\x7e]+")

# The shape, as data: what is taken, what is dropped because it does nothing here, what is refused and how to mend it.
LISTS: Final = {"contexts": "context", "clusters": "cluster", "users": "user"}
TAKEN: Final = {
    "file": {"apiVersion", "kind", "clusters", "users", "contexts", "current-context"},
    "context": {"cluster", "user", "namespace"},
    "cluster": {"server", "certificate-authority-data", "tls-server-name"},
    "user": {"token", "client-certificate-data", "client-key-data"},
}
INERT: Final = {
    "file": {"preferences", "extensions"},
    "context": {"extensions"},
    "cluster": {"extensions", "disable-compression"},
    "user": {"extensions"},
}
SKIP: Final = "insecure-skip-tls-verify"
AS_WRITTEN: Final = "Upload the file as kubectl wrote it."
MINIFY: Final = "Export one context: kubectl config view --minify --flatten --raw"
FLATTEN: Final = "Embed the data: kubectl config view --minify --flatten --raw --context {context}"
SERVICE_ACCOUNT: Final = (
    "Use a service account: kubectl --context {context} apply -f meshui-rbac.yaml, then "
    "kubectl --context {context} -n meshui create token meshui-reader --duration=8760h"
)
OWN_RIGHTS: Final = "Give the credential rights of its own."
REFUSED: Final = {
    "file": {},
    "context": {},
    "cluster": {
        "certificate-authority": ("is a path on somebody's machine.", FLATTEN),
        "proxy-url": ("would send everything through an address of the file's choosing.", "Remove it."),
    },
    "user": {
        "exec": ("runs a command; MeshUI never does.", SERVICE_ACCOUNT),
        "auth-provider": ("runs a command or calls a login service.", SERVICE_ACCOUNT),
        "tokenFile": ("is a path on somebody's machine.", SERVICE_ACCOUNT),
        "client-certificate": ("is a path on somebody's machine.", FLATTEN),
        "client-key": ("is a path on somebody's machine.", FLATTEN),
        "username": ("belongs to password sign-in, which Kubernetes no longer has.", SERVICE_ACCOUNT),
        "password": ("belongs to password sign-in, which Kubernetes no longer has.", SERVICE_ACCOUNT),
        "as": ("acts as somebody else.", OWN_RIGHTS),
        "as-uid": ("acts as somebody else.", OWN_RIGHTS),
        "as-groups": ("acts as somebody else.", OWN_RIGHTS),
        "as-user-extra": ("acts as somebody else.", OWN_RIGHTS),
    },
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault: where in the file, what, and how to mend it. Never a value from the file.

    `needs_account`: only a ServiceAccount of its own mends it.
    """

    path: str
    message: str
    mend: str = ""
    needs_account: bool = False


class KubeconfigError(ValueError):
    """The file cannot be taken; `findings` are all the reasons at once, `context` (quoted) the one they are about."""

    def __init__(self, findings: list[Finding], *, context: str = "") -> None:
        super().__init__("; ".join(f"{f.path}: {f.message}" for f in findings))
        self.findings = tuple(findings)
        self.context = shlex.quote(context[:64]) if context else ""


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


class _Context(msgspec.Struct, forbid_unknown_fields=True):
    cluster: str
    user: str
    namespace: str = ""


class _Cluster(msgspec.Struct, forbid_unknown_fields=True, rename="kebab"):
    server: str
    certificate_authority_data: str = ""
    tls_server_name: str = ""


class _User(msgspec.Struct, forbid_unknown_fields=True, rename="kebab"):
    token: str = ""
    client_certificate_data: str = ""
    client_key_data: str = ""


@dataclass(frozen=True, slots=True)
class ParsedKubeconfig:
    """What is kept: address, CA (PEM, empty = public roots), and exactly one credential."""

    context: str
    server: str
    ca_pem: str
    tls_name: str
    skips_tls_verification: bool
    token: Secret
    certificate_pem: str
    key_pem: Secret
    namespace: str = ""
    expires_at: datetime | None = None
    is_in_cluster: bool = False

    @property
    def kind(self) -> str:
        """token, certificate, or in-cluster: the account of the pod that MeshUI runs in."""
        if self.is_in_cluster:
            return "in-cluster"
        return "token" if self.token else "certificate"


@dataclass(frozen=True, slots=True)
class _Entries:
    """The three lists of a file, by name."""

    contexts: dict[str, dict[str, Any]]
    clusters: dict[str, dict[str, Any]]
    users: dict[str, dict[str, Any]]

    def of(self, context: str) -> tuple[dict[str, Any], dict[str, Any] | None, dict[str, Any] | None]:
        """The context with its cluster and user, where there are such."""
        chosen = self.contexts[context]
        names = chosen.get("cluster"), chosen.get("user")
        cluster = self.clusters.get(names[0]) if isinstance(names[0], str) else None
        user = self.users.get(names[1]) if isinstance(names[1], str) else None
        return chosen, cluster, user


def parse_kubeconfig(raw: bytes, *, context: str = "", allow_insecure: bool = False) -> ParsedKubeconfig:
    """The one context of a kubeconfig, checked. Raises KubeconfigError (all faults at once), ChooseContextError."""
    document = _document(raw)
    findings = list(_check_file(document))
    entries = _Entries(**{plural: _by_name(document.get(plural), plural, findings) for plural in LISTS})
    name = context or (next(iter(entries.contexts)) if len(entries.contexts) == 1 else "")
    if name and name not in entries.contexts:
        findings.append(Finding("contexts", f"has no context “{name[:64]}”.", "Choose one that the file has."))
    elif name:
        findings += _check_context(name, entries, allow_insecure=allow_insecure)
    if findings:
        raise KubeconfigError(findings, context=name)
    if not name:
        raise _choice(document, entries, allow_insecure=allow_insecure)
    return _rebuilt(name, entries)


def _document(raw: bytes) -> dict[str, Any]:
    if len(raw) > MAX_BYTES:
        raise KubeconfigError([Finding("file", "is larger than 256 KiB.", MINIFY)])
    try:
        return parse_plain(raw.decode("utf-8", "strict"))
    except UnicodeDecodeError:
        raise KubeconfigError([Finding("file", "is not UTF-8 text.", AS_WRITTEN)]) from None
    except PlainYamlError as error:
        raise KubeconfigError([Finding("file", f"cannot be read. {error}", AS_WRITTEN)]) from None


def _check_file(document: dict[str, Any]) -> Iterator[Finding]:
    yield from _check_keys(document, "file", "", "")
    if document.get("apiVersion") != "v1" or document.get("kind") != "Config":
        yield Finding("apiVersion, kind", "are not v1 and Config.", "Upload a kubeconfig.")
    for plural in LISTS:
        entries = document.get(plural)
        if not isinstance(entries, list) or not 0 < len(entries) <= MAX_ENTRIES:
            yield Finding(plural, f"is not a list of 1 to {MAX_ENTRIES} entries.", MINIFY)


def _by_name(listed: object, plural: str, findings: list[Finding]) -> dict[str, dict[str, Any]]:
    """The entries of a list by their names; what is wrong with them goes to `findings`."""
    singular = LISTS[plural]
    found: dict[str, dict[str, Any]] = {}
    for index, entry in enumerate(listed[:MAX_ENTRIES] if isinstance(listed, list) else ()):
        where = f"{plural}[{index}]"
        if not isinstance(entry, dict) or set(entry) != {"name", singular} or not isinstance(entry["name"], str):
            findings.append(Finding(where, f"is not just a name and a {singular}.", AS_WRITTEN))
        elif not isinstance(entry[singular], dict):
            findings.append(Finding(where, f"has no {singular}.", AS_WRITTEN))
        elif not entry["name"] or entry["name"] in found:
            findings.append(Finding(where, f"bears no name, or that of another {singular}.", "Remove one of the two."))
        else:
            found[entry["name"]] = entry[singular]
    return found


def _choice(document: dict[str, Any], entries: _Entries, *, allow_insecure: bool) -> ChooseContextError:
    options = []
    for name in entries.contexts:
        faults = _check_context(name, entries, allow_insecure=allow_insecure)
        options.append(ContextOption(name, " ".join(f"{fault.path} {fault.message}" for fault in faults)))
    current = document.get("current-context")
    return ChooseContextError(tuple(options), current if isinstance(current, str) else "")


def _check_context(name: str, entries: _Entries, *, allow_insecure: bool) -> list[Finding]:
    """Everything that is wrong with one context, its cluster and its user."""
    context, cluster, user = entries.of(name)
    path = f"contexts[{name[:64]}].context."
    findings = list(_check_keys(context, "context", path, name))
    if not LABEL.fullmatch(str(context.get("namespace") or "default")):
        findings.append(Finding(f"{path}namespace", "is not the name of a namespace."))
    if cluster is None:
        findings.append(Finding(f"{path}cluster", "names a cluster that the file does not have.", AS_WRITTEN))
    else:
        where = f"clusters[{str(context['cluster'])[:64]}].cluster."
        findings += _check_keys(cluster, "cluster", where, name)
        findings += _check_cluster(cluster, where, allow_insecure=allow_insecure)
    if user is None:
        findings.append(Finding(f"{path}user", "names a user that the file does not have.", AS_WRITTEN))
    else:
        where = f"users[{str(context['user'])[:64]}].user."
        refused = list(_check_keys(user, "user", where, name))
        findings += refused or _check_user(user, where, name)
    return findings


def _check_keys(node: dict[str, Any], kind: str, path: str, context: str) -> Iterator[Finding]:
    """Refused and unknown keys by name, and taken ones that are no text; what they hold is never shown."""
    for key, value in node.items():
        where = f"{path}{key[:64]}"
        if key in REFUSED[kind]:
            message, mend = REFUSED[kind][key]
            is_account = mend is SERVICE_ACCOUNT
            yield Finding(where, message, mend.format(context=shlex.quote(context[:64])), needs_account=is_account)
        elif key in TAKEN[kind]:
            if key not in LISTS and not isinstance(value, str):
                yield Finding(where, "is not text.", AS_WRITTEN)
        elif key not in INERT[kind] and (kind, key) != ("cluster", SKIP):
            yield Finding(where, "is not a key that MeshUI knows.", "Remove it.")


def _check_cluster(cluster: dict[str, Any], path: str, *, allow_insecure: bool) -> Iterator[Finding]:
    skip = cluster.get(SKIP, "false")
    if skip not in ("true", "false"):
        yield Finding(path + SKIP, "is neither true nor false.")
    elif skip == "true" and not allow_insecure:
        yield Finding(path + SKIP, "would accept any server.", "Give the CA as certificate-authority-data.")
    if not cluster.get("server"):
        yield Finding(f"{path}server", "is missing.", AS_WRITTEN)
    tls_name = cluster.get("tls-server-name", "")
    if isinstance(tls_name, str) and tls_name and not HOST.fullmatch(tls_name):
        yield Finding(f"{path}tls-server-name", "is not a host name.")
    data = cluster.get("certificate-authority-data")
    if isinstance(data, str) and data:
        pem, fault = _decoded(data)
        if fault := fault or certificates.bundle_fault(pem):
            mend = f"Give 1 to {certificates.MAX_CERTIFICATES} CA certificates as base64 of PEM."
            yield Finding(f"{path}certificate-authority-data", fault, mend)


def _check_user(user: dict[str, Any], path: str, context: str) -> Iterator[Finding]:
    has_token = bool(user.get("token"))
    has_certificate = bool(user.get("client-certificate-data") or user.get("client-key-data"))
    if has_token == has_certificate:
        mend = SERVICE_ACCOUNT.format(context=shlex.quote(context[:64]))
        message = "must hold either a token or a client certificate with its key."
        yield Finding(path.rstrip("."), message, mend, needs_account=True)
    elif has_certificate:
        yield from _check_pair(user, path)
    elif len(user["token"]) > MAX_TOKEN or not TOKEN.fullmatch(user["token"]):
        yield Finding(f"{path}token", "is longer than 16 KiB or holds spaces or other characters.", AS_WRITTEN)


def _check_pair(user: dict[str, Any], path: str) -> Iterator[Finding]:
    certificate, fault = _decoded(user.get("client-certificate-data", ""))
    key, key_fault = _decoded(user.get("client-key-data", ""))
    if fault:
        yield Finding(f"{path}client-certificate-data", fault, AS_WRITTEN)
    if key_fault:
        yield Finding(f"{path}client-key-data", key_fault, AS_WRITTEN)
    if not fault and not key_fault and (pair := certificates.pair_fault(certificate, key)):
        yield Finding(f"{path}client-key-data", pair, "Give a certificate that is in date, with its unencrypted key.")


def _decoded(data: str) -> tuple[str, str]:
    """(text, fault) of strict base64."""
    if not data or len(data) > MAX_BASE64:
        return "", "is missing or longer than 64 KiB."
    try:
        return base64.b64decode(data, validate=True).decode("ascii"), ""
    except (binascii.Error, ValueError):
        return "", "is not base64 of PEM."


def _rebuilt(name: str, entries: _Entries) -> ParsedKubeconfig:
    """A new object of the taken fields. The structs are the second wall: what the table let pass must fit them too."""
    nodes = entries.of(name)
    taken = [
        {k: v for k, v in (node or {}).items() if k in TAKEN[kind]}
        for kind, node in zip(LISTS.values(), nodes, strict=True)
    ]
    context = converted(taken[0], _Context)
    cluster = converted(taken[1], _Cluster)
    user = converted(taken[2], _User)
    certificate = _decoded(user.client_certificate_data)[0]
    ca_pem = _decoded(cluster.certificate_authority_data)[0]
    return ParsedKubeconfig(
        context=name,
        server=cluster.server,
        ca_pem=ca_pem,
        tls_name=cluster.tls_server_name,
        skips_tls_verification=(nodes[1] or {}).get(SKIP) == "true",
        token=Secret(user.token),
        certificate_pem=certificate,
        key_pem=Secret(_decoded(user.client_key_data)[0]),
        namespace=context.namespace,
        expires_at=token_expiry(user.token) if user.token else certificates.expiry(certificate),
    )


def token_expiry(token: str) -> datetime | None:
    """The `exp` of a JWT, unverified: a hint for people. None if it is not a JWT."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        payload = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return datetime.fromtimestamp(int(payload["exp"]), UTC)
    except (ValueError, KeyError, TypeError, OverflowError, OSError, RecursionError):
        return None
