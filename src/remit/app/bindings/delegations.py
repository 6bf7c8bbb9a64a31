"""The authorization server's delegations: the authority wing's verifier and register, in its transaction."""

from datetime import datetime

from remit.authority.delegation_service import Recording, record_envelope
from remit.authority.delegations import RecordedEnvelope
from remit.authority.directory import verifier_in
from remit.authority.oauth.repository import OAuthTransaction
from remit.authority.options import AuthorityOptions, Signing
from remit.authority.verify import VerifiedEnvelope
from remit.kernel.ids import Entropy


class EnvelopeRegister:
    """`Delegations` of the authorization server."""

    def __init__(self, *, keys: Signing, options: AuthorityOptions, entropy: Entropy) -> None:
        self._keys = keys
        self._options = options
        self._entropy = entropy

    def verify(self, tx: OAuthTransaction, text: str, *, at: datetime) -> VerifiedEnvelope:
        """Verify every part, or raise."""
        return verifier_in(tx, options=self._options, roots=self._keys).verify(text, at=at)

    def record(self, tx: OAuthTransaction, verified: VerifiedEnvelope, *, at: datetime) -> RecordedEnvelope:
        """Put it on record, once; raises if it may not go on."""
        recording = Recording(options=self._options, entropy=self._entropy, at=at)
        return record_envelope(tx, verified, recording)
