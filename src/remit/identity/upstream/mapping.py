"""What a provider's claims, or SAML attributes, mean here."""

from dataclasses import dataclass, field
from typing import Final

MFA: Final = "mfa"
"""The person proved two factors, by the provider's own word."""
MANAGED_DEVICE: Final = "managed_device"
"""The person sat at a device that the company manages, by the provider's own word."""
MARKS: Final = frozenset({MFA, MANAGED_DEVICE})
"""Every mark that a provider can set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkRule:
    """That a claim with one of these values, alone or in its list, sets a mark."""

    mark: str
    claim: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """Names of claims; an empty name is read from nowhere.

    `subject` names the person for ever, and nobody after them. An address counts as verified if the claim
    `email_verified` is true, or if `email_trusted` says that the company itself assigns addresses there.
    """

    subject: str = "sub"
    name: str = "name"
    email: str = "email"
    email_verified: str = "email_verified"
    email_trusted: bool = False
    groups: str = "groups"
    marks: tuple[MarkRule, ...] = field(default=())
