"""The public keys that a client states for itself: a JWK Set, read strictly (RFC 7517 §5)."""

from base64 import b64decode, b64encode
from binascii import Error as BadBase64
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from remit.authority.oauth.wire.errors import InvalidClientMetadata
from remit.kernel.canonical import Json, JsonLimits, JsonObject, canonical_json, parse_object
from remit.kernel.errors import Invalid, RemitError
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.jwk import PublicKey, parse_jwk

KEYS_LIMIT: Final = 50
SET_LIMITS: Final = JsonLimits(size=64 << 10, depth=6, members=2048, string=16 << 10)
KID_LIMIT: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedKey:
    """One key of a set: its name there, the key, and the certificate (DER) that comes with it, if any."""

    kid: str
    public: PublicKey
    certificate: bytes = b""


def read_jwks(value: Json) -> JsonObject:
    """Give the set with nothing but public members, names and certificates.

    Raises `InvalidClientMetadata` for what is no set, a private or symmetric key, or a name used twice.
    """
    keys = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(keys, list) or not 1 <= len(keys) <= KEYS_LIMIT:
        raise InvalidClientMetadata(f"`jwks` must be an object with 1 to {KEYS_LIMIT} `keys`")
    try:
        read = [_read(key) for key in keys]
    except (RemitError, BadBase64, ValueError) as refused:
        hint = refused.hint if isinstance(refused, RemitError) else "a key can't be read"
        raise InvalidClientMetadata(f"`jwks`: {hint}") from refused
    names = [key.kid for key in read if key.kid]
    if len(set(names)) != len(names):
        raise InvalidClientMetadata("`jwks`: two keys have the same `kid`")
    # A set is compared and digested as text: the order in which it was written means nothing.
    return {"keys": [*sorted((_written(key) for key in read), key=canonical_json)]}


def read_jwks_text(body: bytes) -> str:
    """The canonical text of a set that came from elsewhere. Raises `InvalidClientMetadata`."""
    try:
        found = parse_object(body, limits=SET_LIMITS)
    except Invalid as broken:
        raise InvalidClientMetadata("the key set is not JSON") from broken
    keys = found.get("keys")
    if isinstance(keys, list):
        # JWKS are shared with others: keys for encryption, and symmetric ones, are none of ours (0.3).
        found["keys"] = [key for key in keys if isinstance(key, dict) and _for_us(key)]
    return canonical_json(read_jwks(found)).decode()


@lru_cache(maxsize=1024)
def stated_keys(jwks: str) -> tuple[StatedKey, ...]:
    """The keys of a registered set; a pure function of its text, worth remembering."""
    keys = parse_object(jwks.encode(), limits=SET_LIMITS)["keys"]
    return tuple(_read(key) for key in keys) if isinstance(keys, list) else ()


def _for_us(key: JsonObject) -> bool:
    return key.get("kty") in {"OKP", "EC", "RSA"} and key.get("use", "sig") == "sig"


def _read(key: Json) -> StatedKey:
    if not isinstance(key, dict):
        raise InvalidClientMetadata("a key is no object")
    kid = key.get("kid", "")
    if not isinstance(kid, str) or len(kid) > KID_LIMIT or not kid.isprintable():
        raise InvalidClientMetadata(f"`kid` must be a string of at most {KID_LIMIT} printable characters")
    # RFC 7518 §6.3 names no algorithm for RSA keys: the one that everybody serves is meant.
    stated = Algorithm.RS256 if key.get("kty") == "RSA" and "alg" not in key else None
    bare = {name: value for name, value in key.items() if name != "x5c"}
    return StatedKey(
        kid=kid, public=parse_jwk(bare, algorithm=stated), certificate=_certificate(key.get("x5c"))
    )


def _certificate(chain: Json) -> bytes:
    if chain is None:
        return b""
    if not isinstance(chain, list) or not chain or not isinstance(chain[0], str):
        raise InvalidClientMetadata("`x5c` must be an array of certificates")
    return b64decode(chain[0], validate=True)


def _written(key: StatedKey) -> JsonObject:
    members: JsonObject = {**key.public.jwk(), "alg": str(key.public.algorithm)}
    if key.kid:
        members["kid"] = key.kid
    if key.certificate:
        members["x5c"] = [b64encode(key.certificate).decode()]
    return members
