"""Subkeys: one per purpose and tenant."""

import hashlib
import hmac

import pytest

from remit.kernel.derivation import MasterTooShort, Purpose, subkey
from remit.kernel.ids import TenantId
from remit.kernel.secret import Secret
from support.jose import entropy_of

MASTER = Secret(entropy_of("master")(32))


@pytest.mark.attack("KM-08", "MT-04")
def test_no_two_purposes_or_tenants_share_a_key() -> None:
    tenants = [TenantId(name) for name in ("default", "other", "", "defaultx", "d")]
    keys = {
        subkey(MASTER, purpose=purpose, tenant=tenant).reveal() for purpose in Purpose for tenant in tenants
    }
    assert len(keys) == len(Purpose) * len(tenants)


@pytest.mark.spec("RFC 5869", "2.3")
def test_a_subkey_is_hkdf_over_the_framed_label_and_tenant() -> None:
    label, tenant = b"remit/cookie/v1", b"default"
    info = len(label).to_bytes(4, "big") + label + len(tenant).to_bytes(4, "big") + tenant
    extracted = hmac.new(bytes(32), MASTER.reveal(), hashlib.sha256).digest()
    expanded = hmac.new(extracted, info + b"\x01", hashlib.sha256).digest()
    assert subkey(MASTER, purpose=Purpose.COOKIE, tenant=TenantId("default")).reveal() == expanded


def test_a_short_master_is_refused() -> None:
    with pytest.raises(MasterTooShort):
        subkey(Secret(bytes(31)), purpose=Purpose.COOKIE, tenant=TenantId("default"))


def test_a_subkey_is_as_long_as_asked() -> None:
    assert len(subkey(MASTER, purpose=Purpose.CURSOR, tenant=TenantId("t"), length=64).reveal()) == 64
