"""Pushed authorization requests (RFC 9126): what a client will ask of a person, told to us behind the scenes.

1 the client proves itself as at the token endpoint   2 no `request_uri` in it   3 every check of the
authorization endpoint, now   4 a proof of possession binds the code to come (RFC 9449 §10.1)   5 the request
is kept for 60 s under a name that nobody can guess, for this client, to be taken once
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from remit.authority.oauth.asking import authorization_request
from remit.authority.oauth.asking.authorization_request import AuthorizationRequest
from remit.authority.oauth.asking.pending import (
    PUSHED_LIFE,
    URN,
    WAITING_LIMIT,
    WAITING_SHARE,
    Pending,
    PendingState,
)
from remit.authority.oauth.clients.registration import ClientRegistration
from remit.authority.oauth.consenting.desk import Desk
from remit.authority.oauth.issuing.callers import admit
from remit.authority.oauth.proving.client_auth import Authenticated, ClientAuthenticator
from remit.authority.oauth.proving.possession import PossessionCheck
from remit.authority.oauth.proving.request_object import RequestObjects
from remit.authority.oauth.proving.requests import TokenRequest
from remit.authority.oauth.repository import OAuthTransaction, TransactionView
from remit.authority.oauth.wire import opaque
from remit.authority.oauth.wire.errors import (
    InvalidDpopProof,
    InvalidRequest,
    TemporarilyUnavailable,
    UnauthorizedClient,
)
from remit.authority.oauth.wire.options import OAuthOptions
from remit.authority.tokens import Proof
from remit.kernel.canonical import JsonObject
from remit.kernel.ids import Entropy
from remit.kernel.uow import UnitOfWork

PATH: Final = "/par"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pushed:
    who: Authenticated
    registration: ClientRegistration
    request: AuthorizationRequest
    proof: Proof | None


class PushedRequestEndpoint:
    """Keeps a client's request until a browser comes with its name."""

    def __init__(
        self,
        *,
        uow: UnitOfWork[OAuthTransaction],
        clients: ClientAuthenticator,
        possession: PossessionCheck,
        options: OAuthOptions,
        entropy: Entropy,
    ) -> None:
        self._uow = uow
        self._clients = clients
        self._possession = possession
        self._options = options
        self._desk = Desk(options=options)
        self._objects = RequestObjects(options=options)
        self._entropy = entropy

    async def answer(self, asked: TokenRequest) -> JsonObject:
        """The name of the request and how many seconds it lasts (§2.2)."""
        pushed = await self._uow.read(lambda tx: self._judge(tx, asked))
        handle = opaque.make(opaque.REQUEST, self._entropy)
        await self._uow.commit(lambda tx: self._keep(tx, pushed, handle, asked.at))
        return {"request_uri": URN + handle, "expires_in": int(PUSHED_LIFE.total_seconds())}

    def _judge(self, tx: OAuthTransaction, asked: TokenRequest) -> _Pushed:
        # (1) Whoever is public says its name, as RFC 9126 §2.1 allows.
        view = TransactionView(tx)
        who = self._clients.authenticate(
            asked.parameters,
            authorization=asked.authorization,
            view=view,
            at=asked.at,
            certificate=asked.certificate,
        )
        registration = who.registration
        if registration is None:
            raise UnauthorizedClient("this client is not registered for codes", reason="client_unregistered")
        if asked.parameters.get("request_uri"):
            raise InvalidRequest("a pushed request names no other one", reason="request_uri_pushed")
        # (3) §2.1: as at the authorization endpoint, so that the client learns it here.
        parameters = self._objects.parameters_of(asked.parameters, registration, view=view, at=asked.at)
        where = authorization_request.returning(parameters, registration)
        request = authorization_request.read_request(parameters, where, registration, pushed=True)
        self._desk.find(tx, request, registration, at=asked.at)
        proof = self._possession.prove_at(PATH, asked, who)
        return _Pushed(who=who, registration=registration, request=_bound(request, proof), proof=proof)

    def _keep(self, tx: OAuthTransaction, pushed: _Pushed, handle: str, at: datetime) -> None:
        admit(tx, pushed.who, pushed.proof, at=at)
        client = pushed.registration.client_id
        if tx.pendings.crowded(client, share=WAITING_SHARE, limit=WAITING_LIMIT):
            raise TemporarilyUnavailable("too many requests wait for people", reason="pending_limit")
        tx.pendings.add(
            Pending(
                id=opaque.digest_of(handle),
                tenant=pushed.who.client.tenant,
                request=pushed.request,
                registration=pushed.registration.digest,
                state=PendingState.PUSHED,
                begun_at=at,
                expires_at=at + PUSHED_LIFE,
            )
        )


def _bound(request: AuthorizationRequest, proof: Proof | None) -> AuthorizationRequest:
    """RFC 9449 §10.1: the key of the proof, which must be the one that `dpop_jkt` names, if it names one."""
    if proof is None:
        return request
    if request.key and request.key != proof.key:
        raise InvalidDpopProof("`dpop_jkt` names another key than the proof", reason="dpop_jkt_differs")
    return replace(request, key=proof.key)
