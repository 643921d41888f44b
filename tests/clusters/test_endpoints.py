"""The guard of addresses: S2, and the form of what it takes."""

from __future__ import annotations

import ipaddress
import itertools
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusters.clients import NotSentError
from clusters.endpoints import (
    BANNED_PORTS,
    NEVER,
    PRIVATE,
    EndpointRefusedError,
    Policy,
    check_address,
    nets,
    parse_endpoint,
    resolve,
)

if TYPE_CHECKING:
    from collections.abc import Callable

PUBLIC = "93.184.216.34"
ADDRESSES = (
    *("0.0.0.0", "127.0.0.1", "127.1.2.3", "169.254.169.254", "169.254.170.2", "168.63.129.16", "100.100.100.200"),  # noqa: S104 - refused below
    *("192.0.0.192", "192.88.99.1", "198.18.0.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
    *("10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "192.0.2.1", "198.51.100.1"),
    *("203.0.113.9", "[::]", "[::1]", "[::7f00:1]", "[::ffff:7f00:1]", "[::ffff:a9fe:a9fe]", "[64:ff9b::7f00:1]"),
    *(
        "[64:ff9b:1::1]",
        "[100::1]",
        "[2001::1]",
        "[2001:2::1]",
        "[2002:7f00:1::]",
        "[fe80::1]",
        "[fec0::1]",
        "[ff02::1]",
    ),
    *("[fd00:ec2::254]", "[fd20:ce::254]", "[fc00::1]", "[fd12:3456::1]", "[2001:db8::1]", "[4000::1]"),
)
FORMS = (
    "http://example.com",
    "unix:///var/run/docker.sock",
    "file:///etc/passwd",
    "ftp://example.com",
    "gopher://example.com",
    "HTTPS//example.com",
    "//example.com",
    "example.com",
    "",
    "https://",
    "https:///path",
    "https://:443",
    "https://user@example.com",
    "https://user:secret@example.com",
    "https://example.com@127.0.0.1",
    "https://example.com/api",
    "https://example.com/?a=b",
    "https://example.com?",
    "https://example.com#x",
    "https://example.com\\@127.0.0.1",
    "https://exa mple.com",
    "https://example.com\n",
    "https://example.com\r\nX: y",
    "https://example.com\t",
    "https://example\u3002com:x",
    "https://2130706433",
    "https://0x7f000001",
    "https://0x7f.0.0.1",
    "https://0177.0.0.1",
    "https://127.1",
    "https://127.0.1",
    "https://0",
    "https://00",
    "https://1.2.3",
    "https://1.2.3.4.5",
    "https://256.1.1.1",
    "https://01.02.03.04",
    "https://evil.0x7f",
    "https://example.1",
    "https://\uff11\uff12\uff17.\uff10.\uff10.1",
    "https://\u2460\u2461\u2466.0.0.1",
    "https://-example.com",
    "https://example-.com",
    "https://exa_mple.com",
    "https://example..com",
    "https://.example.com",
    "https://" + "a" * 64 + ".com",
    "https://" + "a." * 130 + "com",
    "https://[::1",
    "https://[fe80::1%25eth0]",
    "https://[fe80::1%eth0]",
    "https://[0:0:0:0:0:0:0:1]",
    "https://[::FFFF:127.0.0.1]",
    "https://[v1.x]",
    "https://[127.0.0.1]",
    "https://example.com:0",
    "https://example.com:-1",
    "https://example.com:65536",
    "https://example.com:http",
    "https://example.com:\u0664\u0664\u0663",
    "https://*.example.com",
    "https://example.com;rm",
    "https://%31%32%37.0.0.1",
)
PORTS = (1, 22, 25, 80, 110, 389, 444, 1023, *sorted(BANNED_PORTS))
NAMES = (
    "metadata.google.internal",
    "metadata",
    "localhost",
    "instance-data",
    "kubernetes.default.svc",
    "rebind.example.com",
)


class Recorder:
    """Notes every socket that would be made, and makes none."""

    def __init__(self) -> None:
        self.made: list[Any] = []

    def __call__(self, *arguments: Any, **_: Any) -> None:
        self.made.append(arguments)
        raise AssertionError("a socket was made")


@pytest.fixture
def sockets(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """The sockets of this test: there must be none."""
    recorder = Recorder()
    monkeypatch.setattr(socket, "create_connection", recorder)
    monkeypatch.setattr(socket, "getaddrinfo", recorder)
    monkeypatch.setattr(socket.socket, "connect", recorder)
    return recorder


def answering(answers: list[str]) -> Callable[[str, int], list[str]]:
    """A resolver that says this."""
    return lambda _host, _port: answers


def urls() -> list[str]:
    """More than 200: each forbidden address with and without port, each bad form, each port, 302s are below."""
    plain = [f"https://{address}" for address in ADDRESSES]
    with_port = [f"https://{address}:6443" for address in ADDRESSES]
    return [*plain, *with_port, *FORMS, *(f"https://example.com:{port}" for port in PORTS)]


@pytest.mark.parametrize("url", urls())
def test_s02_endpoint__forbidden_address__refused(url: str, sockets: Recorder) -> None:
    with pytest.raises(EndpointRefusedError) as refused:
        resolve(parse_endpoint(url), Policy(), look_up=lambda _host, _port: [PUBLIC])

    assert sockets.made == []
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "address"), list(itertools.product(NAMES, ("127.0.0.1", "169.254.169.254", "10.0.0.1", "::1")))
)
def test_s02_endpoint__name_of_a_forbidden_address__refused(name: str, address: str, sockets: Recorder) -> None:
    endpoint = parse_endpoint(f"https://{name}")

    for answers in ([address], [PUBLIC, address], [address, PUBLIC], [PUBLIC] * 15 + [address]):
        with pytest.raises(EndpointRefusedError):
            resolve(endpoint, Policy(), look_up=answering(answers))
    assert sockets.made == []


def test_s02_endpoint__table__has_two_hundred_rows() -> None:
    assert len(urls()) + len(NAMES) * 4 * 4 >= 200


def test_s02_endpoint__name_looked_up__once_for_one_pool() -> None:
    asked: list[str] = []

    def look_up(host: str, _port: int) -> list[str]:
        asked.append(host)
        return [PUBLIC] if len(asked) == 1 else ["169.254.169.254"]

    found = resolve(parse_endpoint("https://rebind.example.com"), Policy(), look_up=look_up)

    assert str(found) == PUBLIC
    assert asked == ["rebind.example.com"]


@pytest.mark.parametrize("answers", [[], [PUBLIC] * 17])
def test_resolve__none_or_too_many_answers__not_sent(answers: list[str]) -> None:
    with pytest.raises(NotSentError):
        resolve(parse_endpoint("https://example.com"), Policy(), look_up=lambda _host, _port: answers)


def test_resolve__resolver_that_hangs__given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    freed = threading.Event()
    monkeypatch.setattr("clusters.endpoints.DNS_TIMEOUT", 0.05)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: freed.wait(20) and [])

    with pytest.raises(NotSentError, match="did not answer"):
        resolve(parse_endpoint("https://example.com"), Policy())

    freed.set()


