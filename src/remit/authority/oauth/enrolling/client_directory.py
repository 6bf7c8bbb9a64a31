"""Who a `client_id` is, at this moment: what was registered, or what its document says, fetched when due."""

import asyncio
from collections import deque
from datetime import datetime, timedelta
from typing import Final

from remit.authority.oauth.clients.fetched import DocumentRefused, Documents, FetchedDocument
from remit.authority.oauth.clients.registration import ClientRegistration, RegistrationKind
from remit.authority.oauth.enrolling import enrolment
from remit.authority.oauth.enrolling.enrolment import Act, Enrolment
from remit.authority.oauth.enrolling.registration_service import agent_named, allows_bearer
from remit.authority.oauth.proving.client_auth import ASSERTION_TYPE
from remit.authority.oauth.repository import OAuthTransaction
from remit.authority.oauth.wire.client_options import DocumentClients
from remit.authority.oauth.wire.errors import UNVERIFIED, InvalidClient
from remit.authority.oauth.wire.parameters import Parameters
from remit.identity.lifecycle import State
from remit.identity.principals import Principal
from remit.kernel.ids import Entropy, TenantId
from remit.kernel.jose import jwt
from remit.kernel.jose.errors import TokenRejected
from remit.kernel.uow import UnitOfWork

SCHEME: Final = "https://"
FETCHES: Final = 60
"""Documents fetched in a minute at most: the question comes from anybody."""
_MINUTE: Final = timedelta(minutes=1)


class ClientDirectory:
    """Finds clients for the endpoints; the only part of them that waits for somebody else's server."""

    def __init__(
        self,
        *,
        uow: UnitOfWork[OAuthTransaction],
        documents: Documents,
        allowed: DocumentClients,
        tenant: TenantId,
        entropy: Entropy,
    ) -> None:
        self._uow = uow
        self._documents = documents
        self._allowed = allowed
        self._tenant = tenant
        self._entropy = entropy
        self._locks: dict[str, asyncio.Lock] = {}  # OWNED BY: the event loop
        self._fetched: deque[datetime] = deque(maxlen=FETCHES)  # OWNED BY: the event loop

    async def resolve(self, client_id: str, *, at: datetime) -> ClientRegistration:
        """The live client of that id, its document fetched if that is due.

        Raises `InvalidClient`, the same for what is unknown, revoked or dead; `DocumentRefused` is one too.
        """
        if not client_id.startswith(SCHEME):
            return await self._uow.read(lambda tx: _usable(tx, client_id))
        agent = self._allowed.agent_for(client_id)
        if not agent:
            raise DocumentRefused("this client is not registered here", reason="document_host")
        if (known := await self._fresh(client_id, at)) is not None:
            return known
        # One fetch at a time for one client; whoever waited finds it done.
        lock = self._locks.setdefault(client_id, asyncio.Lock())
        try:
            async with lock:
                return await self._fresh(client_id, at) or await self._renew(client_id, agent, at)
        finally:
            if not lock.locked():
                self._locks.pop(client_id, None)

    async def prepare(self, parameters: Parameters, *, at: datetime) -> None:
        """Before a client is authenticated: have its document at hand, if it is one that has."""
        if self.has_document(parameters):
            await self.resolve(_named(parameters), at=at)

    def has_document(self, parameters: Parameters) -> bool:
        """Whether a request's client is one that has a document, by what the request calls it."""
        return _named(parameters).startswith(SCHEME)

    async def _fresh(self, client_id: str, at: datetime) -> ClientRegistration | None:
        def work(tx: OAuthTransaction) -> ClientRegistration | None:
            known = tx.registrations.get(client_id)
            if known is None or (known.live and known.fresh_until is not None and at >= known.fresh_until):
                return None
            return _usable(tx, client_id)

        return await self._uow.read(work)

    async def _renew(self, client_id: str, agent: str, at: datetime) -> ClientRegistration:
        self._count(at)
        found = await self._documents.fetch(client_id, at=at)
        return await self._uow.commit(lambda tx: self._store(tx, client_id, agent, found, at))

    def _store(
        self, tx: OAuthTransaction, client_id: str, agent_name: str, found: FetchedDocument, at: datetime
    ) -> ClientRegistration:
        agent = agent_named(tx, agent_name)
        if agent is None or agent.state is not State.ACTIVE:
            raise DocumentRefused("this client is not registered here", reason="document_agent")
        act = Act(tenant=self._tenant, by=agent.id, at=at, entropy=self._entropy)
        known = tx.registrations.get(client_id)
        if known is not None:
            _usable(tx, client_id)
            return enrolment.amend(tx, known, found.stated, act, fresh_until=found.fresh_until)
        return enrolment.enrol(tx, _wanted(client_id, agent, found), act)

    def _count(self, at: datetime) -> None:
        if len(self._fetched) == FETCHES and at - self._fetched[0] < _MINUTE:
            raise DocumentRefused("the client's document can't be fetched", reason="document_rate")
        self._fetched.append(at)


def _wanted(client_id: str, agent: Principal, found: FetchedDocument) -> Enrolment:
    return Enrolment(
        stated=found.stated,
        kind=RegistrationKind.METADATA_DOCUMENT,
        agent=agent.id,
        client_id=client_id,
        bearer=allows_bearer(agent),
        fresh_until=found.fresh_until,
    )


def _usable(tx: OAuthTransaction, client_id: str) -> ClientRegistration:
    found = tx.registrations.get(client_id)
    state = None if found is None else tx.lineage.state_of(found.principal)
    if found is None or not found.live or state is not State.ACTIVE or tx.lineage.buried(found.principal):
        raise InvalidClient(UNVERIFIED, reason="client_unknown")
    return found


def _named(parameters: Parameters) -> str:
    """What a request calls its client, nothing of it proven."""
    # A JWT-SVID names no client by its `iss`, which may be any https address (JWT-SVID §3).
    if parameters.get("client_assertion_type") not in {"", ASSERTION_TYPE}:
        return ""
    stated, assertion = parameters.get("client_id"), parameters.get("client_assertion")
    # Where both name it they must agree (`ClientAuthenticator`, step 4): the assertion tells nothing more.
    if stated or not assertion:
        return stated
    try:
        return jwt.peek_issuer(assertion)
    except TokenRejected:
        return ""
