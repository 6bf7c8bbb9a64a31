"""Callers of the side endpoints: proven in a view, admitted in the transaction that answers them."""

from datetime import datetime

from remit.authority.oauth.issuing.issuance import burn, burn_proof
from remit.authority.oauth.proving.client_auth import Authenticated
from remit.authority.oauth.proving.lineage import client_dead
from remit.authority.oauth.repository import OAuthTransaction, TransactionView
from remit.authority.oauth.wire.errors import UNVERIFIED, InvalidClient
from remit.authority.tokens import Proof


def admit(tx: OAuthTransaction, caller: Authenticated, proof: Proof | None = None, *, at: datetime) -> None:
    """Use up what the caller showed; a dead caller is none (RFC 7662 §2.3, RFC 7009 §2.2.1: 401)."""
    burn(tx, caller, None)
    dead = client_dead(TransactionView(tx), caller.client, credential=caller.credential, at=at)
    if dead:
        raise InvalidClient(UNVERIFIED, reason=dead)
    burn_proof(tx, caller, proof)
