"""A SAML provider as an administrator states it."""

from dataclasses import dataclass
from typing import Final

from remit.identity.federation.saml import names
from remit.identity.upstream.mapping import MarkRule
from remit.identity.upstream.provider import Condition, Product, Provisioning

NAME_FORMATS: Final = {
    "persistent": names.PERSISTENT,
    "unspecified": names.UNSPECIFIED,
    "email": names.EMAIL,
}
"""Formats that an administrator may choose; transient names are somebody else each time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedSamlProvider:
    """A SAML provider as an administrator states it; what is left out follows from the product.

    `metadata` is its document, `address` where one is read, now and from then on: one of both. `subject` is
    an attribute that names people for ever, `name_format` the choice of another format of `NameID`.
    """

    name: str
    product: Product
    metadata: bytes = b""
    address: str = ""
    entity: str = ""
    provisioning: Provisioning = Provisioning.LINKED_ONLY
    conditions: tuple[Condition, ...] = ()
    marks: tuple[MarkRule, ...] = ()
    subject: str = ""
    name_format: str = ""
    metadata_signers: bytes = b""
    """Certificates as PEM, one of which must have signed the metadata, each time; empty: none must."""
    encrypted: bool = False
    """Whether it encrypts its assertions to us, each of them."""
    email_trusted: bool = False