def test_resolve__unknown_name__not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)

    with pytest.raises(NotSentError, match="not known"):
        resolve(parse_endpoint("https://no.example.com"), Policy())


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("https://example.com", "example.com", 443),
        ("https://Example.COM:6443/", "example.com", 6443),
        ("https://b\u00fccher.example", "xn--bcher-kva.example", 443),
        (f"https://{PUBLIC}:8443", PUBLIC, 8443),
        ("https://[2606:4700::1111]:6443", "2606:4700::1111", 6443),
        ("https://a", "a", 443),
    ],
)
def test_parse_endpoint__good_form__taken(url: str, host: str, port: int) -> None:
    endpoint = parse_endpoint(url)

    assert (endpoint.host, endpoint.port, endpoint.tls_name) == (host, port, host)
    assert parse_endpoint(endpoint.url) == endpoint


def test_check_address__private_network__only_where_the_operator_lists_it() -> None:
    address = ipaddress.ip_address("10.1.2.3")

    allowed = check_address(address, Policy(allowed=nets("10.1.0.0/16")))

    assert allowed == address
    with pytest.raises(EndpointRefusedError, match="MESHUI_ALLOWED_CIDRS"):
        check_address(address, Policy(allowed=nets("10.2.0.0/16")))
    with pytest.raises(EndpointRefusedError, match="never"):
        check_address(ipaddress.ip_address("169.254.169.254"), Policy(allowed=nets("0.0.0.0/0")))


def test_check_address__loopback__only_with_the_switch() -> None:
    for text in ("127.0.0.1", "::1", "::ffff:127.0.0.1"):
        check_address(ipaddress.ip_address(text), Policy(allows_loopback=True))
        with pytest.raises(EndpointRefusedError):
            check_address(ipaddress.ip_address(text), Policy())


@given(st.ip_addresses())
def test_check_address__any_address__never_one_of_the_tables(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    check: Callable[..., Any] = check_address
    try:
        found = check(address, Policy())
    except EndpointRefusedError:
        return
    for network in (*NEVER, *PRIVATE):
        assert found.version != network.version or found not in network
    assert found.is_global
