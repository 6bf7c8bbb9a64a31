"""Symmetric subkeys: one per purpose and tenant, derived from the master key (HKDF, RFC 5869)."""

from enum import StrEnum
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from remit.kernel.errors import Invalid
from remit.kernel.ids import TenantId
from remit.kernel.secret import Secret

LEAST_MASTER: Final = 32
"""Bytes that a master key must have: what is derived can't be stronger than what it comes from."""


class Purpose(StrEnum):
    """What a symmetric key is for; a key of one purpose never serves another."""

    DPOP_NONCE = "dpop-nonce"
    REQUEST_STATE = "request-state"
    COOKIE = "cookie"
    CEREMONY = "ceremony"
    APPROVAL_LINK = "approval-link"
    CURSOR = "cursor"
    WEBHOOK = "webhook"
    REFRESH = "refresh-token"
    UPSTREAM = "upstream-sign-in"
    BACKCHANNEL = "backchannel-call"
    PROVENANCE = "provenance"
    LINEAGE = "lineage"


class MasterTooShort(Invalid):
    """A master key that could be guessed: refuse to start."""

    code = "master_too_short"


def subkey(master: Secret, *, purpose: Purpose, tenant: TenantId, length: int = 32) -> Secret:
    """Derive the key of one purpose and tenant; `length` is in bytes.

    The label is `remit/<purpose>/v1`; label and tenant stand behind their lengths, so that no two pairs
    share an input.
    """
    if len(master.reveal()) < LEAST_MASTER:
        raise MasterTooShort(f"master key has {len(master.reveal())} bytes, must have {LEAST_MASTER} or more")
    info = _framed(f"remit/{purpose.value}/v1".encode()) + _framed(tenant.encode())
    expand = HKDF(algorithm=hashes.SHA256(), length=length, salt=None, info=info)
    return Secret(expand.derive(master.reveal()))


def _framed(part: bytes) -> bytes:
    return len(part).to_bytes(4, "big") + part
