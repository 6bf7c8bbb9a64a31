"""A hop as a verifiable credential (RFC 9901, draft-ietf-oauth-sd-jwt-vc), for agents that speak those.

It says what every hop says, and is judged by the same rules; its issuer is the instance that hands on. What
it adds: `vct` names it, and `cnf` names the one key of whoever comes next, by which the next part is signed
or, at the end of the chain, a key-binding JWT (RFC 9901 §4.3) shows that the holder is there. Nothing in it
can be disclosed selectively: a hop of which a verifier sees a part is one that it can't judge.

An SD-JWT without disclosures ends in the very separator of an envelope: `root~credential~binding`.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from remit.authority.envelope import SEPARATOR, Hop, Making, hop_claims, read_hop, sized
from remit.authority.errors import EnvelopeRejected
from remit.kernel.canonical import Json, JsonLimits, JsonObject, b64u, canonical_json, parse_object
from remit.kernel.errors import RemitError
from remit.kernel.jose import jws, jwt
from remit.kernel.jose.errors import KeyRefused, TokenRejected
from remit.kernel.jose.jwk import PublicKey, parse_jwk
from remit.kernel.jose.keys import PrivateKey, Signer
from remit.kernel.jose.profiles import TokenType

VCT: Final = "urn:remit:vct:delegation:1"
BINDING: Final = "kb+jwt"
FRESH: Final = timedelta(minutes=5)
"""How old a key binding may be."""
_EARLY: Final = timedelta(seconds=30)
_HIDING: Final = frozenset({"_sd", "_sd_alg", "..."})
_LIMITS: Final = JsonLimits(size=4 << 10, depth=4, members=16, string=1 << 10)


def sign_credential(text: str, hop: Hop, *, signer: Signer, holder: PublicKey) -> str:
    """Extend an envelope by a hop in the form of a credential, bound to the key of whoever comes next."""
    said: dict[str, Json] = {**hop_claims(hop), "vct": VCT, "cnf": {"jwk": holder.jwk()}}
    return text + SEPARATOR + sized(jwt.issue(said, as_type=TokenType.CREDENTIAL_HOP, signer=signer))


def bind(text: str, *, key: PrivateKey, audience: str, nonce: str, at: datetime) -> str:
    """Show an envelope whose last hop is a credential, as its holder (RFC 9901 §4.3, §11.6).

    `nonce` is the `jti` of the DPoP proof that is sent along: so the binding is for one request.
    """
    said: JsonObject = {
        "iat": int(at.timestamp()),
        "aud": audience,
        "nonce": nonce,
        "sd_hash": _hash_of(text),
    }
    return text + SEPARATOR + jws.sign({"typ": BINDING}, canonical_json(said), key)


def read_credential(members: Mapping[str, Json]) -> Hop:
    """Read the claims of a credential whose signature holds. Raises as `envelope.read_hop` does."""
    confirmation = members["cnf"]
    if members["vct"] != VCT or not members.keys().isdisjoint(_HIDING):
        raise TypeError("vct")
    if not isinstance(confirmation, dict) or not isinstance(confirmation.get("jwk"), dict):
        raise TypeError("cnf")
    holder = parse_jwk(canonical_json(confirmation["jwk"]))
    hop = read_hop(members)
    return replace(hop, holder=canonical_json(holder.jwk()).decode(), made=Making.CREDENTIAL)


def divided(text: str) -> tuple[str, str]:
    """An envelope, and the key binding at its end, if there is one."""
    rest, _, last = text.rpartition(SEPARATOR)
    try:
        bound = bool(rest) and jws.read_header(jws.take_apart(last).protected).typ == BINDING
    except TokenRejected:
        bound = False
    return (rest, last) if bound else (text, "")


def check_binding(text: str, binding: str, *, holder: str, audience: str, nonce: str, at: datetime) -> None:
    """See that the holder of an envelope's last credential shows it, here and now (RFC 9901 §7.3).

    `holder` is that credential's key; without one there is nothing to show, and nothing may be shown.
    Raises `EnvelopeRejected` at step 12.
    """
    if not holder and not binding:
        return
    if not holder or not binding:
        raise EnvelopeRejected(12, "binding_missing" if holder else "binding_for_nothing")
    try:
        parts = jws.take_apart(binding)
        said = parse_object(parts.payload, limits=_LIMITS)
        public = parse_jwk(holder)
        fits = (
            jws.read_header(parts.protected).alg == public.algorithm
            and public.verify(parts.signing_input, parts.signature)
            and said.get("aud") == audience
            and said.get("nonce") == nonce
            and bool(nonce)
            and said.get("sd_hash") == _hash_of(text)
        )
        fresh = -_EARLY <= at - _moment(said.get("iat")) <= FRESH
    except (RemitError, TypeError, ValueError, OverflowError, OSError) as odd:
        raise EnvelopeRejected(12, "binding_malformed") from odd
    if not fits or not fresh:
        raise EnvelopeRejected(12, "binding")


def thumbprint_of(holder: str) -> str:
    """The thumbprint (RFC 7638) of a credential's key. Raises `EnvelopeRejected` for none that we know."""
    try:
        return parse_jwk(holder).thumbprint
    except KeyRefused as odd:
        raise EnvelopeRejected(5, "malformed") from odd


def _hash_of(text: str) -> str:
    """`sd_hash`: SHA-256 over the credential with the separator that ends it, of all parts the last."""
    last = text.rpartition(SEPARATOR)[2]
    return b64u(hashlib.sha256(f"{last}{SEPARATOR}".encode("ascii")).digest())


def _moment(value: Json) -> datetime:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("iat")
    return datetime.fromtimestamp(value, UTC)
