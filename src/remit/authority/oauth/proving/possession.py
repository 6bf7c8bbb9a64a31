"""Proof of possession at the token endpoint: what a new token will be bound to (RFC 9449 §5)."""

from datetime import datetime

from remit.authority.oauth.clients.client import Binding
from remit.authority.oauth.proving.client_auth import Authenticated
from remit.authority.oauth.proving.requests import TokenRequest
from remit.authority.oauth.wire.errors import UNVERIFIED, InvalidDpopProof, InvalidRequest, UseDpopNonce
from remit.authority.oauth.wire.options import OAuthOptions
from remit.authority.oauth.wire.proof_pace import ProofPace
from remit.authority.tokens import Proof
from remit.identity.credentials import CredentialState
from remit.kernel.errors import Invalid
from remit.kernel.jose.dpop import VerifiedProof, verify_proof
from remit.kernel.jose.errors import NonceRequired, ProofRejected
from remit.kernel.jose.nonce import NonceBox


class NoNonceKey(Invalid):
    """Nonces are required by the settings, and there is nothing to make them with: refuse to start."""

    code = "no_nonce_key"


class PossessionCheck:
    """Decides which key a new token is bound to: a registered one of the client, or none.

    INVARIANT: a bound token's key is a credential of its client, so revoking the credential ends the token,
    and a thief of an assertion gets no token for a key of his own. A public client brings any key: what it
    redeems is bound to one, or becomes so. Without a proof only a client whose
    registration says `bearer` gets a token at all.
    """

    def __init__(self, *, options: OAuthOptions, nonces: NonceBox | None) -> None:
        if options.require_nonce and nonces is None:
            raise NoNonceKey("`require_nonce` is set, but there is no key for nonces")
        self._options = options
        self._nonces = nonces if options.require_nonce else None
        self._pace = ProofPace(per_minute=options.proofs_per_minute)

    def prove(
        self,
        proofs: tuple[str, ...],
        *,
        who: Authenticated,
        at: datetime,
        generation: int,
        target: str = "",
        registered: bool = False,
    ) -> Proof | None:
        """The proof to burn, its `key` being the thumbprint to bind to; None for a lawful Bearer token.

        `target` is the endpoint that it was made for, if that is not the token endpoint. `registered`: only
        the client's own word earns this token, so that its key must be one of the client's, whoever it is.
        Raises an `OAuthError`, or `TooManyProofs`, of which nothing is put on record.
        """
        if len(proofs) > 1:
            # RFC 9449 §4.3 (1)
            raise InvalidDpopProof("more than one `DPoP` header", reason="proof_repeated")
        if not proofs:
            if who.client.binding is Binding.DPOP:
                raise InvalidDpopProof("a `DPoP` proof is required", reason="proof_missing")
            return None
        proof = self._verify(proofs[0], target or self._options.token_endpoint, at, generation)
        self._pace.take(proof.thumbprint, at)
        known = who.client.credential_of(proof.thumbprint)
        # A registered client has a key per session: its code or refresh token says which one is meant.
        if known is None and who.client.any_key and not registered:
            return Proof(key=proof.thumbprint, jti=proof.jti, keep_until=proof.keep_until)
        if known is None or known.state is not CredentialState.ACTIVE:
            raise InvalidDpopProof("the proof's key is not registered to this client", reason="proof_key")
        return Proof(key=proof.thumbprint, jti=proof.jti, keep_until=proof.keep_until)

    def prove_at(self, path: str, asked: TokenRequest, who: Authenticated) -> Proof | None:
        """The proof of a request that may bind what comes of it to a key, at that endpoint; None without one.

        Raises as `prove` does.
        """
        if not asked.proofs:
            return None
        return self.prove(
            asked.proofs,
            who=who,
            at=asked.at,
            generation=asked.generation,
            target=f"{self._options.issuer}{path}",
        )

    def _verify(self, proof: str, target: str, at: datetime, generation: int) -> VerifiedProof:
        try:
            return verify_proof(
                proof,
                method="POST",
                target=target,
                at=at,
                access_token=None,
                nonces=self._nonces,
                generation=generation,
            )
        except NonceRequired as needed:
            if self._nonces is None:
                raise InvalidRequest(UNVERIFIED, reason=needed.reason) from needed
            nonce = self._nonces.issue(at=at, generation=generation)
            raise UseDpopNonce("the proof must carry this nonce", nonce=nonce) from needed
        except ProofRejected as rejected:
            raise InvalidDpopProof(UNVERIFIED, reason=rejected.reason, debug=rejected.debug) from rejected
