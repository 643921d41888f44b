"""Who takes plaintext in Istio: PeerAuthentications from wide to narrow, and what is not known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from meshes.adapters.base import FoundControlPlane, Injection
from meshes.adapters.istio import IstioAdapter
from meshes.adapters.mtls import FoundPart, Secured
from meshes.types import Version
from tests.meshes.policies import PODS, objects

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshes.adapters.mtls import FoundMtls

ISTIO = IstioAdapter()
VERSION = Version.parse("1.31.0")
INJECTED, AMBIENT = Injection("injected", "", "default"), Injection("ambient", "")


def peer(where: str, spec: str = "{}", *, created: str = "2026-01-01T00:00:00Z") -> str:
    """A PeerAuthentication `namespace/name`."""
    namespace, name = where.split("/")
    return f"""
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {{name: {name}, namespace: {namespace}, creationTimestamp: "{created}"}}
spec: {spec}
"""


STRICT, PERMISSIVE, DISABLE = (f"{{mtls: {{mode: {mode}}}}}" for mode in ("STRICT", "PERMISSIVE", "DISABLE"))


def istio(*documents: str, injection: Injection = INJECTED, namespace: str = "shop", **options: Any) -> FoundMtls:
    """What the pods of a namespace take, with these policies in the cluster."""
    roots: Sequence[tuple[str, str]] = options.pop("roots", (("default", "istio-system"),))
    planes = [
        FoundControlPlane("istio-system", "istiod", rev, VERSION, is_ready=True, policy_namespace=root)
        for rev, root in roots
    ]
    told = {
        "seen": frozenset({"shop", "istio-system", namespace}),
        "policies": {"peerauthentications": objects("---".join(documents)) if documents else []},
        **options,
    }
    seen = Secured(spaces={namespace: injection}, bodies={}, planes=planes, pods=lambda name: PODS, **told)
    return ISTIO.mtls(seen)[namespace]


@pytest.mark.parametrize(
    ("documents", "expected"),
    [
        ((), ("permissive", "default", "Istio's default: both are taken")),
        ((peer("istio-system/default", STRICT),), ("strict", "mesh", "PeerAuthentication istio-system/default")),
        ((peer("shop/own", DISABLE),), ("disabled", "namespace", "PeerAuthentication shop/own")),
        (
            (peer("istio-system/default", STRICT), peer("shop/own", PERMISSIVE)),
            ("permissive", "namespace", "PeerAuthentication shop/own"),
        ),
        (
            (peer("istio-system/default", STRICT), peer("shop/own", "{mtls: {mode: UNSET}}")),
            ("strict", "mesh", "PeerAuthentication istio-system/default"),
        ),
        (
            (peer("istio-system/default", STRICT), peer("shop/own")),
            ("strict", "mesh", "PeerAuthentication istio-system/default"),
        ),
        ((peer("istio-system/default"),), ("permissive", "default", "Istio's default: both are taken")),
        ((peer("blog/default", STRICT),), ("permissive", "default", "Istio's default: both are taken")),
        (
            (peer("istio-system/chosen", "{selector: {matchLabels: {app: web}}, mtls: {mode: STRICT}}"),),
            ("permissive", "default", "Istio's default: both are taken"),
        ),
        (
            (peer("shop/empty", "{selector: {matchLabels: {}}, mtls: {mode: STRICT}}"),),
            ("strict", "namespace", "PeerAuthentication shop/empty"),
        ),
    ],
)
def test_istio__policies__narrower_before_wider_and_unset_inherits(
    documents: tuple[str, ...], expected: tuple[str, str, str]
) -> None:
    found = istio(*documents)

    assert (found.mode, found.scope, found.origin) == expected
    assert found.parts == ()


def test_istio__two_of_one_namespace__the_older_counts_even_where_it_asks_for_nothing() -> None:
    newer = peer("shop/newer", STRICT, created="2026-03-01T00:00:00Z")

    asked = istio(newer, peer("shop/older", PERMISSIVE, created="2026-02-01T00:00:00Z"))
    unset = istio(newer, peer("shop/older", created="2026-02-01T00:00:00Z"))

    assert (asked.mode, asked.origin) == ("permissive", "PeerAuthentication shop/older")
    assert (unset.mode, unset.scope) == ("permissive", "default")


CHOSEN = "selector: {matchLabels: {app: ledger}}"


@pytest.mark.parametrize(
    ("documents", "mode", "parts"),
    [
        (
            (peer("shop/default", STRICT), peer("shop/ledger", f"{{{CHOSEN}, mtls: {{mode: PERMISSIVE}}}}")),
            "mixed",
            (("pods with app=ledger", "permissive", ("ledger",)),),
        ),
        (
            (peer("shop/default", STRICT), peer("shop/ledger", f"{{{CHOSEN}, mtls: {{mode: STRICT}}}}")),
            "strict",
            (),
        ),
        (
            (
                peer("istio-system/default", STRICT),
                peer("shop/ledger", f'{{{CHOSEN}, portLevelMtls: {{"8080": {{mode: DISABLE}}, "9090": {{}}}}}}'),
            ),
            "mixed",
            (("port 8080 of pods with app=ledger", "disabled", ("ledger",)),),
        ),
        (
            (peer("shop/ledger", f'{{{CHOSEN}, mtls: {{mode: STRICT}}, portLevelMtls: {{"81": {{mode: DISABLE}}}}}}'),),
            "mixed",
            (
                ("pods with app=ledger", "strict", ("ledger",)),
                ("port 81 of pods with app=ledger", "disabled", ("ledger",)),
            ),
        ),
        (
            (peer("shop/nobody", "{selector: {matchLabels: {app: gone}}, mtls: {mode: STRICT}}"),),
            "mixed",
            (("pods with app=gone", "strict", ()),),
        ),
    ],
)
def test_istio__selectors_and_ports__mixed_where_they_differ(
    documents: tuple[str, ...], mode: str, parts: tuple[tuple[str, str, tuple[str, ...]], ...]
) -> None:
    found = istio(*documents)

    assert found.mode == mode
    assert tuple((part.where, part.mode, part.workloads) for part in found.parts) == parts


def test_istio__two_selectors_for_the_same_pods__the_older_one_counts() -> None:
    older = peer("shop/older", f"{{{CHOSEN}, mtls: {{mode: STRICT}}}}", created="2026-01-01T00:00:00Z")
    newer = peer("shop/newer", f"{{{CHOSEN}, mtls: {{mode: DISABLE}}}}", created="2026-02-01T00:00:00Z")
    wider = peer("shop/wider", "{selector: {matchLabels: {tier: back}}, mtls: {mode: DISABLE}}", created="2026-03-01")

    found = istio(newer, older, wider)

    assert found.parts == (FoundPart("pods with app=ledger", "strict", "PeerAuthentication shop/older", ("ledger",)),)


def test_istio__root_namespace_itself__mesh_wide_policy_and_no_selectors() -> None:
    documents = (
        peer("istio-system/default", STRICT),
        peer("istio-system/chosen", "{selector: {matchLabels: {app: web}}, mtls: {mode: DISABLE}}"),
    )

    found = istio(*documents, namespace="istio-system")

    assert (found.mode, found.scope, found.parts) == ("strict", "mesh", ())


def test_istio__another_root_namespace__its_policies_count_and_no_others() -> None:
    documents = (peer("istio-system/default", STRICT), peer("mesh-admin/default", DISABLE))

    found = istio(*documents, roots=(("default", "mesh-admin"),), seen=frozenset({"shop", "mesh-admin"}))

    assert (found.mode, found.origin) == ("disabled", "PeerAuthentication mesh-admin/default")


def test_istio__two_revisions_with_roots_of_their_own__that_of_the_namespaces_revision() -> None:
    documents = (peer("istio-system/default", STRICT), peer("canary/default", DISABLE))
    roots = (("default", "istio-system"), ("1-32", "canary"))

    of_canary = istio(*documents, roots=roots, injection=Injection("injected", "", "1-32"))
    of_nobody = istio(*documents, roots=roots, injection=Injection("injected", "", "gone"))

    assert of_canary.mode == "disabled"
    assert (of_nobody.mode, "could not be read" in of_nobody.note) == ("unknown", True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"unread": frozenset({"peerauthentications"}), "policies": {}}, "give the reader the right to list them"),
        ({"roots": (("default", ""),)}, "its configuration could not be read"),
        ({"seen": frozenset({"shop"})}, "stand in namespace istio-system, which is not read"),
    ],
)
def test_istio__something_not_read__unknown_and_why_never_permissive(options: dict[str, Any], words: str) -> None:
    found = istio(**options)

    assert found.mode == "unknown"
    assert words in found.note


def test_istio__root_not_read_but_the_namespace_speaks_for_itself__known() -> None:
    assert istio(peer("shop/default", STRICT), seen=frozenset({"shop"})).mode == "strict"


@pytest.mark.parametrize(
    "document",
    [
        peer("shop/odd", "{mtls: {mode: MUTUAL}}"),
        peer("shop/odd", "{mtls: [STRICT]}"),
        peer("istio-system/odd", "{selector: 7}"),
    ],
)
def test_istio__policy_that_is_none__unknown(document: str) -> None:
    found = istio(document)

    assert found.mode == "unknown"
    assert "odd" in found.note or "not what one looks like" in found.note


def test_istio__ambient__disable_is_no_mode_there_and_strict_is() -> None:
    disabled = istio(peer("shop/default", DISABLE), injection=AMBIENT)
    strict = istio(peer("istio-system/default", STRICT), injection=AMBIENT)
    port = istio(
        peer("shop/default", STRICT),
        peer("shop/port", f'{{{CHOSEN}, portLevelMtls: {{"8080": {{mode: DISABLE}}}}}}'),
        injection=AMBIENT,
    )

    assert (disabled.mode, "no mode DISABLE" in disabled.note) == ("permissive", True)
    assert (strict.mode, strict.note) == ("strict", "")
    assert [(part.mode, part.where) for part in port.parts] == [
        ("permissive", "port 8080 of pods with app=ledger"),
    ]


@pytest.mark.parametrize(
    ("served", "expected"),
    [
        ({"security.istio.io/v1", "security.istio.io/v1beta1"}, [("v1", "peerauthentications")]),
        ({"security.istio.io/v1beta1"}, [("v1beta1", "peerauthentications")]),
        ({"networking.istio.io/v1"}, []),
    ],
)
def test_istio__kinds__newest_served_version(served: set[str], expected: list[tuple[str, str]]) -> None:
    assert [(kind.version, kind.plural) for kind in ISTIO.policy_kinds(frozenset(served))] == expected
