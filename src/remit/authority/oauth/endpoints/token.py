"""The token endpoint (RFC 6749 §3.2): who asks, with which grant, and what goes back."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from remit.authority.oauth.domains.inbound import Arrivals
from remit.authority.oauth.issuing.issuance import Issuance, Issued
from remit.authority.oauth.metadata import GRANT_CLIENT_CREDENTIALS, OF_AN_INSTANCE
from remit.authority.oauth.proving.client_auth import ASSERTION_TYPE, Authenticated, ClientAuthenticator
from remit.authority.oauth.proving.possession import PossessionCheck
from remit.authority.oauth.proving.requests import Asking, Draft, Grant, TokenRequest
from remit.authority.oauth.repository import OAuthTransaction, TransactionView, View, Views
from remit.authority.oauth.wire.errors import (
    OAuthError,
    TemporarilyUnavailable,
    UnauthorizedClient,
    UnsupportedGrantType,
)
from remit.authority.oauth.wire.rar import details_of
from remit.authority.oauth.wire.scopes import render
from remit.authority.oauth.workloads import Admitted, WorkloadDesk
from remit.authority.tokens import Proof
from remit.kernel.building import builder
from remit.kernel.canonical import JsonObject
from remit.kernel.clock import Clock
from remit.kernel.uow import UnitOfWork

_AT_ONCE: Final = frozenset({((GRANT_CLIENT_CREDENTIALS,), (ASSERTION_TYPE,))})
"""Grants and proofs of clients that are judged by the view alone, so that what is held in memory will do."""


class _Moved(Exception):  # the guide names errors for what happened
    """Authority was taken away since the view in memory was taken: judge again, on the store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """A request that was read and judged on one view: a draft, or why there is none."""

    who: Authenticated
    proof: Proof | None = None
    draft: Draft | None = None
    refusal: OAuthError | None = None
    admitted: Admitted | None = None
    """A workload that came by a foreign assertion: its instance is made with the token."""
    epoch: int | None = None
    """Where a view in memory was believed: the epoch that must still be in force."""


_judged, _asking = builder(_Judged), builder(Asking)


