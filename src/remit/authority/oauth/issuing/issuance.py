"""The one transaction in which a token comes to be: everything alive, everything used up, all on record."""

from dataclasses import dataclass, replace
from typing import Final

from remit.authority.delegation_service import TooManyDelegations
from remit.authority.errors import (
    EnvelopeRejected,
    NoConsent,
    NotAlive,
    NotYours,
    SegmentCrossed,
    TaskOver,
    UnlistedPair,
    Widened,
)
from remit.authority.oauth.consenting.endings import Compromised, end_family
from remit.authority.oauth.issuing import records
from remit.authority.oauth.issuing.polled_grant import count_poll
from remit.authority.oauth.proving.client_auth import Authenticated
from remit.authority.oauth.proving.lineage import token_lineage, why_dead
from remit.authority.oauth.proving.requests import Draft, Extended, Outgoing, TokenRequest
from remit.authority.oauth.repository import (
    Delegations,
    IssuanceGate,
    OAuthTransaction,
    SigningKeys,
    TransactionView,
    View,
    Views,
)
from remit.authority.oauth.tokens.access import AccessToken, claims_of
from remit.authority.oauth.tokens.status_list import take_place
from remit.authority.oauth.wire.errors import (
    UNVERIFIED,
    AccessDenied,
    AuthorizationPending,
    InvalidAuthorizationDetails,
    InvalidClient,
    InvalidDpopProof,
    InvalidGrant,
    InvalidRequest,
    OAuthError,
)
from remit.authority.oidc import id_token
from remit.authority.tokens import Proof
from remit.kernel.canonical import canonical_json
from remit.kernel.ids import Entropy, EnvelopeId
from remit.kernel.jose import jws, jwt
from remit.kernel.jose.jws import LONGEST_TOKEN
from remit.kernel.jose.keys import KeyClass
from remit.kernel.jose.profiles import TokenType

_REFUSALS: Final = (
    NotAlive,
    NotYours,
    NoConsent,
    TaskOver,
    SegmentCrossed,
    UnlistedPair,
    Widened,
    TooManyDelegations,
)
"""What the delegation service may say against an envelope that verifies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A token on record, and its text, which is kept nowhere."""

    token: AccessToken
    text: str
    issued_token_type: str
    refresh: str = ""
    """The refresh token that goes with it, kept nowhere either."""
    id_token: str = ""
    outgoing: Outgoing | None = None
    """What left in the token's place, if anything did."""
    extended: Extended | None = None
    """The envelope that left in the token's place, if one did."""


