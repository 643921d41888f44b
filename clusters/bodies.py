"""What the API takes for clusters. What opens one is parsed here and never shown again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from rest_framework import serializers

from clusters.intake import InClusterError, in_cluster_connection, parse_direct
from clusters.kubeconfig import MAX_BYTES, ChooseContextError, KubeconfigError, parse_kubeconfig
from clusters.models import DNS_LABEL
from clusters.services.register import MAX_NAMESPACES
from meshui.rest.reading import BadQueryError
from meshui.rest.serializers import Body

if TYPE_CHECKING:
    from clusters.kubeconfig import ParsedKubeconfig

WAYS: Final = ("kubeconfig", "address", "in_cluster")
ONE_WAY: Final = "Give one of kubeconfig, address and in_cluster."
EXAMPLE_ADDRESS: Final = {"server": "https://10.0.0.1:6443", "ca": "-----BEGIN CERTIFICATE-----…", "token": "…"}


class AddressBody(Body):
    """The server's address, its CA as PEM (empty: of a public CA) and a token of a ServiceAccount."""

    server = serializers.CharField(max_length=300)
    ca = serializers.CharField(max_length=64 * 1024, required=False, default="", allow_blank=True)
    token = serializers.CharField(max_length=16 * 1024, write_only=True)
    tls_name = serializers.CharField(max_length=253, required=False, default="", allow_blank=True)


class OpenedBody(Body):
    """What opens a cluster: a kubeconfig as text (and which of its contexts), an address, or MeshUI's own account."""

    kubeconfig = serializers.CharField(
        max_length=MAX_BYTES, required=False, trim_whitespace=False, write_only=True, default=""
    )
    context = serializers.CharField(  # type: ignore[assignment]  # DRF takes it out of the class
        max_length=253, required=False, default="", allow_blank=True
    )
    address = AddressBody(required=False)
    in_cluster = serializers.BooleanField(required=False, default=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """One way in."""
        if sum(bool(attrs.get(way)) for way in WAYS) != 1:
            raise serializers.ValidationError({"kubeconfig": [ONE_WAY]})
        return attrs


def opened(given: dict[str, Any]) -> ParsedKubeconfig:
    """The connection that a body names.

    Raises ValidationError with all faults by field, BadQueryError where a context must be named.
    """
    way = next(way for way in WAYS if given.get(way))
    try:
        if way == "kubeconfig":
            raw = str(given["kubeconfig"]).encode("utf-8", "replace")
            return parse_kubeconfig(raw, context=given["context"] or "", allow_insecure=settings.ALLOW_INSECURE_TLS)
        if way == "in_cluster":
            return in_cluster_connection()
        at = given["address"]
        return parse_direct(server=at["server"], ca_pem=at["ca"], token=at["token"], tls_name=at["tls_name"])
    except ChooseContextError as error:
        raise BadQueryError({"context": [_choice(error)]}) from None
    except KubeconfigError as error:
        faults = [f"{fault.path}: {fault.message} {fault.mend}".strip() for fault in error.findings]
        raise serializers.ValidationError({way: faults}) from None
    except InClusterError as error:
        raise serializers.ValidationError({way: [str(error)]}) from None


def _choice(error: ChooseContextError) -> str:
    names = [f"{option.name} ({option.fault})" if option.fault else option.name for option in error.options]
    return f"The file has several contexts: name one of {', '.join(names)}."


def _label() -> serializers.CharField:
    return serializers.CharField(max_length=63, validators=[DNS_LABEL])


def _namespaces(**kwargs: Any) -> serializers.ListField:
    return serializers.ListField(child=_label(), max_length=MAX_NAMESPACES, **kwargs)


class RegisterBody(OpenedBody):
    """A cluster to register. `writes`: the same credential also writes; `namespaces` empty: everything is read."""

    example = {"name": "EU West", "slug": "eu-west", "environment": "staging", "address": EXAMPLE_ADDRESS}
    name = serializers.CharField(max_length=100)
    slug = _label()
    environment = _label()
    namespaces = _namespaces(required=False, default=list)
    writes = serializers.BooleanField(required=False, default=False)


class CredentialBody(OpenedBody):
    """A new credential of one role; it must be of the same server."""

    example = {"role": "reader", "address": EXAMPLE_ADDRESS}
    role = serializers.ChoiceField(choices=["reader", "writer"])


class BecauseBody(Body):
    """Why something that cannot be taken back lightly is done."""

    example = {"reason": "The cluster was torn down."}
    reason = serializers.CharField(max_length=4000)


class AdoptBody(BecauseBody):
    """The identity as it was seen (`found_uid` of the cluster), and why it is the one that is meant."""

    example = {"uid": "0b1f6c9e-5a0e-4d0c-9d53-0b9e8d8ad6c1", "reason": "It was built anew from the same backup."}
    uid = serializers.CharField(max_length=64)


class NamespacesBody(Body):
    """How far a cluster is read; empty: everything in it."""

    example = {"namespaces": ["shop", "payments"]}
    namespaces = _namespaces()
