"""Which addresses may be called: one guard for every URL that a person or a cluster gave (security §3).

A name is resolved once per pool, every answer is checked, and the connection goes to the checked IP. Redirects are never
followed, proxies of the environment never used.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit

import urllib3
from urllib3.util import parse_url

from clusters.clients import NotSentError
from meshui.lib.errors import InvalidError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Sequence

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

DNS_TIMEOUT = 3.0
MAX_ANSWERS = 16
LABELS = re.compile(r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*")
BANNED_PORTS = frozenset({2375, 2376, 2379, 2380, 3306, 5432, 5672, 6379, 9200, 10250, 10255, 11211, 27017})
GLOBAL_V6 = ipaddress.ip_network("2000::/3")


class EndpointRefusedError(InvalidError):
    """An address that MeshUI does not call."""


def nets(text: str | Iterable[str]) -> tuple[Network, ...]:
    """Networks from CIDRs. Raises ValueError."""
    words = text.split() if isinstance(text, str) else text
    return tuple(ipaddress.ip_network(word) for word in words)


# is_global is not enough: it takes NAT64, 6to4, fec0::, multicast and several metadata services for global.
NEVER = nets(
    "0.0.0.0/8 127.0.0.0/8 169.254.0.0/16 168.63.129.16/32 100.100.100.200/32 192.0.0.0/24 192.88.99.0/24 198.18.0.0/15 "
    "224.0.0.0/4 240.0.0.0/4 ::/96 ::1/128 64:ff9b::/96 64:ff9b:1::/48 100::/64 2001::/23 2002::/16 fe80::/10 fec0::/10 "
    "ff00::/8 fd00:ec2::/32 fd20:ce::/32"
)
PRIVATE = nets("10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 fc00::/7")


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator allows: private networks by CIDR, and loopback for the playground and the lab."""

    allowed: tuple[Network, ...] = ()
    allows_loopback: bool = False


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A checked URL of an API server. `tls_name` is what its certificate must bear."""

    host: str
    port: int
    tls_name: str

    @property
    def netloc(self) -> str:
        """host:port as it stands in the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == 443 else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """https://host:port."""
        return f"https://{self.netloc}"


def parse_endpoint(url: str, *, tls_name: str = "") -> Endpoint:
    """The form of `url`: https, a host and a port, nothing else. Raises EndpointRefusedError."""
    if len(url) > 300 or any(ord(char) <= 32 or ord(char) > 126 for char in url):
        raise EndpointRefusedError("The server's address holds spaces or other characters.", mend="Write https://host:port.")
    try:
        parts = urlsplit(url)
        port = parts.port or 443
    except ValueError as error:
        raise EndpointRefusedError("The server's address cannot be read.", mend="Write https://host:port.") from error
    if parts.scheme != "https":
        raise EndpointRefusedError("Only https is called.", mend="Write https://host:port.")
    if "@" in parts.netloc or parts.query or parts.fragment or parts.path not in {"", "/"} or "\\" in url:
        raise EndpointRefusedError("The address holds more than a host and a port.", mend="Write https://host:port.")
    if (port != 443 and port < 1024) or port in BANNED_PORTS:
        raise EndpointRefusedError(f"Port {port} is not one of an API server.", mend="Use 443 or one from 1024 on.")
    host = _host(parts.hostname or "", "[" in parts.netloc)
    return Endpoint(host, port, tls_name or host)


def _host(host: str, is_bracketed: bool) -> str:  # noqa: FBT001 - how it was written
    if is_bracketed or ":" in host:
        try:
            address = ipaddress.IPv6Address(host)
        except ValueError as error:
            raise EndpointRefusedError("The IPv6 address cannot be read.") from error
        if str(address) != host or "%" in host:
            raise EndpointRefusedError("Write the IPv6 address in its short form, without zone.")
        return host
    if not LABELS.fullmatch(host):
        raise EndpointRefusedError("The host is not a DNS name or an address.", mend="Write https://host:port.")
    last = host.rpartition(".")[2]
    if last.isdigit() or last.startswith("0x"):
        try:
            ipaddress.IPv4Address(host)
        except ValueError as error:
            raise EndpointRefusedError("Write the IPv4 address as four decimal numbers.") from error
    return host


