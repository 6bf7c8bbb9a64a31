"""Classes of tokens: the `typ`, the class of key, the claims and the life that each one has.

A token's class is proven by its `typ` *and* by the class of the key that signed it (RFC 8725 §3.11, §3.12),
so a token of one class is no other, wherever it is put.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Final

from remit.kernel.jose.keys import KeyClass


class TokenType(StrEnum):
    """The `typ` that each class is signed with."""

    ACCESS_TOKEN = "at+jwt"  # noqa: S105 - RFC 9068 §2.1
    ENVELOPE = "txntoken+jwt"
    HOP = "remit-env+jwt"
    CAPABILITY = "remit-cap+jwt"
    CLIENT_ASSERTION = "client-authentication+jwt"
    REQUEST_OBJECT = "oauth-authz-req+jwt"
    APPROVAL = "remit-approval+jwt"
    APPROVAL_LINK = "remit-link+jwt"
    STATUS_LIST = "statuslist+jwt"
    TRANSACTION = "remit-txn+jwt"
    """Ours for what a header calls `txntoken+jwt`, as it calls the root of an envelope: the keys differ."""
    CREDENTIAL_HOP = "dc+sd-jwt"
    """A hop as a verifiable credential (draft-ietf-oauth-sd-jwt-vc §2.2.1)."""
    RECORDED_HOP = "remit-lnk+jwt"
    """A hop that was made by token exchange: we sign it for the instance that asked."""
    ID_TOKEN = "JWT"  # noqa: S105 - OpenID Connect Core §2 names no other
    LOGOUT_TOKEN = "logout+jwt"  # noqa: S105 - OpenID Connect Back-Channel Logout §2.4


class AudienceRule(StrEnum):
    """Which forms of `aud` a class may have; the value is always compared exactly."""

    STRING = "string"
    STRING_OR_ONE = "string_or_one"
    """Also an array with exactly one string (RFC 7519 §4.1.3)."""
    ABSENT = "absent"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenProfile:
    """What a token of one class must look like."""

    type: TokenType
    key_classes: tuple[KeyClass, ...]
    required: frozenset[str]
    """String claims that must be there and not empty; `exp` always must, `aud` by its own rule."""
    longest: timedelta
    """The most that `exp` may lie after `iat`."""
    leeway: timedelta = timedelta(0)
    """How long after `exp` a token still counts: nothing for our own, 30 s for a peer's clock."""
    audience: AudienceRule = AudienceRule.STRING
    needs_issued_at: bool = True
    also_typ: frozenset[str] = frozenset()
    """Other `typ` values that peers send for this class; the empty one means that it is absent."""
    named: frozenset[str] = field(init=False)
    """All claims that must be there."""

    def __post_init__(self) -> None:
        audience = set() if self.audience is AudienceRule.ABSENT else {"aud"}
        named = self.required | {"exp"} | audience | ({"iat"} if self.needs_issued_at else set())
        object.__setattr__(self, "named", named)

    def accepts_typ(self, typ: str) -> bool:
        """Whether a header's `typ`, lower-cased and without `application/`, names this class."""
        return typ == self.type or typ in self.also_typ


PEER_LEEWAY: Final = timedelta(seconds=30)

