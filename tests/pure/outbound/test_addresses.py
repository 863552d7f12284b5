"""Which numbers a name may lead to."""

from __future__ import annotations

import pytest

from outbound.addresses import usable_addresses
from outbound.errors import OutboundFailed, OutboundRefused

NOT_PUBLIC = [
    "127.0.0.1", "127.255.255.255", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "169.254.169.254", "169.254.0.1", "100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192", "192.0.2.1",
    "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::8.8.8.8", "64:ff9b::8.8.8.8", "64:ff9b:1::1", "fc00::1",
    "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "2001::1", "2001:db8::1", "2002:7f00:1::",
    "2002:808:808::1", "3fff::1", "100::1",
]  # fmt: skip


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_a_public_name_may_not_lead_inside(address: str) -> None:
    """SEC-05: private, link-local, metadata, loopback, translated and reserved addresses, v4 and v6."""
    with pytest.raises(OutboundRefused):
        usable_addresses([address], private=False)


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "172.32.0.1"])
def test_a_public_name_leads_outside(address: str) -> None:
    """SEC-05: ordinary addresses are taken."""
    assert usable_addresses([address, address], private=False) == (address,)


@pytest.mark.parametrize("address", [each for each in NOT_PUBLIC if not each.startswith("127.") and each != "::1"])
def test_a_private_name_leads_only_to_this_machine(address: str) -> None:
    """SEC-05: `private` means loopback, never the inner network."""
    with pytest.raises(OutboundRefused):
        usable_addresses([address], private=True)


def test_a_private_name_leads_to_this_machine() -> None:
    """SEC-05: both loopback families."""
    assert usable_addresses(["::1", "127.0.0.1"], private=True) == ("::1", "127.0.0.1")


@pytest.mark.parametrize("private", [True, False])
def test_one_bad_address_refuses_the_name(private: bool) -> None:
    """SEC-05: good and bad together are bad, in any order."""
    for addresses in (["8.8.8.8", "127.0.0.1"], ["127.0.0.1", "8.8.8.8"], ["8.8.8.8", "x"]):
        with pytest.raises(OutboundRefused):
            usable_addresses(addresses, private=private)


def test_a_name_without_an_address() -> None:
    """SEC-05: nothing found is a failure of the other side, not of the address."""
    with pytest.raises(OutboundFailed):
        usable_addresses([], private=False)
