"""Which addresses we may connect to, with the tricks by which a private one looks public."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.kernel.outbound import AddressRule, Destination, OutboundRefused, is_public

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "93.184.215.14",
    "223.255.255.254",
    "2606:4700:4700::1111",
    "2a00:1450:4001:80b::200e",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "2002:808:808::1",
]
PRIVATE = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.255",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::169.254.169.254",
    "64:ff9b::a00:1",
    "64:ff9b:1::8.8.8.8",
    "64:ff9b:1::a00:1",
    "100::1",
    "2001::1",
    "2001:0:7f00:1::ffff:f7f7",
    "2001:0:808:808::80ff:fffe",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2002:c0a8:101::1",
    "2606:4700::5efe:127.0.0.1",
    "2606:4700::200:5efe:10.0.0.1",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "2606:4700:4700::1111%1",
]


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses_are_public(text: str) -> None:
    assert is_public(ip_address(text))


@pytest.mark.parametrize("text", PRIVATE)
def test_private_special_and_embedded_private_addresses_are_not(text: str) -> None:
    assert not is_public(ip_address(text))


@given(st.ip_addresses(v=4))
def test_we_never_open_what_python_calls_closed(address: IPv4Address) -> None:
    if is_public(address):
        assert address.is_global
        assert not address.is_multicast


@given(st.ip_addresses(v=6))
def test_we_never_open_what_python_calls_closed_in_ipv6(address: IPv6Address) -> None:
    if is_public(address):
        assert address.is_global
        assert not address.is_multicast


@given(st.ip_addresses(v=4))
def test_an_embedded_address_opens_only_if_it_is_public_itself(inner: IPv4Address) -> None:
    low = int(inner)
    for outer in (
        IPv6Address(0xFFFF << 32 | low),
        IPv6Address((0x64_FF9B << 96) | low),
        IPv6Address((0x2002 << 112) | low << 80),
        IPv6Address((0x2606_4700 << 96) | 0x5EFE << 32 | low),
        IPv6Address((0x2001_0000 << 96) | 0x0808_0808 << 64 | (low ^ 0xFFFF_FFFF)),
        IPv6Address((0x2001_0000 << 96) | low << 64 | (0x0808_0808 ^ 0xFFFF_FFFF)),
    ):
        assert is_public(outer) == is_public(inner)


def test_only_open_ports_and_registered_pairs_are_connected_to() -> None:
    rule = AddressRule(registered=frozenset({Destination(host="127.0.0.1", port=9000)}))
    rule.check(Destination(host="api.example", port=443), ip_address("8.8.8.8"))
    rule.check(Destination(host="127.0.0.1", port=9000), ip_address("127.0.0.1"))
    for host, port, address in (
        ("api.example", 80, "8.8.8.8"),
        ("api.example", 443, "127.0.0.1"),
        ("127.0.0.1", 9001, "127.0.0.1"),
        ("localhost", 9000, "127.0.0.1"),
        ("127.0.0.1", 443, "127.0.0.1"),
    ):
        with pytest.raises(OutboundRefused):
            rule.check(Destination(host=host, port=port), ip_address(address))


def test_a_refusal_names_the_host_and_not_the_address_behind_it() -> None:
    with pytest.raises(OutboundRefused) as refusal:
        AddressRule().check(Destination(host="intranet.example", port=443), ip_address("10.1.2.3"))
    assert "intranet.example" in refusal.value.hint
    assert "10.1.2.3" not in refusal.value.hint