_PROFILES: Final = {
    profile.type: profile
    for profile in (
        TokenProfile(  # RFC 9068 §2.2
            type=TokenType.ACCESS_TOKEN,
            key_classes=(KeyClass.ACCESS_TOKEN,),
            required=frozenset({"iss", "sub", "client_id", "jti"}),
            longest=timedelta(hours=1),
        ),
        TokenProfile(
            type=TokenType.ENVELOPE,
            key_classes=(KeyClass.ENVELOPE,),
            required=frozenset({"iss", "sub", "txn"}),
            longest=timedelta(days=90),
        ),
        TokenProfile(
            type=TokenType.HOP,
            key_classes=(KeyClass.HOP,),
            required=frozenset({"iss", "txn", "prev", "next"}),
            longest=timedelta(days=90),
            leeway=PEER_LEEWAY,
            audience=AudienceRule.ABSENT,
        ),
        TokenProfile(  # draft-ietf-oauth-sd-jwt-vc: `vct` names what it is, `cnf` whose it is
            type=TokenType.CREDENTIAL_HOP,
            key_classes=(KeyClass.HOP,),
            required=frozenset({"iss", "txn", "prev", "next", "vct"}),
            longest=timedelta(days=90),
            leeway=PEER_LEEWAY,
            audience=AudienceRule.ABSENT,
        ),
        TokenProfile(  # `by` is who hands on, `key` the thumbprint of the key with which it asked
            type=TokenType.RECORDED_HOP,
            key_classes=(KeyClass.ENVELOPE,),
            required=frozenset({"iss", "txn", "prev", "next", "by", "key", "scope"}),
            longest=timedelta(days=90),
            audience=AudienceRule.ABSENT,
        ),
        TokenProfile(  # draft-ietf-oauth-transaction-tokens-10; `jti` tells it from the root of an envelope
            type=TokenType.TRANSACTION,
            key_classes=(KeyClass.TRANSACTION,),
            required=frozenset({"iss", "sub", "txn", "scope", "req_wl", "jti"}),
            longest=timedelta(minutes=5),
            also_typ=frozenset({"txntoken+jwt"}),
        ),
        TokenProfile(
            type=TokenType.CAPABILITY,
            key_classes=(KeyClass.CAPABILITY,),
            required=frozenset({"iss", "sub", "jti"}),
            longest=timedelta(seconds=90),
        ),
        TokenProfile(  # RFC 7523 §3; `iat` is optional there, `jti` is not here: it is used once
            type=TokenType.CLIENT_ASSERTION,
            key_classes=(KeyClass.CLIENT, KeyClass.PERSON),
            required=frozenset({"iss", "sub", "jti"}),
            longest=timedelta(minutes=10),
            leeway=PEER_LEEWAY,
            audience=AudienceRule.STRING_OR_ONE,
            needs_issued_at=False,
            also_typ=frozenset({"jwt", ""}),
        ),
        TokenProfile(  # RFC 9101 §4, §10.8: named by its `typ` alone
            type=TokenType.REQUEST_OBJECT,
            key_classes=(KeyClass.CLIENT,),
            required=frozenset({"iss", "client_id"}),
            longest=timedelta(hours=1),
            leeway=PEER_LEEWAY,
            audience=AudienceRule.STRING_OR_ONE,
            needs_issued_at=False,
        ),
        TokenProfile(
            type=TokenType.APPROVAL,
            key_classes=(KeyClass.PERSON,),
            required=frozenset({"iss", "jti", "apr", "digest", "answer"}),
            longest=timedelta(minutes=5),
            leeway=PEER_LEEWAY,
        ),
        TokenProfile(  # draft-ietf-oauth-status-list-21 §5.1
            type=TokenType.STATUS_LIST,
            key_classes=(KeyClass.STATEMENT,),
            required=frozenset({"iss", "sub"}),
            longest=timedelta(hours=24),
            audience=AudienceRule.ABSENT,
        ),
        TokenProfile(  # OpenID Connect Core §2
            type=TokenType.ID_TOKEN,
            key_classes=(KeyClass.ID_TOKEN, KeyClass.ID_TOKEN_RSA),
            required=frozenset({"iss", "sub", "sid"}),
            longest=timedelta(hours=1),
            also_typ=frozenset({"jwt"}),
        ),
        TokenProfile(  # OpenID Connect Back-Channel Logout §2.4
            type=TokenType.LOGOUT_TOKEN,
            key_classes=(KeyClass.ID_TOKEN, KeyClass.ID_TOKEN_RSA),
            required=frozenset({"iss", "sub", "sid", "jti"}),
            longest=timedelta(minutes=2),
        ),
        TokenProfile(
            type=TokenType.APPROVAL_LINK,
            key_classes=(KeyClass.APPROVAL_LINK,),
            required=frozenset({"iss", "sub", "jti", "apr", "digest"}),
            longest=timedelta(days=7),
        ),
    )
}


def profile_of(token_type: TokenType) -> TokenProfile:
    """Give what a token of that class must look like."""
    return _PROFILES[token_type]