class Issuance:
    """Turns a draft into a token, or leaves nothing behind.

    1 the client's assertion and the proof are used up, and the code or refresh token that earns this
    2 the envelope goes on record
    3 everything that the token stands on is alive now   4 no higher wing objects
    5 the token is remembered and on record   6 it is signed; it leaves after the commit
    INVARIANT: step 3 reads the epoch in the transaction that remembers the token, and tombstones there or in
    a view of that very epoch, so a kill and an issuance are ordered by commit: no token leaves after the
    kill that would have stopped it (P1, TX-08).
    """

    def __init__(
        self,
        *,
        delegations: Delegations,
        gate: IssuanceGate,
        keys: SigningKeys,
        entropy: Entropy,
        status_lists: bool = False,
        views: Views | None = None,
    ) -> None:
        self._views = views
        self._status_lists = status_lists
        self._delegations = delegations
        self._gate = gate
        self._keys = keys
        self._entropy = entropy

    async def prepare(self, draft: Draft | None, request: TokenRequest) -> None:
        """Have the key for an ID token at hand before the transaction that signs it."""
        if draft is not None and draft.id_token is not None:
            await self._keys.prepare(draft.id_token.key_class, at=request.at)

    def issue(
        self,
        tx: OAuthTransaction,
        draft: Draft,
        *,
        request: TokenRequest,
        who: Authenticated,
        proof: Proof | None,
    ) -> Issued:
        """Run the steps in an open transaction; whatever is raised rolls all of them back."""
        burn(tx, who, proof)
        refresh = "" if draft.spend is None else draft.spend.apply(tx, at=request.at)
        token = self._begun(tx, draft, self._with_envelope(tx, draft, request), request)
        known = self._known(tx)
        self._check_ground(tx, known, token, draft, request)
        if draft.outgoing is not None:
            return self._hand_out(tx, token, draft, draft.outgoing, request)
        if draft.extended is not None:
            return _hand_on(token, draft, draft.extended)
        token = self._with_status(tx, token)
        self._remember(tx, known, token, request)
        text = self._sign(token)
        return Issued(
            token=token,
            text=text,
            issued_token_type=draft.issued_token_type,
            refresh=refresh,
            id_token=self._identify(draft, text, refresh),
        )

    def refuse(
        self,
        tx: OAuthTransaction,
        error: OAuthError,
        *,
        request: TokenRequest,
        who: Authenticated,
        proof: Proof | None,
    ) -> OAuthError:
        """Put a refusal on record, with what follows from it; assertion and proof are used up all the same.

        What came under the mere name of a public client is not recorded: strangers can't fill the ledger.
        Nor is a poll that comes before anybody has answered: it is counted, and told what that comes to.
        """
        if isinstance(error, Compromised):
            end_family(
                tx, error.family, cause=error.reason, by=who.client.id, at=request.at, entropy=self._entropy
            )
        for used in (who.assertion, proof):
            if used is not None:
                tx.replay.burn(who.client.tenant, used)
        if isinstance(error, AuthorizationPending):
            return count_poll(tx, error, at=request.at)
        if who.public and not isinstance(error, Compromised):
            return error
        tx.ledger.append(
            records.refused(
                error, who=who, parameters=request.parameters, at=request.at, entropy=self._entropy
            )
        )
        return error

    def _sign(self, token: AccessToken) -> str:
        """Sign, unless the result would be more than any verifier of ours reads."""
        signer = self._keys.signer(KeyClass.ACCESS_TOKEN)
        try:
            text = jwt.issue(claims_of(token), as_type=TokenType.ACCESS_TOKEN, signer=signer)
        except jwt.UnfitClaims as unfit:
            raise _too_large() from unfit
        if len(text) > LONGEST_TOKEN:
            raise _too_large()
        return text

    def _identify(self, draft: Draft, access_token: str, refresh: str) -> str:
        """The ID token that names these very tokens (OpenID Connect Core §3.1.3.6, CIBA Core §10.3.1)."""
        if draft.id_token is None:
            return ""
        named = replace(draft.id_token, access_hash=id_token.hash_of(access_token))
        if named.pushed and refresh:
            named = replace(named, refresh_hash=id_token.hash_of(refresh))
        try:
            return id_token.issue(named, self._keys.signer(named.key_class))
        except jwt.UnfitClaims as unfit:
            raise _too_large() from unfit

    def _begun(
        self, tx: OAuthTransaction, draft: Draft, token: AccessToken, request: TokenRequest
    ) -> AccessToken:
        return token if draft.begin is None else draft.begin.apply(tx, token, at=request.at)

    def _hand_out(
        self,
        tx: OAuthTransaction,
        token: AccessToken,
        draft: Draft,
        outgoing: Outgoing,
        request: TokenRequest,
    ) -> Issued:
        """Sign what leaves in the token's place, on record; nothing is remembered of it but that."""
        payload = canonical_json(outgoing.claims)
        signer = self._keys.signer(outgoing.key_class)
        text = jws.sign_named(signer.kid, outgoing.typ, payload, signer.private)
        if len(text) > LONGEST_TOKEN:
            raise _too_large()
        tx.ledger.append(records.handed_out(token, outgoing, at=request.at, entropy=self._entropy))
        return Issued(token=token, text=text, issued_token_type=draft.issued_token_type, outgoing=outgoing)

    def _with_status(self, tx: OAuthTransaction, token: AccessToken) -> AccessToken:
        """Give it a place in a status list, with all that it stands on, where lists are published."""
        if not self._status_lists:
            return token
        lineage = token_lineage(TransactionView(tx), token)
        place = take_place(tx.statuses, token, lineage, entropy=self._entropy)
        return replace(token, status=place)

    def _with_envelope(self, tx: OAuthTransaction, draft: Draft, request: TokenRequest) -> AccessToken:
        if draft.envelope is None:
            return draft.token
        try:
            recorded = self._delegations.record(tx, draft.envelope, at=request.at)
        except EnvelopeRejected as rejected:
            raise InvalidRequest(UNVERIFIED, reason=rejected.reason, debug=rejected.debug) from rejected
        except _REFUSALS as refused:
            # Which level of the lineage died, or which rule of delegation forbids it.
            reason = refused.reason if isinstance(refused, NotAlive) else refused.code
            raise AccessDenied(refused.hint, reason=reason, debug=refused.debug) from refused
        texts = (recorded.root, *(hop.prefix for hop in recorded.hops))
        ids = (*recorded.parents, *(EnvelopeId(text) for text in texts), recorded.id)
        return replace(draft.token, envelopes=ids)

    def _check_ground(
        self,
        tx: OAuthTransaction,
        known: View | None,
        token: AccessToken,
        draft: Draft,
        request: TokenRequest,
    ) -> None:
        try:
            self._check_alive(tx, known, token, request)
        except AccessDenied as ended:
            if draft.spend is None and draft.begin is None:
                raise
            # RFC 6749 §5.2: a code, refresh token or grant whose ground is gone is revoked with it.
            raise InvalidGrant(ended.hint, reason=ended.reason) from ended

    def _check_alive(
        self, tx: OAuthTransaction, known: View | None, token: AccessToken, request: TokenRequest
    ) -> None:
        dead = self._why_dead(tx, known, token, request)
        if dead:
            raise AccessDenied("something that this token would stand on has ended", reason=dead)
        objection = self._gate.objection(token, request.at)
        if objection:
            raise AccessDenied("issuance is not allowed now", reason=objection)

    def _why_dead(
        self, tx: OAuthTransaction, known: View | None, token: AccessToken, request: TokenRequest
    ) -> str:
        """Why it may not be given; memory may only say that all lives, at the epoch of this transaction."""
        if known is not None and not why_dead(known, token, generation=request.generation, at=request.at):
            return ""
        return why_dead(TransactionView(tx), token, generation=request.generation, at=request.at)

    def _known(self, tx: OAuthTransaction) -> View | None:
        """What is held in memory, if nothing was taken from anybody since."""
        view = None if self._views is None else self._views.current()
        return view if view is not None and view.epoch() == tx.epoch() else None

    def _remember(
        self, tx: OAuthTransaction, known: View | None, token: AccessToken, request: TokenRequest
    ) -> None:
        tx.tokens.add(token.row())
        client = (known or TransactionView(tx)).principal(token.client)
        tx.ledger.append(
            records.issued(
                token,
                task=None if token.task is None else tx.tasks.get(token.task),
                owner="" if client is None else client.owner or "",
                grant_type=request.parameters.get("grant_type"),
                epoch=tx.epoch(),
                entropy=self._entropy,
            )
        )


def _hand_on(token: AccessToken, draft: Draft, extended: Extended) -> Issued:
    """What was judged is what leaves, to the byte: its hop went on record with the digest of this text."""
    kind = draft.issued_token_type
    return Issued(token=token, text=extended.text, issued_token_type=kind, extended=extended)


def _too_large() -> InvalidAuthorizationDetails:
    return InvalidAuthorizationDetails(
        f"the rights do not fit a token of {LONGEST_TOKEN} characters: ask for fewer",
        reason="token_too_large",
    )


def burn(tx: OAuthTransaction, who: Authenticated, proof: Proof | None) -> None:
    """Use up what may be used once (RFC 7523 §3 (7), RFC 9449 §11.1), durably with this transaction."""
    if who.assertion is not None and not tx.replay.burn(who.client.tenant, who.assertion):
        raise InvalidClient(UNVERIFIED, reason="assertion_replayed")
    burn_proof(tx, who, proof)


def burn_proof(tx: OAuthTransaction, who: Authenticated, proof: Proof | None) -> None:
    """Use up a proof of possession, durably with this transaction."""
    if proof is not None and not tx.replay.burn(who.client.tenant, proof):
        raise InvalidDpopProof(UNVERIFIED, reason="proof_replayed")
