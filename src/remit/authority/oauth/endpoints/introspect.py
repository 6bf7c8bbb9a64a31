"""Introspection (RFC 7662, RFC 9701): whether a token lives, told only to those whom it concerns."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from remit.authority.oauth.clients.client import Client
from remit.authority.oauth.issuing.callers import admit
from remit.authority.oauth.issuing.renewing import refresh_of
from remit.authority.oauth.proving.client_auth import Authenticated, ClientAuthenticator
from remit.authority.oauth.proving.lineage import family_dead, why_dead
from remit.authority.oauth.proving.presented import read_presented
from remit.authority.oauth.repository import OAuthTransaction, SigningKeys, TransactionView
from remit.authority.oauth.tokens.access import NAMESPACE, AccessToken, claims_of
from remit.authority.oauth.wire.errors import UNVERIFIED, InvalidClient, InvalidRequest
from remit.authority.oauth.wire.options import OAuthOptions
from remit.authority.oauth.wire.parameters import Parameters
from remit.authority.tokens import TokenState
from remit.kernel.canonical import JsonObject, canonical_json
from remit.kernel.certificate import PresentedCertificate
from remit.kernel.jose import jws
from remit.kernel.jose.keys import KeyClass
from remit.kernel.uow import UnitOfWork

_TYPE: Final = "token-introspection+jwt"
INACTIVE: Final[JsonObject] = {"active": False}
"""Everything that is said of a token that is dead, unknown, malformed or none of the caller's (§2.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How a caller proves itself, and when it asks."""

    authorization: str
    certificate: PresentedCertificate | None
    at: datetime
    generation: int


class IntrospectionEndpoint:
    """Answers a proven caller about its own tokens, or about those made out to a resource that it serves."""

    def __init__(
        self,
        *,
        uow: UnitOfWork[OAuthTransaction],
        clients: ClientAuthenticator,
        keys: SigningKeys,
        options: OAuthOptions,
    ) -> None:
        self._uow = uow
        self._clients = clients
        self._keys = keys
        self._options = options

    async def answer(
        self,
        parameters: Parameters,
        *,
        authorization: str,
        at: datetime,
        generation: int,
        certificate: PresentedCertificate | None = None,
    ) -> JsonObject:
        """What the token says, if it lives and concerns the caller; else exactly `{"active": false}`."""
        asked = Asked(authorization=authorization, certificate=certificate, at=at, generation=generation)
        return (await self._told(parameters, asked))[1]

    async def signed(
        self,
        parameters: Parameters,
        *,
        authorization: str,
        at: datetime,
        generation: int,
        certificate: PresentedCertificate | None = None,
    ) -> str:
        """The same as a JWT for the caller alone (RFC 9701 §5), so that it can be kept as evidence."""
        asked = Asked(authorization=authorization, certificate=certificate, at=at, generation=generation)
        caller, told = await self._told(parameters, asked)
        said: JsonObject = {
            "iss": self._options.issuer,
            "aud": caller.client.client_id,
            "iat": int(at.timestamp()),
            "token_introspection": told,
        }
        signer = self._keys.signer(KeyClass.STATEMENT)
        # RFC 9701 §5: no `exp` and no `sub` at the top, so that it passes for no token; nobody here reads it.
        return jws.sign_named(signer.kid, _TYPE, canonical_json(said), signer.private)

    async def _told(self, parameters: Parameters, asked: Asked) -> tuple[Authenticated, JsonObject]:
        if not parameters.get("token"):
            raise InvalidRequest("parameter `token` is missing", reason="parameter_missing")
        caller, token = await self._uow.read(lambda tx: self._read(tx, parameters, asked))
        if caller.public:
            # RFC 7662 §2.1: whoever proves nothing may ask nothing, not even about its own.
            raise InvalidClient(UNVERIFIED, reason="client_public")
        told = await self._uow.commit(lambda tx: self._say(tx, parameters.get("token"), caller, token, asked))
        return caller, told

    def _say(
        self,
        tx: OAuthTransaction,
        text: str,
        caller: Authenticated,
        token: AccessToken | None,
        asked: Asked,
    ) -> JsonObject:
        refresh = None if token is not None else refresh_of(tx, text, caller.client)
        if refresh is None:
            return _answer(tx, caller, token, at=asked.at, generation=asked.generation)
        admit(tx, caller, at=asked.at)
        if refresh.token.used_at is not None or family_dead(TransactionView(tx), refresh.family, at=asked.at):
            return INACTIVE
        return refresh.described(issuer=self._options.issuer)

    def _read(
        self, tx: OAuthTransaction, parameters: Parameters, asked: Asked
    ) -> tuple[Authenticated, AccessToken | None]:
        view = TransactionView(tx)
        caller = self._clients.authenticate(
            parameters,
            authorization=asked.authorization,
            view=view,
            at=asked.at,
            certificate=asked.certificate,
        )
        text = parameters.get("token")
        return caller, read_presented(text, keys=self._keys, options=self._options, view=view, at=asked.at)


def _answer(
    tx: OAuthTransaction, caller: Authenticated, token: AccessToken | None, *, at: datetime, generation: int
) -> JsonObject:
    admit(tx, caller, at=at)
    if token is None or not _concerns(caller.client, token, tx):
        return INACTIVE
    # One `why_dead` for every endpoint (N2); what we never issued is no token of ours.
    dead = why_dead(TransactionView(tx), token, generation=generation, at=at)
    known = tx.tokens.get(token.id)
    if dead or known is None or known.state is not TokenState.ACTIVE:
        return INACTIVE
    return _active(token)


def _concerns(client: Client, token: AccessToken, tx: OAuthTransaction) -> bool:
    """Its own, or made out to a resource that the directory says it serves (§4: no token scanning)."""
    if token.client == client.id:
        return True
    entry = tx.principals.get(client.id)
    served = dict(entry.attributes).get("resource_server", "") if entry is not None else ""
    return token.audience in served.split()


def _active(token: AccessToken) -> JsonObject:
    claims = {name: value for name, value in claims_of(token).items() if name != NAMESPACE}
    company: JsonObject = {NAMESPACE: {"with": [*token.companions]}} if token.companions else {}
    return {"active": True, "token_type": token.token_type, **claims, **company}
