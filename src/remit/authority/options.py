"""What an installation states about its authority; `platform.settings` composes it."""

from dataclasses import dataclass, field
from typing import Protocol

from remit.authority.lifetimes import Lifetimes
from remit.kernel.jose.keys import KeyClass, KeyLookup, Signer


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorityOptions:
    """Who we are to others, and how long what we issue lives.

    `issuer` is our URL, `trust_domain` the SPIFFE trust domain and the audience of envelopes.
    """

    issuer: str
    trust_domain: str
    lifetimes: Lifetimes = field(default_factory=Lifetimes)
    envelopes_per_task: int = 256
    """Delegations of one task that may be on record."""


class Signing(KeyLookup, Protocol):
    """Our own keys: to sign, and to verify what we signed."""

    def signer(self, key_class: KeyClass) -> Signer:
        """The key of that class that signs now. Raises `NoSigningKey`."""
