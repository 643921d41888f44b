"""What every grown cluster has somewhere, to be put into the Istio worlds: another owner, another revision, a rival.

All of it lives in namespace media, one case for each service:

- player: two versions and no route, so that a split can be started
- encoder: an HTTPRoute whose parent is the Service, a Service for each version
- thumbs: its VirtualService belongs to a Helm release, and v1 is held to the proxy of Istio 1.30
- captions: its VirtualService belongs to Flagger
- live: the subset v2 has no pod that runs
- archive: two VirtualServices claim its host; the older one wins

eu-west's media takes plaintext beside mutual TLS, us-east's too, and of live plaintext alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from playground import parts
from playground.istio_plane import INJECTED, istio, root, tag
from playground.south import http_route
from playground.south import split as split_services
from playground.worlds import destination_rule, peer_authentication, split, virtual_service

if TYPE_CHECKING:
    from playground.apiserver.jsontypes import Json

MEDIA = "media"
NOWHERE = {"nodeSelector": {"example.com/gpu": "true"}}
HELM = {"app.kubernetes.io/managed-by": "Helm", "helm.sh/chart": "thumbs-3.2.1"}
RELEASE = {"meta.helm.sh/release-name": "thumbs", "meta.helm.sh/release-namespace": MEDIA}
PINNED = {"sidecar.istio.io/proxyImage": "registry.istio.io/release/proxyv2:1.30.3"}
CANARY_UID = "7f1f6f2e-5a0e-4f6e-9d0b-0d4a6c1d2b3c"
LONG_AGO = "2026-01-15T08:30:00Z"


def eu_corners() -> list[Json]:
    """Return what is added to eu-west: namespace media, injected by the default revision."""
    permissive = peer_authentication(MEDIA, "while-we-move", "PERMISSIVE")
    return [parts.namespace(MEDIA, {**INJECTED, "team": MEDIA}), root(MEDIA), permissive, *_media()]


def us_corners() -> list[Json]:
    """Return what is added to us-east: a second, older revision with a tag, and namespace media on that tag."""
    labels = {"istio.io/rev": "stable", "team": MEDIA}
    second = [*istio("us-east", "network-us", "1-30"), tag("stable", "1-30")]
    plain = peer_authentication(MEDIA, "live", "DISABLE", app="live")
    return [*second, parts.namespace(MEDIA, labels), root(MEDIA), plain, *_media()]


def _media() -> list[Json]:
    return [*_player(), *_encoder(), *_thumbs(), *_captions(), *_live(), *_archive()]


def _versions(app: str, *versions: str) -> list[Json]:
    return [parts.service(MEDIA, app), *[parts.deployment(MEDIA, app, version, 1) for version in versions]]


def _player() -> list[Json]:
    return _versions("player", "v1", "v2")


def _encoder() -> list[Json]:
    services = [parts.service(MEDIA, f"encoder-{each}", app="encoder", version=each) for each in ("v1", "v2")]
    weights = {"encoder-v1": 95, "encoder-v2": 5}
    return [
        *_versions("encoder", "v1", "v2"),
        *services,
        http_route("encoder", [split_services(weights)], namespace=MEDIA),
    ]


def _thumbs() -> list[Json]:
    owned = [
        destination_rule(MEDIA, "thumbs", "thumbs", ("v1", "v2")),
        virtual_service(MEDIA, "thumbs", ["thumbs"], [split("thumbs", {"v1": 75, "v2": 25})]),
    ]
    for obj in owned:
        obj["metadata"] |= {"labels": {"app": "thumbs", **HELM}, "annotations": dict(RELEASE)}
    found = _versions("thumbs", "v1", "v2")
    found[1]["spec"]["template"]["metadata"]["annotations"] = dict(PINNED)
    return [*found, *owned]


def _captions() -> list[Json]:
    """Flagger's way: a Service and a Deployment each for primary and canary, and a VirtualService of its own."""
    services = [
        parts.service(MEDIA, f"captions-{each}", app="captions", version=each) for each in ("primary", "canary")
    ]
    rule = {
        "route": [
            {"destination": {"host": "captions-primary"}, "weight": 100},
            {"destination": {"host": "captions-canary"}, "weight": 0},
        ]
    }
    route = virtual_service(MEDIA, "captions", ["captions"], [rule], gateways=["mesh"])
    canary = {"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "name": "captions", "uid": CANARY_UID}
    route["metadata"]["ownerReferences"] = [{**canary, "controller": True, "blockOwnerDeletion": True}]
    return [*_versions("captions", "primary", "canary"), *services, route]


def _live() -> list[Json]:
    stuck = parts.deployment(MEDIA, "live", "v2", 1, **NOWHERE)
    rule = destination_rule(MEDIA, "live", "live", ("v1", "v2"))
    return [
        *_versions("live", "v1"),
        stuck,
        rule,
        virtual_service(MEDIA, "live", ["live"], [split("live", {"v1": 100, "v2": 0})]),
    ]


def _archive() -> list[Json]:
    older = virtual_service(MEDIA, "archive-first", ["archive"], [split("archive", {"v1": 100, "v2": 0})])
    older["metadata"]["creationTimestamp"] = LONG_AGO
    newer = virtual_service(MEDIA, "archive", ["archive"], [split("archive", {"v1": 50, "v2": 50})])
    return [
        *_versions("archive", "v1", "v2"),
        destination_rule(MEDIA, "archive", "archive", ("v1", "v2")),
        older,
        newer,
    ]
