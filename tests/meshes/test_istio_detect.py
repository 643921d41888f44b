"""Finding Istio: several revisions, tags, what they trust, and other meshes and ruins beside it."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, cast

import pytest

from meshes.adapters.istio import IstioAdapter
from meshes.adapters.istio_detect import tags_of
from meshes.adapters.linkerd import LinkerdAdapter
from meshes.adapters.natives import trust_root_of
from tests.meshes.objects import istiod, namespace
from tests.meshes.still import Still

if TYPE_CHECKING:
    from meshes.adapters.base import Detected
    from meshui.lib.jsontypes import JsonObject

ISTIO, LINKERD = IstioAdapter(), LinkerdAdapter()
RELEASE = "registry.istio.io/release/pilot:1.31.0"


def pem(*texts: str) -> str:
    """A bundle of what look like certificates, with words between."""
    blocks = [base64.b64encode(text.encode() * 20).decode() for text in texts]
    return "".join(
        f"# {n}\n-----BEGIN CERTIFICATE-----\n{b}\n-----END CERTIFICATE-----\n" for n, b in enumerate(blocks)
    )


def config(name: str, data: dict[str, str], namespace: str = "istio-system") -> dict[str, Any]:
    """A ConfigMap."""
    return {"kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": data}


def mesh_of(revision: str = "", domain: str = "corp.example", namespace: str = "istio-system") -> dict[str, Any]:
    """What a control plane is configured by."""
    return config(f"istio-{revision}" if revision else "istio", {"mesh": f"trustDomain: {domain}"}, namespace)


def root_of(text: str, namespace: str = "istio-system") -> dict[str, Any]:
    """The root certificates that istiod hands out."""
    return config("istio-ca-root-cert", {"root-cert.pem": text}, namespace)


def detect(planes: list[JsonObject], *objects: dict[str, Any], **options: Any) -> Detected:
    """Among these workloads, with these ConfigMaps."""
    return ISTIO.detect(Still(objects, **options).reader, planes)


def test_detect__revisions_of_one_trust__one_mesh_with_its_root() -> None:
    planes = [istiod(RELEASE), istiod(RELEASE, revision="1-30-4")]

    detected = detect(planes, mesh_of(), mesh_of("1-30-4"), root_of(pem("a", "b")))

    (mesh,) = detected.meshes
    assert [plane.revision for plane in mesh.control_planes] == ["default", "1-30-4"]
    assert mesh.trust_root == trust_root_of(pem("b", "a"))
    assert len(mesh.trust_root) == 64
    assert detected.problems == ()


def test_detect__other_roots_under_one_trust_domain__told_and_not_chosen_for_them() -> None:
    planes = [istiod(RELEASE), istiod(RELEASE, namespace="other")]
    roots = [root_of(pem("a")), root_of(pem("b"), "other")]

    detected = detect(planes, mesh_of(), mesh_of(namespace="other"), *roots)

    (mesh,) = detected.meshes
    assert mesh.trust_root == trust_root_of(pem("a"))
    assert [(problem.where, "another root certificate" in problem.message) for problem in detected.problems] == [
        ("other/istiod", True)
    ]


@pytest.mark.parametrize("text", ["", "no certificate", "-----BEGIN CERTIFICATE-----\n?!\n-----END CERTIFICATE-----"])
def test_detect__root_that_is_none__not_known(text: str) -> None:
    (mesh,) = detect([istiod(RELEASE)], mesh_of(), root_of(text)).meshes

    assert mesh.trust_root == ""


def test_detect__config_maps_forbidden__both_are_told_for_each_control_plane() -> None:
    planes = [istiod(RELEASE), istiod(RELEASE, revision="1-30-4")]

    detected = detect(planes, mesh_of(), forbidden=["configmaps"])

    assert [plane.revision for mesh in detected.meshes for plane in mesh.control_planes] == ["default", "1-30-4"]
    assert [problem.where for problem in detected.problems] == [
        "ConfigMap istio-system/istio",
        "ConfigMap istio-system/istio-ca-root-cert",
        "ConfigMap istio-system/istio-1-30-4",
        "ConfigMap istio-system/istio-ca-root-cert",
    ]


def test_detect__two_meshes_and_a_ruin_in_one_cluster__each_finds_its_own_and_what_is_wrong() -> None:
    component = "linkerd.io/control-plane-component"
    parts = [linkerd_part(name, {component: name}) for name in ("destination", "proxy-injector")]
    broken = cast("JsonObject", {"kind": "Deployment", "metadata": {"name": 7}})
    workloads = [istiod(RELEASE, ready=0), *parts, broken]
    values = {"values": "linkerdVersion: edge-26.6.3\nidentityTrustDomain: l5d.example"}
    still = Still([mesh_of(), config("linkerd-config", values, "linkerd")])

    istio, linkerd = ISTIO.detect(still.reader, workloads), LINKERD.detect(still.reader, workloads)

    assert [(m.kind, m.trust_domain, m.control_planes[0].is_ready) for m in (*istio.meshes, *linkerd.meshes)] == [
        ("istio", "corp.example", False),
        ("linkerd", "l5d.example", False),
    ]
    assert linkerd.meshes[0].control_planes[0].version.text == "edge-26.6.3"
    assert "Half of a control plane: linkerd-identity is not there." in str(linkerd.problems)
    for detected in (istio, linkerd):
        assert "It is not what a Deployment looks like" in detected.problems[0].message


def linkerd_part(name: str, labels: dict[str, str]) -> JsonObject:
    """A Deployment of Linkerd's control plane."""
    image = f"registry.example:5000/linkerd/controller@sha256:{'a' * 64}"
    return cast(
        "JsonObject",
        {
            "kind": "Deployment",
            "metadata": {"name": f"linkerd-{name}", "namespace": "linkerd", "uid": name, "labels": labels},
            "spec": {"template": {"spec": {"containers": [{"name": name, "image": image}]}}},
            "status": {"availableReplicas": 1},
        },
    )


