"""The keys that one tenant's server signs with, as one immutable value that is swapped, never edited."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Final, Self

from remit.kernel.canonical import JsonObject
from remit.kernel.errors import Invalid
from remit.kernel.ids import KeyId
from remit.kernel.jose.errors import NoSigningKey
from remit.kernel.jose.keys import KeyClass, KeyRecord, KeyState, PrivateKey, Signer

PUBLISHED: Final = frozenset(
    {
        KeyClass.ACCESS_TOKEN,
        KeyClass.ENVELOPE,
        KeyClass.CAPABILITY,
        KeyClass.LEDGER,
        KeyClass.RECEIPT,
        KeyClass.STATEMENT,
        KeyClass.DOMAIN_GRANT,
        KeyClass.TRANSACTION,
        KeyClass.ID_TOKEN,
        KeyClass.ID_TOKEN_RSA,
        KeyClass.RELYING_PARTY,
    }
)
"""Classes of which others verify signatures, and which `/jwks` therefore shows."""

OPENING: Final = frozenset({KeyClass.SAML_ENCRYPTION})
"""Classes that open what others sealed: the key before the present one still does, until its end."""

_OPENS: Final = (KeyState.ACTIVE, KeyState.VERIFY_ONLY)
_SHOWN: Final = frozenset({KeyState.PENDING, KeyState.ACTIVE, KeyState.VERIFY_ONLY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyring:
    """Key records by (class, kid), and the private halves of those that may sign; a `KeyLookup`."""

    records: Mapping[tuple[KeyClass, str], KeyRecord]
    signers: Mapping[KeyClass, Signer]
    openers: Mapping[KeyClass, tuple[Signer, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, records: Iterable[KeyRecord], privates: Mapping[KeyId, PrivateKey]) -> Self:
        """Put a ring together. Raises `Invalid` for a kid that comes twice, or halves that do not fit."""
        known: dict[tuple[KeyClass, str], KeyRecord] = {}
        signers: dict[KeyClass, Signer] = {}
        openers: dict[KeyClass, tuple[Signer, ...]] = {}
        kids: set[str] = set()
        for record in records:
            if record.kid in kids:
                raise Invalid(f"key `{record.kid}` is there twice")
            kids.add(record.kid)
            known[record.key_class, record.kid] = record
            if record.state is KeyState.ACTIVE and record.kid in privates:
                if record.key_class in signers:
                    raise Invalid(f"two keys of class `{record.key_class}` are active")
                signers[record.key_class] = _signer(record, privates[record.kid])
            if record.key_class in OPENING and record.state in _OPENS and record.kid in privates:
                before = openers.get(record.key_class, ())
                openers[record.key_class] = (*before, _signer(record, privates[record.kid]))
        return cls(
            records=MappingProxyType(known),
            signers=MappingProxyType(signers),
            openers=MappingProxyType(openers),
        )

    def find(self, kid: str, key_class: KeyClass) -> KeyRecord | None:
        """Give the record of that id and class, whatever its state."""
        return self.records.get((key_class, kid))

    def signer(self, key_class: KeyClass) -> Signer:
        """Give the active key of a class. Raises `NoSigningKey`."""
        signer = self.signers.get(key_class)
        if signer is None:
            raise NoSigningKey(f"there is no active key of class `{key_class}`", next_step="remit key rotate")
        return signer

    def opening(self, key_class: KeyClass, *, at: datetime) -> tuple[PrivateKey, ...]:
        """Give the keys that open what was sealed to a class: all that are not at their end."""
        found = self.openers.get(key_class, ())
        return tuple(each.private for each in found if self.records[key_class, each.kid].verifies(at))

    async def prepare(self, key_class: KeyClass, *, at: datetime) -> None:  # noqa: ARG002 — of the protocol
        """See that there is a key of a class; a ring makes none. Raises `NoSigningKey`."""
        self.signer(key_class)

    def jwks(self, *, at: datetime) -> JsonObject:
        """Give the JWK Set (RFC 7517 §5) of what is, or will be, in use: public members alone (KM-05)."""
        return {
            "keys": [
                {**record.public.jwk(), "kid": record.kid, "alg": record.algorithm.value, "use": "sig"}
                for record in self.records.values()
                if record.key_class in PUBLISHED and _is_shown(record, at)
            ]
        }


def _is_shown(record: KeyRecord, at: datetime) -> bool:
    return record.state in _SHOWN and (record.not_after is None or at < record.not_after)


def _signer(record: KeyRecord, private: PrivateKey) -> Signer:
    if private.public.thumbprint != record.public.thumbprint:
        raise Invalid(f"private half of `{record.kid}` belongs to another key")
    return Signer(kid=record.kid, key_class=record.key_class, private=private)
