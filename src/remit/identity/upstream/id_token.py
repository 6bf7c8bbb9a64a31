"""ID tokens and logout tokens of a provider, judged with its keys (OpenID Connect Core §3.1.3.7)."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from remit.identity.federation.trust import IssuerKey, KeySet
from remit.identity.upstream.errors import ArrivalRefused
from remit.identity.upstream.provider import IdentityProvider
from remit.kernel.canonical import Digest, Json, JsonObject, b64u, same_bytes, sha256
from remit.kernel.jose import jws
from remit.kernel.jose.algorithms import EDDSA, Algorithm
from remit.kernel.jose.claims import Claims
from remit.kernel.jose.errors import TokenRejected
from remit.kernel.jose.jwk import PublicKey, parse_jwk
from remit.kernel.jose.jws import Header, Segments
from remit.kernel.jose.profiles import AudienceRule, TokenProfile, TokenType

STALE: Final = timedelta(hours=24)
"""How long the last good set of keys is believed while the provider can't be reached."""
SKEW: Final = timedelta(seconds=60)
LOGOUT_EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
_BESIDE: Final = frozenset({"x5t", "x5t#S256"})
_ID_TYPES: Final = frozenset({"jwt", ""})
_LOGOUT_TYPES: Final = frozenset({"logout+jwt", "jwt", ""})
_LATEST: Final = 1 << 33
_HASHES: Final = {
    Algorithm.ES384: hashlib.sha384,
    # Core §3.1.3.6 speaks of the hash of `alg`; that of Ed25519 is SHA-512 (RFC 8032 §5.1).
    Algorithm.ED25519: hashlib.sha512,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the request made the answer be."""

    nonce: str
    access_token: str
    max_age: timedelta
    says_when: bool
    """Whether `auth_time` must be there: `max_age` was asked of a provider that honours it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdToken:
    """An ID token that held. `authenticated_at` is the earliest it can have been, where nothing says it."""

    members: JsonObject
    subject: str
    authenticated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutToken:
    """A logout token that held; `digest` names it, for its one use until `expires_at`."""

    subject: str
    sid: str
    digest: Digest
    expires_at: datetime


def judge_id_token(
    text: str, provider: IdentityProvider, keys: KeySet, expected: Expected, *, at: datetime
) -> IdToken:
    """Hold an ID token against the request that it answers.

    1 form   2 header   3 a key of that provider, of the header's algorithm, seen less than a day ago
    4 a plain JWT's `typ`   5 signature   6 `iss`, `aud` ours alone, `azp`, times   7 `nonce`
    8 `at_hash`   9 `auth_time` within `max_age`. Raises `ArrivalRefused` with the step.
    """
    parts, header = _opened(text, keys, _ID_TYPES, at)
    claims = _claims(parts, provider, at, longest=timedelta(hours=24))
    nonce = claims.members.get("nonce")
    if not isinstance(nonce, str) or not same_bytes(nonce.encode(), expected.nonce.encode()):
        raise ArrivalRefused(7, "wrong_nonce")
    _check_access_token(claims.members, header.alg, expected.access_token)
    when = _moment(claims.members.get("auth_time"))
    if when is None and expected.says_when:
        raise ArrivalRefused(9, "auth_time_missing")
    if when is not None and at - when > expected.max_age + SKEW:
        raise ArrivalRefused(9, "too_old", debug=f"authenticated at {when}")
    earliest = at - max(expected.max_age, timedelta(hours=12))
    return IdToken(members=claims.members, subject=claims.subject, authenticated_at=when or earliest)


def judge_logout_token(text: str, provider: IdentityProvider, keys: KeySet, *, at: datetime) -> LogoutToken:
    """Hold a logout token against Back-Channel Logout §2.6; steps 1 to 6 as for an ID token.

    7 it says that it is one, and names a session, a person or both; it has a `jti` and no `nonce`, so that no
    ID token passes for one. Raises `ArrivalRefused`. The caller MUST let it count once.
    """
    parts, _ = _opened(text, keys, _LOGOUT_TYPES, at)
    claims = _claims(parts, provider, at, longest=timedelta(minutes=10), subject=False)
    events, sid = claims.members.get("events"), claims.members.get("sid", "")
    if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict):
        raise ArrivalRefused(7, "no_logout_event")
    if "nonce" in claims.members or not claims.jti:
        raise ArrivalRefused(7, "not_a_logout_token")
    if not isinstance(sid, str) or not (sid or claims.subject):
        raise ArrivalRefused(7, "names_nobody")
    return LogoutToken(
        subject=claims.subject,
        sid=sid,
        digest=sha256(parts.signing_input),
        expires_at=claims.expires_at,
    )


