"""Authorization codes (RFC 6749 §4.1.2): one answer of one person, for one client, used once, soon."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from remit.authority.oauth.asking.families import FamilyId
from remit.authority.oauth.wire.errors import InvalidGrant
from remit.authority.oauth.wire.pkce import proves
from remit.authority.oidc.disclosure import NOTHING, Disclosure
from remit.kernel.canonical import Digest, same_bytes
from remit.kernel.ids import SessionId, TaskId, TenantId, UserId

LIFE: Final = timedelta(seconds=60)
NO_GOOD: Final = "the code is not good"
"""The one sentence for every failure of a code: a thief learns nothing about which check stopped him."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """How and when the person who answered had signed in (RFC 9068 §2.2.1), and in which session."""

    session: SessionId
    user: UserId
    at: datetime
    acr: str
    amr: tuple[str, ...]
    marks: tuple[str, ...] = ()
    """What the provider that they came by vouches for (R21)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationCode:
    """What a code stands for; the code itself is kept nowhere.

    `family` names everything that will ever come of it. `task` is None for an application. `key` is the
    thumbprint that the request bound it to (RFC 9449 §10), or empty.
    """

    id: Digest
    tenant: TenantId
    family: FamilyId
    client_id: str
    redirect_uri: str
    challenge: str
    key: str
    sign_in: SignIn
    task: TaskId | None
    resource: str
    scopes: frozenset[str]
    nonce: str
    issued_at: datetime
    expires_at: datetime
    spent_at: datetime | None = None
    registration: Digest = ""
    """The client as the person saw it."""
    disclosure: Disclosure = NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What came with a code: who says to be its client, and the proofs that it belongs to them."""

    client_id: str
    redirect_uri: str
    verifier: str
    key: str
    """Thumbprint of the key that the request proved, or empty."""


def check(code: AuthorizationCode, shown: Shown, *, at: datetime) -> None:
    """Everything but whether it was used before. Raises `InvalidGrant`, always in the same words.

    A failure uses nothing up: a stranger who saw the code can't spend it for its owner.
    """
    if shown.client_id != code.client_id:
        raise InvalidGrant(NO_GOOD, reason="code_other_client")
    if at >= code.expires_at:
        raise InvalidGrant(NO_GOOD, reason="code_expired")
    # OAuth 2.1 leaves it out of the token request, RFC 6749 §4.1.3 wants it: what is there must be equal.
    if shown.redirect_uri and not same_bytes(shown.redirect_uri.encode(), code.redirect_uri.encode()):
        raise InvalidGrant(NO_GOOD, reason="code_other_redirect")
    if not proves(shown.verifier, code.challenge):
        raise InvalidGrant(NO_GOOD, reason="pkce_mismatch")
    if code.key and code.key != shown.key:
        raise InvalidGrant(NO_GOOD, reason="code_other_key")
