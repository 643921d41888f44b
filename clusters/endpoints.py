"""Which addresses may be called: one guard for every URL that a person or a cluster gave (docs/security.md).

A name is resolved once per pool, every answer is checked, and the connection goes to the checked IP. Redirects are
never followed, proxies of the environment never used. An answer has a deadline as a whole, its headers a bound.
"""

from __future__ import annotations

import ipaddress
import queue
import re
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit

import urllib3
from urllib3.connection import HTTPSConnection
from urllib3.util import parse_url

from clusters.clients import NotSentError
from meshui.lib.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

DNS_TIMEOUT = 3.0
MAX_ANSWERS = 16
MAX_URL = 300
WRITE_IT = "Write https://host:port."
ANSWER_SECONDS = 60.0
"""From the first byte sent to the last one received: a server that drips never gets more."""
MAX_HEADER_BYTES = 64 * 1024
MAX_BODY_BYTES = 80 * 1024 * 1024
"""Of one body as it comes over the wire, framing and trailers too: above what any reader takes of it."""
POOL_SIZE = 4
LABELS = re.compile(r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*")
NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
PATH = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._~-]*(/[A-Za-z0-9_-][A-Za-z0-9._~-]*)*/?")
"""No part begins with a dot, none is empty, nothing is escaped."""
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
    "0.0.0.0/8 127.0.0.0/8 169.254.0.0/16 168.63.129.16/32 100.100.100.200/32 192.0.0.0/24 192.88.99.0/24 "
    "198.18.0.0/15 224.0.0.0/4 240.0.0.0/4 ::/96 ::1/128 64:ff9b::/96 64:ff9b:1::/48 100::/64 2001::/23 2002::/16 "
    "fe80::/10 fec0::/10 ff00::/8 fd00:ec2::/32 fd20:ce::/32"
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
    if len(url) > MAX_URL or not url.isprintable() or any(char.isspace() for char in url):
        raise EndpointRefusedError("The server's address is too long or holds spaces.", mend=WRITE_IT)
    try:
        parts = urlsplit(url)
        port = 443 if parts.port is None else parts.port
    except ValueError as error:
        raise EndpointRefusedError("The server's address cannot be read.", mend=WRITE_IT) from error
    if parts.scheme != "https":
        raise EndpointRefusedError("Only https is called.", mend=WRITE_IT)
    if "@" in parts.netloc or parts.path not in {"", "/"} or any(char in url for char in "?#\\"):
        raise EndpointRefusedError("The server's address holds more than a host and a port.", mend=WRITE_IT)
    if (port != 443 and port < 1024) or port in BANNED_PORTS:
        raise EndpointRefusedError(f"Port {port} is not one of an API server.", mend="Use 443 or one from 1024 on.")
    host = _host(parts.hostname or "", is_bracketed="[" in parts.netloc)
    return Endpoint(host, port, tls_name or host)


def parse_service_url(url: str, *, tls_name: str = "") -> tuple[Endpoint, str]:
    """As parse_endpoint, of a server that may stand below a path (`/prometheus`): the endpoint and that path.

    Raises EndpointRefusedError.
    """
    head, slashes, rest = url.partition("//")
    netloc, _, path = rest.partition("/")
    if path and not PATH.fullmatch(path):
        raise EndpointRefusedError("The path of the address is refused.", mend="Write https://host:port/path.")
    path = path.rstrip("/")
    return parse_endpoint(f"{head}{slashes}{netloc}", tls_name=tls_name), f"/{path}" if path else ""


def _host(host: str, *, is_bracketed: bool) -> str:
    if is_bracketed or ":" in host:
        return _ipv6(host)
    try:
        host = host.encode("idna").decode() if not host.isascii() else host  # full-width digits become digits here
    except UnicodeError as error:
        raise EndpointRefusedError("The host is not a DNS name.", mend=WRITE_IT) from error
    if not LABELS.fullmatch(host):
        raise EndpointRefusedError("The host is not a DNS name or an address.", mend=WRITE_IT)
    if NUMBER.fullmatch(host.rpartition(".")[2]):
        try:
            ipaddress.IPv4Address(host)
        except ValueError as error:
            raise EndpointRefusedError("Write the IPv4 address as four decimal numbers.") from error
    return host


def _ipv6(host: str) -> str:
    try:
        address = ipaddress.IPv6Address(host)
    except ValueError as error:
        raise EndpointRefusedError("The IPv6 address cannot be read.", mend=WRITE_IT) from error
    if str(address) != host or "%" in host:
        raise EndpointRefusedError("Write the IPv6 address in its short form, without zone.")
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


def resolve(
    endpoint: Endpoint, policy: Policy, *, look_up: Callable[[str, int], Sequence[str]] | None = None
) -> Address:
    """One checked address of `endpoint`; one bad answer refuses all of them (rebinding).

    Raises EndpointRefusedError; NotSentError where the name is not known or DNS does not answer within 3 s.
    """
    try:
        literal = ipaddress.ip_address(endpoint.host)
    except ValueError:
        answers = (look_up or look_up_name)(endpoint.host, endpoint.port)
    else:
        return check_address(literal, policy)
    if not 0 < len(answers) <= MAX_ANSWERS:
        raise NotSentError(f"{endpoint.host} has {len(answers)} addresses; 1 to {MAX_ANSWERS} are taken.")
    checked = [check_address(ipaddress.ip_address(answer), policy) for answer in answers]  # all, before one is used
    return checked[0]