def texts_of(value: Json) -> tuple[str, ...]:
    """Every value of a claim as text: itself, or the members of its list; booleans as JSON writes them."""
    found = value if isinstance(value, list) else [value]
    return tuple(_text(each) for each in found if isinstance(each, (str, bool, int)))


def _text(value: str | bool | int) -> str:  # noqa: FBT001 - a claim's own value
    return str(value).lower() if isinstance(value, bool) else str(value)


def _opened(text: str, keys: KeySet, types: frozenset[str], at: datetime) -> tuple[Segments, Header]:
    try:
        parts = jws.take_apart(text)
        header = jws.read_header(parts.protected, beside=_BESIDE)
    except TokenRejected as rejected:
        raise _as_ours(rejected) from rejected
    if at - keys.seen_at > STALE:
        raise ArrivalRefused(3, "keys_stale", debug=f"last seen {keys.seen_at}")
    key = keys.named(header.kid) if header.kid else None
    if key is None or not _is_of(key, header.alg):
        raise ArrivalRefused(3, "key_unknown", debug=f"kid `{header.kid}`, alg `{header.alg}`")
    if header.typ not in types:
        raise ArrivalRefused(4, "wrong_type", debug=f"typ `{header.typ}`")
    if not _public(key.jwk, key.algorithm).verify(parts.signing_input, parts.signature):
        raise ArrivalRefused(5, "bad_signature", debug=f"kid `{header.kid}`")
    return parts, header


def _claims(
    parts: Segments, provider: IdentityProvider, at: datetime, *, longest: timedelta, subject: bool = True
) -> Claims:
    shape = TokenProfile(
        type=TokenType.CLIENT_ASSERTION,  # not read here: step 4 has its own list
        key_classes=(),
        required=frozenset({"iss", "sub"} if subject else {"iss"}),
        longest=longest,
        leeway=SKEW,
        audience=AudienceRule.STRING_OR_ONE,
    )
    try:
        claims = Claims.read(parts.payload, shape)
        claims.check_times(shape, at)
    except TokenRejected as rejected:
        raise _as_ours(rejected) from rejected
    ours = provider.oidc.client_id if provider.oidc is not None else ""
    if claims.issuer != provider.issuer:
        raise ArrivalRefused(6, "wrong_issuer", debug=f"`{claims.issuer}`")
    # Core §3.1.3.7 (3): an audience beside us is one that we don't trust.
    if not ours or claims.audience != ours:
        raise ArrivalRefused(6, "wrong_audience", debug=f"`{claims.audience}`")
    if claims.members.get("azp", ours) != ours:
        raise ArrivalRefused(6, "wrong_party")
    return claims


def _check_access_token(members: JsonObject, alg: str, access_token: str) -> None:
    """Core §3.1.3.6: the left half of its hash; a token that came along with another's is refused."""
    stated = members.get("at_hash")
    if stated is None:
        return
    name = Algorithm.ED25519 if alg == EDDSA else Algorithm(alg)
    digest = _HASHES.get(name, hashlib.sha256)(access_token.encode()).digest()
    if stated != b64u(digest[: len(digest) // 2]):
        raise ArrivalRefused(8, "wrong_access_token")


def _moment(value: Json) -> datetime | None:
    # COMPAT: one product writes `auth_time` as text.
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:12])
    if value is None:
        return None
    if type(value) is not int or not 0 < value < _LATEST:
        raise ArrivalRefused(9, "auth_time_malformed")
    return datetime.fromtimestamp(value, UTC)


def _is_of(key: IssuerKey, alg: str) -> bool:
    return key.algorithm == (Algorithm.ED25519 if alg == EDDSA else alg)


@lru_cache(maxsize=256)
def _public(jwk: str, algorithm: str) -> PublicKey:
    """A pure function of what was stored."""
    return parse_jwk(jwk, algorithm=Algorithm(algorithm))


def _as_ours(rejected: TokenRejected) -> ArrivalRefused:
    return ArrivalRefused(rejected.step, rejected.reason, debug=rejected.debug)
