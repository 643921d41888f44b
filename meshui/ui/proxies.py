"""What proxies say of a request is believed of the proxies that the operator listed, and of nobody else."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from django.conf import settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

    Next = Callable[[HttpRequest], HttpResponse]

SAID_BY_PROXIES: Final = (
    "HTTP_X_FORWARDED_",
    "HTTP_FORWARDED",
    "HTTP_X_REAL_IP",
    "HTTP_X_ORIGINAL_",
    "HTTP_X_REWRITE_",
)


class ProxyMiddleware:
    """Stands before all else: what it takes away nobody has read yet."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        forget_claims(request)
        return self.get_response(request)


def forget_claims(request: HttpRequest) -> None:
    """Take away what whoever is no listed proxy says of another client, scheme, host or path.

    Without it anybody who reaches the port past the proxy could give himself an address and an https that is none.
    """
    peer = str(request.META.get("REMOTE_ADDR", ""))
    if settings.ALLAUTH_TRUSTED_PROXY_COUNT and is_listed(peer, tuple(settings.PROXY_CIDRS)):
        return
    for name in [name for name in request.META if name.startswith(SAID_BY_PROXIES)]:
        del request.META[name]


@lru_cache(maxsize=1024)
def is_listed(peer: str, networks: tuple[str, ...]) -> bool:
    """Whether `peer` is in one of `networks`; what is no address (a socket file) is not."""
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    return any(address in ipaddress.ip_network(network) for network in networks)
