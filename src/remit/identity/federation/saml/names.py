"""The names that SAML 2.0 and XML Signature give to things; nothing else is understood here."""

from typing import Final

ASSERTION_NS: Final = "urn:oasis:names:tc:SAML:2.0:assertion"
PROTOCOL_NS: Final = "urn:oasis:names:tc:SAML:2.0:protocol"
METADATA_NS: Final = "urn:oasis:names:tc:SAML:2.0:metadata"
SIGNATURE_NS: Final = "http://www.w3.org/2000/09/xmldsig#"
SCHEMA_INSTANCE_NS: Final = "http://www.w3.org/2001/XMLSchema-instance"

BEARER: Final = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
SUCCESS: Final = "urn:oasis:names:tc:SAML:2.0:status:Success"
REDIRECT: Final = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
POST: Final = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"

ALGORITHMS_NS: Final = "urn:oasis:names:tc:SAML:metadata:algsupport"
ENCRYPTION_NS: Final = "http://www.w3.org/2001/04/xmlenc#"
ENCRYPTION_11_NS: Final = "http://www.w3.org/2009/xmlenc11#"

_FORMAT: Final = "urn:oasis:names:tc:SAML:2.0:nameid-format:"
_FORMAT_1_1: Final = "urn:oasis:names:tc:SAML:1.1:nameid-format:"
PERSISTENT: Final = _FORMAT + "persistent"
TRANSIENT: Final = _FORMAT + "transient"
ENTITY: Final = _FORMAT + "entity"
EMAIL: Final = _FORMAT_1_1 + "emailAddress"
UNSPECIFIED: Final = _FORMAT_1_1 + "unspecified"

ENVELOPED: Final = SIGNATURE_NS + "enveloped-signature"
EXCLUSIVE: Final = "http://www.w3.org/2001/10/xml-exc-c14n#"

_MORE: Final = "http://www.w3.org/2001/04/xmldsig-more#"
RSA_SHA256: Final = f"{_MORE}rsa-sha256"
RSA_METHODS: Final = frozenset({f"{_MORE}rsa-sha{bits}" for bits in (256, 384, 512)})
ECDSA_METHODS: Final = frozenset({f"{_MORE}ecdsa-sha{bits}" for bits in (256, 384, 512)})
DIGESTS: Final = frozenset({
    "http://www.w3.org/2001/04/xmlenc#sha256", f"{_MORE}sha384", "http://www.w3.org/2001/04/xmlenc#sha512",
})  # fmt: skip

GCM: Final = {f"{ENCRYPTION_11_NS}aes{bits}-gcm": bits // 8 for bits in (128, 192, 256)}
"""Content encryption that is taken, with octets of its key. CBC never: it says nothing of who changed it."""
OAEP_SHA1: Final = f"{ENCRYPTION_NS}rsa-oaep-mgf1p"
OAEP: Final = f"{ENCRYPTION_11_NS}rsa-oaep"
ELEMENT: Final = f"{ENCRYPTION_NS}Element"


def saml(name: str) -> str:
    """A name of assertions, as lxml writes it."""
    return f"{{{ASSERTION_NS}}}{name}"


def samlp(name: str) -> str:
    """A name of the protocol, as lxml writes it."""
    return f"{{{PROTOCOL_NS}}}{name}"


def md(name: str) -> str:
    """A name of metadata, as lxml writes it."""
    return f"{{{METADATA_NS}}}{name}"


def ds(name: str) -> str:
    """A name of XML Signature, as lxml writes it."""
    return f"{{{SIGNATURE_NS}}}{name}"


def alg(name: str) -> str:
    """A name of the algorithm profile of metadata, as lxml writes it."""
    return f"{{{ALGORITHMS_NS}}}{name}"


def xenc(name: str) -> str:
    """A name of XML Encryption, as lxml writes it."""
    return f"{{{ENCRYPTION_NS}}}{name}"
