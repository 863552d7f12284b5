"""Where a store that is not spoken to over HTTP lives: looked up once and checked by the rules of `outbound`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from consent.store_config import Store
from consent.stores.adapter import NotDelivered
from outbound.addresses import Resolver, system_resolver, usable_addresses
from outbound.destinations import read_url
from vocabulary.errors import PortalError


@dataclass(frozen=True)
class CheckedHost:
    """`name` is what a certificate must be for; `addresses` are the numbers to connect to, so that a second lookup
    that gives another answer changes nothing."""

    name: str
    port: int
    addresses: tuple[str, ...]


def checked_host(store: Store, resolver: Resolver = system_resolver) -> CheckedHost:
    """The host of the store's endpoint; NotDelivered when its address is not of the kind that `network` says."""
    try:
        origin = read_url(store.endpoint).origin
        name = origin.host.strip("[]")
        addresses = usable_addresses(resolver(name, origin.port), private=store.network == "private")
    except PortalError as error:
        raise NotDelivered(error.reason, answered=False) from None
    return CheckedHost(name, origin.port, addresses)


def check_announced(store: Store, hosts: Sequence[tuple[str, int]], resolver: Resolver = system_resolver) -> None:
    """The same for further hosts that a server names by itself, as a cluster does with its members."""
    for name, port in hosts:
        try:
            usable_addresses(resolver(name, port), private=store.network == "private")
        except PortalError as error:
            raise NotDelivered(f"member-{error.reason}", answered=False) from None
