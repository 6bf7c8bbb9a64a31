"""Sessions of people: who is signed in, how they proved it, and until when that is believed.

A session is a cookie's random secret, of which only the digest is stored. How a person authenticated is told
in the words of RFC 8176 (`amr`) and OpenID Connect Core §2 (`acr`).
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from remit.kernel.canonical import Digest, sha256
from remit.kernel.ids import Entropy, PrincipalId, SessionId, TenantId, mint_id
from remit.kernel.secret import Secret

SECRET_BYTES: Final = 32
ACR_PASSKEY: Final = "urn:remit:acr:passkey"
"""A passkey, and somebody was there."""
ACR_PASSKEY_UV: Final = "urn:remit:acr:passkey-uv"
"""A passkey whose authenticator verified the person (PIN, finger, face)."""
ACR_UPSTREAM: Final = "urn:remit:acr:upstream"
"""By the word of a provider that the company connected."""
ACR_UPSTREAM_MFA: Final = "urn:remit:acr:upstream-mfa"
"""The same, and the provider says that two factors were proven."""
_BY_PASSKEY: Final = frozenset({ACR_PASSKEY, ACR_PASSKEY_UV})
AMR_PASSKEY_UV: Final = ("pop", "user", "mfa")
"""RFC 8176 §2: possession of a key, presence of the user, two factors (the key, and what unlocks it)."""
CLIENT_LIMIT: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRule:
    """How long a person stays signed in: at most, and without doing anything."""

    lifetime: timedelta = timedelta(hours=12)
    idle: timedelta = timedelta(hours=1)
    seen_step: timedelta = timedelta(minutes=1)
    """How far `seen_at` may lag: so that not every page is a write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """How somebody proved who they are, and when."""

    amr: tuple[str, ...]
    acr: str
    at: datetime
    means: str = ""
    """Id of the passkey, or of the provider, that it was done with: its end is the session's end."""
    marks: tuple[str, ...] = ()
    """What a provider vouches for besides (`mfa`, `managed_device`), for conditional access."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One person signed in with one client. INVARIANT: what has ended never goes on.

    `secret_digest` is the SHA-256 of the cookie's 32 random bytes; the bytes themselves are nowhere. `client`
    is what the client called itself, for the person's own list: an assertion, never judged by.
    """

    id: SessionId
    tenant: TenantId
    human: PrincipalId
    secret_digest: Digest
    amr: tuple[str, ...]
    acr: str
    begun_at: datetime
    authenticated_at: datetime
    seen_at: datetime
    expires_at: datetime
    ended_at: datetime | None = None
    means: str = ""
    client: str = ""
    marks: tuple[str, ...] = ()
    """What a provider vouches for besides (`mfa`, `managed_device`), for conditional access."""


def begin(
    human: PrincipalId,
    *,
    tenant: TenantId,
    proof: Proof,
    rule: SessionRule,
    entropy: Entropy,
    client: str = "",
    at: datetime | None = None,
) -> tuple[Session, Secret]:
    """Make a session with a new secret: what anybody knew before a sign-in opens nothing after it.

    `at` is when it begins, where the person proved themselves earlier than that, at a provider.
    """
    secret, at = Secret(entropy(SECRET_BYTES)), at or proof.at
    session = Session(
        id=SessionId(mint_id("ses", at=at, entropy=entropy)),
        tenant=tenant,
        human=human,
        secret_digest=digest_of(secret),
        amr=proof.amr,
        acr=proof.acr,
        means=proof.means,
        marks=proof.marks,
        begun_at=at,
        authenticated_at=proof.at,
        seen_at=at,
        expires_at=at + rule.lifetime,
        client=client[:CLIENT_LIMIT],
    )
    return session, secret


def confirmed(session: Session, *, proof: Proof, entropy: Entropy) -> tuple[Session, Secret]:
    """The same session after a fresh proof: another secret, a new `authenticated_at`, the old end."""
    secret = Secret(entropy(SECRET_BYTES))
    changed = replace(
        session,
        secret_digest=digest_of(secret),
        amr=proof.amr,
        acr=proof.acr,
        means=proof.means,
        # A passkey says nothing of the device: what a provider vouched for this browser still stands.
        marks=session.marks if proof.acr in _BY_PASSKEY else proof.marks,
        authenticated_at=proof.at,
        seen_at=proof.at,
    )
    return changed, secret


def is_open(session: Session, *, rule: SessionRule, at: datetime) -> bool:
    """Whether it is neither ended, nor too old, nor idle; whether its person lives is asked elsewhere."""
    return session.ended_at is None and at < session.expires_at and at - session.seen_at < rule.idle


def is_fresh(session: Session, *, within: timedelta, at: datetime) -> bool:
    """Whether the person authenticated so recently (OpenID Connect Core §3.1.2.1, `max_age`)."""
    return at - session.authenticated_at <= within


def digest_of(secret: Secret) -> Digest:
    """What is stored of a cookie."""
    return sha256(secret.reveal())