def look_up_name(host: str, port: int) -> Sequence[str]:
    """What the resolver says, within 3 s. Raises NotSentError. A resolver that hangs keeps its thread, not ours."""
    found: queue.SimpleQueue[Sequence[str] | OSError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            found.put(error)
        else:
            found.put(list(dict.fromkeys(str(entry[4][0]) for entry in entries)))

    threading.Thread(target=ask, name="dns", daemon=True).start()
    try:
        answer = found.get(timeout=DNS_TIMEOUT)
    except queue.Empty as error:
        raise NotSentError(f"DNS did not answer for {host} within {DNS_TIMEOUT:g} s.") from error
    if isinstance(answer, OSError):
        raise NotSentError(f"The name {host} is not known to DNS.") from answer
    return answer


class TooMuchError(OSError):
    """The headers of an answer went over MAX_HEADER_BYTES, or its body over MAX_BODY_BYTES."""


class BoundedSocket(ssl.SSLSocket):
    """Receives until a deadline, and at most so many bytes: of the headers first, then of the body."""

    _deadline = float("inf")
    _budget = float("inf")

    def begin(self) -> None:
        """A request goes out now."""
        self._deadline = time.monotonic() + ANSWER_SECONDS
        self._budget = MAX_HEADER_BYTES

    def end_headers(self) -> None:
        """The body follows."""
        self._budget = MAX_BODY_BYTES

    def go_on(self, seconds: float, silence: float, budget: int) -> None:
        """From now on for at most so long, with at most `silence` between two receives, and so many bytes."""
        self._deadline = time.monotonic() + seconds
        self.settimeout(silence)
        self.allow(budget)

    def allow(self, budget: int) -> None:
        """At most so many bytes more."""
        self._budget = budget

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
        """As the base. Raises TimeoutError past the deadline, TooMuchError over the budget."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"the answer took longer than {ANSWER_SECONDS:g} s")
        timeout = self.gettimeout()
        if left != float("inf") and (timeout is None or timeout > left):
            self.settimeout(left)
        count = super().recv_into(buffer, nbytes, flags)
        self._budget -= count
        if self._budget < 0:
            raise TooMuchError("more than an answer may have")
        return count


class _Connection(HTTPSConnection):
    """Tells TLS that broke after the request began (it may have been served) from TLS that never stood."""

    def request(self, *args: Any, **kwargs: Any) -> None:
        if isinstance(self.sock, BoundedSocket):
            self.sock.begin()
        try:
            super().request(*args, **kwargs)
        except ssl.SSLError as error:
            raise ConnectionResetError("TLS broke while the request was sent") from error

    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]  # as urllib3 itself
        sock = self.sock
        try:
            response = super().getresponse()
        except ssl.SSLError as error:
            raise ConnectionResetError("TLS broke before the answer") from error
        if isinstance(sock, BoundedSocket):
            sock.end_headers()
        return response


class StreamConnection(_Connection):
    """Remembers the socket of its answer, which http.client forgets where the server will close it."""

    held: BoundedSocket | None = None

    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]  # as urllib3 itself
        self.held = self.sock if isinstance(self.sock, BoundedSocket) else None
        return super().getresponse()


class _Connections(urllib3.HTTPSConnectionPool):
    ConnectionCls = _Connection


class PinnedPool(urllib3.PoolManager):
    """Connections to one checked IP; the name stands in SNI, certificate check and Host only. No redirect, no retry."""

    def __init__(
        self, endpoint: Endpoint, ip: Address, context: ssl.SSLContext, *, connect: float, read: float
    ) -> None:
        super().__init__(num_pools=1, retries=False)
        self.endpoint = endpoint
        self.address = ip
        self.wait = read
        context.sslsocket_class = BoundedSocket
        self.pool = _Connections(
            str(ip),
            endpoint.port,
            ssl_context=context,
            server_hostname=endpoint.tls_name,
            assert_hostname=endpoint.tls_name if context.check_hostname else False,
            maxsize=POOL_SIZE,
            block=True,
            retries=False,
            timeout=urllib3.Timeout(connect=connect, read=read),
        )

    def hold_open(self) -> None:
        """Its connections are for answers that go on: they tell their socket."""
        self.pool.ConnectionCls = StreamConnection

    def urlopen(  # type: ignore[override]  # the base's two overloads differ in `redirect`, which is never obeyed here
        self,
        method: str,
        url: str,
        redirect: bool = False,  # noqa: FBT001, FBT002 - the base's own parameter
        **kw: Any,
    ) -> urllib3.BaseHTTPResponse:
        """As the base, but only to the one origin. Raises EndpointRefusedError."""
        parts = parse_url(url)
        host = (parts.host or "").strip("[]")
        if (parts.scheme, host, parts.port or 443) != ("https", self.endpoint.host, self.endpoint.port):
            raise EndpointRefusedError("A call to another origin was refused.")
        headers = {**(kw.pop("headers", None) or {}), "Host": self.endpoint.netloc}
        kw |= {"retries": False, "redirect": False, "assert_same_host": False, "headers": headers}
        return self.pool.urlopen(method, parts.request_uri, pool_timeout=int(self.wait), **kw)

    def clear(self) -> None:
        """Drop the connections."""
        self.pool.close()
        super().clear()
