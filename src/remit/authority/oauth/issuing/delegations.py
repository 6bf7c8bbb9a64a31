"""Delegation envelopes as the authorization server meets them: verified in a view, recorded on issue."""

from datetime import datetime

from remit.authority.delegation_service import Recording, record_envelope
from remit.authority.delegations import RecordedEnvelope
from remit.authority.directory import verifier_in
from remit.authority.oauth.repository import OAuthTransaction
from remit.authority.options import AuthorityOptions
from remit.authority.verify import VerifiedEnvelope
from remit.kernel.ids import Entropy
from remit.kernel.jose.keys import KeyLookup


class RecordedDelegations:
    """`repository.Delegations` over the delegation service: one rule for hops, whoever shows them first."""

    def __init__(self, *, options: AuthorityOptions, roots: KeyLookup, entropy: Entropy) -> None:
        self._options = options
        self._roots = roots
        self._entropy = entropy

    def verify(self, tx: OAuthTransaction, text: str, *, at: datetime) -> VerifiedEnvelope:
        """Verify every part with the keys and the directory of this transaction."""
        return verifier_in(tx, options=self._options, roots=self._roots).verify(text, at=at)

    def record(self, tx: OAuthTransaction, verified: VerifiedEnvelope, *, at: datetime) -> RecordedEnvelope:
        """Put it on record, or raise what forbids that."""
        return record_envelope(tx, verified, Recording(options=self._options, entropy=self._entropy, at=at))
