"""Encrypted assertions (SAML Core §2.3.4, XML Encryption 1.1): AES-GCM under RSA-OAEP, one form, no more.

SAFETY: anybody can encrypt to a key that we publish, so what comes out is as foreign as what came in: it is
read by the same strict parser, and counts only by its own signature. CBC and PKCS #1 v1.5 are refused before
a key is touched: both tell whoever asks often enough what is inside (CVE-2011-1096, and Bleichenbacher's).
"""

import base64
import binascii
import hmac
from collections.abc import Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from remit.identity.federation.errors import AssertionRejected
from remit.identity.federation.saml import names
from remit.identity.federation.saml.names import ds, saml, xenc
from remit.identity.federation.saml.xml import Element, local, need

_IV, _TAG = 12, 16
_METHOD: Final = xenc("EncryptionMethod")
_KEY_INFO, _CIPHER, _KEY = ds("KeyInfo"), xenc("CipherData"), xenc("EncryptedKey")
_REFERENCES: Final = xenc("ReferenceList")
_DIGESTS: Final[dict[str, type[hashes.SHA1 | hashes.SHA256 | hashes.SHA384 | hashes.SHA512]]] = {
    # OAEP needs no collision resistance of its hash: SHA-1 is what most providers send (RFC 8017 §7.1).
    f"{names.SIGNATURE_NS}sha1": hashes.SHA1,
    f"{names.ENCRYPTION_NS}sha256": hashes.SHA256,
    "http://www.w3.org/2001/04/xmldsig-more#sha384": hashes.SHA384,
    f"{names.ENCRYPTION_NS}sha512": hashes.SHA512,
}
_MASKS: Final[dict[str, type[hashes.SHA1 | hashes.SHA256 | hashes.SHA384 | hashes.SHA512]]] = {
    f"{names.ENCRYPTION_11_NS}mgf1sha1": hashes.SHA1,
    f"{names.ENCRYPTION_11_NS}mgf1sha256": hashes.SHA256,
    f"{names.ENCRYPTION_11_NS}mgf1sha384": hashes.SHA384,
    f"{names.ENCRYPTION_11_NS}mgf1sha512": hashes.SHA512,
}


def opened(sealed: Element, keys: Sequence[rsa.RSAPrivateKey]) -> bytes:
    """Open an `EncryptedAssertion`; the bytes inside, of which nothing is believed yet.

    4 the one form: `EncryptedData` of an element, AES-GCM, one `EncryptedKey`, RSA-OAEP without label
    5 one of our keys opens it. Raises `AssertionRejected`; why a key did not open it is told to nobody.
    """
    data, wrapped = _parts(sealed)
    size = names.GCM.get(_algorithm(data), 0)
    if data.get("Type", names.ELEMENT) != names.ELEMENT or not size or len(_method(data)):
        raise _odd(f"content by `{_algorithm(data)[-40:]}`, of `{data.get('Type')}`"[:160])
    scheme = _oaep(wrapped)
    box, secret = _value(data), _value(wrapped)
    for key in keys:
        found = _decrypted(box, _unwrapped(key, secret, scheme, size))
        if found is not None:
            return found
    raise AssertionRejected(5, "assertion_unopened", debug=f"{len(keys)} keys tried")


def _parts(sealed: Element) -> tuple[Element, Element]:
    """The data and its one key, which stands in it or beside it (SAML Core §2.2.4)."""
    children = list(sealed)
    beside = [each for each in children[1:] if each.tag == _KEY]
    if sealed.tag != saml("EncryptedAssertion") or not children or len(beside) != len(children) - 1:
        raise _odd("an encrypted assertion holds `EncryptedData`, perhaps `EncryptedKey`")
    data = children[0]
    tags = [each.tag for each in data]
    if data.tag != xenc("EncryptedData") or tags not in ([_METHOD, _KEY_INFO, _CIPHER], [_METHOD, _CIPHER]):
        raise _odd("encrypted data hold method, key and text")
    # A `RetrievalMethod` is not followed: there is one key, and that one is tried.
    keys = [*beside, *data.iter(_KEY)]
    if len(keys) != 1:
        raise _odd(f"{len(keys)} keys")
    return data, keys[0]


def _oaep(wrapped: Element) -> padding.OAEP:
    """RSA-OAEP alone; with its hash and mask as they are said, and no label."""
    tags = [each.tag for each in wrapped if each.tag != _REFERENCES]
    if tags not in ([_METHOD, _KEY_INFO, _CIPHER], [_METHOD, _CIPHER]):
        raise _odd("an encrypted key holds method and text")
    algorithm, method = _algorithm(wrapped), _method(wrapped)
    said = {str(each.tag): each.get("Algorithm", "") for each in method}
    digest = _DIGESTS.get(said.pop(ds("DigestMethod"), f"{names.SIGNATURE_NS}sha1"))
    default = f"{names.ENCRYPTION_11_NS}mgf1sha1"
    mask = said.pop(f"{{{names.ENCRYPTION_11_NS}}}MGF", default) if algorithm == names.OAEP else default
    if algorithm not in {names.OAEP, names.OAEP_SHA1} or said or digest is None or mask not in _MASKS:
        raise _odd(f"key by `{algorithm[-40:]}`")
    return padding.OAEP(mgf=padding.MGF1(_MASKS[mask]()), algorithm=digest(), label=None)


def _unwrapped(key: rsa.RSAPrivateKey, secret: bytes, scheme: padding.OAEP, size: int) -> bytes:
    """The content key; where there is none, one that nobody can guess, so that both ways end alike.

    SAFETY: without that, content under a key of the asker's own choice would tell whether RSA had failed.
    """
    rejected = hmac.digest(key.private_numbers().d.to_bytes(key.key_size // 8, "big"), secret, "sha256")
    try:
        found = key.decrypt(secret, scheme)
    except ValueError:
        found = b""
    return found if len(found) == size else rejected[:size]


def _decrypted(box: bytes, key: bytes) -> bytes | None:
    """XML Encryption 1.1 §5.2.4: 96 bits of IV, then text, then 128 bits of tag."""
    if len(box) <= _IV + _TAG:
        return None
    try:
        return AESGCM(key).decrypt(box[:_IV], box[_IV:], None)
    except InvalidTag:
        return None


def _method(element: Element) -> Element:
    return element[0]


def _algorithm(element: Element) -> str:
    return element[0].get("Algorithm", "")


def _value(element: Element) -> bytes:
    """The octets of a `CipherValue`; a reference to elsewhere is none of ours."""
    cipher = need(element, _CIPHER)
    if [each.tag for each in cipher] != [xenc("CipherValue")] or len(cipher[0]):
        raise _odd(f"`{local(cipher)}` is no value")
    try:
        return base64.b64decode("".join((cipher[0].text or "").split()), validate=True)
    except (binascii.Error, ValueError) as broken:
        raise _odd("a value is no base64") from broken


def _odd(what: str) -> AssertionRejected:
    return AssertionRejected(4, "encryption_form", debug=what)
