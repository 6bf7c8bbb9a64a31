"""A connect flow: from the link to the provider's answer, in one session of one person (N29).

We are the client here: authorization code (RFC 6749 §4.1) with PKCE (RFC 7636, S256) and, where the provider
promises it, `iss` (RFC 9207).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlencode, urlsplit

from remit.authority.vault.connection import Place
from remit.authority.vault.errors import FlowRefused
from remit.authority.vault.provider import Provider
from remit.kernel.canonical import Digest, b64u, sha256
from remit.kernel.ids import Entropy, SessionId, TenantId, UserId
from remit.kernel.secret import Secret

FLOW_LIFE: Final = timedelta(minutes=10)
OPEN_FLOWS: Final = 10
"""Flows that one person may have open at one time."""
_RANDOM: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """One flow, by the digest of its `state`; the state itself is in the person's browser alone."""

    state: Digest
    tenant: TenantId
    session: SessionId
    user: UserId
    place: Place
    back: str
    """The redirect URI, exactly as the provider was told (RFC 6749 §4.1.3)."""
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A flow and what only the browser and we know of it."""

    flow: Flow
    verifier: Secret
    url: str
    """Where the person goes on: the provider's own page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """What came back to our redirect URI; empty for what was not there."""

    state: str
    code: str = ""
    iss: str = ""
    error: str = ""


def begin(
    provider: Provider,
    place: Place,
    *,
    session: SessionId,
    user: UserId,
    issuer: str,
    at: datetime,
    entropy: Entropy,
) -> Begun:
    """Make a flow for one session. The caller MUST store it, and its verifier sealed."""
    state, verifier = b64u(entropy(_RANDOM)), b64u(entropy(_RANDOM))
    back = redirect_uri(issuer, provider)
    asked = {
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": back,
        "state": state,
        "code_challenge": challenge_of(verifier),
        "code_challenge_method": "S256",
        **({"scope": " ".join(place.scopes)} if place.scopes else {}),
    }
    flow = Flow(
        state=sha256(state.encode()),
        tenant=provider.tenant,
        session=session,
        user=user,
        place=place,
        back=back,
        expires_at=at + FLOW_LIFE,
    )
    joint = "&" if urlsplit(provider.authorization_endpoint).query else "?"
    url = f"{provider.authorization_endpoint}{joint}{urlencode(asked)}"
    return Begun(flow=flow, verifier=Secret(verifier.encode()), url=url)


def check_return(
    flow: Flow | None,
    provider: Provider,
    returned: Returned,
    *,
    session: SessionId,
    user: UserId,
    at: datetime,
) -> Flow:
    """Hold an answer against the flow that it claims to end; everything exact.

    1 the flow is ours, unspent and in time   2 it ends in the session that began it (OA-13, OA-28)
    3 it ends at the address of its own provider (OA-27)   4 `iss` is the provider's, wherever it is promised
    or there (OA-10; RFC 9207 §2.4)   5 the provider said yes   6 a code is there.
    The caller MUST have spent the flow in the transaction that found it. Raises `FlowRefused`.
    """
    if flow is None or at >= flow.expires_at:
        raise FlowRefused(1, "unknown", "this connect flow is not open: it ended, ran out, or is not ours")
    if (flow.session, flow.user) != (session, user):
        raise FlowRefused(2, "other_session", "this connect flow was begun in another session")
    if flow.place.provider != provider.id:
        raise FlowRefused(3, "other_provider", "the answer came back to another provider's address")
    if (returned.iss or provider.iss_promised) and returned.iss != provider.issuer:
        raise FlowRefused(4, "other_issuer", "the answer does not come from the provider that was asked")
    if returned.error:
        raise FlowRefused(5, "provider_said_no", f"the provider said no: {_word(returned.error)}")
    if not returned.code:
        raise FlowRefused(6, "no_code", "the provider's answer holds no code")
    return flow


def redirect_uri(issuer: str, provider: Provider) -> str:
    """Where a provider sends people back: one address per provider, so that no two can be mixed up."""
    return f"{issuer}/connect/{provider.name}/callback"


def challenge_of(verifier: str) -> str:
    """RFC 7636 §4.2, S256."""
    return b64u(bytes.fromhex(sha256(verifier.encode())))


def _word(error: str) -> str:
    """An error code is a word (RFC 6749 §4.1.2.1); anything else is not repeated."""
    known = error.isascii() and error.replace("_", "").isalnum() and len(error) <= _WORD
    return f"`{error}`" if known else "with a word that is none"


_WORD: Final = 64
