"""Ledger records and facts of clients: who let them in, what they may be sent back to, how they ended."""

from datetime import datetime
from typing import Final

from remit.authority.oauth.clients.invitations import Invitation
from remit.authority.oauth.clients.registration import ClientRegistration
from remit.authority.oauth.repository import OAuthTransaction
from remit.identity.principals import Kind
from remit.kernel.ids import Entropy, PrincipalId
from remit.ledger import facts
from remit.ledger.record import Record

REGISTERED: Final = "authority.client.registered"
CHANGED: Final = "authority.client.changed"
REVOKED: Final = "authority.client.revoked"
INVITED: Final = "authority.client.invited"
_SHOWN: Final = 2048


def invited(tx: OAuthTransaction, invitation: Invitation, *, entropy: Entropy) -> None:
    """Record that somebody may register clients for an agent; the token itself is nowhere."""
    tx.ledger.append(
        Record(
            id=facts.record_id(invitation.created_at, entropy),
            at=invitation.created_at,
            tenant=invitation.tenant,
            kind=INVITED,
            actor=invitation.by,
            agent=invitation.agent,
            subject=invitation.agent,
            digests=(("invitation", invitation.digest),),
            detail=(("uses", str(invitation.uses)), ("expires_at", invitation.expires_at.isoformat())),
        )
    )


def state(
    tx: OAuthTransaction,
    fact: str,
    about: ClientRegistration,
    *,
    by: PrincipalId,
    at: datetime,
    entropy: Entropy,
    because: str = "",
) -> None:
    """Record a fact about a client and put it into the outbox, both in the open transaction."""
    detail = (
        ("client_id", about.client_id),
        ("kind", str(about.kind)),
        ("auth_method", str(about.auth_method)),
        ("redirect_uris", " ".join(about.redirect_uris)[:_SHOWN]),
        *((("because", because),) if because else ()),
    )
    principal = tx.principals.get(about.principal)
    agent = principal.parent if principal is not None and principal.kind is Kind.INSTANCE else None
    facts.state(
        tx,
        Record(
            id=facts.record_id(at, entropy),
            at=at,
            tenant=about.tenant,
            kind=fact,
            actor=by,
            owner="" if principal is None else principal.owner or "",
            agent=agent or "",
            subject=about.principal,
            digests=(("client", about.digest),),
            detail=detail,
        ),
        entropy=entropy,
        detail=(("client_id", about.client_id),),
    )