def check_address(ip: Address, policy: Policy) -> Address:
    """`ip`, if it may be called; IPv4 in IPv6 is looked at as IPv4. Raises EndpointRefusedError."""
    ip = getattr(ip, "ipv4_mapped", None) or ip
    if ip.is_loopback and policy.allows_loopback:
        return ip
    if _within(ip, NEVER):
        raise EndpointRefusedError(f"{ip} is loopback, link-local, a metadata service or reserved: never called.")
    if _within(ip, policy.allowed):
        return ip
    if _within(ip, PRIVATE):
        mend = "Ask the operator to add its network to MESHUI_ALLOWED_CIDRS."
        raise EndpointRefusedError(f"{ip} is a private address.", mend=mend)
    if not ip.is_global or (ip.version == 6 and ip not in GLOBAL_V6):
        raise EndpointRefusedError(f"{ip} is not a public address.")
    return ip


def _within(ip: Address, networks: Iterable[Network]) -> bool:
    return any(ip.version == network.version and ip in network for network in networks)


def resolve(endpoint: Endpoint, policy: Policy, *, look_up: Callable[[str, int], Sequence[str]] | None = None) -> Address:
    """One checked address of `endpoint`; one bad answer refuses all of them (rebinding). Raises as check_address.

    Raises NotSentError where the name is not known or DNS does not answer within 3 s.
    """
    try:
        return check_address(ipaddress.ip_address(endpoint.host), policy)
    except ValueError:
        pass
    answers = (look_up or _look_up)(endpoint.host, endpoint.port)
    if not 0 < len(answers) <= MAX_ANSWERS:
        raise NotSentError(f"{endpoint.host} has {len(answers)} addresses.")
    return [check_address(ipaddress.ip_address(answer), policy) for answer in answers][0]


def _look_up(host: str, port: int) -> Sequence[str]:
    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="dns")
    try:
        found = pool.submit(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM).result(DNS_TIMEOUT)
    except FutureTimeoutError as error:
        raise NotSentError(f"DNS did not answer for {host} within {DNS_TIMEOUT:g} s.") from error
    except OSError as error:
        raise NotSentError(f"The name {host} is not known to DNS.") from error
    finally:
        pool.shutdown(wait=False)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class PinnedPool(urllib3.PoolManager):
    """Connections to one checked IP; the name stands in SNI, certificate check and Host only. No redirect, no retry."""

    def __init__(self, endpoint: Endpoint, ip: Address, context: ssl.SSLContext, *, connect: float, read: float) -> None:
        super().__init__(num_pools=1, retries=False)
        self.endpoint = endpoint
        self.pool = urllib3.HTTPSConnectionPool(
            str(ip),
            endpoint.port,
            ssl_context=context,
            server_hostname=endpoint.tls_name,
            assert_hostname=endpoint.tls_name if context.check_hostname else False,
            maxsize=4,
            block=True,
            retries=False,
            timeout=urllib3.Timeout(connect=connect, read=read),
        )

    def urlopen(self, method: str, url: str, redirect: bool = False, **kw: Any) -> urllib3.BaseHTTPResponse:  # noqa: FBT001, FBT002, ARG002
        """As the base, but only to the one origin. Raises EndpointRefusedError."""
        parts = parse_url(url)
        host = (parts.host or "").strip("[]")
        if (parts.scheme, host, parts.port or 443) != ("https", self.endpoint.host, self.endpoint.port):
            raise EndpointRefusedError("A call to another origin was refused.")
        headers = {**(kw.pop("headers", None) or {}), "Host": self.endpoint.netloc}
        if kw.get("timeout") is None:
            kw.pop("timeout", None)  # None would mean: for ever
        kw |= {"retries": False, "redirect": False, "assert_same_host": False, "headers": headers}
        return self.pool.urlopen(method, parts.request_uri, **kw)

    def clear(self) -> None:
        """Drop the connections."""
        self.pool.close()
        super().clear()