@pytest.mark.parametrize("field", ["availableReplicas", "readyReplicas", "numberAvailable"])
def test_detect__deployment_statefulset_or_daemonset__ready_by_its_own_count(field: str) -> None:
    plane = cast("JsonObject", {**istiod(RELEASE), "status": {field: 1}})

    detected = detect([plane], mesh_of())

    assert detected.meshes[0].control_planes[0].is_ready


def test_detect__definitions_left_behind__kinds_are_listed_and_no_mesh_is_made_up() -> None:
    served = frozenset({"v1", "networking.istio.io/v1"})

    assert ISTIO.resources(served)
    assert detect([]) == ISTIO.detect(Still([], served).reader, [])
    assert detect([]).meshes == ()


def webhook(name: str, **labels: str) -> JsonObject:
    """A MutatingWebhookConfiguration."""
    found = {f"istio.io/{key}": value for key, value in labels.items()}
    return cast("JsonObject", {"metadata": {"name": name, "uid": name, "labels": found}})


WEBHOOKS = [
    webhook("istio-sidecar-injector", rev="default"),
    webhook("istio-revision-tag-prod", rev="1-31-0", tag="prod"),
    webhook("istio-revision-tag-default", rev="1-30-4", tag="default"),
    webhook("cert-manager"),
]


def test_tags_of__webhooks__those_with_both_labels() -> None:
    assert tags_of(WEBHOOKS) == {"prod": "1-31-0", "default": "1-30-4"}


@pytest.mark.parametrize(
    ("labels", "revision", "reason"),
    [
        ({"istio_injection": "enabled"}, "1-30-4", "istio-injection=enabled"),
        ({"istio_injection": "enabled", "istio.io__rev": "prod"}, "1-30-4", "istio-injection=enabled"),
        ({"istio.io__rev": "prod"}, "1-31-0", "istio.io/rev=prod, a tag of revision 1-31-0"),
        ({"istio.io__rev": "1-31-0"}, "1-31-0", "istio.io/rev=1-31-0"),
        ({"istio.io__rev": "gone"}, "gone", "istio.io/rev=gone"),
        ({"istio_injection": "disabled", "istio.io__rev": "prod"}, "", "istio-injection=disabled"),
        ({}, "", "no injection label"),
    ],
)
def test_read__tags__the_revision_that_would_inject(labels: dict[str, str], revision: str, reason: str) -> None:
    found = ISTIO.read({"mutatingwebhookconfigurations": WEBHOOKS}, [namespace("shop", **labels)]).injections["shop"]

    assert (found.revision, found.reason) == (revision, reason)
