"""Which network addresses a name may lead to, checked after it was looked up and before we connect (SEC-05).

The lists follow the IANA special-purpose address registries (RFC 6890). IPv6 is refused outside 2000::/3, which
covers mapped, translated (64:ff9b::/96), unique-local, link-local and multicast addresses in one rule.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from outbound.errors import OutboundFailed, OutboundRefused

Resolver = Callable[[str, int], Sequence[str]]

_NOT_PUBLIC_V4 = tuple(
    IPv4Network(each)
    for each in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
        "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16",
        "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        "168.63.129.16/32",  # the host service of a cloud, on a public number
    )
)  # fmt: skip
_PUBLIC_V6 = IPv6Network("2000::/3")
_NOT_PUBLIC_V6 = tuple(
    IPv6Network(each) for each in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
)


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """May a public destination live at `address`?"""
    if isinstance(address, IPv4Address):
        return address.is_global and not any(address in network for network in _NOT_PUBLIC_V4)
    return address in _PUBLIC_V6 and address.is_global and not any(address in network for network in _NOT_PUBLIC_V6)


def is_loopback(address: IPv4Address | IPv6Address) -> bool:
    """Is `address` this machine? ::ffff:127.0.0.1 does not count: nobody needs to write it that way."""
    return address in IPv4Network("127.0.0.0/8") if isinstance(address, IPv4Address) else address == IPv6Address("::1")


def usable_addresses(addresses: Sequence[str], *, private: bool) -> tuple[str, ...]:
    """The addresses to connect to, in order; OutboundRefused when any of them is not of the kind expected.

    One bad address among good ones refuses them all: a name that leads to two worlds is an attack or a mistake.
    """
    if not addresses:
        raise OutboundFailed("name-not-found")
    checked = []
    for text in addresses:
        try:
            address = ip_address(text)
        except ValueError:
            raise OutboundRefused("address-form") from None
        if not (is_loopback(address) if private else is_public(address)):
            raise OutboundRefused("address-not-loopback" if private else "address-not-public")
        checked.append(str(address))
    return tuple(dict.fromkeys(checked))


def system_resolver(host: str, port: int) -> Sequence[str]:
    """The addresses the operating system gives for `host`; OutboundFailed when it gives none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise OutboundFailed("name-not-found") from None
    return [str(entry[4][0]) for entry in found]
