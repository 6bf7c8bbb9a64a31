"""Backchannel authentication (CIBA Core §7): a client without a browser asks for a person's yes.

1 the client proves itself; one that anybody can be may not ask   2 it may ask: registered for it, or an
agent's own instance   3 the request is its signed object, or the form   4 one hint, one person
5 what it asks is judged as at the authorization endpoint, before anybody is asked   6 neither person nor
agent has its share of asks already   7 it is kept for 5 minutes, for that person alone
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from remit.authority.oauth.asking import authorization_request
from remit.authority.oauth.asking import backchannel as rules
from remit.authority.oauth.asking.authorization_request import AuthorizationRequest
from remit.authority.oauth.asking.backchannel import BackchannelRequest
from remit.authority.oauth.asking.backchannel_notices import close, read_token
from remit.authority.oauth.clients.registration import CIBA, ClientRegistration, Delivery
from remit.authority.oauth.consenting.desk import Desk
from remit.authority.oauth.enrolling.instances import registration_of
from remit.authority.oauth.issuing.callers import admit
from remit.authority.oauth.proving.client_auth import Authenticated, ClientAuthenticator
from remit.authority.oauth.proving.login_hints import NOBODY, person_of
from remit.authority.oauth.proving.possession import PossessionCheck
from remit.authority.oauth.proving.request_object import RequestObjects
from remit.authority.oauth.proving.requests import TokenRequest
from remit.authority.oauth.repository import OAuthTransaction, TransactionView
from remit.authority.oauth.wire import opaque
from remit.authority.oauth.wire.errors import (
    InvalidDpopProof,
    InvalidScope,
    TemporarilyUnavailable,
    UnauthorizedClient,
)
from remit.authority.oauth.wire.options import OAuthOptions
from remit.authority.oauth.wire.parameters import Parameters
from remit.authority.oauth.wire.polling import INTERVAL
from remit.authority.oidc.disclosure import OPENID
from remit.authority.tokens import Proof
from remit.kernel.canonical import JsonObject, sha256
from remit.kernel.ids import AgentId, Entropy, RecordId, mint_id
from remit.kernel.jose.keys import KeyLookup
from remit.kernel.sealed import SealedBox
from remit.kernel.uow import UnitOfWork
from remit.ledger import facts
from remit.ledger.record import Record

PATH: Final = "/bc-authorize"
ASKED: Final = "authority.backchannel.asked"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    who: Authenticated
    registration: ClientRegistration
    request: AuthorizationRequest
    person: str
    agent: AgentId
    message: str
    life: timedelta
    proof: Proof | None
    token: str
    """What the client knows our notice by; empty for one that polls."""


class BackchannelAuthenticationEndpoint:
    """Keeps a client's request until its person comes."""

    def __init__(
        self,
        *,
        uow: UnitOfWork[OAuthTransaction],
        clients: ClientAuthenticator,
        possession: PossessionCheck,
        options: OAuthOptions,
        keys: KeyLookup,
        entropy: Entropy,
        box: SealedBox,
    ) -> None:
        self._box = box
        self._uow = uow
        self._clients = clients
        self._possession = possession
        self._options = options
        self._desk = Desk(options=options)
        self._objects = RequestObjects(options=options)
        self._keys = keys
        self._entropy = entropy

    async def answer(self, asked: TokenRequest, *, place: str) -> JsonObject:
        """What the client polls with (§7.3); `place` is where it asks from, as we see it."""
        found = await self._uow.read(lambda tx: self._judge(tx, asked))
        handle = opaque.make(opaque.BACKCHANNEL, self._entropy)
        await self._uow.commit(lambda tx: self._keep(tx, found, handle, place, asked.at))
        return {
            "auth_req_id": handle,
            "expires_in": int(found.life.total_seconds()),
            "interval": int(INTERVAL.total_seconds()),
        }

    def _judge(self, tx: OAuthTransaction, asked: TokenRequest) -> _Asked:
        who, registration = self._client(tx, asked)
        parameters = self._parameters(tx, asked, registration)
        proof = self._possession.prove_at(PATH, asked, who)
        request = authorization_request.read_device_request(
            parameters, registration, key="" if proof is None else proof.key
        )
        if OPENID not in request.scopes:
            raise InvalidScope("`openid` is missing (CIBA §7.1)", reason="scope_openid")
        message = self._message(parameters)
        life = rules.life_of(parameters.get("requested_expiry"))
        agent = self._desk.find(tx, request, registration, at=asked.at).agent
        if agent is None:
            raise UnauthorizedClient("people are asked on behalf of agents", reason="backchannel_application")
        _check_pushed(registration, request)
        return _Asked(
            who=who,
            registration=registration,
            request=request,
            person=person_of(tx, parameters, client_id=registration.client_id, keys=self._keys, at=asked.at),
            agent=AgentId(agent.id),
            message=message,
            life=life,
            proof=proof,
            token=read_token(parameters.get("client_notification_token"), registration),
        )

    def _message(self, parameters: Parameters) -> str:
        return rules.check_message(parameters.get("binding_message"))

    def _client(self, tx: OAuthTransaction, asked: TokenRequest) -> tuple[Authenticated, ClientRegistration]:
        who = self._clients.authenticate(
            asked.parameters,
            authorization=asked.authorization,
            view=TransactionView(tx),
            at=asked.at,
            certificate=asked.certificate,
        )
        registration = registration_of(tx, who.client.client_id)
        if registration is None or registration.public or CIBA not in registration.grant_types:
            raise UnauthorizedClient(
                "this client is not registered for that grant", reason="grant_not_registered"
            )
        return who, registration

    def _parameters(
        self, tx: OAuthTransaction, asked: TokenRequest, registration: ClientRegistration
    ) -> Parameters:
        return self._objects.parameters_of(
            asked.parameters, registration, view=TransactionView(tx), at=asked.at
        )

    def _keep(self, tx: OAuthTransaction, asked: _Asked, handle: str, place: str, at: datetime) -> None:
        admit(tx, asked.who, asked.proof, at=at)
        self._require_share(tx, asked, at)
        ident = opaque.digest_of(handle)
        request = BackchannelRequest(
            id=ident,
            tenant=asked.who.client.tenant,
            person=asked.person,
            agent=asked.agent,
            request=asked.request,
            registration=asked.registration.digest,
            message=asked.message,
            credential=asked.who.credential,
            call=close(self._box, ident, handle=handle, token=asked.token),
            place=place,
            begun_at=at,
            expires_at=at + asked.life,
        )
        tx.backchannels.add(request)
        self._state(tx, request, self._record(request, asked))

    def _state(self, tx: OAuthTransaction, request: BackchannelRequest, record: Record) -> None:
        """On record, and told to the person on their own device (§8); an unknown name hears nothing."""
        if record.codes:
            tx.ledger.append(record)
            return
        until = request.expires_at.isoformat()
        told = (("person", request.person), ("agent", request.agent), ("until", until))
        facts.state(tx, record, entropy=self._entropy, subject=request.id, detail=told)

    def _require_share(self, tx: OAuthTransaction, asked: _Asked, at: datetime) -> None:
        """Whoever is asked too often stops reading (CB-01); names that nobody has count like others."""
        since = at - rules.WINDOW
        for whose in ({"person": asked.person}, {"agent": asked.agent}):
            if rules.over_share(tx.backchannels.asks(**whose, since=since, at=at), since=since):
                raise TemporarilyUnavailable(
                    f"{rules.WAITING} requests wait at most, and {rules.ASKS} are made in a minute",
                    reason="backchannel_limit",
                )

    def _record(self, request: BackchannelRequest, asked: _Asked) -> Record:
        unknown = request.person.startswith(NOBODY)
        return Record(
            id=RecordId(mint_id("rec", at=request.begun_at, entropy=self._entropy)),
            at=request.begun_at,
            tenant=request.tenant,
            kind=ASKED,
            actor=asked.who.client.id,
            user="" if unknown else request.person,
            agent=request.agent,
            resource=request.request.resource,
            subject=asked.registration.principal,
            codes=("person_unknown",) if unknown else (),
            digests=(("message", sha256(request.message.encode())),),
            detail=(("client", request.client_id), ("place", request.place)),
        )


def _check_pushed(registration: ClientRegistration, request: AuthorizationRequest) -> None:
    """What is pushed was asked for by no proof of the moment, so that the key is named when asking."""
    if registration.delivery is not Delivery.PUSH:
        return
    if registration.certificate_bound:
        raise UnauthorizedClient("tokens bound to a certificate are not pushed", reason="push_certificate")
    if not request.key:
        raise InvalidDpopProof(
            "pushed tokens are bound to a key: send a proof of it, or `dpop_jkt`", reason="push_key_missing"
        )
