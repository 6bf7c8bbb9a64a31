"""Dynamic client registration (RFC 7591, RFC 7592): off unless the operator says which agent it is for."""

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from remit.authority.oauth.clients.invitations import digest_of_text, opaque
from remit.authority.oauth.clients.metadata import StatedClient, read_metadata
from remit.authority.oauth.clients.registration import ClientRegistration, RegistrationKind
from remit.authority.oauth.enrolling import enrolment
from remit.authority.oauth.enrolling.enrolment import Act, Enrolment
from remit.authority.oauth.enrolling.registration_service import agent_named, allows_bearer
from remit.authority.oauth.repository import OAuthTransaction
from remit.authority.oauth.wire.client_options import DynamicClients, RegistrationMode
from remit.authority.oauth.wire.errors import (
    UNVERIFIED,
    AccessDenied,
    InvalidClientMetadata,
    InvalidRequest,
    InvalidToken,
    MissingToken,
)
from remit.identity.lifecycle import State
from remit.identity.principals import Principal
from remit.kernel.canonical import Json, JsonLimits, JsonObject, parse_object, same_bytes
from remit.kernel.errors import Invalid, RemitError, TooLarge
from remit.kernel.ids import Entropy, PrincipalId, TenantId
from remit.kernel.uow import UnitOfWork

BODY_LIMIT: Final = 16 << 10
_LIMITS: Final = JsonLimits(size=BODY_LIMIT, depth=8, members=512, string=8 << 10)
_MINUTE: Final = timedelta(minutes=1)
_NOT_THE_CLIENTS: Final = frozenset(
    {"registration_access_token", "registration_client_uri", "client_id_issued_at"}
)


class TooManyRegistrations(RemitError):
    """Clients register faster than is allowed, or there are as many as may be."""

    code = "too_many_registrations"
    kind = "rate_limited"


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A client, and the token by which it may change itself; shown to it alone."""

    client: ClientRegistration
    access_token: str


class RegistrationEndpoint:
    """Registers clients that nobody registered before, and lets each of them read, change and end itself."""

    def __init__(
        self,
        *,
        uow: UnitOfWork[OAuthTransaction],
        options: DynamicClients,
        tenant: TenantId,
        entropy: Entropy,
    ) -> None:
        self._uow = uow
        self._options = options
        self._tenant = tenant
        self._entropy = entropy
        self._recent: deque[datetime] = deque(maxlen=options.per_minute)  # OWNED BY: the event loop

    @property
    def served(self) -> bool:
        """Whether there is such an endpoint at all."""
        return self._options.served

    async def register(self, body: bytes, *, authorization: str, at: datetime) -> Registered:
        """RFC 7591 §3. Raises its errors; `InvalidToken` for an initial access token that is none."""
        initial = _bearer(authorization)
        if not initial and self._options.mode is RegistrationMode.TOKEN:
            raise MissingToken("an initial access token is needed to register here")
        self._count(at)
        stated = _stated(_read(body))
        secret = opaque(self._entropy)
        client = await self._uow.commit(lambda tx: self._enrol(tx, stated, initial, secret, at))
        return Registered(client=client, access_token=secret)

    async def read(self, client_id: str, *, authorization: str) -> Registered:
        """RFC 7592 §2.1."""
        token = _bearer(authorization)
        return Registered(
            client=await self._uow.read(lambda tx: _own(tx, client_id, token)), access_token=token
        )

    async def change(self, client_id: str, body: bytes, *, authorization: str, at: datetime) -> Registered:
        """RFC 7592 §2.2: the whole of the new metadata, in the place of the old."""
        token = _bearer(authorization)
        await self._uow.read(lambda tx: _own(tx, client_id, token))
        document = _read(body)
        if document.get("client_id") != client_id or not _NOT_THE_CLIENTS.isdisjoint(document):
            raise InvalidRequest("the body names the client itself, and nothing that only we may set")
        stated = _stated(document)

        def work(tx: OAuthTransaction) -> ClientRegistration:
            present = _own(tx, client_id, token)
            return enrolment.amend(tx, present, stated, self._act(present.principal, at))

        return Registered(client=await self._uow.commit(work), access_token=token)

    async def end(self, client_id: str, *, authorization: str, at: datetime) -> None:
        """RFC 7592 §2.3: everything that was given to it ends too."""
        token = _bearer(authorization)

        def work(tx: OAuthTransaction) -> None:
            present = _own(tx, client_id, token)
            enrolment.revoke(tx, present, self._act(present.principal, at), because="by itself")

        await self._uow.commit(work)

    def _enrol(
        self, tx: OAuthTransaction, stated: StatedClient, initial: str, secret: str, at: datetime
    ) -> ClientRegistration:
        agent = self._agent(tx, initial, at)
        if tx.registrations.crowd(RegistrationKind.DYNAMIC) >= self._options.most:
            raise TooManyRegistrations(f"{self._options.most} clients registered themselves already")
        wanted = Enrolment(
            stated=stated,
            kind=RegistrationKind.DYNAMIC,
            agent=agent.id,
            bearer=allows_bearer(agent),
            access_digest=digest_of_text(secret),
        )
        return enrolment.enrol(tx, wanted, self._act(agent.id, at))

    def _agent(self, tx: OAuthTransaction, initial: str, at: datetime) -> Principal:
        if initial:
            invitation = tx.invitations.use(digest_of_text(initial), at)
            if invitation is None:
                raise InvalidToken(UNVERIFIED, reason="invitation_unknown")
            agent = tx.principals.get(invitation.agent)
        else:
            agent = agent_named(tx, self._options.agent)
        if agent is None or agent.state is not State.ACTIVE:
            raise AccessDenied("nobody may register a client now", reason="registration_agent")
        return agent

    def _count(self, at: datetime) -> None:
        if len(self._recent) == self._options.per_minute and at - self._recent[0] < _MINUTE:
            raise TooManyRegistrations(
                f"{self._options.per_minute} clients registered themselves in this minute, that is the limit"
            )
        self._recent.append(at)

    def _act(self, by: PrincipalId, at: datetime) -> Act:
        return Act(tenant=self._tenant, by=by, at=at, entropy=self._entropy)


def _own(tx: OAuthTransaction, client_id: str, token: str) -> ClientRegistration:
    """The client that this registration access token is of; nobody learns which of the two was wrong."""
    if not token:
        raise MissingToken("a registration access token is needed here")
    found = tx.registrations.get(client_id)
    known = "" if found is None or not found.live else found.access_digest or ""
    if found is None or not known or not same_bytes(known.encode(), digest_of_text(token).encode()):
        raise InvalidToken(UNVERIFIED, reason="registration_token")
    return found


def _stated(document: JsonObject) -> StatedClient:
    stated = read_metadata(document)
    if stated.jwks_uri is not None:
        # It would be fetched again and again for a client that nobody knows: it may state its keys.
        raise InvalidClientMetadata("`jwks_uri` is for metadata documents; state the keys in `jwks`")
    return stated


def _read(body: bytes) -> dict[str, Json]:
    try:
        return parse_object(body, limits=_LIMITS)
    except (Invalid, TooLarge) as malformed:
        raise InvalidClientMetadata(f"the body is no JSON object within {BODY_LIMIT} bytes") from malformed


def _bearer(authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