class TokenEndpoint:
    """Judges a request on one consistent view, then issues in one transaction.

    INVARIANT: what is held in memory can only let a request through, never refuse it, and only while its
    epoch is the one in force in the issuing transaction; everything else is judged on the store.
    A refusal of a client that proved itself is recorded; what nobody proved leaves only a count, so that
    strangers can't fill the ledger.
    """

    def __init__(
        self,
        *,
        uow: UnitOfWork[OAuthTransaction],
        clients: ClientAuthenticator,
        possession: PossessionCheck,
        grants: Mapping[str, Grant],
        issuance: Issuance,
        clock: Clock,
        workloads: WorkloadDesk | None = None,
        arrivals: Arrivals | None = None,
        views: Views | None = None,
    ) -> None:
        self._views = views
        self._arrivals = arrivals
        self._uow = uow
        self._clients = clients
        self._possession = possession
        self._grants = grants
        self._issuance = issuance
        self._clock = clock
        self._workloads = workloads

    @property
    def grant_types(self) -> tuple[str, ...]:
        """The ways to earn a token that are served here."""
        return tuple(self._grants)

    async def answer(self, request: TokenRequest) -> Issued:
        """A token that is on record, or an `OAuthError`."""
        if self._clock.suspect():
            raise TemporarilyUnavailable("the clock is in doubt; nothing is issued", reason="clock_suspect")
        at_once = self._remembered(request)
        if at_once is not None:
            with suppress(_Moved):
                return await self._granted(request, at_once)
        if self._workloads is not None:
            await self._workloads.prepare(request)
        if self._arrivals is not None:
            await self._arrivals.prepare(request)
        judged = await self._uow.read(lambda tx: self._judge(tx, request))
        if judged.refusal is not None:
            raise await self._refuse(request, judged, judged.refusal)
        return await self._granted(request, judged)

    async def _granted(self, request: TokenRequest, judged: _Judged) -> Issued:
        """The one transaction, and what follows if it refuses."""
        await self._issuance.prepare(judged.draft, request)
        try:
            return await self._uow.commit(lambda tx: self._issue(tx, request, judged))
        except OAuthError as refusal:
            await self._refuse(request, judged, refusal)
            raise

    def _remembered(self, request: TokenRequest) -> _Judged | None:
        """The request as memory would let it through."""
        asked = request.parameters.values
        if (
            self._views is None
            or (asked.get("grant_type"), asked.get("client_assertion_type")) not in _AT_ONCE
        ):
            return None
        view = self._views.current()
        try:
            who = self._authenticate(view, request, lasting=True)
            judged = self._weigh(who, request, view, epoch=view.epoch())
        except OAuthError:
            return None
        return judged if judged.refusal is None else None

    def _judge(self, tx: OAuthTransaction, request: TokenRequest) -> _Judged:
        view = TransactionView(tx)
        admitted = None if self._workloads is None else self._workloads.admit(tx, request)
        who = self._authenticate(view, request) if admitted is None else admitted.who
        return self._weigh(who, request, view, tx=tx, admitted=admitted)

    def _weigh(
        self,
        who: Authenticated,
        request: TokenRequest,
        view: View,
        *,
        tx: OAuthTransaction | None = None,
        admitted: Admitted | None = None,
        epoch: int | None = None,
    ) -> _Judged:
        proof: Proof | None = None
        try:
            grant = self._grant(request)
            if not who.client.may_use(grant.type):
                raise UnauthorizedClient("this client is not registered for this grant")
            proof = self._possession.prove(
                request.proofs,
                who=who,
                at=request.at,
                generation=request.generation,
                registered=grant.type in OF_AN_INSTANCE,
            )
            draft = grant.draft(_asking(request=request, who=who, proof=proof, reading=tx, view=view))
            return _judged(who=who, proof=proof, draft=draft, admitted=admitted, epoch=epoch)
        except OAuthError as refusal:
            return _judged(who=who, proof=proof, refusal=refusal, admitted=admitted, epoch=epoch)

    def _authenticate(self, view: View, request: TokenRequest, *, lasting: bool = False) -> Authenticated:
        return self._clients.authenticate(
            request.parameters,
            authorization=request.authorization,
            view=view,
            at=request.at,
            certificate=request.certificate,
            lasting=lasting,
        )

    def _grant(self, request: TokenRequest) -> Grant:
        grant = self._grants.get(request.parameters.need("grant_type"))
        if grant is None:
            raise UnsupportedGrantType("this grant type is not served here")
        return grant

    def _issue(self, tx: OAuthTransaction, request: TokenRequest, judged: _Judged) -> Issued:
        if judged.draft is None:
            raise TemporarilyUnavailable("the request was not judged")
        # CRASH: before anything is written; what was judged in memory leaves no trace if it was too old.
        if judged.epoch not in {None, tx.epoch()}:
            raise _Moved
        if judged.admitted is not None:
            judged.admitted.apply(tx, at=request.at)
        return self._issuance.issue(tx, judged.draft, request=request, who=judged.who, proof=judged.proof)

    async def _refuse(self, request: TokenRequest, judged: _Judged, refusal: OAuthError) -> OAuthError:
        """Put it on record; what the client is told."""
        who = judged.who if judged.admitted is None else judged.admitted.on_record
        return await self._uow.commit(
            lambda tx: self._issuance.refuse(tx, refusal, request=request, who=who, proof=judged.proof)
        )


def render_issued(issued: Issued) -> JsonObject:
    """The answer's body (RFC 6749 §5.1, RFC 8693 §2.2.1, RFC 9396 §7)."""
    token, outgoing, extended = issued.token, issued.outgoing, issued.extended
    if outgoing is not None:
        return _render_other(issued, outgoing.claims, outgoing.life)
    if extended is not None:
        return _render_other(issued, extended.said, extended.life)
    body: JsonObject = {
        "access_token": issued.text,
        "token_type": token.token_type,
        "expires_in": int((token.expires_at - token.issued_at).total_seconds()),
        "scope": render(token.scopes),
    }
    if issued.issued_token_type:
        body["issued_token_type"] = issued.issued_token_type
    if issued.refresh:
        body["refresh_token"] = issued.refresh
    if issued.id_token:
        body["id_token"] = issued.id_token
    if token.ceiling is not None:
        body["authorization_details"] = details_of(token.ceiling)
    return body


def _render_other(issued: Issued, said: JsonObject, life: timedelta) -> JsonObject:
    """RFC 8693 §2.2.1: what is no access token has the `token_type` `N_A`, and no refresh token beside it."""
    body: JsonObject = {
        "access_token": issued.text,
        "issued_token_type": issued.issued_token_type,
        "token_type": "N_A",
        "expires_in": int(life.total_seconds()),
    }
    for name in ("scope", "authorization_details"):
        if name in said:
            body[name] = said[name]
    return body
