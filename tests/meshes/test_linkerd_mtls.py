"""Who takes plaintext in Linkerd: inbound policies, Servers and their authorizations, and what is not known."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from meshes.adapters.base import FoundControlPlane, Injection
from meshes.adapters.linkerd import LinkerdAdapter
from meshes.adapters.mtls import FoundPart, PodTemplate, Secured
from meshes.types import Version
from tests.meshes.policies import PODS, objects

if TYPE_CHECKING:
    from meshes.adapters.mtls import FoundMtls
    from meshui.lib.jsontypes import JsonObject

LINKERD = LinkerdAdapter()
VERSION = Version.parse("2.20.0")
INBOUND = "config.linkerd.io/default-inbound-policy"


def linkerd(
    text: str = "",
    *,
    inbound: str = "all-unauthenticated",
    annotation: str = "",
    pods: tuple[PodTemplate, ...] = PODS,
    unread: frozenset[str] = frozenset(),
) -> FoundMtls:
    """What the pods of namespace shop take, with these policies in the cluster."""
    annotations = {INBOUND: annotation} if annotation else {}
    body = cast("JsonObject", {"metadata": {"name": "shop", "uid": "s", "annotations": annotations}})
    policies: dict[str, list[JsonObject]] = {}
    plurals = {"Server": "servers", "AuthorizationPolicy": "authorizationpolicies"}
    for each in objects(text) if text else ():
        policies.setdefault(plurals.get(str(each["kind"]), "serverauthorizations"), []).append(each)
    seen = Secured(
        spaces={"shop": Injection("injected", "")},
        bodies={"shop": body},
        seen=frozenset({"shop"}),
        planes=[FoundControlPlane("linkerd", "linkerd-destination", "", VERSION, is_ready=True, inbound=inbound)],
        pods=lambda name: pods,
        policies=policies,
        unread=unread,
    )
    return LINKERD.mtls(seen)["shop"]


@pytest.mark.parametrize(
    ("inbound", "annotation", "expected"),
    [
        ("all-unauthenticated", "", ("permissive", "default", "defaultInboundPolicy: all-unauthenticated")),
        ("cluster-authenticated", "", ("strict", "mesh", "defaultInboundPolicy: cluster-authenticated")),
        ("deny", "", ("strict", "mesh", "defaultInboundPolicy: deny")),
        ("audit", "", ("permissive", "mesh", "defaultInboundPolicy: audit")),
        ("all-unauthenticated", "all-authenticated", ("strict", "namespace", f"{INBOUND}=all-authenticated")),
        ("deny", "cluster-unauthenticated", ("permissive", "namespace", f"{INBOUND}=cluster-unauthenticated")),
        ("perhaps", "", ("unknown", "mesh", "defaultInboundPolicy: perhaps")),
        ("", "", ("unknown", "default", "")),
        ("", "all-authenticated", ("strict", "namespace", f"{INBOUND}=all-authenticated")),
    ],
)
def test_linkerd__inbound_policy__annotation_before_control_plane(
    inbound: str, annotation: str, expected: tuple[str, str, str]
) -> None:
    found = linkerd(inbound=inbound, annotation=annotation)

    assert (found.mode, found.scope, found.origin) == expected


def test_linkerd__pods_with_a_word_of_their_own__mixed() -> None:
    pods = (*PODS, PodTemplate("batch", {}, {INBOUND: "all-authenticated"}))

    found = linkerd(pods=pods)

    assert (found.mode, found.base) == ("mixed", "permissive")
    assert found.parts == (FoundPart("pods of batch", "strict", f"{INBOUND}=all-authenticated", ("batch",)),)


SERVER = """
apiVersion: policy.linkerd.io/v1beta3
kind: Server
metadata: {name: ledger-http, namespace: shop}
spec: {podSelector: {matchLabels: {app: ledger}}, port: 8080, accessPolicy: %s}
"""
AUTHORIZATION = """
---
apiVersion: policy.linkerd.io/v1alpha1
kind: AuthorizationPolicy
metadata: {name: open, namespace: shop}
spec:
  targetRef: {group: policy.linkerd.io, kind: %s, name: %s}
  requiredAuthenticationRefs: [{group: policy.linkerd.io, kind: %s, name: some}]
"""
OLDER = """
---
apiVersion: policy.linkerd.io/v1beta1
kind: ServerAuthorization
metadata: {name: old, namespace: shop}
spec: {server: {name: ledger-http}, client: %s}
"""


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        (SERVER % "deny", "strict"),
        (SERVER % "all-authenticated", "strict"),
        (SERVER % "all-unauthenticated", None),
        (SERVER % "deny" + AUTHORIZATION % ("Server", "ledger-http", "MeshTLSAuthentication"), "strict"),
        (SERVER % "deny" + AUTHORIZATION % ("Server", "ledger-http", "NetworkAuthentication"), None),
        (SERVER % "deny" + AUTHORIZATION % ("Server", "other", "NetworkAuthentication"), "strict"),
        (SERVER % "deny" + AUTHORIZATION % ("Namespace", "shop", "NetworkAuthentication"), None),
        (SERVER % "deny" + OLDER % "{meshTLS: {identities: ['*']}}", "strict"),
        (SERVER % "deny" + OLDER % "{meshTLS: {unauthenticatedTLS: true}}", None),
        (SERVER % "deny" + OLDER % "{unauthenticated: true}", None),
        (SERVER % "perhaps", "unknown"),
    ],
)
def test_linkerd__server__its_port_as_it_and_its_authorizations_say(text: str, mode: str | None) -> None:
    found = linkerd(text)

    assert [part.mode for part in found.parts] == ([mode] if mode else [])
    assert [part.workloads for part in found.parts] == ([("ledger",)] if mode else [])
    assert found.base == "permissive"


def test_linkerd__server_that_lets_others_in_where_the_namespace_does_not__names_both_objects() -> None:
    text = SERVER % "deny" + AUTHORIZATION % ("Server", "ledger-http", "NetworkAuthentication")

    found = linkerd(text, inbound="all-authenticated")

    assert (found.mode, found.base) == ("mixed", "strict")
    assert found.parts[0].where == "port 8080 of pods with app=ledger"
    assert found.parts[0].origin == "Server shop/ledger-http, AuthorizationPolicy shop/open"


def test_linkerd__server_by_expressions__says_whom_it_means() -> None:
    chosen = "{matchExpressions: [{key: tier, operator: In, values: [front]}, {key: app, operator: Exists}]}"
    text = (SERVER % "deny").replace("{matchLabels: {app: ledger}}", chosen)

    (part,) = linkerd(text).parts

    assert (part.where, part.workloads) == ("port 8080 of pods with tier In (front), app Exists", ("web",))


@pytest.mark.parametrize("plural", ["servers", "authorizationpolicies", "serverauthorizations"])
def test_linkerd__a_kind_that_is_not_read__unknown(plural: str) -> None:
    found = linkerd(inbound="all-authenticated", unread=frozenset({plural}))

    assert (found.mode, found.base) == ("unknown", "strict")
    assert "could not be read" in found.note


def test_linkerd__policy_that_is_none__unknown() -> None:
    assert linkerd((SERVER % "deny").replace("port: 8080", "port: [1]")).mode == "unknown"
