"""The directory as envelopes see it, within one transaction: who is whose agent, who may want something."""

from datetime import datetime
from typing import Final

from remit.authority.options import AuthorityOptions
from remit.authority.verify import EnvelopeVerifier
from remit.identity.credential_keys import CredentialKeys, is_live
from remit.identity.credentials import CredentialState
from remit.identity.lifecycle import State
from remit.identity.principals import Kind
from remit.identity.repository import IdentityTransaction
from remit.kernel.ids import AgentId, InstanceId, PrincipalId
from remit.kernel.jose.keys import KeyLookup

TRIGGER_KINDS: Final = frozenset(
    {
        Kind.APPLICATION,
        Kind.SERVICE_ACCOUNT,
        Kind.SERVICE_PRINCIPAL,
        Kind.BOT,
        Kind.CI_PIPELINE,
        Kind.EPHEMERAL_WORKLOAD,
    }
)
"""What may start a task without a person."""


class TransactionDelegates:
    """Answers from the directory as the open transaction sees it."""

    def __init__(self, tx: IdentityTransaction) -> None:
        self._tx = tx

    def agent_of(self, instance: InstanceId) -> AgentId | None:
        """The agent that a living instance belongs to; None if it, its agent or blueprint does not live."""
        entry = self._tx.principals.get(PrincipalId(instance))
        if entry is None or entry.kind is not Kind.INSTANCE or entry.parent is None:
            return None
        return AgentId(entry.parent) if is_live(entry, self._tx.principals) else None

    def holds_key(self, instance: InstanceId, thumbprint: str, at: datetime) -> bool:
        """Whether it is a registered key of that instance, neither revoked nor past its end (DE-10)."""
        known = self._tx.credentials.by_thumbprint(thumbprint)
        if known is None or known.principal != PrincipalId(instance):
            return False
        if known.state is not CredentialState.ACTIVE:
            return False
        return known.not_after is None or at < known.not_after

    def is_source(self, subject: str) -> bool:
        """Whether it is a living human, or a living trigger (DE-11)."""
        entry = self._tx.principals.get(PrincipalId(subject))
        if entry is None or entry.state is not State.ACTIVE:
            return False
        return entry.kind is Kind.HUMAN or entry.kind in TRIGGER_KINDS


def verifier_in(tx: IdentityTransaction, *, options: AuthorityOptions, roots: KeyLookup) -> EnvelopeVerifier:
    """The verifier of envelopes on one transaction's view of keys and directory."""
    return EnvelopeVerifier(
        trust_domain=options.trust_domain,
        roots=roots,
        delegates=CredentialKeys(tx.credentials, tx.principals),
        directory=TransactionDelegates(tx),
    )
