"""Tokens that are pushed (CIBA Core §10.3): judged and issued as if their client had come for them.

1 the client is as it was, by the key that it asked with   2 the grant judges the request, and the one
transaction of every token issues it, bound to the key that was named when asking   3 in that commit the
answer, tokens or error, is sealed into its notice: it is made once, and each try brings the same
"""

from dataclasses import dataclass, replace
from typing import Final

from remit.authority.oauth.asking.backchannel import BackchannelRequest
from remit.authority.oauth.asking.backchannel_notices import Call, Notice, with_body
from remit.authority.oauth.clients.client import client_of
from remit.authority.oauth.clients.registration import CIBA
from remit.authority.oauth.endpoints.token import render_issued
from remit.authority.oauth.enrolling.instances import registration_of
from remit.authority.oauth.grants.ciba import PushedGrant
from remit.authority.oauth.issuing.issuance import Issuance
from remit.authority.oauth.proving.client_auth import Authenticated
from remit.authority.oauth.proving.requests import Asking, Draft, TokenRequest
from remit.authority.oauth.repository import OAuthTransaction, TransactionView
from remit.authority.oauth.wire.errors import InvalidGrant, OAuthError
from remit.authority.oauth.wire.options import OAuthOptions
from remit.authority.oauth.wire.parameters import Parameters
from remit.authority.tokens import Proof
from remit.kernel.canonical import JsonObject
from remit.kernel.clock import Clock
from remit.kernel.errors import Unavailable
from remit.kernel.ids import Entropy, mint_id
from remit.kernel.sealed import SealedBox
from remit.kernel.uow import UnitOfWork

OVER: Final = "the request is over"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    who: Authenticated
    proof: Proof
    draft: Draft | None = None
    refusal: OAuthError | None = None


class Pusher:
    """Makes what is pushed."""

    def __init__(
        self,
        *,
        uow: UnitOfWork[OAuthTransaction],
        grant: PushedGrant,
        issuance: Issuance,
        options: OAuthOptions,
        box: SealedBox,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._uow = uow
        self._grant = grant
        self._issuance = issuance
        self._options = options
        self._box = box
        self._clock = clock
        self._entropy = entropy

    async def mint(self, notice: Notice, call: Call) -> Notice | None:
        """The notice with its answer; None if another node has made it. Raises `Unavailable`."""
        if self._clock.suspect():
            raise Unavailable("the clock is in doubt; nothing is issued")
        request = self._request(call)
        judged = await self._uow.read(lambda tx: self._judge(tx, notice, call, request))
        if judged.refusal is None and judged.draft is not None:
            draft = judged.draft
            await self._issuance.prepare(draft, request)
            try:
                return await self._uow.commit(
                    lambda tx: self._issue(tx, notice, call, request, judged, draft)
                )
            except OAuthError as refused:
                judged = replace(judged, refusal=refused)
        return await self._uow.commit(lambda tx: self._refuse(tx, notice, call, request, judged))

    def _request(self, call: Call) -> TokenRequest:
        return TokenRequest(
            parameters=Parameters(values={"grant_type": (CIBA,), "auth_req_id": (call.handle,)}),
            authorization="",
            proofs=(),
            at=self._clock.now(),
            generation=self._clock.generation(),
        )

    def _judge(self, tx: OAuthTransaction, notice: Notice, call: Call, request: TokenRequest) -> _Judged:
        asked = tx.backchannels.get(notice.id)
        if asked is None:
            raise Unavailable("the request is not kept any more")
        who = self._who(tx, asked)
        # The key was proven, or named, when the client asked; only it can use what it gets.
        proof = Proof(
            key=asked.request.key,
            jti=mint_id("jti", at=request.at, entropy=self._entropy),
            keep_until=request.at,
        )
        asking = Asking(request=request, who=who, proof=proof, reading=tx, view=TransactionView(tx))
        try:
            draft = self._grant.draft(asking)
        except OAuthError as refused:
            return _Judged(who=who, proof=proof, refusal=refused)
        told = draft.id_token
        return _Judged(
            who=who,
            proof=proof,
            draft=draft if told is None else replace(draft, id_token=replace(told, pushed=call.handle)),
        )

    def _who(self, tx: OAuthTransaction, asked: BackchannelRequest) -> Authenticated:
        registration = registration_of(tx, asked.client_id)
        principal = None if registration is None else tx.principals.get(registration.principal)
        client = None
        if principal is not None:
            client = client_of(
                principal,
                agent=None if principal.parent is None else tx.principals.get(principal.parent),
                credentials=tuple(tx.credentials.of(principal.id)),
                trust_domain=self._options.trust_domain,
                registration=registration,
            )
        if client is None:
            raise Unavailable("who asked is not kept any more")
        return Authenticated(client=client, credential=asked.credential, assertion=None)

    def _issue(
        self,
        tx: OAuthTransaction,
        notice: Notice,
        call: Call,
        request: TokenRequest,
        judged: _Judged,
        draft: Draft,
    ) -> Notice | None:
        """INVARIANT: tokens and their sealed text are one commit; whoever comes second makes none."""
        issued = self._issuance.issue(tx, draft, request=request, who=judged.who, proof=judged.proof)
        made = with_body(self._box, notice, call, render_issued(issued))
        if not tx.notices.save(made, was=notice.tries):
            raise InvalidGrant(OVER, reason="push_raced")
        return made

    def _refuse(
        self, tx: OAuthTransaction, notice: Notice, call: Call, request: TokenRequest, judged: _Judged
    ) -> Notice | None:
        """CIBA Core §12. What somebody else has made meanwhile stands."""
        refusal = judged.refusal or InvalidGrant(OVER, reason="push_over")
        body: JsonObject = {"error": str(refusal.error), "error_description": refusal.hint}
        made = with_body(self._box, notice, call, body)
        if not tx.notices.save(made, was=notice.tries):
            return None
        self._issuance.refuse(tx, refusal, request=request, who=judged.who, proof=judged.proof)
        return made
