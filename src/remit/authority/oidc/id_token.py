"""ID tokens (OpenID Connect Core §2, §3.1.3): who is in front of a client, said to that client alone.

Whoever verifies one here (`id_token_hint`, a subject of identity chaining) calls `read`, and then asks
`authority.oauth.lineage.id_token_dead` whether what it stands on lives.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from remit.kernel.canonical import Json, JsonObject, b64u
from remit.kernel.ids import AgentId, SessionId, TaskId, TenantId, TokenId, UserId
from remit.kernel.jose import jws, jwt
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.claims import Claims, unverified_members
from remit.kernel.jose.errors import TokenRejected
from remit.kernel.jose.keys import KeyClass, KeyLookup, Signer
from remit.kernel.jose.profiles import TokenType

LIFE: Final = timedelta(hours=1)
SIGNED_BY: Final[Mapping[Algorithm, KeyClass]] = {
    Algorithm.ES256: KeyClass.ID_TOKEN,
    Algorithm.RS256: KeyClass.ID_TOKEN_RSA,
}
"""Whose keys sign for a client that takes this algorithm (`id_token_signed_response_alg`)."""
NAMESPACE: Final = "dev.remit"
"""The one member that is ours alone; all others are registered names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdToken:
    """What one ID token says.

    `audience` is the `client_id`; `session` is `sid`. `ancestors` are family and session: a tombstone on
    either ends it. `task` and `agent` are there if the client is an agent's. `access_hash` is `at_hash`.
    """

    tenant: TenantId
    issuer: str
    subject: UserId
    audience: str
    session: SessionId
    signed_in_at: datetime
    acr: str
    amr: tuple[str, ...]
    issued_at: datetime
    expires_at: datetime
    nonce: str = ""
    access_hash: str = ""
    pushed: str = ""
    """The `auth_req_id` that it answers, where it is pushed (CIBA Core §10.3.1)."""
    refresh_hash: str = ""
    """Of the refresh token that is pushed with it."""
    ancestors: tuple[TokenId, ...] = ()
    agent: AgentId | None = None
    task: TaskId | None = None
    told: JsonObject = field(default_factory=dict)
    """Claims about the person that the client wanted in the token itself."""
    algorithm: Algorithm = Algorithm.ES256
    """What the client verifies; no claim of it."""

    @property
    def key_class(self) -> KeyClass:
        """Whose key signs it."""
        return SIGNED_BY[self.algorithm]


def hash_of(access_token: str) -> str:
    """`at_hash` (Core §3.1.3.6): the left half of the SHA-256 of the text; ES256 and RS256 both have it."""
    return b64u(hashlib.sha256(access_token.encode("ascii")).digest()[:16])


def claims_of(token: IdToken) -> JsonObject:
    """Write the claims (Core §2, Back-Channel Logout §2.1)."""
    own: JsonObject = {"from": [*token.ancestors]}
    if token.agent is not None and token.task is not None:
        own |= {"agent": token.agent, "task": token.task}
    said: JsonObject = {
        **token.told,
        "iss": token.issuer,
        "sub": token.subject,
        "aud": token.audience,
        "azp": token.audience,
        "iat": int(token.issued_at.timestamp()),
        "exp": int(token.expires_at.timestamp()),
        "auth_time": int(token.signed_in_at.timestamp()),
        "acr": token.acr,
        "amr": [*token.amr],
        "sid": token.session,
        NAMESPACE: own,
    }
    optional = {
        "nonce": token.nonce,
        "at_hash": token.access_hash,
        "urn:openid:params:jwt:claim:auth_req_id": token.pushed,
        "urn:openid:params:jwt:claim:rt_hash": token.refresh_hash,
    }
    return said | {name: value for name, value in optional.items() if value}


def issue(token: IdToken, signer: Signer) -> str:
    """Sign it."""
    signer.require(token.key_class)
    return jwt.issue(claims_of(token), as_type=TokenType.ID_TOKEN, signer=signer)


def read(text: str, *, keys: KeyLookup, audience: str, at: datetime, expired: bool = False) -> IdToken:
    """Verify one of ours that was made out to this client. Raises `TokenRejected`.

    `expired`: whether it may have run out, as a hint may (Core §3.1.2.1, RP-Initiated Logout §2); it is then
    judged as of the moment of its issue, by a key that is believed now.
    """
    moment = min(at, _issued(text)) if expired else at
    verified = jwt.verify(text, as_type=TokenType.ID_TOKEN, keys=keys, at=moment, audience=audience)
    if not verified.record.verifies(at):
        raise TokenRejected(3, "key_not_believed", debug=f"kid `{verified.record.kid}`")
    return _token_of(verified.claims, tenant=verified.record.tenant, algorithm=verified.record.algorithm)


def audience_of(text: str) -> str:
    """To which client an unverified token is made out: it is then verified as exactly that.

    Raises `TokenRejected`.
    """
    audience = unverified_members(jws.take_apart(text).payload).get("aud")
    if not isinstance(audience, str) or not audience:
        raise TokenRejected(6, "audience_malformed")
    return audience


def _issued(text: str) -> datetime:
    stated = unverified_members(jws.take_apart(text).payload).get("iat")
    if isinstance(stated, bool) or not isinstance(stated, int):
        raise TokenRejected(6, "claim_malformed", debug="`iat` is no time")
    try:
        return datetime.fromtimestamp(stated, UTC)
    except (OverflowError, OSError, ValueError) as odd:
        raise TokenRejected(6, "claim_malformed", debug="`iat` is no time") from odd


def _token_of(claims: Claims, *, tenant: TenantId, algorithm: Algorithm) -> IdToken:
    try:
        own = _object(claims.members[NAMESPACE])
        return IdToken(
            tenant=tenant,
            issuer=claims.issuer,
            algorithm=algorithm,
            subject=UserId(claims.subject),
            audience=claims.audience,
            session=SessionId(claims.text("sid")),
            signed_in_at=_moment(claims.members["auth_time"]),
            acr=claims.text("acr"),
            amr=_texts(claims.members["amr"]),
            issued_at=_moment(claims.members["iat"]),
            expires_at=claims.expires_at,
            nonce=claims.optional_text("nonce") or "",
            access_hash=claims.optional_text("at_hash") or "",
            ancestors=tuple(TokenId(each) for each in _texts(own["from"])),
            agent=AgentId(str(own["agent"])) if "agent" in own else None,
            task=TaskId(str(own["task"])) if "task" in own else None,
        )
    except (KeyError, TypeError, ValueError) as odd:
        raise TokenRejected(6, "claims_malformed", debug="claims are not as we write them") from odd


def _object(value: Json) -> JsonObject:
    if not isinstance(value, dict):
        raise TypeError("object")
    return value


def _moment(value: Json) -> datetime:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("time")
    return datetime.fromtimestamp(value, UTC)


def _texts(value: Json) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise TypeError("texts")
    return tuple(str(each) for each in value)
